"""3.12 and 3.13, where one event tells of both arms of a site and can only be silenced for both."""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

import pytest
from coveragepy_cores import ENGINES
from instructions import HAS_EVENT_PER_ARM, branches, instructions
from tracing import observe

from covcore import _tracer

pytestmark = pytest.mark.skipif(HAS_EVENT_PER_ARM, reason="each arm has an event of its own")

PROGRAM = """
def own(n):
    for i in range(n):
        if i < 0:
            n = 0
        else:
            n = 1
def shared(n):
    for i in range(n):
        if i >= 0:
            n = 1
        n = 2
def raises(n):
    for i in range(n):
        if i < 0: raise ValueError
def either(n):
    for i in range(n):
        if i & 1:
            n = 1
        n = 2
def joined(n):
    i = 0
    while i < n and i >= 0 and n > 0 and n > 1:
        i += 1
        if i > 900: break
    else:
        raise ValueError
"""

# Two tests that fail to the same place.
FAILING = """\
def failing(x, y):
    if x and y:
        return 1
    raise ValueError
def attempt(x, y):
    try: failing(x, y)
    except ValueError: pass
"""

SWITCHING = f"""
class Odd:
    def __init__(self, switches): self.switches = switches
    def __bool__(self):
        if self.switches:
            switch("B")
            for i in range(300): failing(1, 1)
        return False
{FAILING}switch("A")
for i in range(9): attempt(i % 2, i % 3)
attempt(1, Odd(True))
"""

# One test fails while the truth of another is asked for, which begins without an event where all went well before.
PARTING = f"""
import threading
class Odd:
    deep = 0
    def __init__(self, value): self.value = value
    ASKED
        WITHIN
        return self.value
{FAILING}for label, odd, fails in (
    ("A", (1, Odd(False)), (0, 1)), ("B", (Odd(False), 1), (1, 0)), ("C", (1, Odd(True)), (0, 1)), ("D", (Odd(True), 1), (1, 0)),
    ("E", (1, Odd(False)), (1, 0)), ("F", (Odd(False), 1), (0, 1)), ("G", (1, Odd(True)), (1, 1)), ("H", (Odd(True), 0), (1, 1)),
):
    switch(label)
    for i in range(300): attempt(1, 1)
    ASK
    AFTER
"""


def parting(
    within: str = "attempt(*fails)",
    asked: str = "def __bool__(self):",
    ask: str = "attempt(*odd)",
    after: str = "pass",
) -> str:
    words = {"ASKED": asked, "WITHIN": within, "ASK": ask, "AFTER": after}
    return re.sub("ASKED|WITHIN|ASK|AFTER", lambda match: words[match[0]], PARTING)


GONE = """def __add__(self, other): return Gone(self.value)
class Gone(Odd):
    __bool__ = lambda self: self.value
    def __del__(self):"""

PARTINGS = {
    "once": parting(),
    "time and again": parting("for i in range(300): attempt(*fails); attempt(1, 1)"),
    "and again afterwards": parting(after="for i in range(300): attempt(*fails); attempt(1, 1)"),
    "by its length": parting("attempt(*fails); self.value = int(self.value)", asked="def __len__(self):"),
    "as it goes": parting(asked=GONE).replace("x and y", "x + 0 and y + 0"),
    "in another thread": parting("t = threading.Thread(target=attempt, args=fails); t.start(); t.join()"),
    "further down": parting("self.deep += 1; self.deep % 2 and attempt(*odd); attempt(*fails)"),
    "before an exception": parting("attempt(*fails); raise ValueError", after="attempt(*fails); attempt(1, 1)"),
    "in a generator": parting()
    .replace("return 1", "return (yield)")
    .replace("try: failing(x, y)", "try: [*failing(x, y)]"),
    "in a greenlet": parting(
        "there.switch()",
        ask="from greenlet import *; here = greenlet(attempt); there = getcurrent(); here.switch(*odd)",
        after="attempt(*fails); here.switch()",
    ),
}

