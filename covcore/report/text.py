"""`covcore report`: the table on standard output, as plain text, as markdown, its total alone, or annotations."""

import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

from covcore.analysis.figures import display
from covcore.report import results, thresholds
from covcore.report.conditions import condition_lines
from covcore.report.excluded import excluded_lines
from covcore.report.github import github_lines
from covcore.report.markdown import markdown_lines
from covcore.report.table import HEADER, Row, Table, build
from covcore.report.unique import unique_lines
from covcore.store.loading import load


class Options(results.Options, Protocol):
    """What the command line says; see `covcore report --help`."""

    format: str
    show_missing: bool
    show_excluded: bool
    conditions: bool
    unique: bool
    sort: str


def report_command(options: Options) -> int:
    """Print the report.

    Returns:
        The exit status: 0, or 2 if a threshold is missed.

    Raises:
        CovcoreError: there is no data, or nothing of it to report.
    """
    with load(options.data) as database:
        found = results.analysed(database, options)
        unique = unique_lines(database, found.reported(), found.contexts) if options.unique else []
    table = build(
        found.files,
        show_missing=options.show_missing,
        sort=options.sort,
        skip_covered=options.skip_covered,
        skip_empty=options.skip_empty,
    )
    if options.format == "total":
        write([display(table.total.percent, options.precision)])
    elif options.format == "markdown":
        write(markdown_lines(table, options.precision, options.show_missing))
    elif options.format == "github":
        write(github_lines(found.shown(options), found.total, options.precision))
    else:
        write_text(table, options.precision, options.show_missing)
    if options.show_excluded and options.format in ("text", "markdown"):
        write(excluded_lines(found.reported(), markdown=options.format == "markdown"))
    if options.conditions and options.format == "text":
        write(condition_lines(found.reported(), found.total, options.precision))
    if unique and options.format in ("text", "markdown"):
        write(unique)
    return thresholds.check(found, options.fail_under, options.precision)


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output; what its encoding does not have is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))


def write_text(table: Table, precision: int, show_missing: bool) -> None:
    """Write the table to standard output: with colours on a terminal that may have them, else as plain text."""
    if sys.stdout.isatty():
        from covcore.report.terminal import write_table

        if write_table(table, precision, show_missing):
            return
    write(text_lines(table, precision, show_missing))


def text_lines(table: Table, precision: int, show_missing: bool) -> list[str]:
    """The table as plain text, columns aligned."""
    body = [row.cells(precision) for row in table.rows]
    total = Row("TOTAL", table.total).cells(precision)
    all_rows = [HEADER, *body, total]
    name_width = max(len(cells[0]) for cells in all_rows) + 1
    widths = [max(6, *(len(cells[i]) for cells in all_rows)) + 1 for i in range(1, len(HEADER) - 1)]

    def line(cells: Sequence[str]) -> str:
        figures = "".join(cell.rjust(width) for cell, width in zip(cells[1:6], widths, strict=True))
        missing = "   " + cells[6] if show_missing else ""
        return (cells[0].ljust(name_width) + figures + missing).rstrip()

    rule = "-" * len(line(HEADER))
    lines = [line(HEADER), rule, *map(line, body)]
    if body:
        lines.append(rule)
    return [*lines, line(total), *skipped(table)]


def skipped(table: Table) -> list[str]:
    """What stands below a table about the files that it leaves out."""
    lines = []
    if n := table.n_skipped_covered:
        lines += ["", f"{n} file{'s' * (n != 1)} skipped due to complete coverage."]
    if n := table.n_skipped_empty:
        lines += ["", f"{n} empty file{'s' * (n != 1)} skipped."]
    return lines
