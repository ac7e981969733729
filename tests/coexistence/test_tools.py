"""Other tools beside covcore: they hear what they hear without it, and it hears what it hears without them.

What is played are the programs of tests/programs.py, again and again, each a few contexts.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from coexistence.beside import Play, busy, differing, folder, play, quick

HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()
needs_jit = pytest.mark.skipif(not HAS_JIT, reason="this build has no JIT")
MONITORING = ["All", "Once", "OnceAbove", "Instructions", "Restarter"]
PROFILERS = ["Profiler", "SetProfile", *(["Tracing"] if sys.version_info >= (3, 15) else [])]
DEBUGGERS = ["SetTrace", "SetTraceOpcodes", "SetTraceCalls", "SetTraceThreads", "TraceModule", "Hunter"]
since_3_14 = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="bdb and coverage.py's branches are on sys.monitoring since 3.14"
)
MONITORING_STEPPER = pytest.param("MonitoringStepper", marks=since_3_14)
SYSMON = pytest.param("CoverageSysmon", marks=since_3_14)
STEPPERS = ["Stepper", MONITORING_STEPPER]
COVERAGE = ["CoverageCtrace", "CoveragePytrace", SYSMON]


def assert_not_disturbed(got: Play, alone: Play) -> None:
    """What covcore says is what it says without the tool."""
    assert alone.lines and alone.arcs
    assert (got.lines ^ alone.lines, got.arcs ^ alone.arcs) == (set(), set())


@pytest.mark.parametrize("tool", [*MONITORING, *PROFILERS, *DEBUGGERS, *STEPPERS, *COVERAGE])
def test_side_by_side(tool: str) -> None:
    """covcore begins first, as under `covcore run`."""
    rounds = 1 if tool.endswith("Stepper") else 3
    where = quick if tool in ("Instructions", "SetTraceOpcodes", "MonitoringStepper") else folder
    bare, both = play(tool, rounds, "bare", where=where), play(tool, rounds, where=where)
    assert bare.heard
    assert differing(bare.heard, both.heard) == {}
    assert_not_disturbed(both, play(rounds=rounds, where=where))
    assert both.said == ""


@pytest.mark.parametrize("tool", ["All", "Once", "OnceAbove"])
def test_a_thousand_switches(tool: str) -> None:
    """A switch arms our events again and no others': what a tool has disabled stays disabled."""
    bare, both = play(tool, 15, "bare", where=quick), play(tool, 15, where=quick)
    assert both.n_switches > 1000
    assert differing(bare.heard, both.heard) == {}
    assert_not_disturbed(both, play(where=quick))


@pytest.mark.parametrize("tool", ["Once", "OnceAbove", "Crowd"])
def test_a_tool_that_was_first(tool: str) -> None:
    """When a second tool takes LINE on a code object for the first time, CPython arms the LINE locations that the first
    one had disabled: each is heard once more, and never again.  Nothing else is.  Crowd leaves covcore one id only."""
    bare, both = play(tool, 15, "late-bare", where=quick), play(tool, 15, "late", where=quick)
    assert both.n_switches > 1000
    assert bare.before == both.before
    again = differing(bare.heard, both.heard)
    assert again and all(" LINE " in what for what in again)
    assert all(n < heard <= 2 * n for n, heard in again.values())  # some lines have several locations
    assert_not_disturbed(both, play(where=quick))


@pytest.mark.parametrize(
    "tool", ["All", "Profiler", "SetTrace", "SetTraceCalls", "TraceModule", "CoverageCtrace", "CoveragePytrace"]
)
def test_a_counting_tool_that_was_first(tool: str) -> None:
    bare, both = play(tool, 3, "late-bare"), play(tool, 3, "late")
    assert differing(bare.heard, both.heard) == {}
    assert_not_disturbed(both, play())


@since_3_14
def test_coveragepys_sysmon_that_was_first() -> None:
    """It disables LINE, hears each line once more when covcore begins, and takes two lines that it hears one after the
    other for a step: so of its arcs there are more, none of them a branch, and none is missing."""
    bare, both = play("CoverageSysmon", 3, "late-bare"), play("CoverageSysmon", 3, "late")
    assert bare.heard.keys() < both.heard.keys()
    assert_not_disturbed(both, play())


