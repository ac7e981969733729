"""`covcore report`: the table on standard output, as plain text, as markdown, or its total alone."""

import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

from covcore.analysis import exclusions
from covcore.analysis.exclusions import Rules
from covcore.analysis.figures import Figures, display, is_under
from covcore.analysis.project import Analysed, analyse_all
from covcore.errors import CovcoreError, say
from covcore.report.markdown import markdown_lines
from covcore.report.selection import chosen_contexts, display_name, file_chooser
from covcore.report.table import HEADER, Row, Table, build
from covcore.store.loading import load

UNDER = 2  # exit status


class Options(exclusions.Settings, Protocol):
    """What the command line says; see `covcore report --help`."""

    data: str
    show_missing: bool
    include: Sequence[str]
    omit: Sequence[str]
    sort: str
    skip_covered: bool
    skip_empty: bool
    precision: int
    fail_under: float | None


def report_command(options: Options) -> int:
    """Print the report.

    Returns:
        The exit status: 0, or 2 if the total is under --fail-under.

    Raises:
        CovcoreError: there is no data, or nothing of it to report.
    """
    with load(options.data) as database:
        contexts = chosen_contexts(database, getattr(options, "contexts", None) or ())
        files = analyse_all(database, Rules.of(options), file_chooser(options.include, options.omit), contexts)
    table = build(
        files,
        show_missing=options.show_missing,
        sort=options.sort,
        skip_covered=options.skip_covered,
        skip_empty=options.skip_empty,
    )
    _warn(files)
    if not table.n_files:
        raise CovcoreError(_nothing(files, options))
    style = getattr(options, "format", None) or "text"
    if style == "total":
        write([display(table.total.percent, options.precision)])
    else:
        lines = markdown_lines if style == "markdown" else text_lines
        write(lines(table, options.precision, options.show_missing))
    return _check(table.total, options.fail_under, options.precision)


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output; what its encoding does not have is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))


def _warn(files: Sequence[Analysed]) -> None:
    for file in files:
        if file.result is None:
            say("warning", f"{display_name(file.path)} {file.problem}: it is left out of the total")


def _nothing(files: Sequence[Analysed], options: Options) -> str:
    if files:
        return "no file is as it was measured: run again"
    if options.include or options.omit:
        return "no measured file matches --include and --omit: `covcore report` without them lists all"
    return "nothing was measured: `covcore run --help` says what is measured by default, and --source what else"


def _check(total: Figures, threshold: float | None, precision: int) -> int:
    if threshold is None or not is_under(total.percent, threshold, precision):
        return 0
    digits = max(precision, len(f"{threshold:.10f}".rstrip("0").partition(".")[2]))
    say("error", f"the total of {display(total.percent, digits)}% is under --fail-under={threshold:g}")
    return UNDER


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
