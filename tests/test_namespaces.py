"""A process in another pid namespace, as in a container that shares the folder of the data: nobody takes it for dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import TIMEOUT, Place

UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
PROGRAM = """\
import os, sys
{first}
print("ready", flush=True)
if sys.stdin.readline():
    for n in range(2):
        print(n)
"""


def is_permitted() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], stderr=subprocess.DEVNULL, timeout=TIMEOUT).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not is_permitted(), reason="no new pid namespaces are permitted here")


@contextmanager
def contained(place: Place, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with a command where no process outside is seen, until it says that it is ready."""
    process = subprocess.Popen(
        [*UNSHARE, sys.executable, *command],
        cwd=place.folder,
        env=place.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def recordings(place: Place) -> set[str]:
    return {path.name for path in place.data.with_name("data.d").glob("*-*-*.*")}


@pytest.mark.parametrize(
    "first", ["pass", "os.closerange(3, 1000)", "if os.fork() == 0: sys.exit()\nos.wait()"], ids=["", "daemon", "fork"]
)
def test_a_process_that_lives_is_let_be(place: Place, first: str) -> None:
    place.write("main.py", PROGRAM.format(first=first))
    with contained(place, "-m", "covcore", "run", "main.py") as process:
        before = recordings(place)
        assert before
        for _ in range(2):
            assert "1 still running" in place.covcore("report").stderr
            assert before <= recordings(place)
        process.communicate("go on\n", timeout=TIMEOUT)
        assert process.returncode == 0
    assert place.lines()["main.py"] >= set(range(3 + first.count("\n"), 7 + first.count("\n")))
    assert "still running" not in place.covcore("report").stderr
    assert not recordings(place)


def test_a_process_that_is_killed_is_taken_up(place: Place) -> None:
    place.write("main.py", PROGRAM.format(first="pass"))
    with contained(place, "-m", "covcore", "run", "main.py") as process:
        assert "1 still running" in place.covcore("report").stderr
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT)
        process.communicate()
        said = place.covcore("report").stderr
    assert "1 ended without an end mark" in said
    assert place.lines() == {"main.py": {1, 2, 3, 4}}
    assert not recordings(place)
