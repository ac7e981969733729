"""How a process can end: each way from each place, with threads still running, for want of memory (T1, T10, T13)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Place
from faults.victims import SEEDS

from covcore.store.loading import load
from covcore.store.processes import last_of_each

# Every process runs work() first; the ways differ in who leaves, and from how deep.
LEAVING = """\
import os, sys, threading
def work(n):
    for i in range(n):
        if i % 2 and n > 2:
            n -= 1
        else:
            n += 0
    return [x for x in range(n) if x]
def leave():
    work(5)
    END
def deep(n):
    if n:
        return deep(n - 1)
    leave()
def elsewhere(run):
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""
PLACES = {
    "the main thread": "leave()",
    "a thread": "elsewhere(leave)",
    "a deep call": "deep(50)",
    "a generator": "list(leave() for _ in [1])",
    "an exit handler": "import atexit; atexit.register(leave)",
    "a finalizer": "class Last:\n    def __del__(self): leave()\nlast = Last()\ndel last",
    "a forked child": "if os.fork() == 0: leave()\nos._exit(os.waitstatus_to_exitcode(os.wait()[1]))",
    "a thread of a forked child": "if os.fork() == 0: elsewhere(leave)\nos._exit(os.waitstatus_to_exitcode(os.wait()[1]))",
}


def slots(place: Place, name: str) -> dict[str, bytes]:
    """What ran of each function of main.py, slot by slot."""
    with load(str(place.data)) as database:
        codes = [code for file in database.files() if file.path.endswith("main.py") for code in file.codes]
    found = {code.qualname: bytes(code.bits) for code in codes}
    return {key: found[key] for key in ("work", "work.<locals>.<listcomp>") if key in found}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("status", [0, 7])
def test_os_exit(place: Place, where: str, status: int) -> None:
    """T1: every slot that ran is in the data, lines and arms alike."""
    place.write("main.py", LEAVING.replace("END", "return") + "leave()\n")
    place.covcore("run", "main.py")
    expected = slots(place, "main.py")
    assert expected and any(expected.values())
    place.data.unlink()

    place.write("main.py", LEAVING.replace("END", f"os._exit({status})") + PLACES[where] + "\n")
    assert place.covcore("run", "main.py").status == place.python("main.py").status == status
    assert slots(place, "main.py") == expected


# ---- threads that go on while the interpreter ends


DAEMONS = """\
import threading, time, sys
def work(n):
    total = 0
    for i in range(n % 7):
        total += 1
    return total
def forever():
    n = 0
    while True:
        n += 1
        work(n)
        time.sleep(0.001)
threads = [threading.Thread(target=forever, daemon=True) for _ in range(200)]
for thread in threads:
    thread.start()
print("end", flush=True)
sys.exit(3)
"""
BUSY = """\
import sys, threading, time
def busy():
    while True:
        sys.intervals.add(sys.getswitchinterval())
sys.setswitchinterval(0.004)
for _ in range(8):
    threading.Thread(target=busy, daemon=True).start()
while 0.004 not in sys.intervals:
    time.sleep(0.001)
"""
LAST = """\
import atexit, sys
sys.intervals = set()
def tell():
    print(*(round(it * 1e6) for it in [*sorted(sys.intervals), sys.getswitchinterval()]))
atexit.register(tell)  # before covcore does, so it comes after that
from covcore.cli import main
sys.exit(main())
"""


