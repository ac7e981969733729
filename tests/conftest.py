"""A folder to run commands in."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TIMEOUT = 60  # seconds: a command that hangs fails
# What a process that is to have no other environment needs to load extensions that were built with sanitizers.
SANITIZER = {
    name: os.environ[name]
    for name in ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS")
    if "asan" in os.environ.get("LD_PRELOAD", "") and name in os.environ
}
# The same examples each time, so that a change is judged by what it changed; `make explore` draws others.
settings.register_profile(
    "covcore",
    derandomize="COVCORE_EXPLORE" not in os.environ,
    # What runs beside and sanitizers slow everything, hypothesis's making of examples too.
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
settings.load_profile("covcore")
# AddressSanitizer takes memory of its own, and a preloaded shim would take its place.
unless_sanitized = pytest.mark.skipif(bool(SANITIZER), reason="not with AddressSanitizer")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as in a shell's background job; what tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ONCE = sys.version_info[:2] == (3, 14)  # where the tests run that are the same whichever Python measures


def pytest_report_header() -> str:
    return "" if ONCE else "left to Python 3.14: tests/html/test_browser*.py, and what is skipped as marked `once`"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not ONCE and item.get_closest_marker("once"):
        pytest.skip("marked `once`: the same whichever Python measures, and run on 3.14")


@dataclass(frozen=True)
class Outcome:
    """How a process ended: `status` is negative for a signal, as subprocess has it."""

    status: int
    stdout: str
    stderr: str


def pytest_addoption(parser: pytest.Parser) -> None:
    seeds = int(os.environ.get("COVCORE_SEEDS", "12"))  # `make faults SEEDS=500`
    parser.addoption("--seeds", type=int, default=seeds, help="how many times tests that kill at random do so")


@pytest.fixture
def n_seeds(request: pytest.FixtureRequest) -> int:
    """How often to try what goes wrong at random instants: a sample, or with --seeds=500 in full."""
    return int(request.config.getoption("--seeds"))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a test has found, in a few words: `make faults` puts them into docs/reliability.md."""

    def say(text: str) -> None:
        print(f"\n{text}")
        record_property("figure", text)

    return say


class Place:
    """An empty folder, with commands that run in it by the interpreter that runs the tests.

    data: the path of the database, outside of the folder so that programs do not find it there
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "COVCORE", "COVERAGE", "PYTEST", "COLUMNS"))
        } | {"COVCORE_DATA": str(data), "PYTHON_COLORS": "0"}

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def python(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Outcome:
        """Run the bare interpreter."""
        return self.run(sys.executable, *arguments, stdin=stdin, **environment)

    def run(self, *command: str | Path, stdin: str = "", **environment: str) -> Outcome:
        process = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=TIMEOUT,
        )
        return Outcome(process.returncode, *(os.fsdecode(text) for text in (process.stdout, process.stderr)))

    def covcore(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Outcome:
        """Run covcore by its command, as an installer would write it."""
        command = self.folder.parent / "bin" / "covcore"
        if not command.exists():
            command.parent.mkdir()
            command.write_text(
                "import sys\nfrom covcore.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
            )
        return self.python(command, *arguments, stdin=stdin, **environment)

    def lines(self, data: Path | None = None) -> dict[str, set[int]]:
        """What the database says: {file name: numbers of the lines that ran}."""
        lines: dict[str, set[int]] = {}
        with sqlite3.connect(data or self.data) as connection:
            for path, line in connection.execute("SELECT path, line FROM line WHERE hit"):
                lines.setdefault(os.path.basename(os.fsdecode(path)), set()).add(line)
        connection.close()
        return lines


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "project"
    folder.mkdir()
    return Place(folder, tmp_path / "elsewhere" / "data")


@pytest.fixture
def neighbour() -> Iterator[int]:
    """The id of another process that runs."""
    process = subprocess.Popen(["sleep", "100"])
    yield process.pid
    process.kill()
    process.wait()
