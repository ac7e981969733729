"""Which lines each phase of each test ran: covcore's answer beside coverage.py's, of the same run.

    python -m matrix [NAME ..]        suites of real packages (oracle_packages/suites.py): `make matrix`

pytest-cov runs coverage.py's C tracer with `--cov-context=test`, which covcore's `--covcore-contexts=phase` is compared
with line by line.  pytest-cov never leaves a context: what runs between two tests it counts for the one before.  So lines
under the empty context are compared as "outside", together with what only one of the tools has under the last phase.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import coverage

PLUGINS = Path(sys.prefix) / "plugins"
PACKAGES = ["attrs", "click", "marshmallow"]

# Started processes are measured by covcore alone, and so shall not be.
ALONE = "import os\ndef pytest_configure(): os.environ.pop('COVCORE_RUN', None)\n"

type Matrix = dict[str, dict[str, set[int]]]  # "test|phase": {path: lines}


class Run:
    """A suite that both tools have measured at once.

    ours, theirs: what each of them says
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
            (data / "alone.py").write_text(ALONE)
            options = [f"--cov={source}" for source in sources] + [f"--covcore={source}" for source in sources]
            options += ["--cov-branch", "--cov-context=test", f"--cov-config={data}/settings", "--cov-report="]
            options += ["--covcore-contexts=phase", "--covcore-report="]
            blocked = [
                f"-pno:{name}" for name in ("cacheprovider", "randomly", "asyncio", "anyio", "timeout", "rerunfailures")
            ]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "alone", *blocked, *options]
            environment = os.environ | {
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
            self.ours = of_covcore(data / "covcore")
            self.theirs = of_coverage(data / "coverage")

    def differences(self) -> list[str]:
        """What differs, one line each."""
        found = []
        for context in sorted(self.ours.keys() | self.theirs.keys()):
            ours, theirs = self.ours.get(context, {}), self.theirs.get(context, {})
            for path in sorted(ours.keys() | theirs.keys()):
                mine, other = ours.get(path, set()), theirs.get(path, set())
                if mine != other:
                    name = f"{context or 'outside'} {path}"
                    found.append(
                        f"{name}: only covcore {sorted(mine - other)}, only coverage.py {sorted(other - mine)}"
                    )
        return found

    def size(self) -> tuple[int, int]:
        """How many contexts there are, and lines under them."""
        return len(self.ours), sum(len(lines) for files in self.ours.values() for lines in files.values())


def of_covcore(data: Path) -> Matrix:
    found: Matrix = {}
    connection = sqlite3.connect(data)
    for path, line, test, phase in connection.execute("SELECT path, line, test, phase FROM line_hit"):
        context = f"{test}|{phase}" if test else ""
        found.setdefault(context, {}).setdefault(os.fsdecode(path), set()).add(line)
    connection.close()
    return found


def of_coverage(data: Path) -> Matrix:
    found: Matrix = {}
    measured = coverage.CoverageData(str(data))
    measured.read()
    for path in measured.measured_files():
        for line, contexts in measured.contexts_by_lineno(path).items():
            for context in contexts:
                found.setdefault(context, {}).setdefault(path, set()).add(line)
    return found


def main(names: Sequence[str]) -> int:
    """Compare suites.  Returns the exit status."""
    from oracle_packages.suites import package

    status = 0
    for name in names or PACKAGES:
        suite = package(name)
        sources = sorted({file.parent for file in suite.files if (file.parent / "__init__.py").exists()})
        tops = [folder for folder in sources if folder.parent not in sources]
        run = Run(suite.folder, tops, suite.command[1:], suite.path)
        differences = run.differences()
        contexts, lines = run.size()
        print(
            f"{name}: {contexts:,} contexts, {lines:,} lines, {len(differences)} differences; pytest ended with {run.status}"
        )
        print(*differences[:20], sep="\n", flush=True)
        status |= bool(differences)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
