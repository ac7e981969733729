"""Subinterpreters: each is measured by itself, with no setting, and is no process of its own."""

from __future__ import annotations

import json
import sqlite3
import sys

import pytest
from conftest import Outcome, Place, unless_sanitized

WORK = """def choose(n):
    if n == 0:
        return "zero"
    if n == 1:
        return "one"
    if n == 2:
        return "two"
    return [choose(i) for i in range(n) if i < 2]

def never():
    return 1
"""
CREATE = """
from concurrent import interpreters
def create(place=""):
    interpreter = interpreters.create()
    interpreter.prepare_main(place=place)
    return interpreter
"""
if sys.version_info < (3, 14):  # the same of what there was before concurrent.interpreters
    CREATE = """
try:
    import _interpreters
except ImportError:  # 3.12
    import _xxsubinterpreters as _interpreters
class Interpreter:
    def __init__(self): self.id = _interpreters.create()
    def exec(self, text): assert _interpreters.run_string(self.id, text) is None
    def close(self): _interpreters.destroy(self.id)
def create(place=""):
    interpreter = Interpreter()
    interpreter.exec(f"place = {place!r}")
    return interpreter
"""


def measured(place: Place, program: str) -> Outcome:
    """Run a program beside work.py, bare and measured, and say what the second gave, which is to be the same."""
    place.write("work.py", WORK)
    place.write("program.py", CREATE + program)
    bare = place.python("program.py")
    done = place.covcore("run", "program.py")
    assert (done.status, done.stdout, done.stderr) == (bare.status, bare.stdout, bare.stderr)
    return done


def processes(place: Place) -> str:
    [line] = [line for line in place.covcore("debug", "data").stdout.splitlines() if line.startswith("processes:")]
    return line.partition(":")[2].strip()


def arms(place: Place, name: str) -> set[tuple[int, int]]:
    """The branches of a file that were taken."""
    found = place.covcore("json", "-o", "-").stdout
    [file] = [file for path, file in json.loads(found)["files"].items() if path.endswith(name)]
    return {(start, end) for start, end in file["executed_branches"]}


def test_what_ran_in_them_is_in_the_report(place: Place) -> None:
    measured(
        place,
        """
one = create()
one.exec("import work; work.choose(0)")
one.close()
two = create()
two.exec("import work; print(work.choose(3))")
two.close()
""",
    )
    assert place.lines()["work.py"] == {1, 2, 3, 4, 5, 6, 8, 10}
    assert arms(place, "work.py") == {(2, 3), (2, 4), (4, 5), (4, 6), (6, 8)}
    assert processes(place) == "1 process: 1 finished"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor came with 3.14")
@pytest.mark.parametrize("how", [["program.py"], ["-m", "program"]])
def test_a_pool(place: Place, how: list[str]) -> None:
    """Its workers import what the program can, as in a bare run."""
    place.write("work.py", WORK)
    place.write(
        "program.py",
        """
from concurrent.futures import InterpreterPoolExecutor
import work
if __name__ == "__main__":
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(work.choose, [0, 2])))
""",
    )
    done = place.covcore("run", *how)
    assert (done.status, done.stdout, done.stderr) == (0, "['zero', 'two']\n", "")
    assert place.lines()["work.py"] == {1, 2, 3, 4, 6, 7, 10}


