"""Conditions: the operands that decide something inside a line, each with its two outcomes.

    operands (the text) ─┐
                         ├─ joined by place and order ──> Condition: which outcome an event was seen of
    sites (the code) ────┘                          └───> Decision: MC/DC, see mcdc

Nothing is said of an operand without a site: constants, the last operand of `x = a and b`, whose value nobody tests;
nor where text and sites do not fit, as in an assert that pytest has rewritten.  Code that the compiler lays down
several times (a finally body) falls together.

They are a total of their own beside statements and branches, and never enter the headline.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from covcore.analysis import mcdc
from covcore.analysis.codes import Code
from covcore.analysis.mcdc import Decision, Step
from covcore.analysis.operands import ASYNC_LOOPS, LOOPS, TESTS, WHOLE_LOOPS, Operand, Operands, Place
from covcore.store.shapes import RAISE

IF_FALSE, IF_TRUE, IF_NONE, IF_NOT_NONE = range(4)  # kinds of sites: src/sites.h
# By kind; an `async for` statement is a branch alone.
FAMILIES = [TESTS, TESTS, TESTS, TESTS, LOOPS, -1, ASYNC_LOOPS, WHOLE_LOOPS]
FAMILIES_BEFORE_3_14 = [WHOLE_LOOPS if family == ASYNC_LOOPS else family for family in FAMILIES]
LONGEST_TEXT = 60  # characters

type Identity = tuple[int, int, int, int, str, tuple[str, str]]


class Condition(NamedTuple):
    """An operand of the source and its two outcomes.

    Attributes:
        line, column, end_line, end_column: where it stands; lines from 1, columns from 0 in UTF-8 bytes.
        text: its source on one line, cut to a reader's measure.
        kind: "test" (all that an `if`, `while`, `assert`, guard, filter or ternary tests, but for a `not`), "operand" (of
            `and`, `or`), "comparison" (a link of a chain), "loop" (of a comprehension; stands at what it runs over).
        outcomes: what its two outcomes are called.
        hits: which of them happened.
        knowable: of which of them an event would tell; the others do not count.
        decision: index into the file's decisions; -1: of none.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    kind: str
    outcomes: tuple[str, str]
    hits: tuple[bool, bool]
    knowable: tuple[bool, bool] = (True, True)
    decision: int = -1

    @property
    def identity(self) -> Identity:
        """What tells it from all others of its file, whatever ran."""
        return *self[:4], self.kind, self.outcomes

    @property
    def missing(self) -> list[str]:
        """The outcomes that never happened though an event would tell."""
        return [
            word
            for word, hit, knowable in zip(self.outcomes, self.hits, self.knowable, strict=True)
            if knowable and not hit
        ]


class Conditions(NamedTuple):
    """All conditions of a file, in source order, and those of its decisions for which MC/DC can be told."""

    conditions: list[Condition]
    decisions: list[Decision]


def find(codes: Sequence[Code], tree: ast.Module, text: str, counts: Callable[[int], bool]) -> Conditions:
    """Find the conditions that code objects have, and which of their outcomes happened.

    Args:
        codes: all code objects of the file.
        tree: its text, parsed.
        text: its text.
        counts: whether what stands on a physical line counts.
    """
    operands = _operands(codes, tree)
    source = _Source(text)
    conditions = [
        (source.condition(operand, family), operand)
        for family, operand in _with_site(operands)
        if counts(operand.node.lineno)
    ]
    conditions.sort(key=lambda pair: pair[0][:4])
    return _with_decisions(conditions, operands, source)


def seen(codes: Sequence[Code], tree: ast.Module, text: str) -> dict[Identity, tuple[int, int]]:
    """Find who saw which outcomes.

    Args:
        codes: those that ran, with a bit set for each slot in `hits`: of the tests that hit it, say.
        tree, text: as `find` has them.

    Returns:
        The bit sets of those who saw either outcome of a condition; of conditions that nobody saw any of nothing is said.
    """
    source = _Source(text)
    found = {}
    for family, operand in _with_site(_operands(codes, tree)):
        true, false = operand.outcomes()
        if true or false:
            found[source.condition(operand, family).identity] = int(true), int(false)
    return found


def _operands(codes: Sequence[Code], tree: ast.Module) -> Operands:
    """The operands of a text, and of their hits what the sites of code objects say."""
    lines = sorted({site[6] for code in codes for site in code.shape[1]})
    minors = sorted({code.minor for code in codes}) or [sys.version_info.minor]
    first, *others = (
        _operands_of([code for code in codes if code.minor == minor], tree, lines, minor) for minor in minors
    )
    for other in others:
        first.add(other)
    return first


def _operands_of(codes: Sequence[Code], tree: ast.Module, lines: Sequence[int], minor: int) -> Operands:
    """The same of code objects that one version has compiled."""
    sites = _Sites(codes, FAMILIES if minor >= 14 else FAMILIES_BEFORE_3_14)
    operands = Operands(tree, lines, minor)
    for place, expected in operands.at.items():
        if len(expected) > 1 and place in operands.unsure:  # two copies of one site look like one of two
            continue
        for actual in sites.at(place, place in operands.managers):
            _join(expected, actual)
    return operands


