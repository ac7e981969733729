"""Suites of tests that run under coverage.py and covcore at once, and what the two say of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage
from recording_files import hits_of

from covcore import _reader
from covcore.analysis.codes import Code, recorded
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import analyse
from covcore.analysis.source import read
from oracle_packages.comparing import Pair, of_covcore, of_coverage

ROOT = Path(__file__).parents[2]
TIMEOUT = 600  # seconds
FINISHED = 2  # how a recording ends: covcore/_reader.pyi


class Unfinished(Exception):
    """A suite that does not come to its end."""


@dataclass(frozen=True)
class Suite:
    """A suite and what it tests.

    Attributes:
        name: of the package or module.
        files: the source files that are measured.
        command: `pytest` or `unittest`, and its arguments.
        folder: where it runs.
        path: what goes to the front of sys.path.
    """

    name: str
    files: Sequence[Path]
    command: Sequence[str]
    folder: Path
    path: Sequence[Path]


@dataclass(frozen=True)
class Measured:
    """A suite that ran: what it said at last, how it ended, and its files with what the two tools say of them."""

    output: str
    status: int
    files: dict[Path, Pair]


def measure(suite: Suite, data: Path) -> Measured:
    """Run a suite under both tools and ask them.

    Args:
        suite: what to run.
        data: an empty folder for what is recorded.

    Raises:
        Unfinished: it hangs, or dies.
    """
    (data / "files").write_text("\n".join(map(str, suite.files)))
    # Frozen modules have no file that could be measured.
    python = [sys.executable, "-P", "-X", "frozen_modules=off", Path(__file__).with_name("driver.py")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST", "PYTHON"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(map(str, [*suite.path, ROOT])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(data / "hypothesis"),
    }
    try:
        done = subprocess.run(
            [*python, data, data / "files", *suite.command],
            cwd=suite.folder,
            env=environment,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired:
        raise Unfinished(f"the suite of {suite.name} hangs") from None
    output = done.stdout.decode(errors="replace")
    if not (data / "coverage").exists():
        raise Unfinished(f"the suite of {suite.name} does not come to its end:\n{output[-3000:]}")
    return Measured(output, done.returncode, pairs(suite.files, data))


def pairs(files: Sequence[Path], data: Path) -> dict[Path, Pair]:
    """Ask both tools."""
    tool = coverage.Coverage(str(data / "coverage"), branch=True, config_file=False)
    tool.load()
    codes = codes_in(data / "recordings")
    found = {}
    for path in files:
        text = read(str(path)).text
        arcs = frozenset(tool.get_data().arcs(str(path)) or ())
        theirs = of_coverage(tool._analyze(str(path)), text, arcs)
        found[path] = Pair(text, theirs, of_covcore(analyse(text, codes.get(path, []), Rules())))
    return found


def codes_in(folder: Path) -> dict[Path, list[Code]]:
    """What ran, by file, as the recording of a folder has it; forked children, which have no end mark, are left out."""
    segments: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        segments.setdefault(path.stem, []).append(path)
    found: dict[Path, list[Code]] = {}
    for paths in segments.values():
        paths.sort(key=lambda path: int(path.suffix[1:]))
        recording = _reader.read_recording([path.read_bytes() for path in paths])
        if recording["end"] == FINISHED:
            assert recording["problem"] is None, recording["problem"]
            for number, _, bits in hits_of(recording):
                file, first_line, _, qualname, shape = recording["codes"][number]
                code = recorded(qualname, first_line, _reader.decode_shape(shape), bits)
                found.setdefault(Path(os.fsdecode(recording["files"][file][0])), []).append(code)
    return found