def test_eight_at_once(place: Place) -> None:
    """Each has a GIL of its own: they record at the same time."""
    place.write("many.py", "def run(n):\n" + "".join(f"    if n == {i}:\n        n += 100\n" for i in range(8)))
    measured(
        place,
        """
import threading
def one(n):
    interpreter = create()
    barrier.wait()
    interpreter.exec(f"import many\\nfor i in range(2000): many.run({n})")
    interpreter.close()
barrier = threading.Barrier(8)
threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    )
    assert place.lines()["many.py"] == set(range(1, 18))
    assert len(arms(place, "many.py")) == 16
    assert processes(place) == "1 process: 1 finished"


def test_under_the_context_in_which_it_was_created(place: Place) -> None:
    place.write("work.py", WORK)
    place.write(
        "test_it.py",
        CREATE
        + """
def test_zero():
    interpreter = create()
    interpreter.exec("import work; work.choose(0)")
    interpreter.close()
def test_one():
    interpreter = create()
    interpreter.exec("import work; work.choose(1)")
    interpreter.close()
""",
    )
    done = place.covcore("run", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.status == 0, done.stdout
    with sqlite3.connect(place.data) as connection:
        query = "SELECT test FROM line_hit WHERE path LIKE '%work.py' AND line = ?"
        found = {line: {test for (test,) in connection.execute(query, (line,))} for line in (3, 5)}
    connection.close()
    assert found == {3: {"test_it.py::test_zero"}, 5: {"test_it.py::test_one"}}


def test_one_that_is_never_closed(place: Place) -> None:
    """It ends after the program's data is written; whoever asks next takes up what it left."""
    measured(place, 'kept = create()\nkept.exec("import work; work.choose(1)")\n')
    report = place.covcore("report")
    assert report.status == 0
    assert place.lines()["work.py"] == {1, 2, 4, 5, 10}
    assert processes(place) == "1 process: 1 finished"


def test_a_process_that_is_killed_after_one_has_ended(place: Place) -> None:
    """The end mark of an interpreter is not that of its process."""
    measured(
        place,
        """
import os, signal
interpreter = create()
interpreter.exec("import work; work.choose(1)")
interpreter.close()
os.kill(os.getpid(), signal.SIGKILL)
""",
    )
    assert "1 ended without an end mark" in place.covcore("report").stderr + processes(place)
    assert place.lines()["work.py"] == {1, 2, 4, 5, 10}


def test_their_environment_and_the_processes_they_start(place: Place) -> None:
    """What the environment says stays the main interpreter's, so that processes are measured as before."""
    place.write("child.py", "import work\nwork.choose(2)\n")
    measured(
        place,
        """
import os, subprocess, sys
interpreter = create()
interpreter.exec("import work, os, subprocess, sys; subprocess.run([sys.executable, 'child.py'])")
inherited = subprocess.check_output(["env"])
interpreter.close()
own = os.environ.get("COVCORE_RUN", "")
print(own.rpartition(" at=")[0].encode() in inherited)
""",
    )
    assert place.lines()["work.py"] == {1, 2, 4, 6, 7, 10}
    assert processes(place) == "2 processes: 2 finished"


@pytest.mark.parametrize("pytest_or_not", ["program.py", "-mpytest"])
def test_with_no_subprocess(place: Place, pytest_or_not: str) -> None:
    """They are no processes; these are not measured, and do not know of it."""
    place.write("work.py", WORK)
    place.write("covcore.toml", "subprocess = false")
    place.write(
        "test_it.py",
        CREATE
        + """
import os, subprocess, sys
def test_it():
    interpreter = create()
    interpreter.exec("import work; work.choose(0)")
    interpreter.close()
    if not (child := os.fork()):
        create().exec("import work; work.choose(1)")
        os._exit(0)
    os.waitpid(child, 0)
    measured = "import sys; print('covcore' in sys.modules)"
    create_in_child = "import test_it; test_it.create().exec('import work; work.choose(2)'); "
    assert subprocess.check_output([sys.executable, "-c", create_in_child + measured]) == b"False\\n"
""",
    )
    place.write("program.py", "import test_it\ntest_it.test_it()\n")
    words = [pytest_or_not] if pytest_or_not == "program.py" else ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = place.covcore("run", *words)
    assert done.status == 0, done.stdout + done.stderr
    assert place.lines()["work.py"] == {1, 2, 3, 10}
    assert processes(place) == "1 process: 1 finished"


def test_no_process_that_follows_by_exec(place: Place) -> None:
    """Its number is that of the process that was measured."""
    place.write("work.py", WORK)
    place.write(
        "program.py",
        "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'import work; work.choose(2)'])\n",
    )
    place.covcore("run", "--no-subprocess", "program.py")
    assert place.covcore("report").status == 0
    assert set(place.lines()) == {"program.py"}


OWN = """
import covcore
covcore.start(data="own.covcore")
import work
work.choose({n})
covcore.stop()
work.choose(2)
"""


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="3.12.1 aborts where a subinterpreter imports hashlib, for the database"
)
@pytest.mark.parametrize("is_measured", [True, False])
def test_a_session_of_its_own(place: Place, is_measured: bool) -> None:
    """covcore.start() in one: its data is its own, as that of a process would be, and the main interpreter's goes on."""
    place.write("work.py", WORK)
    program = CREATE + f"""
import work
interpreter = create()
interpreter.exec({OWN.format(n=0)!r})
interpreter.close()
work.choose(1)
"""  # fmt: skip
    place.write("program.py", program)
    done = place.covcore("run", "program.py") if is_measured else place.python("program.py")
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert place.lines(place.folder / "own.covcore") == {"work.py": {1, 2, 3, 10}}
    if is_measured:
        assert place.lines()["work.py"] == {1, 2, 4, 5, 10}
        assert processes(place) == "1 process: 1 finished"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="3.12.1 hangs where a process with a subinterpreter forks")