def _with_site(operands: Operands) -> Iterator[tuple[int, Operand]]:
    """Those operands of which something can be said, each after its family."""
    for place, expected in operands.at.items():
        for operand in expected:
            if operand.found and not operand.may_fold:
                yield place[-1], operand


class _Sites:
    """The sites of all code objects, by place."""

    def __init__(self, codes: Sequence[Code], families: Sequence[int]) -> None:
        self._codes = codes
        self._at: defaultdict[Place, list[tuple[int, int]]] = defaultdict(list)  # numbers of code and site
        for number, code in enumerate(codes):
            for site, (*_, kind, line, end_line, column, end_column) in enumerate(code.shape[1]):
                self._at[line, column, end_line, end_column, families[kind]].append((number, site))

    def at(self, place: Place, managed: bool) -> Iterator[list[tuple[int, bool, bool]]]:
        """The sites at a place: for each code object their kinds and whether the arms were hit.

        Args:
            place: which.
            managed: whether exits of a with statement are to be left out: they raise again if the test fails.
        """
        for number, pairs in groupby(self._at.get(place, ()), itemgetter(0)):
            code = self._codes[number]
            lines, sites, blocks = code.shape
            found = []
            for _, site in pairs:
                kind, left_block = sites[site][5], sites[site][3]
                if not (managed and kind == IF_TRUE and blocks[left_block][0] == RAISE):
                    slot = len(lines) + 2 * site
                    left, right = code.hits[slot : slot + 2] or (False, False)
                    found.append((kind, left, right))
            yield found


def _join(expected: Sequence[Operand], actual: Sequence[tuple[int, bool, bool]]) -> None:
    """Note in operands what the sites of one code object say: any number of times all operands, in order."""
    if len(actual) % len(expected):  # constants leave no sites; or it is not compiled from this text
        return
    for number, (kind, left, right) in enumerate(actual):
        operand = expected[number % len(expected)]
        true, false = (right, left) if kind in (IF_TRUE, IF_NONE) else (left, right)
        if kind in (IF_NONE, IF_NOT_NONE):  # now `true` is: it was None
            node = operand.node
            if isinstance(node, ast.Compare) and isinstance(node.ops[operand.link], ast.IsNot):
                true, false = false, true
        operand.hits[0] |= true
        operand.hits[1] |= false
        operand.found = True


class _Source:
    """The text that conditions and decisions quote."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def condition(self, operand: Operand, family: int) -> Condition:
        first = last = node = operand.node
        if isinstance(node, ast.Compare) and operand.link >= 0:
            first, last = [node.left, *node.comparators][operand.link : operand.link + 2]
            node = ast.Compare(first, [node.ops[operand.link]], [last])
        span = first.lineno, first.col_offset, last.end_lineno or 0, last.end_col_offset or 0
        outcomes = ("true", "false") if family == TESTS else ("entered", "finished")
        knowable = family != ASYNC_LOOPS, True
        return Condition(*span, self.quote(node, *span), operand.kind, outcomes, operand.outcomes(), knowable)

    def decision(
        self, test: ast.expr, conditions: tuple[int, ...], shown: tuple[bool, ...], steps: Sequence[Step]
    ) -> Decision:
        span = test.lineno, test.col_offset, test.end_lineno or 0, test.end_col_offset or 0
        return Decision(*span, self.quote(test, *span), conditions, shown, tuple(step[1:] for step in steps))

    def quote(self, node: ast.expr, line: int, column: int, end_line: int, end_column: int) -> str:
        """An expression on one line; as it is written if it stands on one."""
        text = self._lines[line - 1]
        text = text[column:end_column] if text.isascii() else text.encode()[column:end_column].decode()
        if line != end_line or (isinstance(node, ast.Compare) and ")" in text):  # a link may begin within brackets
            text = ast.unparse(node)
        text = " ".join(text.split())
        return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _with_decisions(found: list[tuple[Condition, Operand]], operands: Operands, source: _Source) -> Conditions:
    """Look for MC/DC, and have conditions refer to their decisions."""
    conditions = [condition for condition, _ in found]
    numbers = {id(operand): number for number, (_, operand) in enumerate(found)}
    decisions: list[Decision] = []
    for test in operands.decisions:
        steps = mcdc.diagram(test)
        leaves = [numbers.get(id(operands.leaves.get(step.leaf))) for step in steps or ()]
        members = tuple(number for number in leaves if number is not None)
        if steps and len(members) == len(steps):
            shown = mcdc.shown(steps, [conditions[number].hits for number in members])
            for number in members:
                conditions[number] = conditions[number]._replace(decision=len(decisions))
            decisions.append(source.decision(test, members, shown, steps))
    return Conditions(conditions, decisions)
