"""A pytest plugin that puts covcore under coverage.py's own tests: `coverage.Coverage` becomes the class below.

Their `CoverageTest.check_coverage` stays as it is: it runs a text and compares what an analysis says of it, number by
number.  Here the text runs under the public API, and what was measured is published, loaded and analysed: the numbers are
those of a report.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TextIO

import coverage
import pytest

import covcore
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult
from covcore.analysis.project import Analysed, analyse_all
from covcore.report.lines import ranges
from covcore.store.loading import load

DATA = "covcore_data"


class Analysis:
    """What their tests ask an analysis for; possible arcs are those of the whole text, whatever is excluded."""

    def __init__(self, result: FileResult, whole: FileResult) -> None:
        self._result = result
        self.statements = set(result.statements)
        self.arc_possibilities = [(line, to) for line, targets in whole.branches.items() for to in targets]

    def missing_formatted(self) -> str:
        found = ranges(self._result.statements, set(self._result.missing))
        return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found)

    def missing_branch_arcs(self) -> dict[int, list[int]]:
        return self._result.missing_branches


class Coverage:
    """covcore by the methods of coverage.Coverage that their tests of lines and branches call."""

    def __init__(self, branch: bool = True, source: Sequence[str] = (), debug: object = None) -> None:
        self._exclude: list[str] = []
        self._partial: list[str] = []

    def erase(self) -> None:
        Path(DATA).unlink(missing_ok=True)

    def exclude(self, pattern: str, which: str = "exclude") -> None:
        (self._exclude if which == "exclude" else self._partial).append(pattern)

    def start(self) -> None:
        covcore.start(source=["."], data=os.path.abspath(DATA))

    def stop(self) -> None:
        covcore.stop()

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.stop()

    def get_data(self) -> Coverage:
        return self

    def lines(self, path: str) -> list[int]:
        result = self._result(path)
        return sorted(set(result.statements) - set(result.missing))

    def _analyze(self, module: ModuleType) -> Analysis:
        path = str(module.__file__)
        return Analysis(self._result(path), self._result(path, Rules((), ())))

    def report(
        self,
        module: ModuleType | None = None,
        *,
        file: TextIO,
        show_missing: bool = False,
        output_format: str | None = None,
    ) -> None:
        assert show_missing and output_format is None and not self._exclude + self._partial
        only = [f"--include={module.__file__}"] if module is not None else []
        command = [sys.executable, "-m", "covcore", "report", "-m", f"--data={DATA}", *only]
        file.write(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def _result(self, path: str, rules: Rules | None = None) -> FileResult:
        (result,) = (file.result for file in self._files(rules) if file.path == path)
        assert result is not None
        return result

    def _files(self, rules: Rules | None = None) -> list[Analysed]:
        if rules is None:
            rules = Rules.configured(exclude_also=self._exclude, partial_also=self._partial)
        with load(os.path.abspath(DATA)) as database:
            return analyse_all(database, rules, lambda path: True)


@pytest.fixture(autouse=True)
def covcore_in_place_of_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "Coverage", Coverage)
