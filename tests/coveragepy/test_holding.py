"""What was measured in contexts that are over is stored later, and together: nobody may notice."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing

import pytest
from conftest import Place
from coveragepy.test_core import PLUGIN, check_silent, coverage, lines, run

SWITCHES = """\
import coverage, os, signal, time
measuring = coverage.Coverage.current()
def ran(number):
    if number % 2:
        return "odd"
    return "even"
def switch(first, last):
    for number in range(first, last):
        measuring.switch_context(f"test {number}")
        ran(number)
"""
BODIES = {"even": {4, 6}, "odd": {4, 5}}


def check_contexts(place: Place, numbers: Collection[int], data: str = ".coverage") -> None:
    """Each context has the lines of its own call and the data file no other of them."""
    found = {
        int(context.removeprefix("test ")): set(files["program.py"]) & {4, 5, 6}
        for context, files in lines(place, data).items()
        if context.startswith("test ")
    }
    assert found == {number: BODIES["odd" if number % 2 else "even"] for number in numbers}


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        ("", ""),
        ("", "measuring.stop(); measuring.start(); switch(9, 12)"),
        ("", "measuring.stop()"),
        ("", "measuring.save(); switch(9, 12)"),
        ("", "measuring.switch_context('test 0')"),
        ("patch = _exit\n", "os._exit(0)"),
        ("sigterm = True\n", "os.kill(os.getpid(), signal.SIGTERM)"),
        ("", "inner = coverage.Coverage(data_file='inner'); inner.start(); ran(1); inner.stop(); switch(9, 12)"),
    ],
)
def test_no_context_is_lost(place: Place, settings: str, end: str) -> None:
    run(place, settings, f"{SWITCHES}switch(0, 9)\n{end}\n")
    check_contexts(place, range(12 if "switch(9" in end else 9), next(iter(data_files(place))))


IN_A_SWITCH = """
import coverage.collector as c
own = c.Collector.switch_context
def switch_context(self, name):
    if name == "test 9":
        os.kill(os.getpid(), signal.SIGTERM)
    return own(self, name)
c.Collector.switch_context = switch_context
switch(0, 12)
"""


def test_no_context_is_lost_where_sigterm_comes_in_the_middle_of_a_switch(place: Place) -> None:
    """Nor what ran since it has begun."""
    assert run(place, "sigterm = True\n", SWITCHES + IN_A_SWITCH).status == -15
    check_contexts(place, range(9))
    killed = (SWITCHES + IN_A_SWITCH).splitlines().index("        os.kill(os.getpid(), signal.SIGTERM)") + 1
    assert killed in lines(place)["test 8"]["program.py"]


def data_files(place: Place) -> list[str]:
    return sorted(path.name for path in place.folder.glob(".coverage*") if path.name != ".coveragerc")


def test_whoever_asks_for_the_data_gets_all(place: Place) -> None:
    program = f"{SWITCHES}switch(0, 9)\nprint(sorted(measuring.get_data().measured_contexts()))\nswitch(9, 11)\n"
    outcome = run(place, "", program)
    assert outcome.stdout == f"{['', *(f'test {number}' for number in range(9))]}\n"
    check_contexts(place, range(11))


def test_a_killed_process_loses_what_is_fresh(place: Place) -> None:
    program = f"{SWITCHES}switch(0, 9)\ntime.sleep(0.3)\nswitch(9, 12)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    assert run(place, "", program).status == -9
    check_contexts(place, range(9))


def test_contexts_are_stored_where_the_clock_stands_still(place: Place) -> None:
    """At most as many are held as memory bears."""
    program = f"import covcore_coverage.collector as collector; collector.monotonic = lambda: 0.0\n{SWITCHES}"
    program = program.replace("\n", ";", 1) + "switch(0, 1500)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    assert run(place, "", program).status == -9
    with closing(sqlite3.connect(place.folder / ".coverage")) as database:
        (n,) = database.execute("SELECT count(*) FROM context").fetchone()
    assert 900 < n < 1500


def test_a_forked_process_stores_its_contexts_at_once(place: Place) -> None:
    """It leaves without any ceremony, and what its parent holds is the parent's to store."""
    program = f"{SWITCHES}switch(0, 9)\nif not os.fork():\n    switch(20, 23); os._exit(0)\nos.wait()\n"
    assert run(place, "parallel = True\n", program).status == 0
    files = data_files(place)
    assert len(files) == 2
    contexts = [sorted(context for context in lines(place, name) if context.startswith("test")) for name in files]
    assert sorted(contexts) == [[f"test {number}" for number in range(9)], ["test 20", "test 21", "test 8"]]


