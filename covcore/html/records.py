"""Which tests ran what of a file, in few bytes: what lets a page and the index follow the reader's choice of tests.

A record is, in numbers of seven bits a byte, the lowest first, the eighth bit set in all but the last byte of a number:

    number of tests                 each test's number in the report, less the one before it and 1 (the first: as it is)
    number of groups                what the same tests ran is one group; their columns stand at the end
    number of weights               each: group, function, statements, branches, outcomes
    number of crossings             each: group, group, function: branches taken if tests of both were chosen
    columns                         for each group a bit for each test, the first is bit 1 of the first byte; whole bytes

One more group, without a column, is of all whoever are chosen: of branches that always count as taken.
A function's number is its place among those of the file, the last is the module.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from covcore.analysis.file import FileResult
from covcore.analysis.ran_by import ALL, RanBy

NOBODY = -1  # the group of what no test ran


class Groups:
    """The groups of a file.

    Attributes:
        tests: the numbers of the tests that ran anything of it.
        columns: bit set of tests for each group.
    """

    def __init__(self, tests: Sequence[int]) -> None:
        self.tests = tests
        self.columns: list[int] = []
        self._number: dict[int, int] = {0: NOBODY}

    def of(self, who: int) -> int:
        """The number of the group of what these tests ran."""
        number = self._number.get(who)
        if number is None:
            number = self._number[who] = len(self.columns)
            self.columns.append(who)
        return number

    def size(self, group: int) -> int:
        """How many tests it has."""
        return self.columns[group].bit_count() if group != NOBODY else 0


class Grouped:
    """The groups of what counts in a file.

    Attributes:
        groups: all of them.
        statements: for each statement of the result its group.
        ways: for each branch of the result, in order, its group, and that of the line that it leads to, or NOBODY if
            its own tests are among those.
        outcomes: for each condition the groups of its two outcomes.
    """

    def __init__(self, found: RanBy, result: FileResult) -> None:
        self.groups = groups = Groups(found.tests)
        self.statements = [groups.of(found.statements.get(line, 0)) for line in result.statements]
        self.ways = {}
        for branch in ((line, to) for line, targets in result.branches.items() for to in targets):
            way = found.ways.get(branch)
            self.ways[branch] = (
                (NOBODY, NOBODY) if way is None else (groups.of(way.by), NOBODY if way.to == ALL else groups.of(way.to))
            )
        self.outcomes = [(groups.of(true), groups.of(false)) for true, false in found.outcomes]
        self.always = found.always


class Owners(NamedTuple):
    """The number of the function that something counts in."""

    lines: Mapping[int, int]  # by statement
    conditions: Sequence[int]


def record(grouped: Grouped, result: FileResult, owners: Owners) -> bytes:
    """The record of a file."""
    groups = grouped.groups
    anybody = len(groups.columns)
    function_of = owners.lines.__getitem__
    weights: dict[tuple[int, int], list[int]] = {}
    crossings = []
    for line, group in zip(result.statements, grouped.statements, strict=True):
        weights.setdefault((group, function_of(line)), [0, 0, 0])[0] += 1
    for (line, to), (group, there) in grouped.ways.items():
        if (line, to) in grouped.always:
            weights.setdefault((anybody, function_of(line)), [0, 0, 0])[1] += 1
        elif there == NOBODY or group == NOBODY:
            weights.setdefault((group, function_of(line)), [0, 0, 0])[1] += 1
        else:
            crossings.append((group, there, function_of(line)))
    for condition, pair, function in zip(result.conditions, grouped.outcomes, owners.conditions, strict=True):
        for group, knowable in zip(pair, condition.knowable, strict=True):
            if knowable:
                weights.setdefault((group, function), [0, 0, 0])[2] += 1
    numbers = [len(groups.tests)]
    before = -1
    for test in groups.tests:
        numbers.append(test - before - 1)
        before = test
    kept = [(*key, *counts) for key, counts in weights.items() if key[0] != NOBODY]
    numbers += [len(groups.columns), len(kept)]
    numbers += (number for entry in kept for number in entry)
    numbers.append(len(crossings))
    numbers += (number for entry in crossings for number in entry)
    n_bytes = len(groups.tests) + 7 >> 3
    return varints(numbers) + b"".join(column.to_bytes(n_bytes, "little") for column in groups.columns)


def varints(numbers: Sequence[int]) -> bytes:
    found = bytearray()
    for number in numbers:
        while number > 127:
            found.append(number & 127 | 128)
            number >>= 7
        found.append(number)
    return bytes(found)
