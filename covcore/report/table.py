"""The table of files that every report for people shows: its rows, and how they are sorted."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from covcore.analysis.figures import Figures, display
from covcore.analysis.project import Analysed
from covcore.report.lines import missing_text
from covcore.report.names import plain_name

HEADER = ("Name", "Stmts", "Miss", "Branch", "BrPart", "Cover", "Missing")


class Row(NamedTuple):
    """One line: a file, or the total."""

    name: str  # safe to print
    figures: Figures | None  # None: see mark
    missing: str = ""
    mark: str = ""  # why there are no figures

    def cells(self, precision: int) -> list[str]:
        """The text of each column, as HEADER names them."""
        if self.figures is None:
            return [self.name, "", "", "", "", self.mark, ""]
        it = self.figures
        counts = [it.statements, it.missing, it.branches, it.partial_branches]
        return [self.name, *map(str, counts), display(it.percent, precision) + "%", self.missing]


class Table(NamedTuple):
    """What a report shows."""

    rows: Sequence[Row]
    total: Figures  # of all files with figures, also of those that are not shown
    n_files: int  # with figures
    n_skipped_covered: int
    n_skipped_empty: int


def build(
    files: Iterable[Analysed], *, show_missing: bool, sort: str = "name", skip_covered: bool, skip_empty: bool
) -> Table:
    """Make the table.

    Args:
        files: what was analysed.
        show_missing: whether rows say what is missing.
        sort: name, stmts, miss, branch, brpart or cover; with "-" before it, descending.
        skip_covered: leave out files of which all ran.
        skip_empty: leave out files without statements.
    """
    rows: list[Row] = []
    total = Figures()
    n_files = n_skipped_covered = n_skipped_empty = 0
    for path, result, mark, _ in files:
        name = plain_name(path)
        if result is None:
            rows.append(Row(name, None, mark=mark))
            continue
        figures = result.figures
        total += figures
        n_files += 1
        if skip_covered and figures.is_complete:
            n_skipped_covered += 1
        elif skip_empty and not figures.statements:
            n_skipped_empty += 1
        else:
            rows.append(Row(name, figures, missing_text(result) if show_missing else ""))
    return Table(_sorted(rows, sort), total, n_files, n_skipped_covered, n_skipped_empty)


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """Sorted by a column, then by name; files without figures come last."""
    column = sort.removeprefix("-")
    with_figures = [row for row in rows if row.figures is not None]
    with_figures.sort(key=lambda row: (_figure(row, column), _natural(row.name)), reverse=sort.startswith("-"))
    without = [row for row in rows if row.figures is None]
    return with_figures + sorted(without, key=lambda row: _natural(row.name))


def _figure(row: Row, column: str) -> float:
    it = row.figures or Figures()
    figures = {
        "name": 0.0,
        "stmts": it.statements,
        "miss": it.missing,
        "branch": it.branches,
        "brpart": it.partial_branches,
        "cover": it.percent,
    }
    return figures[column]


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts numbers within names by their value: m2 before m10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]
