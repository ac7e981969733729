"""Disks that are full, limits, calls that fail: the program does not notice, and the data is whole or missed (T18, T19, T30)."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Outcome, Place, unless_sanitized
from faults.victims import SEEDS, rng

from covcore.errors import CovcoreError
from covcore.store.database import Code
from covcore.store.loading import load

PROGRAM = """\
import os, sys
def count(n):
    total = 0
    for i in range(n):
        if i % 3:
            total += i
    return total
print(count(10))
namespace = {}
for number in range(int(sys.argv[1])):
    name = f"f{number}"
    text = f"def {name}(x):\\n" + "    if x: x += 1\\n" * 50 + "    return x\\n"
    exec(compile(text, f"{os.getcwd()}/generated.py", "exec"), namespace)
    namespace[name](number)
print(len(namespace))
sys.exit(3)
"""
LINES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}  # of victim.py
MANY = 600  # functions: more than one segment


@pytest.fixture
def victim(place: Place) -> Place:
    place.write("victim.py", PROGRAM)
    return place


def hit_lines(code: Code) -> set[int]:
    return {line for slot, line in enumerate(code.shape[0]) if code.bits[slot // 8] & 0x80 >> slot % 8}


def check(place: Place, outcome: Outcome, n: int) -> bool:
    """The program was not disturbed, and what is left can be read.  Returns whether all of its own lines are there."""
    if outcome.status == 1 and not outcome.stdout and outcome.stderr.startswith("covcore: error: cannot read "):
        return False  # the data path is looked at first
    assert outcome.status == 3 and outcome.stdout == f"27\n{n + 1}\n"
    assert all(line.startswith("covcore: warning: ") for line in outcome.stderr.splitlines())
    data = (
        Path(outcome.stderr.split("the data goes to ")[1].split(",")[0]) if "goes to" in outcome.stderr else place.data
    )
    try:
        with load(str(data)) as database:
            codes = [code for file in database.files() if file.path.endswith("/victim.py") for code in file.codes]
            n_hit = len({line for code in codes for line in hit_lines(code)})
            finished = all(process.outcome == "finished" for process in database.processes())
    except CovcoreError as error:
        assert "no data at" in str(error) and outcome.stderr
        return False
    if data.exists():
        with sqlite3.connect(data) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    complete = n_hit == len(LINES)
    assert complete or not finished or outcome.stderr  # what is missing is said
    return complete


@pytest.fixture
def tmpfs(place: Place) -> Iterator[Path]:
    """A folder where a file system of its own is mounted by `mount`, and which place.data is in."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = place.data.parent
    folder.mkdir(exist_ok=True)
    yield folder
    while subprocess.run(["umount", folder], capture_output=True).returncode == 0:
        pass


def mount(folder: Path, n_bytes: int) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "covcore-test", folder], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")


def sizes(largest: int, name: str) -> list[int]:
    """All multiples of 64 KiB, or some of them in a sample."""
    every = list(range(0, largest, 64 * 1024))
    return every if SEEDS >= 100 else sorted(rng(name).sample(every, 5))


def test_a_full_disk(victim: Place, tmpfs: Path, figure: Callable[[str], None]) -> None:
    """The disk is full at any size: at the start, when a segment is added, when the database is written (T18)."""
    n_complete = 0
    every = [*sizes(6 * 2**20, "disk"), 16 * 2**20]
    for n_bytes in every:
        mount(tmpfs, max(n_bytes, 4096))
        outcome = victim.covcore("run", "victim.py", str(MANY))
        n_complete += check(victim, outcome, MANY)
        assert outcome.stderr.count("\n") <= 2
        shutil.rmtree(f"/tmp/covcore-{os.getuid()}", ignore_errors=True)
        assert subprocess.run(["umount", tmpfs]).returncode == 0
    figure(f"{len(every)} sizes of the disk: all lines {n_complete} times, else a warning")
    assert n_complete


def test_space_comes_back(victim: Place, tmpfs: Path) -> None:
    """What could not be published is published later."""
    mount(tmpfs, 2 * 2**20)
    filler = tmpfs / "filler"
    place = victim
    place.data.with_name("data.d").mkdir()
    filler.write_bytes(bytes(2 * 2**20 - 5 * 65536))
    outcome = place.covcore("run", "victim.py", "5")
    assert outcome.status == 3
    filler.unlink()
    assert check(place, Outcome(outcome.status, outcome.stdout, outcome.stderr), 5)


