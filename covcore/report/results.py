"""What every report begins with: the analysed files, and a word on standard error about those that cannot be."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple, Protocol

from covcore.analysis import exclusions
from covcore.analysis.exclusions import Rules
from covcore.analysis.figures import Figures
from covcore.analysis.file import FileResult
from covcore.analysis.project import Analysed, analyse_all
from covcore.analysis.roots import Roots
from covcore.errors import CovcoreError, say
from covcore.report import processes
from covcore.report.names import plain_name
from covcore.report.progress import progress
from covcore.report.selection import chosen_contexts, file_chooser
from covcore.store.database import Database

MOST_NAMED = 10  # files that are left out, of those for one reason


class Options(exclusions.Settings, Protocol):
    """What the command line says of every report; see `covcore report --help`."""

    data: str
    include: Sequence[str]
    omit: Sequence[str]
    contexts: Sequence[str]
    skip_covered: bool
    skip_empty: bool
    precision: int
    fail_under: float | Mapping[str, float] | None
    source: Sequence[str]
    paths: Mapping[str, Sequence[str]]


class Reported(NamedTuple):
    """A file with figures."""

    path: str  # absolute
    result: FileResult


class Results(NamedTuple):
    """What reports are made of."""

    files: Sequence[Analysed]  # also those without figures
    contexts: Sequence[int] | None  # ids of the contexts that count; None: all do
    total: Figures  # of all files with figures, also of those that are skipped
    loss: str = ""  # with --strict: what of the processes is amiss

    def reported(self) -> list[Reported]:
        """The files that have figures."""
        return [Reported(file.path, file.result) for file in self.files if file.result is not None]

    def shown(self, options: Options) -> list[Reported]:
        """Those of them that --skip-covered and --skip-empty leave over."""
        return [
            file
            for file in self.reported()
            if not (options.skip_covered and file.result.figures.is_complete)
            and not (options.skip_empty and not file.result.figures.statements)
        ]


def analysed(database: Database, options: Options) -> Results:
    """Analyse the files of a report, and warn of those that cannot be.

    Raises:
        CovcoreError: there is nothing to report.
    """
    contexts = chosen_contexts(database, options.contexts)
    with progress("analysing"):
        files = analyse_all(
            database,
            Rules.of(options),
            file_chooser(options.include, options.omit),
            contexts,
            roots=Roots.of(options.source, options.paths),
        )
    _tell_left_out([file for file in files if file.result is None])
    if all(file.result is None for file in files):
        raise CovcoreError(_nothing(files, options))
    total = reduce(add, (file.result.figures for file in files if file.result), Figures())
    loss = processes.tell(database)
    return Results(files, contexts, total, loss if getattr(options, "strict", False) else "")


def _tell_left_out(files: Iterable[Analysed]) -> None:
    by_mark: dict[str, list[Analysed]] = {}
    for file in files:
        by_mark.setdefault(file.mark, []).append(file)
    for mark, marked in by_mark.items():
        for file in marked[:MOST_NAMED]:
            say("warning", f"{plain_name(file.path)} {file.problem}: it is left out of the total")
        more = marked[MOST_NAMED:]
        if more:
            say("warning", f"{len(more)} more left out of the total: {mark}")


def _nothing(files: Sequence[Analysed], options: Options) -> str:
    if files:
        return "no file is as it was measured: run again"
    if options.include or options.omit:
        return "no measured file matches --include and --omit: `covcore report` without them lists all"
    return "nothing was measured: `covcore run --help` says what is measured by default, and --source what else"
