"""The reports at the end of a run, made of one analysis, and what is to be said of its result."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

from covcore.config import HTML_FOLDER, HTML_TITLE, KEYS
from covcore.errors import CovcoreError, diverted
from covcore.report import cobertura, json_format, lcov, output, results, thresholds
from covcore.report.markdown import markdown_lines
from covcore.report.results import Results
from covcore.report.table import build
from covcore.report.text import text_lines
from covcore.store.database import Database
from covcore.store.loading import load
from covcore_pytest.sessions import OwnSession

SKIP_COVERED = "skip-covered"  # in place of a DEST, as pytest-cov's users write it
FILES = {  # where each goes if nothing else is said, its name, what makes it
    "xml": ("coverage.xml", "XML", cobertura.pieces),
    "json": ("coverage.json", "JSON", json_format.pieces),
    "lcov": ("coverage.lcov", "LCOV", lcov.pieces),
}


def report(session: OwnSession, options: Any, lines: list[str], errors: list[str]) -> None:
    """Make the reports that the command line asks for.  Never raises.

    options: of pytest
    lines: takes what the terminal is to show
    errors: takes what ends the run with status 1
    """
    wanted = requests(options.covcore_report)
    settings = session.settings
    fail_under, threshold = options.covcore_fail_under, "--covcore-fail-under"
    if fail_under is None:
        fail_under, threshold = settings.fail_under, "fail_under"
    if not wanted and fail_under is None and not session.early.paths:
        return
    problems = errors if fail_under is not None else session.warnings
    if not session.has_started:  # what earlier runs have left is no answer
        problems.append("no report: nothing was measured")
        return
    notes: list[str] = []
    said = {"error": errors, "warning": session.warnings, "note": notes}
    try:
        with (
            diverted(lambda kind, text: said[kind].append(text)),
            inside(settings.folder),
            load(session.data) as database,
        ):
            choice = choices(session)
            found = results.analysed(database, choice)
            if warning := session.early.warning({file.path: file.result for file in found.reported()}):
                session.warn(warning)
            problems = errors
            thresholds.check(found, fail_under, choice.precision, threshold)
            for kind, destination in wanted:
                lines += one_report(kind, destination, found, database, choice)
        lines += [f"covcore: note: {text}" for text in notes if wanted]
    except CovcoreError as error:
        problems.append(str(error))
    except Exception as error:  # the tests may have left anything behind
        problems.append(f"no report: {type(error).__name__}: {error}")


def requests(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """The types of the reports, and where they go; an empty text takes back what stands before it."""
    wanted: list[tuple[str, str]] = []
    for item in ["term"] if texts is None else texts:
        if not item:
            wanted.clear()
            continue
        kind, _, destination = item.partition(":")
        wanted.append((kind, destination))
    return list(dict.fromkeys(wanted))


def choices(session: OwnSession) -> Any:
    """What a command that reports would get from the configuration."""
    settings = session.settings
    values = {key: settings.of_report(key) for key in KEYS}
    values["source"] = session.filter.source_folders()  # also of modules that were named: what this run may read
    return SimpleNamespace(
        **values | {"data": session.data, "contexts": (), "pretty_print": False, "show_contexts": False}
    )


def one_report(kind: str, destination: str, found: Results, database: Database, choice: Any) -> list[str]:
    """Make one report.  Returns what the terminal is to show.  Raises CovcoreError."""
    if kind in FILES:
        usual, name, pieces = FILES[kind]
        output.write(destination or usual, pieces(found, database, choice))
        return [f"wrote {name} report to {destination or usual}"]
    if kind == "html":
        asked = {"directory": destination or HTML_FOLDER, "single_file": None, "baseline": None, "title": HTML_TITLE}
        pages = SimpleNamespace(**vars(choice) | asked | {"with_tests": True})
        with libraries():
            from covcore.html.command import write_report  # with the templates: for those who ask for it

            return [f"wrote HTML report to {write_report(found, database, pages)}"]
    show_missing = choice.show_missing or kind == "term-missing"
    skip_covered = choice.skip_covered or destination == SKIP_COVERED
    table = build(
        found.files,
        show_missing=show_missing,
        sort=choice.sort,
        skip_covered=skip_covered,
        skip_empty=choice.skip_empty,
    )
    if kind == "markdown":
        return written(destination or "coverage.md", markdown_lines(table, choice.precision, show_missing))
    plain = text_lines(table, choice.precision, show_missing)
    return written(destination, plain) if destination not in ("", SKIP_COVERED) else plain


def written(path: str, lines: list[str]) -> list[str]:
    output.write(path, (f"{line}\n" for line in lines))
    return [f"wrote report to {path}"]


@contextmanager
def libraries() -> Iterator[None]:
    """Find installed packages, too: what the program has left on sys.path is out of reach by now, and all but the standard library."""
    before = sys.path
    sys.path = [*before, *dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib")))]
    try:
        yield
    finally:
        sys.path = before


@contextmanager
def inside(folder: str) -> Iterator[None]:
    """Be in a folder, wherever the tests have gone."""
    try:
        before = os.getcwd()
    except OSError:
        before = ""
    os.chdir(folder)
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(before or "/")