def test_forks_while_they_record(place: Place) -> None:
    """Forked children of CPython's do not survive that other interpreters are there: as in a bare run, and the report says so."""
    place.write("work.py", WORK)
    place.write(
        "program.py",
        CREATE
        + """
import os, work
def fork(n):
    if not (child := os.fork()):
        work.choose(n)
        os._exit(0)
    return os.waitpid(child, 0)[1]
one = create()
one.exec("import work; work.choose(0)")
print(fork(1))
one.exec("work.choose(0)")
one.close()
print(fork(2))
""",
    )
    bare, done = place.python("program.py"), place.covcore("run", "program.py")
    assert (done.status, done.stdout) == (bare.status, bare.stdout)
    died, second = (int(status) != 0 for status in done.stdout.split())
    assert not second
    assert ("1 forked child" in done.stderr) == died
    assert place.covcore("report").status == 0
    assert place.lines()["work.py"] == {1, 2, 3, 4, 6, 7, 10} | (set() if died else {5})
    left = "1 ended without an end mark, 1 left no record" if died else "2 ended without an end mark"
    assert processes(place) == f"3 processes: 1 finished, {left}"


@unless_sanitized  # which keeps memory that was freed
def test_created_and_destroyed(place: Place, n_seeds: int) -> None:
    """Memory, descriptors and mappings stay what they were after some; with --seeds=500 there are a thousand."""
    n = 1000 if n_seeds >= 500 else 30
    place.write("work.py", WORK)
    place.write(
        "program.py",
        CREATE
        + f"""
import os
def used():
    resident = int(open("/proc/self/statm").read().split()[1]) * 4
    return resident, len(os.listdir("/proc/self/fd")), len(open("/proc/self/maps").readlines())
for i in range({n}):
    interpreter = create()
    interpreter.exec("import work; work.choose(0)")
    interpreter.close()
    if i == {n} // 3:
        resident, *others = used()
grown, *others_then = used()
print(others_then == others, grown - resident)
""",
    )
    bare, done = place.python("program.py"), place.covcore("run", "program.py")
    assert (done.status, done.stdout.split()[0]) == (0, "True"), done.stderr
    # Before 3.14 CPython keeps what an interpreter has allocated: 1.7 MB of its own, and 0.3 for our modules.
    lost, grown = (int(outcome.stdout.split()[1]) for outcome in (bare, done))
    assert grown < max(lost, 0) + 2000 + n * (4 if sys.version_info >= (3, 14) else 500)
    assert place.lines()["work.py"] == {1, 2, 3, 10}
