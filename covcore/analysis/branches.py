"""Branches: (from line, to line) where a statement has more than one possible next line.

A decision's sites are those that stand within what it tests.  Each arm is followed through the flow graph to the
first line of another statement, or out of the code object:

     1  while items:              site 0 (line 1)   left  ─> block [2] ─> line 2                 1 -> 2
     2      if items.pop():       site 1 (line 2)   left  ─> block [3] ─> line 3                 2 -> 3
     3          found()                             right ─> block [1], whose test is line 1     2 -> 1
     4  done()                    site 2 (line 1: the test again, at the loop's end) …           1 -> 2, 1 -> 4

An arm into another site of the same statement stays inside the line (`a and b`).  What is compiled more than once
(loop tests, finally bodies) falls together, because only lines are kept.  Two kinds of code have no line of their
own on the way and are passed over: the exits of the with statements around, and the decorators of a one-line
definition.

A function or class with its body on the header's line has two next lines, too, as coverage.py counts: the next
statement, when it is defined, and the way out of it, when it runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from covcore.analysis.codes import Code
from covcore.analysis.outline import Outline
from covcore.store.shapes import GOTO, RAISE, RETURN, SITE
from covcore.store.templates import is_template

# The kinds of sites that have the position of a whole `async for`, or of 3.12's `for`, not that of its iterator.
WHOLE = (5, 7)

RAISED = 0  # stands for an exception where a line is expected

type Branch = tuple[int, int]  # from a logical line to a logical line, or to minus the first line of the code it leaves


class Branches(NamedTuple):
    """All branches of a file."""

    possible: dict[int, set[int]]  # from -> to; at least two each
    taken: set[Branch]  # those of the possible ones that events show


def find(codes: Iterable[Code], outline: Outline, run: AbstractSet[int]) -> Branches:
    """Find the branches that code objects have, and which of them were taken.

    Args:
        codes: all code objects of the file.
        outline: of its text.
        run: the logical lines with a LINE event.  A branch was taken if an event of its arm was seen and the line
            it leads to ran: a loop's `for a, b in x` may fail to unpack in between.
    """
    possible: defaultdict[int, set[int]] = defaultdict(set)
    taken: set[Branch] = set()
    for code in codes:
        if code.holds_statements:
            for line, to, hit, is_branch in _ways_of(code, outline):
                if is_branch:
                    possible[line].add(to)
                if hit and (to < 0 or to in run):
                    taken.add((line, to))
    chosen = {line: targets for line, targets in possible.items() if len(targets) > 1}
    return Branches(chosen, {(line, to) for line, to in taken if to in chosen.get(line, ())})


def takers(codes: Iterable[Code], outline: Outline, runners: Mapping[int, int]) -> dict[Branch, int]:
    """Find who took which branch.

    Args:
        codes: those that ran, with a bit set for each slot in `hits`: of the tests that hit it, say.
        outline: of the file's text.
        runners: logical line -> bit set of those who ran it.

    Returns:
        (from, to) -> bit set of those who took this way; also of ways that are no branches, for there is no other.
    """
    found = {}
    for (line, to), hit in arms(codes, outline).items():
        took = hit & runners.get(to, 0) if to > 0 else hit
        if took:
            found[line, to] = took
    return found


def arms(codes: Iterable[Code], outline: Outline) -> dict[Branch, int]:
    """Like `takers`, but of those who set out on a way, whether or not the line it leads to ran under them."""
    found: dict[Branch, int] = {}
    for code in codes:
        if code.holds_statements:
            for line, to, hit, _ in _ways_of(code, outline):
                if hit:
                    found[line, to] = found.get((line, to), 0) | hit
    return found


class _Way(NamedTuple):
    """What an arm of a decision leads to, or a one-line definition."""

    line: int
    to: int
    hit: int  # as in Code.hits
    is_branch: bool = True  # False: it is no branch by itself, but takes one that leads to the same place


def _ways_of(code: Code, outline: Outline) -> Iterator[_Way]:
    flow = _Flow(code, outline)
    lines, sites, _ = code.shape
    for number, line in flow.deciding.items():
        decision = outline.decisions[line]
        slot = len(lines) + 2 * number
        for arm, block in enumerate(sites[number][3:5]):
            hit = code.hits[slot + arm] if code.hits else 0
            for to in flow.next_lines(block, line, decision.passed_over):
                if to != RAISED:
                    yield _Way(line, to, hit)
                elif decision.raised is not None:
                    yield _Way(line, decision.raised or flow.exit, hit, decision.raises)
    if outline.one_liners:
        yield from _one_liners_of(code, flow, outline)


def _one_liners_of(code: Code, flow: _Flow, outline: Outline) -> Iterator[_Way]:
    lines = code.shape[0]
    run: dict[int, int] = {}
    for line, hit in zip(lines, code.hits, strict=False):
        run[outline.first[line]] = run.get(outline.first[line], 0) | hit
    for line in {outline.first[line] for line in lines} & outline.one_liners.keys():
        definition = outline.one_liners[line]
        if (definition.name, definition.first_line) != (code.name, code.first_line):
            targets = flow.lines_after(line, definition.passed_over)
        else:  # this is the code of its body
            targets = flow.next_lines(0, line, definition.passed_over)
            if definition.raises and RAISED in targets:
                targets.add(flow.exit)
        for to in targets - {RAISED}:
            yield _Way(line, to, run.get(line, 0))


class _Flow:
    """The ways through one code object, by logical lines.

    Attributes:
        exit: what stands for leaving it: minus its first line.
        deciding: its sites that decide a statement: number -> logical line.
    """

    def __init__(self, code: Code, outline: Outline) -> None:
        self._first = first = outline.first
        _, self._sites, self._blocks = code.shape
        self.exit = -first[code.first_line]
        # A generic class comes back to its header to note its type parameters; a module's first line is a statement, and a template's.
        has_no_header = code.name == "<module>" or is_template([code.qualname])
        self._own_header = 0 if has_no_header else first[code.first_line]
        self.deciding: dict[int, int] = {}
        for number, (*_, kind, line, end_line, column, end_column) in enumerate(self._sites):
            decision = outline.decisions.get(first[line])
            if decision and (
                (decision.start <= (line, column) and (end_line, end_column) <= decision.end)
                or (kind in WHOLE and (line, column) < decision.start and decision.end < (end_line, end_column))
            ):
                self.deciding[number] = first[line]

    def next_lines(self, block: int, here: int, passed_over: AbstractSet[int]) -> set[int]:
        """The lines that a way from the start of a block reaches first; none if it meets a site that decides `here`.

        Args:
            block: number of a block.
            here: the logical line of the statement that the way starts from.
            passed_over: logical lines that do not count as reached.

        Returns:
            Logical lines, `exit`, and RAISED if a way ends in an exception.
        """
        found: set[int] = set()
        seen: set[int] = set()
        ways = [block]
        while ways:
            block = ways.pop()
            if block not in seen:
                seen.add(block)
                self._go_on(self._blocks[block][2], block, here, passed_over, found, ways)
        return found

    def lines_after(self, here: int, passed_over: AbstractSet[int]) -> set[int]:
        """The lines that come next after a statement that decides nothing."""
        found: set[int] = set()
        for block, (_, _, lines) in enumerate(self._blocks):
            at = next((index for index, line in enumerate(lines) if self._first[line] == here), None)
            if at is not None:
                ways: list[int] = []
                self._go_on(lines[at:], block, here, passed_over, found, ways)
                for way in ways:
                    found |= self.next_lines(way, here, passed_over)
        return found

    def _go_on(
        self,
        lines: Sequence[int],
        block: int,
        here: int,
        passed_over: AbstractSet[int],
        found: set[int],
        ways: list[int],
    ) -> None:
        """Follow the rest of a block: add what it reaches to `found`, or the blocks that come next to `ways`."""
        for line in lines:
            statement = self._first[line]
            if statement not in (here, self._own_header) and statement not in passed_over:
                found.add(statement)
                return
        end, target, _ = self._blocks[block]
        if end == GOTO:
            ways.append(target)
        elif end == SITE and target not in self.deciding:
            ways += self._sites[target][3:5]
        elif end == RETURN:
            found.add(self.exit)
        elif end == RAISE:
            found.add(RAISED)
