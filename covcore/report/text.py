"""`covcore report`: the table as plain text or as markdown, its total alone, or what build servers show of it."""

import sys
from collections.abc import Iterator, Sequence
from typing import Protocol

from covcore.analysis.figures import display
from covcore.report import command, gitlab, output, results
from covcore.report.badge import badge
from covcore.report.conditions import condition_lines, imported_lines
from covcore.report.excluded import excluded_lines
from covcore.report.github import add_summary, github_lines
from covcore.report.markdown import markdown_lines
from covcore.report.results import Results
from covcore.report.table import HEADER, Row, Table, build
from covcore.report.unique import unique_lines
from covcore.store.database import Database


class Options(results.Options, Protocol):
    """What the command line says; see `covcore report --help`."""

    format: str
    output: str | None
    show_missing: bool
    show_excluded: bool
    conditions: bool
    unique: bool
    sort: str


def report_command(options: Options) -> int:
    """Print the report, or write it to the file that `-o` names; see command.report."""
    return command.report(options, lambda found, database: _write(found, database, options))


def _write(found: Results, database: Database, options: Options) -> None:
    unique = unique_lines(database, found.reported(), found.contexts) if options.unique else []
    table = build(
        found.files,
        show_missing=options.show_missing,
        sort=options.sort,
        skip_covered=options.skip_covered,
        skip_empty=options.skip_empty,
    )
    path = options.output
    if options.format == "gitlab":
        gitlab.write_parts(found.shown(options), path or gitlab.USUAL)
        path = None  # the total goes where GitLab looks for it
    elif options.format == "github":
        add_summary(found, options.precision)
    to_terminal = path is None and sys.stdout.isatty()
    lines = [] if to_terminal and _write_to_terminal(table, options) else _lines(options, found, table)
    if options.format in ("text", "markdown"):
        lines += [*_lines_below(options, found, database), *unique]
    if path is None or path == output.STANDARD_OUTPUT:
        write(lines)
    else:
        output.write(path, (f"{line}\n" for line in lines))


def _lines(options: Options, found: Results, table: Table) -> list[str]:
    """What a format has."""
    percentage = display(table.total.percent, options.precision)
    match options.format:
        case "total":
            return [percentage]
        case "gitlab":
            return [f"TOTAL {percentage}%"]
        case "badge":
            return [badge(table.total.percent, options.precision)]
        case "markdown":
            return markdown_lines(table, options.precision, options.show_missing)
        case "github":
            return github_lines(found.shown(options), found.total, options.precision)
        case _:
            return text_lines(table, options.precision, options.show_missing)


def _lines_below(options: Options, found: Results, database: Database) -> Iterator[str]:
    """What is asked for below the table."""
    if options.show_excluded:
        yield from excluded_lines(found.reported(), markdown=options.format == "markdown")
    if options.conditions and options.format == "text":
        yield from condition_lines(found.reported(), found.total, options.precision)
        yield from imported_lines(database.imported() & {file.path for file in found.reported()})


def write(lines: Sequence[str]) -> None:
    """Write lines to standard output; what its encoding does not have is escaped."""
    if lines:
        encoding = sys.stdout.encoding or "utf-8"
        print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))


def _write_to_terminal(table: Table, options: Options) -> bool:
    """Write the table with colours, if that is what is wanted and the terminal may have them; return whether it was."""
    from covcore.report.terminal import write_table

    return options.format == "text" and write_table(table, options.precision, options.show_missing)


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
