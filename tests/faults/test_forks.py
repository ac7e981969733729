"""Many processes: forks among threads, pools, starts at once (T3, T5, T6, T14, T16, T31)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import Place, unless_sanitized
from faults.victims import SEEDS

from covcore.store.loading import load
from covcore.store.processes import last_of_each, summary

for_root = pytest.mark.skipif(os.geteuid() != 0, reason="setuid and chroot need root")

FORKS = """\
import os, sys, threading
import covcore
def work(n):
    if n % 2:
        return n
    return -n
n_forks = int(sys.argv[1])
over = False
def switch(number):
    label = 0
    while not over:
        label += 1
        covcore.current().switch_context(f"{number} {label % 50}")
        work(label)
covcore.start()
threads = [threading.Thread(target=switch, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
wrong = 0
for number in range(n_forks):
    child = os.fork()
    if child == 0:
        for i in range(20):
            covcore.current().switch_context(f"child {i}")
            work(i)
        os._exit(number % 100)
    wrong += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != number % 100
over = True
for thread in threads:
    thread.join()
print(n_forks, wrong)
"""


def test_forks_while_threads_switch_contexts(place: Place, figure: Callable[[str], None]) -> None:
    """T5.  Of coverage.py's children 59 of 60 hang."""
    n_forks = max(40, 2 * SEEDS)
    place.write("main.py", FORKS)
    outcome = subprocess.run(
        [sys.executable, "main.py", str(n_forks)],
        cwd=place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=120 + n_forks,
    )
    assert outcome.stdout == f"{n_forks} 0\n"
    assert "covcore" not in outcome.stderr
    with load(str(place.data)) as database:
        assert summary(database.processes()) == (
            f"{n_forks + 1} processes: 1 finished, {n_forks} ended without an end mark"
        )
        tests = {test for _, test, _ in database.contexts().values()}
    assert {f"child {i}" for i in range(20)} <= tests
    figure(f"{n_forks} forks among 8 threads: no hang, no status changed, {n_forks} accounted for")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_pools_lose_no_task(place: Place, method: str, figure: Callable[[str], None]) -> None:
    """T6: `with Pool()` terminates its workers; each task that was done is in the data."""
    n_rounds = max(1, SEEDS * 2 // 5 // (1 if method == "fork" else 10))
    tasks = "\n".join(f"def task{i}():\n    return {i}" for i in range(20))
    place.write("tasks.py", tasks + "\n")
    place.write(
        "main.py",
        f"""\
import multiprocessing, tasks
def run(number):
    return getattr(tasks, f"task{{number}}")()
if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(4) as pool:
        print(sum(pool.map(run, range(20), chunksize=1)))
""",
    )
    for _ in range(n_rounds):
        outcome = place.covcore("run", "main.py")
        assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "190\n", "")
        with load(str(place.data)) as database:
            ends = {process.problem or process.outcome for process in last_of_each(database.processes())}
        assert place.lines()["tasks.py"] == set(range(1, 41))
        assert ends <= {"finished", "killed by signal 15"}
    figure(f"{method}: {n_rounds} pools, all tasks in the data")


def test_many_processes_start_at_once(place: Place) -> None:
    """T16: in a data folder that is not there yet."""
    n = 64 if SEEDS >= 100 else 16
    place.write(
        "main.py",
        f"""\
import os, subprocess, sys, time
children = [subprocess.Popen([sys.executable, "child.py", str(i)]) for i in range({n})]
open("go", "w").close()
print(sum(child.wait() for child in children))
""",
    )
    branches = "".join(f"if number == {i}:\n    x = 1\n" for i in range(n))
    waiting = "import os, sys, time\nwhile not os.path.exists('go'): time.sleep(0.001)\nnumber = int(sys.argv[1])\n"
    place.write("child.py", waiting + branches)
    outcome = place.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "0\n", "")
    with load(str(place.data)) as database:
        assert summary(database.processes()) == f"{n + 1} processes: {n + 1} finished"
    assert place.lines()["child.py"] == set(range(1, 4 + 2 * n))


def test_runs_that_start_at_once(place: Place) -> None:
    """T16: each adds its own to the same data."""
    n = 16 if SEEDS >= 100 else 6
    for i in range(n):
        place.write(f"main{i}.py", "x = 1\n")
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "covcore", "run", "--append", f"main{i}.py"],
            cwd=place.folder,
            env=place.environment,
            stderr=subprocess.PIPE,
        )
        for i in range(n)
    ]
    assert [run.communicate(timeout=120)[1] for run in runs] == [b""] * n
    assert set(place.lines()) == {f"main{i}.py" for i in range(n)}


@unless_sanitized
def test_many_threads(place: Place, figure: Callable[[str], None]) -> None:
    """T14: neither descriptors nor memory grow."""
    n = 100_000 if SEEDS >= 100 else 5_000
    place.write(
        "main.py",
        f"""\
import os, threading
def work(): return 1
def memory(): return int(open("/proc/self/statm").read().split()[1]) * 4096
def some(n):
    for _ in range(n):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
some(1000)
files, before = len(os.listdir("/proc/self/fd")), memory()
some({n})
print(len(os.listdir("/proc/self/fd")) - files, (memory() - before) // 2**20 <= 5)
""",
    )
    assert place.covcore("run", "main.py").stdout == "0 True\n"
    figure(f"{n} threads")