def test_busy_daemons_do_not_hold_publishing_up(place: Place) -> None:
    """T13: each file that publishing reads or writes would wait for each thread to give up the GIL: 5 ms by Python's default.

    How long that takes is the machine's to say, so what they find is told by the threads themselves.
    """
    place.write("main.py", BUSY)
    place.write("last.py", LAST)
    outcome = place.python("last.py", "run", "main.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "10 4000 4000\n", "")
    assert place.lines()["main.py"] >= set(range(1, 9))


def test_daemon_threads_run_through_the_end(place: Place, figure: Callable[[str], None]) -> None:
    """T13: 200 of them.  No crash, no word, and what they ran is there."""
    place.write("main.py", DAEMONS)
    n_rounds = SEEDS // 5 if SEEDS >= 100 else 1
    for _ in range(n_rounds):
        outcome = place.covcore("run", "main.py")
        assert (outcome.status, outcome.stdout, outcome.stderr) == (3, "end\n", "")
        assert place.lines()["main.py"] >= set(range(1, 17))
    figure(f"{n_rounds} ends of a program with 200 daemon threads: no crash, nothing lost")


# ---- crashes


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("faulthandler._stack_overflow()", signal.SIGSEGV),
        ("faulthandler._sigabrt()", signal.SIGABRT),
        ("map_nothing()", signal.SIGBUS),
    ],
)
def test_crashes_in_c(place: Place, how: str, number: signal.Signals) -> None:
    """T10: the stack of C overflows, Python gives up, a page of a file is not there any more."""
    place.write(
        "victim.py",
        f"""\
import faulthandler, mmap, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def map_nothing():
    with open("mapped", "wb+") as file:
        file.truncate(8192)
        mapped = mmap.mmap(file.fileno(), 8192)
        file.truncate(0)
        mapped[5000]
for i in range(100):
    if i == 99:
        {how}
""",
    )
    assert place.covcore("run", "victim.py").status == place.python("victim.py").status == -number
    with load(str(place.data)) as database:
        (process,) = database.processes()
    assert process.outcome == "ended without an end mark"
    assert place.lines()["victim.py"] >= {1, 2, 3, 9, 10, 11}


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group of 100 MB; a process joins it by writing to its file cgroup.procs."""
    roots = {"memory.limit_in_bytes": Path("/sys/fs/cgroup/memory"), "memory.max": Path("/sys/fs/cgroup")}
    for limit, root in roots.items():
        folder = root / f"covcore-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(100 * 2**20))
        except OSError:
            folder.rmdir()
            continue
        yield folder
        folder.rmdir()
        return
    pytest.skip("no control group for memory can be made here")


def test_the_killer_for_want_of_memory(place: Place, cgroup: Path) -> None:
    """T10: the kernel's, in a control group."""
    place.write(
        "victim.py",
        """\
def grow():
    kept = []
    for i in range(4000):
        if i % 2:
            kept.append(bytearray(b"x") * 2**20)
grow()
""",
    )
    join = f'echo $$ >{cgroup}/cgroup.procs && exec "$@"'
    command = [sys.executable, "-m", "covcore", "run", "victim.py"]
    outcome = place.run("sh", "-c", join, "sh", *command)
    assert outcome.status == -signal.SIGKILL
    said = place.covcore("report", "--strict")
    assert said.status == 1 and "1 process: 1 ended without an end mark" in said.stderr
    assert place.lines()["victim.py"] == {1, 2, 3, 4, 5, 6}


# ---- pytest-xdist


def test_workers_that_are_killed(place: Place, figure: Callable[[str], None]) -> None:
    """T11: of 8 workers (in a sample, of 2) one dies in a test and one when it is about to end; nothing is lost, and both are reported."""
    n_workers = 8 if SEEDS >= 100 else 2
    place.write("shop.py", "def price(n):\n    if n % 2:\n        return 1\n    return 2\n")
    place.write(
        "conftest.py",
        """\
import os, signal
def pytest_sessionfinish(session):
    if "PYTEST_XDIST_WORKER" in os.environ:
        try:
            os.mkdir("one-was-killed")
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    place.write(
        "test_shop.py",
        """\
import os, signal, pytest, shop, time
@pytest.mark.parametrize("n", range(64))
def test_price(n):
    time.sleep(0.01)
    shop.price(n)
@pytest.mark.skipif("gw" not in os.environ.get("PYTEST_XDIST_WORKER", ""), reason="of a worker")
def test_killed():
    shop.price(1)
    os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--covcore=shop", f"-n{n_workers}"]
    outcome = place.python(*words, "--max-worker-restart=0", "--dist=load")
    assert outcome.status == 1 and "worker 'gw" in outcome.stdout
    with load(str(place.data)) as database:
        processes = last_of_each(database.processes())
        tests = {test for _, test, _ in database.contexts().values()}
    assert tests >= {f"test_shop.py::test_price[{n}]" for n in range(64)} | {"test_shop.py::test_killed"}
    ends = sorted(process.outcome for process in processes)
    assert ends == ["ended without an end mark"] * 2 + ["finished"] * (n_workers - 1)
    report = place.covcore("report")
    assert report.status == 0
    said = f"{n_workers + 1} processes: {n_workers - 1} finished, 2 ended without an end mark (2 killed by signal 9)"
    assert said in report.stderr
    assert place.covcore("report", "--strict").status == 1
    figure(said)
