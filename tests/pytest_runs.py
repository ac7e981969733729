"""Running pytest on small suites, and asking the database what each test ran."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from conftest import Outcome, Place

PLUGINS = Path(sys.prefix) / "plugins"  # where `make build` puts them: see pyproject.toml

type Contexts = dict[str, dict[str, set[int]]]  # `test` or `test|phase`: {file name: lines}


START = ("-m", "pytest")


def pytest(place: Place, *arguments: str, stdin: str = "", start: Sequence[str] = START, **environment: str) -> Outcome:
    """Run pytest with no plugins but ours and pytest-xdist.  start: arguments of Python, to begin with"""
    return place.python(*start, "-p", "no:cacheprovider", *arguments, stdin=stdin, **environment)


def with_plugins(place: Place, *arguments: str, start: Sequence[str] = START, **environment: str) -> Outcome:
    """Run pytest with all plugins of the group `plugins`; pytest-randomly waits until `-p randomly` calls for it."""
    assert PLUGINS.is_dir(), "`make build` brings the plugins"
    randomly = [] if "-prandomly" in arguments else ["-p", "no:randomly"]
    return pytest(place, *randomly, *arguments, start=start, PYTHONPATH=str(PLUGINS), **environment)


def contexts(place: Place, file: str = "", data: Path | None = None) -> Contexts:
    """What each context ran.  file: only lines of the file with this name"""
    found: Contexts = {}
    connection = sqlite3.connect(data or place.data)
    for path, line, test, phase in connection.execute("SELECT path, line, test, phase FROM line_hit"):
        name = os.path.basename(os.fsdecode(path))
        if not file or name == file:
            found.setdefault(f"{test}|{phase}" if phase else test, {}).setdefault(name, set()).add(line)
    connection.close()
    return found


def lines_by_test(place: Place, file: str) -> dict[str, set[int]]:
    """{test: lines of one file that it ran}"""
    return {context: files[file] for context, files in contexts(place, file).items()}


def processes(place: Place) -> list[tuple[str, str]]:
    """Tag and outcome of each process."""
    connection = sqlite3.connect(place.data)
    found: list[tuple[str, str]] = connection.execute("SELECT tag, outcome FROM process").fetchall()
    connection.close()
    return found
