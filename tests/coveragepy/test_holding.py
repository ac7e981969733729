"""What was measured in contexts that are over is stored later, and together: nobody may notice."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from conftest import Place
from coverage.misc import Hasher
from coveragepy.test_core import lines, run

from covcore_coverage.holding import ArcSet

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


def check_contexts(place: Place, numbers: range, data: str = ".coverage") -> None:
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
    program = f"import covcore_coverage.holding as holding; holding.monotonic = lambda: 0.0\n{SWITCHES}"
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


def digest(arcs: object) -> bytes:
    hasher = Hasher()
    hasher.update(arcs)
    return hasher.digest()


def test_arcs_have_the_hash_of_what_they_are() -> None:
    arcs = [(1, 2), (2, 2), (2, -1)]
    assert digest(ArcSet(arcs)) == digest(ArcSet(reversed(arcs)))
    others = [[], arcs[:2], [*arcs, (3, 3)], [(2, 1), (2, 2), (2, -1)], [(1, 2), (2, 2), (2, 1)]]
    assert len({digest(ArcSet(its)) for its in [arcs, *others]}) == 1 + len(others)
