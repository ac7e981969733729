"""Figures of coverage.py and of covcore, and what differs between them: each difference has a name in docs/differences.md."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

import explanation
from coverage.config import DEFAULT_EXCLUDE, DEFAULT_PARTIAL, DEFAULT_PARTIAL_ALWAYS
from coverage.parser import PythonParser
from coverage.results import Analysis

from covcore.analysis.file import FileResult

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"
EXAMPLES: dict[str, str] = dict(
    re.findall(r"^### (\S+)\n(?:(?!```|#).*\n)*```python\n((?:(?!```).*\n)*)", DIFFERENCES.read_text(), re.MULTILINE)
)

type Branches = AbstractSet[tuple[int, int]]


class Figures(NamedTuple):
    """What two tools can be asked alike."""

    statements: AbstractSet[int]
    excluded: AbstractSet[int]  # statements too
    missing: AbstractSet[int]
    branches: Branches
    missing_branches: Branches
    arcs: Branches = frozenset()  # all that coverage.py recorded: they help to explain


class Pair(NamedTuple):
    """One file, as the two see it."""

    text: str
    theirs: Figures
    ours: Figures


def of_coverage(analysis: Analysis, text: str, arcs: Branches = frozenset()) -> Figures:
    """coverage.py's figures of a file that was measured.

    Args:
        analysis: its own, with its default exclusions.
        text: of the file.
        arcs: what was recorded for it.
    """
    branches = {
        (line, to)
        for line, to in analysis.arc_possibilities
        if analysis.exit_counts.get(line, 0) > 1 and to not in analysis.excluded
    }
    missed = {(line, to) for line, targets in analysis.missing_branch_arcs().items() for to in targets}
    excluded = of_parser(text).excluded
    return Figures(analysis.statements, excluded, analysis.missing, branches, missed, arcs)


def of_parser(text: str) -> Figures:
    """coverage.py's figures of a text that never ran."""
    if not text:
        return Figures(set(), set(), set(), set(), set())
    parser = PythonParser(text=text, exclude=joined(DEFAULT_EXCLUDE))
    parser.parse_source()
    arcs = {(line, to) for line, to in parser.arcs() if line not in parser.excluded and to not in parser.excluded}
    branching = {line for line, count in parser.exit_counts().items() if count > 1}
    branches = {(line, to) for line, to in arcs if line in branching}
    never_missed = parser.lines_matching(joined(DEFAULT_PARTIAL + DEFAULT_PARTIAL_ALWAYS))
    missed = {(line, to) for line, to in branches if line not in never_missed}
    with_code = parser.first_lines(parser.raw_statements - parser.raw_docstrings)
    return Figures(parser.statements, parser.excluded & with_code, parser.statements, branches, missed)


def joined(patterns: list[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def of_covcore(result: FileResult) -> Figures:
    """covcore's figures."""
    branches = {(line, to) for line, targets in result.branches.items() for to in targets}
    missed = {(line, to) for line, targets in result.missing_branches.items() for to in targets}
    return Figures(set(result.statements), set(result.excluded), set(result.missing), branches, missed)


def differences(pair: Pair) -> dict[str, str | None]:
    """What differs -> the name of the difference; None: nobody knows why."""
    text, theirs, ours = pair
    found: dict[str, str | None] = {}
    excluded = {line: explanation.of_excluded(text, line) for line in theirs.excluded ^ ours.excluded}
    for line, name in excluded.items():
        found[f"excluded {line}"] = name
    for line in (theirs.statements ^ ours.statements) - excluded.keys():
        found[f"statement {line}"] = explanation.of_statement(text, line)
    for line in (theirs.missing ^ ours.missing) & theirs.statements & ours.statements:
        found[f"missing {line}"] = explanation.of_missing(text, line, theirs.arcs) if line in ours.missing else None
    for line in {line for line, _ in theirs.branches ^ ours.branches}:
        their_targets, our_targets = ({to for start, to in it.branches if start == line} for it in (theirs, ours))
        lost = [excluded[to] for to in their_targets if to in excluded]
        name = lost[0] if lost else explanation.of_branches(text, line, their_targets, our_targets)
        found[f"branches of {line}"] = name
    for line, to in (theirs.missing_branches ^ ours.missing_branches) & theirs.branches & ours.branches:
        is_missed_by_them = (line, to) in theirs.missing_branches
        explain = explanation.of_taken if is_missed_by_them else explanation.of_not_taken
        found[f"taken {line}->{to}"] = explain(text, line, to)
    return found


def unexplained(pair: Pair) -> list[str]:
    """What differs and has no name, in words."""
    return [what for what, name in differences(pair).items() if name not in EXAMPLES]