@pytest.mark.parametrize("tool", ["Once", "Restarter", SYSMON, "SetTrace", MONITORING_STEPPER])
def test_beside_busy_code(tool: str) -> None:
    """A line that runs once, in code that has long been busy: where another tool disables LINE there, CPython skips the
    INSTRUCTION event that covcore would go by if it were alone."""
    bare, both = play(tool, 1, "bare", where=busy), play(tool, 1, where=busy)
    assert differing(bare.heard, both.heard) == {}
    assert_not_disturbed(both, play(rounds=1, where=busy))


@needs_jit
@pytest.mark.parametrize("tool", ["All", "Once", "Restarter", "Profiler", "SetTrace", "CoverageCtrace"])
def test_with_the_jit(tool: str) -> None:
    """3.14's JIT lets a location that was disabled be heard again in the loop that it is compiling, with covcore or
    without: so of a tool that disables, only what it heard at all is compared.  coverage.py's sysmon is not among them: where
    the JIT gives a branch event a source that is not its own, which depends on when it compiles, it drops the event."""
    bare, both = play(tool, 3, "bare", jit=True, where=busy), play(tool, 3, jit=True, where=busy)
    assert bare.heard.keys() == both.heard.keys()
    if tool not in ("Once", "Restarter"):
        assert differing(bare.heard, both.heard) == {}
    assert_not_disturbed(both, play(where=busy))
    assert_not_disturbed(play(jit=True, where=busy), play(where=busy))


def test_restarts_in_the_middle_of_anything() -> None:
    """restart_events() from a callback.  CPython arms again when the code is next entered, or when any tool touches its
    events, so how often the restarting tool hears of a place may differ, but not which places."""
    bare, both = play("WildRestarter", 3, "bare"), play("WildRestarter", 3)
    assert bare.heard.keys() == both.heard.keys()
    assert_not_disturbed(both, play())


def test_a_tool_that_comes_and_goes() -> None:
    """It takes whatever id is free, disables or not, and gives the id back."""
    got = play("Visitor", 5)
    assert got.heard
    assert_not_disturbed(got, play())
    assert got.said == ""


def test_a_tool_that_frees_clears_and_takes_our_ids() -> None:
    """covcore finds out at the next switch, takes free ids, and arms by them: what runs under the new context is all
    there.  The ids that were stolen are never armed; but before 3.14 what a tool has armed goes on after its id is freed, and
    whoever takes the id hears it."""
    got = play("Thief", 5)
    assert_not_disturbed(got, play())
    if sys.version_info >= (3, 14):
        assert got.heard == {}
    assert got.said == (
        "covcore: warning: another tool has freed or cleared covcore's tool ids of sys.monitoring: "
        "what ran from then to the next switch of contexts is missing\n"
    )


INSTRUCTIONS = """
import subprocess
import sys
def f(x):
    if x:
        return 1
    return 2
heard = []
monitoring, events = sys.monitoring, sys.monitoring.events
def take(id, what, callback):
    monitoring.use_tool_id(id, str(id))
    for event in what:
        monitoring.register_callback(id, event, callback)
    monitoring.set_local_events(id, f.__code__, sum(what))
take(0, [events.INSTRUCTION], lambda code, offset: heard.append(offset))
f(0)
n = len(heard)
for id in 1, 2:
    take(id, [events.PY_START], lambda code, offset: None)
f(0)
print(n > 0, len(heard) - n)
"""


def test_cpython_drops_instruction_events() -> None:
    """gh-157900, without covcore: a tool that was there first loses its INSTRUCTION events when two tools share another
    event.  When this fails, CPython has mended it: see docs/coexistence.md and src/tracer.c."""
    done = subprocess.run([sys.executable, "-c", INSTRUCTIONS], capture_output=True, text=True, check=True)
    assert done.stdout == "True 0\n"
