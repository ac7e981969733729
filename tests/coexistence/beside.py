"""Run programs on the stage (stage.py) with and without another tool, with and without covcore, and tell what both say."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from programs import PROGRAMS

STAGE = Path(__file__).with_name("stage.py")
TOOLS = Path(sys.prefix) / "tools"  # debuggers and tracers from PyPI: group `tools` of pyproject.toml
COMMAND = "import sys; from covcore.cli import main; sys.exit(main())"

BUSY = """
def exits(n, k):
    for i in range(n):
        if i == k:
            break
        try:
            if i == k + 1:
                raise KeyError
        except KeyError:
            pass
    else:
        return 0
    return 1
def one_liner(n): return [i if i % 3 else -i for i in range(n)]
def steps(n):
    for i in range(n): yield i
def late(n, last):
    for i in range(n): n += i
    if last:
        n = 0
    return n
switch("A"); exits(6000, -5); one_liner(6000); list(steps(6000)); late(6000, 0); late(0, 1)
switch("B"); exits(6000, 5999); exits(0, 0); one_liner(0)
switch("A"); exits(9, -1); list(steps(1))
"""


@dataclass(frozen=True)
class Play:
    """What came of it.

    n_switches: of context
    before: what the tool had heard when covcore began, if it began after the tool
    heard: what the tool had heard at the end
    lines, arcs: what covcore says: with file, qualified name and context
    said: standard error
    """

    n_switches: int
    before: dict[str, int]
    heard: dict[str, int]
    lines: frozenset[tuple[object, ...]]
    arcs: frozenset[tuple[object, ...]]
    said: str


@cache
def folder() -> Path:
    """The programs."""
    return written("stage-", PROGRAMS)


@cache
def quick() -> Path:
    """Without the two that run as long as all the others together, some twenty times: for tools that hear each instruction."""
    return written("quick-", {name: text for name, text in PROGRAMS.items() if name not in ("joined", "one_sided")})


@cache
def busy() -> Path:
    """Programs that the JIT compiles."""
    return written("busy-", {"busy": BUSY, "hot": PROGRAMS["hot"], "one_liners": PROGRAMS["one_liners"]})


def written(prefix: str, programs: dict[str, str]) -> Path:
    """A new folder that holds programs."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    for name, text in programs.items():
        (path / f"{name}.py").write_text(text)
    return path


@cache
def play(
    tool: str = "-", rounds: int = 3, how: str = "run", jit: bool = False, where: Callable[[], Path] = folder
) -> Play:
    """Run the programs.

    tool: name of one of tools.py; "-" for none
    how: "bare", under covcore "run", "late": covcore begins when the tool has heard one round; "late-bare": it does not
    """
    programs = where()
    with tempfile.TemporaryDirectory() as temp:
        data = Path(temp, "data")
        command = [sys.executable, *(["-c", COMMAND, "run", f"--include={programs}/*"] if how == "run" else [])]
        late = [how] if how.startswith("late") else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
        environment |= {"COVCORE_DATA": str(data), "PYTHON_JIT": str(int(jit)), "PYTHONPATH": str(TOOLS)}
        words = [str(STAGE), str(programs), str(rounds), tool, *late]
        done = subprocess.run(
            [*command, *words], env=environment, cwd=temp, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return Play(
            told["switches"],
            told["before"],
            told["heard"],
            lines=rows(data, "line_hit", "line"),
            arcs=rows(data, "arc_hit", "source, destination"),
            said=done.stderr,
        )


def rows(data: Path, view: str, columns: str) -> frozenset[tuple[object, ...]]:
    """What a view of the database says: file, code object, context and the columns."""
    if not data.exists():
        return frozenset()
    connection = sqlite3.connect(data)
    found = frozenset(
        (os.path.basename(path), *rest)
        for path, *rest in connection.execute(f"SELECT path, qualname, test, {columns} FROM {view}")
    )
    connection.close()
    return found


def differing(one: dict[str, int], other: dict[str, int]) -> dict[str, tuple[int, int]]:
    """{what: how often it was heard in one and in the other} where these differ."""
    return {
        what: (one.get(what, 0), other.get(what, 0))
        for what in one.keys() | other.keys()
        if one.get(what) != other.get(what)
    }
