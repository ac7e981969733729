"""`covcore html`."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from covcore.analysis.baseline import Change, compare
from covcore.analysis.exclusions import Rules
from covcore.html.folder import write_folder
from covcore.html.report import Choice, Report
from covcore.html.single import single_file
from covcore.report import command, output, results
from covcore.report.results import Reported, Results
from covcore.report.selection import chosen_contexts
from covcore.store.database import Database
from covcore.store.loading import load

DIRECTORY = "htmlcov"


class Options(results.Options, Protocol):
    """What the command line says; see `covcore html --help`."""

    directory: str
    single_file: str | None
    baseline: str | None
    title: str
    with_tests: bool
    quiet: bool


def html_command(options: Options) -> int:
    """Write the report and print where its index is; see command.report."""

    def write(found: Results, database: Database) -> None:
        path = write_report(found, database, options)
        if not options.quiet and path != output.STANDARD_OUTPUT:
            print(path)

    return command.report(options, write)


def write_report(found: Results, database: Database, options: Options) -> str:
    """Write the report.  Returns the path of its first page.  Raises CovcoreError."""
    choice = Choice(options.title, options.precision, options.with_tests)
    rules, shown = Rules.of(options), found.shown(options)
    report = Report(found, shown, database, rules, choice, _changes(shown, rules, options))
    with progress(len(report.entries)) as advance:
        if options.single_file:
            output.write(options.single_file, single_file(report, advance), option="--single-file")
            return options.single_file
        write_folder(options.directory, report, advance)
    return os.path.join(options.directory, "index.html")


def _changes(shown: Sequence[Reported], rules: Rules, options: Options) -> list[Change]:
    """What has changed since the baseline; nothing without one."""
    if options.baseline is None:
        return []
    with load(os.path.abspath(options.baseline), recover=False) as baseline:
        contexts = chosen_contexts(baseline, options.contexts)
        return compare(baseline, [(file.path, file.result) for file in shown], rules, contexts, options.paths)


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
