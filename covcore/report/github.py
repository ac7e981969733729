"""`covcore report --format=github`: what is missing, as annotations of a workflow, and a summary of its job.

GitHub shows ten annotations of a kind from each step and takes 1 MiB of summary, and drops the rest: so the worst comes
first, and no more is written than is shown.
"""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from covcore.analysis.figures import Figures, display
from covcore.errors import printable, say
from covcore.report.lines import ranges
from covcore.report.markdown import markdown_lines
from covcore.report.names import display_name
from covcore.report.results import Reported, Results
from covcore.report.table import Row, build

MOST = 10  # annotations of a kind
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"  # names the file that a step adds its summary to
SUMMARY_BYTES = 1 << 20
LONGEST_CELL = 200  # characters: what is missing of one file


class _Piece(NamedTuple):
    """Something that is missing."""

    size: int
    command: str  # that annotates it


def github_lines(files: Iterable[Reported], total: Figures, precision: int) -> list[str]:
    """The annotations: the total as a notice, lines that never ran as warnings, branches never taken as notices.

    Args:
        files: those of the report.
        total: their figures.
        precision: decimals of percentages.
    """
    files = list(files)
    lines = sorted((piece for file in files for piece in _lines(file)), key=lambda piece: -piece.size)
    branches = sorted((piece for file in files for piece in _branches(file)), key=lambda piece: -piece.size)
    shown = [*lines[:MOST], *branches[: MOST - 1]]
    text = f"{display(total.percent, precision)}%25 of statements and branches ran"
    if n_more := len(lines) + len(branches) - len(shown):
        text += f"; {n_more} more place{'s are' if n_more > 1 else ' is'} not annotated"
    return [f"::notice title=Coverage::{text}", *(piece.command for piece in shown)]


def _lines(file: Reported) -> Iterator[_Piece]:
    """Each stretch of statements that never ran, with their number."""
    missing = file.result.missing
    for first, last in ranges(file.result.statements, set(missing)):
        size = bisect_right(missing, last) - bisect_left(missing, first)
        text = f"lines {first} to {last} never ran" if last > first else f"line {first} never ran"
        yield _Piece(size, _annotation("warning", file, first, last, "Never ran", text))


def _branches(file: Reported) -> Iterator[_Piece]:
    """Each line that ran and of which a way on was never taken, with the number of such ways."""
    missing = set(file.result.missing)
    for line, targets in file.result.missing_branches.items():
        if line not in missing:
            ways = " or ".join(f"to line {to}" if to > 0 else "out of its function or module" for to in sorted(targets))
            text = f"line {line} never led {ways}"
            yield _Piece(len(targets), _annotation("notice", file, line, line, "Branch never taken", text))


def _annotation(kind: str, file: Reported, first: int, last: int, title: str, text: str) -> str:
    return f"::{kind} file={_property(display_name(file.path))},line={first},endLine={last},title={title}::{text}"


def _property(text: str) -> str:
    """A value between the commas of a command."""
    for character in "%\r\n:,":  # % first: the others bring more of it
        text = text.replace(character, f"%{ord(character):02X}")
    return printable(text)


# ---- the summary


def add_summary(results: Results, precision: int) -> None:
    """Add a table of what is missing to the summary of the step of a workflow that this runs in, if it does."""
    path = os.environ.get(SUMMARY_VARIABLE)
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(summary(results, precision, SUMMARY_BYTES - file.tell()))
    except OSError as error:
        say("warning", f"no summary: cannot write {path}, which {SUMMARY_VARIABLE} names: {error.strerror}")


def summary(results: Results, precision: int, room: int) -> str:
    """The summary in Markdown: the files of which something is missing, the worst first.

    Args:
        results: the figures.
        precision: decimals of percentages.
        room: for so many bytes; files for which there is none are counted.
    """
    table = build(results.files, show_missing=True, skip_covered=True, skip_empty=True)
    rows = [row._replace(missing=_cut(row.missing)) for row in sorted(table.rows, key=_badness, reverse=True)]
    *head, total = markdown_lines(table._replace(rows=rows), precision, show_missing=True)
    title = f"### Coverage: {display(results.total.percent, precision)}%"
    room -= len("\n".join((title, "", total, "", "And 000000 more files.", "")).encode())
    lines = list(_fitting(head, room))
    left_out = len(head) - len(lines)
    notes = [f"And {left_out} more file{'s' * (left_out > 1)}.", ""] if left_out else []
    return "\n".join((title, "", *lines, total, "", *notes)) + "\n"


def _badness(row: Row) -> int:
    return row.figures.missing + row.figures.missing_branches if row.figures else 0


def _fitting(lines: Iterable[str], room: int) -> Iterator[str]:
    """The first lines for which there is room."""
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            return
        yield line


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: text.rindex(",", 0, LONGEST_CELL)] + ", ..."