def test_erased_is_what_was_held(place: Place) -> None:
    program = f"{SWITCHES}switch(0, 9)\nmeasuring.stop(); measuring.erase(); measuring.start(); switch(20, 21)\n"
    assert run(place, "", program).status == 0
    check_contexts(place, range(20, 21))


def test_lines_alone_are_held_too(place: Place) -> None:
    run(place, "", "")
    place.write(".coveragerc", "[run]\nplugins = covcore_coverage\n")
    place.write("program.py", f"{SWITCHES}switch(0, 9)\n")
    assert place.python("-m", "coverage", "run", "program.py").status == 0
    check_contexts(place, range(9))


def test_data_has_the_hash_of_what_it_is(place: Place) -> None:
    """By which coverage.py's `combine` leaves out what comes twice."""
    hashes = []
    for more in ("0", "2", "1"):  # odd numbers go another way
        place.write(".coveragerc", f"{PLUGIN}parallel = True\n")
        place.write(
            "program.py", SWITCHES.replace("number %", "(number + int(os.environ['MORE'])) %") + "switch(0, 1)\n"
        )
        assert coverage(place, "run", "program.py", MORE=more).status == 0
        (name,) = data_files(place)
        hashes.append(name.rpartition(".H")[2])
        (place.folder / name).unlink()
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("change", ["INSERT", "SCHEMA_VERSION = 8", "_opened = lambda covdata: nullcontext()"])
def test_a_coverage_py_with_other_inner_parts_stores_by_its_own_means(place: Place, change: str) -> None:
    """None of our statements reaches its database."""
    program = f"import covcore_coverage.storing as s; from contextlib import nullcontext; s.{change}\n{SWITCHES}"
    settings = "debug = sql\ndebug_file = said\n"
    run(place, settings, program.replace("\n", ";", 1) + "switch(0, 9)\nmeasuring.save(); switch(9, 12)\n")
    check_contexts(place, range(12))
    assert ("json_each" in (place.folder / "said").read_text()) == (change == "INSERT")


# Every switch stores, so that the others come in the middle of it.
AT_ONCE = f"import covcore_coverage.collector as collector; collector.LONGEST = 0; {SWITCHES}"
FORKS = """
import threading
def switch_on():
    for number in range(1000, 100000):
        switch(number, number + 1)
        if is_over: break
is_over = False
thread = threading.Thread(target=switch_on)
thread.start()
for number in range(60):
    if not os.fork():
        measuring.switch_context("child")
        ran(1)
        measuring.save()
        os._exit(0)
    assert os.wait()[1] == 0
is_over = True
thread.join()
"""


def test_forks_while_a_thread_stores(place: Place) -> None:
    """A child has no lock of coverage.py's that the thread held, and no connection in the middle of something."""
    check_silent(run(place, "parallel = True\n", AT_ONCE + FORKS, PYTHONWARNINGS="ignore"))  # of forks beside threads
    names = data_files(place)
    assert len(names) == 61
    for name in names:
        with closing(sqlite3.connect(place.folder / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            contexts = {context for (context,) in database.execute("SELECT context FROM context")}
            assert ("child" in contexts) == (len(contexts) < 10)


SIGNALS = """
def handle(*args):
    os.fork() or os._exit(0)
    signal.setitimer(signal.ITIMER_REAL, 0.01)  # from now on: where forks take longer, the program goes on all the same
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.01)
switch(0, 900)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""


def test_signal_handlers_that_fork_while_contexts_are_switched(place: Place) -> None:
    """(To save in a handler is more than coverage.py's data is made for, with its own cores as well.)"""
    check_silent(run(place, "", AT_ONCE + SIGNALS))
    check_contexts(place, range(900))


THREADS = """
import threading
from contextlib import nullcontext
turn = {turn}
def work(number):
    for again in range(200):
        with turn:
            switch(4 * again + number, 4 * again + number + 1)
threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_switch_by_turns(place: Place) -> None:
    check_silent(run(place, "", SWITCHES + THREADS.format(turn="threading.Lock()")))
    check_contexts(place, range(800))


@pytest.mark.parametrize("program", [SWITCHES, AT_ONCE])
def test_threads_that_switch_at_once(place: Place, program: str) -> None:
    """Whose the lines are then is as it happens, but they are there."""
    check_silent(run(place, "", program + THREADS.format(turn="nullcontext()")))
    found = lines(place)
    assert {"", *(f"test {number}" for number in range(800))} >= found.keys()
    assert {line for files in found.values() for line in files["program.py"]} >= {4, 5, 6}
