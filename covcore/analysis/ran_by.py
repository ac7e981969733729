"""Who ran each statement, branch and outcome of a file: what a report needs that lets its reader choose the tests.

Sets of tests are bit sets over the tests that ran anything of the file (local test n is bit n), so that they are no longer than
they must be.  What the sets of chosen tests add up to is, to the last figure, what analysing the file anew would say
of those tests alone.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from covcore.analysis import branches, conditions, exclusions
from covcore.analysis.branches import Branch
from covcore.analysis.codes import Code, is_counted, minor_of
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult
from covcore.analysis.outline import Outline
from covcore.analysis.templates import parsed
from covcore.store.database import CodeHits
from covcore.store.shapes import flags, n_slots

ALL = -1  # as a bit set


class Way(NamedTuple):
    """Who took a branch: who set out on it, if the line that it leads to ran under any of those that count."""

    by: int
    to: int = ALL  # those who ran the line that it leads to; ALL: for they are among them or it leads out


class RanBy(NamedTuple):
    """Bit sets of tests.

    Attributes:
        tests: the numbers of the tests that ran anything of the file, ascending.
        statements: of those that any test ran, by line.
        ways: of the branches that any test took.
        outcomes: for each condition of the file those who saw either outcome.
        always: branches that count as taken whoever runs, those of lines that a rule for partial branches names -> its pattern.
    """

    tests: Sequence[int]
    statements: Mapping[int, int]
    ways: Mapping[Branch, Way]
    outcomes: Sequence[tuple[int, int]]
    always: Mapping[Branch, str]


class Parsed(NamedTuple):
    """A text that can be analysed, as analysing has found."""

    text: str
    tree: ast.Module
    outline: Outline


def parse(text: str, engine: str = "") -> Parsed:
    """Raises SyntaxError; engine: of a template, as in FileResult."""
    return Parsed(text, *parsed(text, engine))


def ran_by(
    parsed: Parsed,
    result: FileResult,
    hits: Iterable[CodeHits],
    numbers: Mapping[int, int],
    rules: Rules,
) -> RanBy:
    """Find it out.

    Args:
        parsed: the text that was measured.
        result: its analysis.
        hits: what was hit of its code objects.
        numbers: context id -> number of its test; contexts that are not in it do not count.
        rules: as the analysis had them.
    """
    first = parsed.outline.first
    sets = _Sets([one for one in hits if is_counted(one.qualname)], numbers, parsed.text.count("\n") + 1)
    named: dict[int, int] = {}
    for code in sets.codes:
        for line, names in zip(code.shape[0], code.hits, strict=False):
            if names and line > 0:
                named[first[line]] = named.get(first[line], 0) | names
    run = {line: sets.members(names) for line, names in named.items()}
    ways = {}
    for (line, to), names in branches.arms(sets.codes, parsed.outline).items():
        if to in result.branches.get(line, ()):
            who, there = sets.members(names), run.get(to, 0) if to > 0 else ALL
            if there:  # else nobody got to where the way leads
                ways[line, to] = Way(who) if who & ~there == 0 else Way(who, there)
    never_missed: dict[int, str] = {}
    for line, pattern in exclusions.matches(rules.partial, parsed.text).items():
        never_missed.setdefault(first[line], pattern)
    seen = conditions.seen(sets.codes, parsed.tree, parsed.text)
    outcomes = (seen.get(it.identity, (0, 0)) for it in result.conditions)
    return RanBy(
        sets.tests,
        {line: run[line] for line in result.statements if line in run},
        ways,
        [(sets.members(true), sets.members(false)) for true, false in outcomes],
        {(line, to): pattern for line, pattern in never_missed.items() for to in result.branches.get(line, ())},
    )


class _Sets:
    """The sets of tests that ran the slots of a file, and its code objects with the name of a set for each slot.

    A name is a bit, so that what the analysis adds up of slots tells of a line, a branch or an outcome by which sets it
    goes.  There are few sets, however many slots and tests there are.

    Attributes:
        tests: the numbers of the tests that ran anything, ascending.
        codes: the code objects that ran.
    """

    def __init__(self, hits: Sequence[CodeHits], numbers: Mapping[int, int], n_lines: int) -> None:
        ran = {
            number for one in hits for _, ids in one.patterns for id in ids if (number := numbers.get(id)) is not None
        }
        self.tests = sorted(ran)
        self._place = {number: at for at, number in enumerate(self.tests)}
        self._name: dict[int, int] = {0: 0}
        self._sets: list[int] = []
        self._known: dict[int, int] = {0: 0}
        self.codes = []
        for one in hits:
            names = [self._named(who) for who in self._by_slot(one, numbers)]
            code = Code(one.qualname, one.first_line, one.shape, names, minor_of(one.tag))
            if code.fits(n_lines):
                self.codes.append(code)

    def _by_slot(self, one: CodeHits, numbers: Mapping[int, int]) -> list[int]:
        """For each slot of a code object the tests that hit it."""
        found = [0] * n_slots(one.shape)
        n_bytes = len(self.tests) + 7 >> 3
        for bits, ids in one.patterns:
            who = bytearray(n_bytes)
            for id in ids:
                at = self._place.get(numbers.get(id, -1))
                if at is not None:
                    who[at >> 3] |= 1 << (at & 7)
            members = int.from_bytes(who, "little")
            for slot in compress(range(len(found)), map(int, flags(bits))):
                found[slot] |= members
        return found

    def _named(self, who: int) -> int:
        name = self._name.get(who)
        if name is None:
            name = self._name[who] = 1 << len(self._sets)
            self._sets.append(who)
        return name

    def members(self, names: int) -> int:
        """The tests that are in any of the sets of these names."""
        found = self._known.get(names)
        if found is None:
            found = 0
            rest = int(names)
            while rest:
                lowest = rest & -rest
                found |= self._sets[lowest.bit_length() - 1]
                rest ^= lowest
            self._known[names] = found
        return found
