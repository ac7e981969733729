"""`covcore html`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from covcore.analysis.exclusions import Rules
from covcore.html.folder import write_folder
from covcore.html.report import Choice, Report
from covcore.html.single import single_file
from covcore.report import output, results, thresholds
from covcore.report.results import Results
from covcore.store.database import Database
from covcore.store.loading import load

DIRECTORY = "htmlcov"
TITLE = "Coverage report"


class Options(results.Options, Protocol):
    """What the command line says; see `covcore html --help`."""

    directory: str
    single_file: str | None
    title: str
    with_tests: bool
    quiet: bool


def html_command(options: Options) -> int:
    """Write the report and print where its index is.

    Returns:
        The exit status: 0, or 2 if a threshold is missed.

    Raises:
        CovcoreError: there is no data, nothing of it to report, or the report cannot be written.
    """
    with load(options.data) as database:
        found = results.analysed(database, options)
        path = write_report(found, database, options)
    if not options.quiet and path != output.STANDARD_OUTPUT:
        print(path)
    return thresholds.check(found, options.fail_under, options.precision)


def write_report(found: Results, database: Database, options: Options) -> str:
    """Write the report.  Returns the path of its first page.  Raises CovcoreError."""
    choice = Choice(options.title, options.precision, options.with_tests)
    report = Report(found, found.shown(options), database, Rules.of(options), choice)
    with progress(len(report.entries)) as advance:
        if options.single_file:
            output.write(options.single_file, single_file(report, advance), option="--single-file")
            return options.single_file
        write_folder(options.directory, report, advance)
    return os.path.join(options.directory, "index.html")


@contextmanager
def progress(n_pages: int) -> Iterator[Callable[[], None]]:
    """Show on standard error how many pages are made, if it is a terminal; the function counts one more.

    Nothing is drawn by a thread of rich's own: what is done meanwhile forks.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as shown:
        task = shown.add_task("pages", total=n_pages)

        def advance() -> None:
            shown.advance(task)
            shown.refresh()

        yield advance
