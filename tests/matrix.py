"""Which lines and branches each phase of each test ran: covcore's answer beside coverage.py's, of the same run.

    python -m matrix [--write] [NAME ..]        suites of real packages (oracle_packages/suites.py): `make matrix`

pytest-cov runs coverage.py's C tracer with `--cov-context=test`, which covcore's `--covcore-contexts=phase` is compared with, line by
line and branch by branch.  pytest-cov never leaves a context: what runs between two tests it counts for the one before, covcore for none.
--write puts what was compared into docs/parity.md.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import coverage
import explanation
from coverage.plugin import FileReporter
from oracle_packages.comparing import DIFFERENCES, of_covcore, of_coverage

from covcore.analysis.by_test import by_test
from covcore.analysis.exclusions import Rules
from covcore.analysis.project import analyse_all
from covcore.analysis.source import read
from covcore.store.database import Database

PLUGINS = Path(sys.prefix) / "plugins"
PACKAGES = ["attrs", "click", "jinja2", "mako", "marshmallow"]
NAMES = set(re.findall(r"^### (\S+)$", DIFFERENCES.read_text(), re.MULTILINE))

type Matrix = dict[str, dict[str, set[int]]]  # "test|phase": {path: lines}
type Branch = tuple[str, int, int]  # path, from line, to line
type Takers = dict[Branch, set[str]]  # who took each of the branches that both tools know; somebody did


class Difference(NamedTuple):
    """What one of the tools alone says."""

    context: str
    what: str
    name: str | None = None  # in docs/differences.md


class Run:
    """A suite that both tools have measured at once.

    ours, theirs: the lines of each context, as each of them says
    our_takers, their_takers: the contexts of each branch
    left, thrown: what tests/witness.py saw
    output: pytest's
    status: pytest's
    """

    def __init__(self, folder: Path, sources: Sequence[Path], words: Sequence[str], path: Iterable[Path] = ()) -> None:
        """Run it.

        Args:
            folder: to run in.
            sources: the folders that are measured.
            words: arguments of pytest.
            path: what goes to the front of sys.path.
        """
        with TemporaryDirectory() as temp:
            data = Path(temp)
            (data / "settings").touch()  # the suite's project may have some
            shutil.copy(Path(__file__).with_name("witness.py"), data)
            options = [f"--cov={source}" for source in sources] + [f"--covcore={source}" for source in sources]
            options += ["--cov-branch", "--cov-context=test", f"--cov-config={data}/settings", "--cov-report="]
            options += ["--covcore-contexts=phase", "--covcore-report="]
            blocked = [
                f"-pno:{name}" for name in ("cacheprovider", "randomly", "asyncio", "anyio", "timeout", "rerunfailures")
            ]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "witness", *blocked, *options]
            environment = os.environ | {
                "WITNESS_SOURCES": os.pathsep.join(map(str, sources)),
                "WITNESS_OUT": f"{data}/witnessed",
                "COVERAGE_CORE": "ctrace",
                "COVERAGE_FILE": f"{data}/coverage",
                "COVCORE_DATA": f"{data}/covcore",
                "HYPOTHESIS_STORAGE_DIRECTORY": f"{data}/hypothesis",
                "PYTHONPATH": os.pathsep.join(map(str, [*path, PLUGINS, data])),
            }
            done = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, text=True)
            self.status, self.output = done.returncode, done.stdout + done.stderr
            if self.status > 1:
                raise SystemExit(f"pytest ended with {self.status}:\n{self.output[-2000:]}")
            self.ours = lines_of_covcore(data / "covcore")
            self.theirs = lines_of_coverage(data / "coverage")
            witnessed = json.loads((data / "witnessed").read_text())
            self.left, self.thrown = (set(map(tuple, witnessed[key])) for key in ("left", "thrown"))
            self.our_takers, self.their_takers = takers(data / "covcore", data / "coverage")

    def differences(self) -> list[Difference]:
        """What differs."""
        return [*self._lines(), *self._branches()]

    def _lines(self) -> Iterator[Difference]:
        for context in sorted(self.ours.keys() | self.theirs.keys()):
            ours, theirs = self.ours.get(context, {}), self.theirs.get(context, {})
            for path in sorted(ours.keys() | theirs.keys()):
                mine, other = ours.get(path, set()), theirs.get(path, set())
                for line in sorted(mine - other):
                    yield Difference(context, f"{path}:{line} ran for covcore alone")
                for line in sorted(other - mine):
                    name = "thrown-into-generator" if (context, path, line) in self.thrown else None
                    yield Difference(context, f"{path}:{line} ran for coverage.py alone", name)

    def _branches(self) -> Iterator[Difference]:
        for branch in sorted(self.our_takers.keys() | self.their_takers.keys()):
            path, line, to = branch
            ours, theirs = self.our_takers.get(branch, set()), self.their_takers.get(branch, set())
            for context in sorted(ours - theirs):
                name = explanation.of_taken(read(path).text, line, to)
                yield Difference(context, f"{path}:{line}->{to} was taken for covcore alone", name)
            for context in sorted(theirs - ours):
                name = explanation.of_not_taken(read(path).text, line, to)
                if (context, path, -to) in self.left:
                    name = "left-by-exception"
                yield Difference(context, f"{path}:{line}->{to} was taken for coverage.py alone", name)

    def size(self) -> tuple[int, int, int]:
        """How many contexts there are, lines under them, and branches taken under them."""
        lines = sum(len(lines) for files in self.ours.values() for lines in files.values())
        return len(self.ours), lines, sum(map(len, self.our_takers.values()))


def lines_of_covcore(data: Path) -> Matrix:
    """An empty file has a line 0."""
    found: Matrix = {}
    connection = sqlite3.connect(data)
    for path, line, test, phase in connection.execute("SELECT path, line, test, phase FROM line_hit WHERE line > 0"):
        context = f"{test}|{phase}" if test else ""
        found.setdefault(context, {}).setdefault(os.fsdecode(path), set()).add(line)
    connection.close()
    return found


def lines_of_coverage(data: Path) -> Matrix:
    found: Matrix = {}
    measured = coverage.CoverageData(str(data))
    measured.read()
    for path in measured.measured_files():
        for line, contexts in measured.contexts_by_lineno(path).items():
            for context in contexts:
                found.setdefault(context, {}).setdefault(path, set()).add(line)
    return found


def takers(ours: Path, theirs: Path) -> tuple[Takers, Takers]:
    """Who took which branch, of those that both tools count."""
    tool = coverage.Coverage(str(theirs), branch=True, config_file=False)
    tool.load()
    contexts = contexts_of_arcs(theirs)
    mine: Takers = {}
    other: Takers = {}
    with Database.open(str(ours)) as database:
        names = {id: f"{test}|{phase}" if test else "" for id, (_, test, phase) in database.contexts().items()}
        in_order = [*dict.fromkeys(names.values())]
        number_of = {id: in_order.index(name) for id, name in names.items()}
        for path, result, *_ in analyse_all(database, Rules(), lambda path: True):
            if result is None:
                continue  # a folder of which files that never ran may not be read
            text = read(path).text
            counted = of_coverage(tool._analyze(path), text).branches & of_covcore(result).branches
            for (line, to), tests in by_test(text, database.hits_of(path)[1], number_of).branches.items():
                if (line, to) in counted:
                    flags = bin(tests)[:1:-1]
                    mine[path, line, to] = {name for name, flag in zip(in_order, flags, strict=False) if flag == "1"}
            for (line, to), found in translated(tool._get_file_reporter(path), contexts.get(path, {})).items():
                if (line, to) in counted:
                    other[path, line, to] = found
    return mine, other


def contexts_of_arcs(data: Path) -> dict[str, dict[tuple[int, int], set[str]]]:
    """For each path and each arc that coverage.py recorded, the contexts."""
    found: dict[str, dict[tuple[int, int], set[str]]] = {}
    connection = sqlite3.connect(data)
    names = dict(connection.execute("SELECT id, context FROM context"))
    paths = dict(connection.execute("SELECT id, path FROM file"))
    for file, context, line, to in connection.execute("SELECT file_id, context_id, fromno, tono FROM arc"):
        found.setdefault(paths[file], {}).setdefault((line, to), set()).add(names[context])
    connection.close()
    return found


def translated(reporter: FileReporter, arcs: dict[tuple[int, int], set[str]]) -> dict[tuple[int, int], set[str]]:
    """As coverage.py's reports have arcs: between logical lines, and past the ends of `with` (its analysis_from_file_reporter)."""
    targets: dict[int, set[int]] = {}
    for line, to in reporter.arcs():
        targets.setdefault(line, set()).add(to)
    found: dict[tuple[int, int], set[str]] = {}
    for arc, contexts in arcs.items():
        for line, to in reporter.translate_arcs([arc]):
            if line == to:
                if len(targets.get(line, ())) != 1:
                    continue
                (to,) = targets[line]
            for again in reporter.translate_arcs([(line, to)]):
                found.setdefault(again, set()).update(contexts)
    return found


