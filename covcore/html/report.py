"""A report that is being made: its files in order, and the page of each."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from covcore.analysis import source
from covcore.analysis.baseline import Change
from covcore.analysis.exclusions import Rules
from covcore.analysis.ran_by import parse, ran_by
from covcore.errors import CovcoreError, printable
from covcore.html.data import front_coded
from covcore.html.index import Entry
from covcore.html.pages import Page, page
from covcore.report.context_names import Tests
from covcore.report.names import display_name, plain_name
from covcore.report.results import Reported, Results
from covcore.store.database import Database


class Choice(NamedTuple):
    """What is asked of a report."""

    title: str
    precision: int = 0
    with_tests: bool = True  # if any are known


class Neighbour(NamedTuple):
    """The file before or after another one."""

    page: str
    name: str


class Job(NamedTuple):
    """A page to be made."""

    entry: Entry
    before: Neighbour | None
    after: Neighbour | None


class Report:
    """See the module.

    Attributes:
        entries: its files, by name.
        total: figures of all files, also of those that are not shown.
        left_out: files without figures and the reason, both safe to show.
        changes: since the baseline, by path; none without a baseline.
        test_names: by number, safe to show; none if the report is without tests.
    """

    def __init__(
        self,
        found: Results,
        shown: Sequence[Reported],
        database: Database,
        rules: Rules,
        choice: Choice,
        changes: Sequence[Change] = (),
    ) -> None:
        self.choice = choice
        self.changes: Mapping[str, Change] = {change.path: change for change in changes}
        self.total = found.total
        self.left_out = [
            (printable(display_name(file.path)), printable(file.problem)) for file in found.files if file.result is None
        ]
        self.results = {file.path: file.result for file in shown}
        entries = (
            Entry(path, printable(display_name(path)), page_name(display_name(path)), result.figures)
            for path, result in self.results.items()
        )
        self.entries = sorted(entries, key=lambda entry: entry.name)
        self._database = database
        self._rules = rules
        tests = Tests(database, found.contexts)
        has_tests = choice.with_tests and tests.outside != (1 << len(tests.names)) - 1
        self.test_names = [printable(name) for name in tests.names] if has_tests else []
        self._numbers = tests.number_of if has_tests else {}

    def jobs(self) -> list[Job]:
        """The pages to be made, in order."""
        near = [None, *(Neighbour(entry.page, entry.name) for entry in self.entries), None]
        return [Job(entry, near[at], near[at + 2]) for at, entry in enumerate(self.entries)]

    def page(self, entry: Entry) -> Page:
        """Make the page of a file.  Raises CovcoreError: it has changed since it was analysed."""
        try:
            parsed = parse(source.read(entry.path).text, self.results[entry.path].engine)
            hits = self._database.hits_of(entry.path)[1] if self._numbers else []
            found = ran_by(parsed, self.results[entry.path], hits, self._numbers, self._rules)
            return page(parsed, self.results[entry.path], found, self.changes.get(entry.path))
        except (source.UnusableSource, SyntaxError, IndexError, ValueError):
            raise CovcoreError(f"{plain_name(entry.path)} has changed in this moment: try again") from None

    def reopen(self) -> None:
        """Have a connection of its own, as a forked process must; what is in memory is its own already."""
        if self._database.is_file():
            self._database = Database.open(self._database.name)

    def tests_data(self) -> dict[str, object]:
        return {"count": len(self.test_names), "names": front_coded(self.test_names)}


def page_name(name: str) -> str:
    """What the page of a file is called: nothing of the file's name gets into it."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