def test_closed_descriptors(place: Place) -> None:
    """T31: who closes all descriptors and opens files of his own finds in them what he wrote, and nothing of ours."""
    place.write(
        "main.py",
        """\
import hashlib, os
os.closerange(3, 65536)
def write(i):
    with open(f"file{i}", "wb") as file:
        for _ in range(50):
            file.write(b"%d\\n" % i)
            exec(compile("x = 1\\n" * 50, os.path.abspath(f"generated{i}.py"), "exec"))
for i in range(100):
    write(i)
print(all(open(f"file{i}", "rb").read() == b"%d\\n" % i * 50 for i in range(100)), len(os.listdir("/proc/self/fd")))
""",
    )
    bare = place.python("main.py")
    measured = place.covcore("run", "main.py")
    assert (measured.stdout, measured.stderr) == (bare.stdout, "")
    assert place.lines()["main.py"] == set(range(1, 11))


@pytest.fixture
def open_place() -> Iterator[Place]:
    """A place for whatever user the program becomes."""
    with TemporaryDirectory(dir="/var/tmp") as name:
        folders = [Path(name), Path(name, "project"), Path(name, "elsewhere")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        yield Place(folders[1], folders[2] / "data")


@pytest.mark.parametrize(
    "move",
    [
        "os.chdir('/')",
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
        "os.umask(0o777)",
        pytest.param("os.setuid(65534)", marks=for_root),
        pytest.param("os.chroot('.')", marks=for_root),
        "os.closerange(0, 3)",
        "sys.modules.clear()",
        "del os.environ['COVCORE_RUN']; os.environ.clear()",
        "os.getpid = os.open = os.stat = time.time = None",
        "sys.setrecursionlimit(60)",
    ],
)
def test_strange_surroundings(open_place: Place, move: str) -> None:
    """T29, T32: data where it belongs or where a warning says, and nothing for the program to notice."""
    place = open_place
    place.write(
        "main.py",
        f"""\
import os, sys, time
out = os.dup(1)
write, fork, wait, leave = os.write, os.fork, os.wait, os._exit
{move if "COVCORE" not in move else "os.environ.pop('COVCORE_RUN', 0); os.environ.clear()"}
def work(n):
    if n:
        return 1
    return 2
child = fork()
if child == 0:
    work(1)
    leave(5)
write(out, b"%d %d\\n" % (wait()[1], work(0)))
""",
    )
    bare = place.python("main.py")
    place.data.with_name("data.d").mkdir(parents=True, exist_ok=True)
    place.data.with_name("data.d").chmod(0o777)
    measured = place.covcore("run", "main.py")
    assert (measured.status, measured.stdout) == (bare.status, bare.stdout)
    assert all(re.match("covcore: warning: ", line) for line in measured.stderr.splitlines())
    with load(str(place.data)) as database:
        processes = last_of_each(database.processes())
    assert place.lines()["main.py"] >= {1, 2, 3, 4, 5, 6, 8, 9, 10, 13}
    if "chroot" not in move:
        assert place.lines()["main.py"] >= {7, 11, 12}
        assert len(processes) == 2 and processes[0].outcome == "finished"


@pytest.mark.parametrize(
    "handler",
    [
        "raise ValueError",
        "os._exit(4)",
        "sys.exit(4)",
        "os.kill(os.getpid(), 9)",
        "thread = threading.Thread(target=late); thread.start(); thread.join()",
        "atexit._clear()",
    ],
)
@pytest.mark.parametrize("when", ["first", "last"])
def test_exit_handlers(place: Place, handler: str, when: str) -> None:
    """T12: in whatever order, and whatever they do."""
    place.write(
        "main.py",
        f"""\
import atexit, os, sys, threading
def late():
    print("late", flush=True)
def handler():
    print("handler", flush=True)
    {handler}
def other():
    print("other", flush=True)
if {when == "first"}:
    atexit.register(handler)
    atexit.register(other)
else:
    atexit.register(other)
    atexit.register(handler)
""",
    )
    bare = place.python("main.py")
    measured = place.covcore("run", "main.py")
    assert (measured.status, measured.stdout) == (bare.status, bare.stdout)
    with load(str(place.data)):
        assert place.lines()["main.py"] >= {1, 2, 4, 5, 6, 7, 9}


def test_forks_cost_little(place: Place) -> None:
    """L4, roughly: bench/processes.py has the figure."""
    program = """\
import os, sys
def work(n): return n
for i in range(200):
    if os.fork() == 0:
        work(i)
        os._exit(0)
    os.wait()
"""
    place.write("main.py", program)
    took = []
    for command in ["main.py"], ["-m", "covcore", "run", "main.py"]:
        times = []
        for _ in range(3):
            began = os.times()
            assert place.python(*command).status == 0
            ended = os.times()
            times.append(sum(ended[2:4]) - sum(began[2:4]))  # the CPU's: of children, and theirs
        took.append(min(times))
    assert took[1] < 5 * took[0] + 0.5
    with load(str(place.data)) as database:
        assert len(last_of_each(database.processes())) == 201