THREADS = """
import sys, threading
def tests(a, b, c, d):
    if a and b and c and d:
        return 1
    return 0
def run(index):
    args = [1, 1, 1, 1]
    if index: args[index - 1] = 0
    barrier.wait()
    for i in range(4000): tests(1, 1, 1, 1) if i < 400 or not index else tests(*args)
sys.setswitchinterval(1e-6)
for label, group in ("A", (0, 0)), ("B", (1, 2)), ("C", (3, 4)), ("D", (2, 3)), ("E", (0, 4)), ("F", (1, 4)):
    switch(label)
    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=run, args=(index,)) for index in group]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


@pytest.fixture
def functions() -> dict[str, FunctionType]:
    namespace: dict[str, FunctionType] = {}
    exec(compile(PROGRAM, __file__, "exec"), namespace)
    return {name: namespace[name] for name in ("own", "shared", "raises", "either", "joined")}


@pytest.fixture
def tracer(tmp_path: Path) -> Callable[[], _tracer.Tracer]:
    def start() -> _tracer.Tracer:
        tracer = _tracer.Tracer(lambda name: name if name == __file__ else None)
        tracer.start([str(tmp_path)], "0")
        return tracer

    return start


def heard(function: FunctionType) -> list[str]:
    """The tests of a function that still have an event."""
    code = function.__code__
    adaptive: bytes = code._co_code_adaptive  # type: ignore[attr-defined]
    instrumented = 236 if sys.version_info < (3, 13) else 235  # opcodes above it are
    return [
        each.name
        for each in instructions(code)
        if each.offset in {source for source, _, _ in branches(code)} and adaptive[each.offset] > instrumented
    ]


def test_events_end_where_an_arm_is_proved_elsewhere(
    functions: dict[str, FunctionType], tracer: Callable[[], _tracer.Tracer]
) -> None:
    """An arm that shares all that it leads to can't be: its site is heard until both arms were taken.  Of some (here eight) that share it
    with nothing but each other, one can, where there is a GIL."""
    running = tracer()
    try:
        for function in functions.values():
            function(1000)
        left = {name: len(heard(function)) for name, function in functions.items()}
    finally:
        running.stop()

    assert left == {
        "own": 0,
        "shared": 1,
        "raises": 0,
        "either": 0,
        "joined": 8 if sysconfig.get_config_var("Py_GIL_DISABLED") else 7,
    }
    assert all(heard(function) == [] for function in functions.values())  # nothing is left behind


def test_a_jump_that_began_in_another_context_proves_nothing(tmp_path: Path) -> None:
    """The test of y has no event any more when it asks for the truth of what begins context B.  That it was so there is lost, as the end of
    a loop is that began before; but nobody else's arm is made of it."""
    path = tmp_path / "program.py"
    path.write_text(SWITCHING)

    got, true = observe("covcore", path), observe("arcs", path)

    arcs, expected = ({tuple(arc) for arc in arcs["B"]["failing:9"]} for arcs in (got["arcs"], true))
    assert arcs <= expected
    assert got["error"] is None


@pytest.mark.parametrize("text", [*PARTINGS.values(), THREADS], ids=[*PARTINGS, "in threads"])
def test_tests_that_fail_to_one_place(tmp_path: Path, text: str) -> None:
    """One fails while the truth of another is asked for, or in another thread: each arm is told, and no other."""
    path = tmp_path / "program.py"
    path.write_text(text)

    if "greenlet" in text and sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("no greenlet is installed where nothing joins: without a GIL")
    env = {"PYTHONPATH": str(ENGINES)}
    got, true = observe("covcore", path, env=env), observe("arcs", path, env=env)

    def arms(found: dict[str, dict[str, list[list[int]]]]) -> dict[tuple[str, str], set[tuple[int, ...]]]:
        names = ("failing", "tests")
        return {
            (label, name): {tuple(arc) for arc in arcs}
            for label in "ABCDEFGH"
            for name, arcs in found.get(label, {}).items()
            if name.startswith(names)
        }

    assert arms(got["arcs"]) == arms(true)
    assert got["error"] is None