def compare(name: str) -> tuple[list[str], bool]:
    """Compare a suite.  Returns the cells of a row, and whether no difference is without a name."""
    from oracle_packages.suites import package

    suite = package(name)
    sources = sorted({file.parent for file in suite.files if (file.parent / "__init__.py").exists()})
    tops = [folder for folder in sources if folder.parent not in sources]
    run = Run(suite.folder, tops, suite.command[1:], suite.path)
    differences = run.differences()
    unexplained = [found for found in differences if found.name not in NAMES]
    named = Counter(found.name for found in differences if found.name in NAMES)
    state = f"{len(unexplained)} differences without a name; pytest ended with {run.status}"
    print(f"{name}: {state}", *unexplained[:20], sep="\n", flush=True)
    cells = [f"{number:,}" for number in run.size()] + [", ".join(f"{n} {name}" for name, n in sorted(named.items()))]
    return [name, *cells], not unexplained and run.status == 0


def main(arguments: Sequence[str]) -> int:
    """Compare suites.  Returns the exit status."""
    from oracle_packages.__main__ import write_contexts

    names = [argument for argument in arguments if argument != "--write"]
    if unknown := set(names) - set(PACKAGES):
        print(
            f"no such suite: {', '.join(sorted(unknown))} (there are {', '.join(PACKAGES)}; --write)", file=sys.stderr
        )
        return 2
    rows = [compare(name) for name in names or PACKAGES]
    table = [
        ["suite", "contexts", "lines in them", "branches in them", "differences"],
        ["---", "---:", "---:", "---:", "---"],
    ]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in [*table, *(cells for cells, _ in rows)])
    print(text)
    if "--write" in arguments and not names:
        write_contexts(platform.python_version(), text)
    return 0 if all(is_equal for _, is_equal in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