def test_a_limit_of_file_sizes(victim: Place, figure: Callable[[str], None]) -> None:
    """RLIMIT_FSIZE: past it the kernel would send SIGXFSZ (T18)."""
    every = sizes(2 * 2**20, "limit")
    figure(f"{len(every)} limits")
    for n_bytes in every:
        program = f"import resource, os\nresource.setrlimit(resource.RLIMIT_FSIZE, ({n_bytes}, {n_bytes}))\n"
        victim.write("limited.py", program + "os.execv(__import__('sys').executable, __import__('sys').argv[1:])\n")
        command = [sys.executable, "limited.py", sys.executable, "-m", "covcore", "run", "victim.py", str(MANY)]
        outcome = victim.run(*command, PYTHONDONTWRITEBYTECODE="1")  # before 3.14 CPython would leave a part of a file
        check(victim, outcome, MANY)
        victim.data.unlink(missing_ok=True)


def test_a_limit_that_comes_later(victim: Place) -> None:
    """Set by the program itself, with the signal's default action."""
    text = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    victim.write("victim.py", text + PROGRAM)
    outcome = victim.covcore("run", "victim.py", str(MANY))
    assert (outcome.status, outcome.stdout) == (3, f"27\n{MANY + 1}\n")
    assert outcome.stderr.startswith("covcore: warning: ")
    with load(str(victim.data)) as database:
        assert database.files()


@pytest.mark.parametrize("limit", ["RLIMIT_NOFILE", "RLIMIT_NPROC", pytest.param("RLIMIT_AS", marks=unless_sanitized)])
def test_other_limits(victim: Place, limit: str) -> None:
    text = f"import resource\nresource.setrlimit(resource.{limit}, ({2**31 if limit == 'RLIMIT_AS' else 3},) * 2)\n"
    victim.write("victim.py", text + PROGRAM)
    outcome = victim.covcore("run", "victim.py", "5")
    assert (outcome.status, outcome.stdout) == (3, "27\n6\n")
    with load(str(victim.data)) as database:
        assert database.files()


# ---- the n-th call fails


CALLS = {
    "open": [errno.ENOSPC, errno.EMFILE, errno.EACCES],
    "fallocate": [errno.ENOSPC, errno.EOPNOTSUPP, errno.EDQUOT],
    "writev": [errno.ENOSPC, errno.EIO],
    "mmap": [errno.ENOMEM, errno.ENODEV],
    "write": [errno.ENOSPC, errno.EIO],
    "pwrite": [errno.ENOSPC, errno.EIO],
    "read": [errno.EIO],
    "fsync": [errno.EIO],
    "fchmod": [errno.EPERM],
    "rename": [errno.EIO],
    "unlink": [errno.EACCES],
    "mkdir": [errno.EROFS],
}


def fail(place: Place, shim: Path, call: str, first: int, last: int, error: int) -> Outcome | None:
    """Run the program with calls that fail; None if there were not so many calls."""
    told = place.folder / "told"
    outcome = place.covcore(
        *("run", "victim.py", "150"),
        LD_PRELOAD=str(shim),
        FAULT_FOLDER=str(place.data.parent),
        FAULT_CALL=call,
        FAULT_FIRST=str(first),
        FAULT_LAST=str(last),
        FAULT_ERRNO=str(error),
        FAULT_TOLD=str(told),
    )
    failed = told.exists()
    told.unlink(missing_ok=True)
    return outcome if failed else None


@unless_sanitized
@pytest.mark.parametrize("call", CALLS)
def test_the_nth_call_fails(victim: Place, shim: Path, call: str, figure: Callable[[str], None]) -> None:
    """As SQLite tests its own: the first, the second, ... call fails, alone or with all that follow (T19)."""
    random = rng(call)
    n_tried = 0
    victim.data.parent.mkdir(exist_ok=True)
    for number in itertools.count(1) if SEEDS >= 100 else (1, random.randint(2, 4)):
        n_before = n_tried
        for error in CALLS[call] if SEEDS >= 100 else CALLS[call][:1]:
            for last in (number, 2**31) if SEEDS >= 100 else (random.choice([number, 2**31]),):
                outcome = fail(victim, shim, call, number, last, error)
                if outcome is not None:
                    n_tried += 1
                    check(victim, outcome, 150)
                shutil.rmtree(victim.data.parent)
                victim.data.parent.mkdir()
                shutil.rmtree(f"/tmp/covcore-{os.getuid()}", ignore_errors=True)
        if n_tried == n_before:
            break  # there are no more
    figure(f"`{call}`: {n_tried} failures")
    assert n_tried or call in ("write", "pwrite")


def test_limits_are_as_they_were() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
