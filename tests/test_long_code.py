"""Long code: before 3.13.3 LINE events cost the more the longer it is (gh-127953)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import CodeType

import pytest
from tracing import Observation, observe
from twin import nested

from covcore import _tracer

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="LINE costs the same everywhere")

COSTS_BY_LENGTH = sys.version_info < (3, 13, 3)
MOST = 10  # entries of the location table that CPython may read for each code unit
N = 5000


def assignments(n: int) -> str:
    return "".join(f"x = {i % 200}\n" for i in range(n))


def literal(n: int) -> str:
    return "d = {\n" + "".join(f"    'k{i}': [{i}, len('x')],\n" for i in range(n - 2)) + "}\n"


def dense(n: int) -> str:
    return "def f(*a): return a\na = b = 1\nc = [1]\n" + "x = f(a, b) + (c[0],)\n" * (n - 3)


def definitions(n: int) -> str:
    return "class C:\n" + "".join(
        f"    def f{i}(self):\n        if self: return {i}\n\n        return self\n\n" for i in range(n // 5)
    )


def loops(n: int) -> str:
    """A function whose lines run in many orders, one of seven never."""
    part = (
        "        if i == {0}:\n            t += 1\n        else:\n            t -= 1\n"
        "        for j in (1, 2): t += j\n        while t < 0:\n            t = 5\n"
    )
    parts = "".join(part.format(number % 5) for number in range(n // 7))
    return f"def run(k):\n    t = 0\n    for i in range(k):\n{parts}    return t\n"


SHAPES: list[Callable[[int], str]] = [assignments, literal, dense, definitions, loops]


def entries_read(code: CodeType) -> int:
    """How many entries of the location table CPython reads where each line has its LINE event once."""
    read = unit = 0
    last: int | None = None
    for number, (positions, same) in enumerate(groupby(code.co_positions()), 1):
        line = positions[0]
        if line is not None and line != last:
            if not -126 < line - code.co_firstlineno - unit // 16 < 128:
                read += number
            last = line
        unit += len(list(same))
    return read


def armed_on(code: CodeType) -> int:
    """The local events on a code object, of covcore."""
    monitoring = sys.monitoring
    ids = [tool for tool in range(6) if monitoring.get_tool(tool) == "covcore"]
    return sum(monitoring.get_local_events(tool, code) for tool in ids)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_cpython_reads_grows_no_faster_than_the_code(shape: Callable[[int], str], tmp_path: Path) -> None:
    """Code either has no LINE events, or what they cost is a few entries of the table for each unit, however long it is."""
    monitoring = sys.monitoring
    tracer = _tracer.Tracer(lambda name: name if name.startswith(str(tmp_path)) else None)
    tracer.start([str(tmp_path)], "0")
    try:
        for n in (50, 200, 1000, N, 4 * N):
            module = compile(shape(n), str(tmp_path / f"{n}.py"), "exec")
            namespace: dict[str, Callable[[int], None]] = {}
            exec(module, namespace)
            if "run" in namespace:
                namespace["run"](1)
            for code in nested(module):
                events = armed_on(code)
                read, n_units = entries_read(code), len(code.co_code) // 2
                if COSTS_BY_LENGTH and events & monitoring.events.LINE:
                    assert read <= MOST * max(n_units, 128), (shape.__name__, n, code)
                elif events & monitoring.events.INSTRUCTION and not events & monitoring.events.BRANCH:
                    assert read > 0
    finally:
        tracer.stop()


def lines_of(observed: Observation) -> dict[tuple[str, str], set[int]]:
    return {(context, code): set(lines) for context, codes in observed.items() for code, lines in codes.items()}


def arcs_of(observed: Observation) -> dict[tuple[str, str], set[tuple[int, ...]]]:
    return {
        (context, code): {tuple(arc) for arc in arcs}
        for context, codes in observed.items()
        for code, arcs in codes.items()
    }


def assert_exact(path: Path, *all_options: tuple[str, ...]) -> None:
    """With any of these options covcore tells the lines that sys.settrace tells, and the arcs that nobody ever disabled."""
    late = {"late"}.intersection(*all_options)
    lines, arcs = (observe(twin, path, *late) for twin in ("lines", "arcs"))
    for options in all_options:
        got = observe("covcore", path, *options)
        assert got["error"] is None
        assert lines_of(got["lines"]) == lines_of(lines), options
        assert arcs_of(got["arcs"]) == arcs_of(arcs), options


MODULE = f"{assignments(N // 2)}switch('A')\n{assignments(N // 4)}if x < 0:\n{'    x = 1\n' * 9}switch('B')\n{assignments(N // 4)}"
CALLS = "switch('A')\nrun(1)\nswitch('B')\nrun(2)\nswitch('C')\nrun(0)\nswitch('A')\nrun(0)\n"
MIDDLE = f"def stop_here(): switch('B')\n{loops(N).replace('t += 1', 'stop_here()', 1)}switch('A')\nrun(2)\n"
# What waits goes on in another context, in the middle of a line.
LOOPS = (
    loops(N)
    .replace("    t = 0\n", "    t = 0\n    {}\n    t = 2\n")
    .replace("    return t\n", "    {}\n    return t\n")
)
WAITS = """
class Step:
    def __await__(self): yield
def drive(waiting):
    for context in 'BCD':
        try: waiting.send(None)
        except StopIteration: break
        switch(context)
switch('A')
drive(run(2))
"""
COROUTINE = f"async {LOOPS.format('await Step()', 'await Step()')}{WAITS}"
GENERATOR = LOOPS.format("yield from Step().__await__()", "yield from Step().__await__()") + WAITS
YIELDS = LOOPS.format("t = (yield) or 0", "t = ((yield) or 0) + ((yield) or 0)") + WAITS
PROGRAMS = {
    "module": MODULE,
    "function": loops(N) + CALLS,
    "middle": MIDDLE,
    "coroutine": COROUTINE,
    "generator": GENERATOR,
    "yields": YIELDS,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_long_code_is_exact(name: str, tmp_path: Path) -> None:
    """Alone, and beside a tool that wants INSTRUCTION events, settrace with opcodes, and tools that leave covcore one id."""
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAMS[name])
    assert_exact(path, (), ("instruction",), ("busy",), *[("opcodes",)] * (name == "module"))


def test_measuring_begins_in_long_code(tmp_path: Path) -> None:
    path = tmp_path / "begins.py"
    path.write_text(f"{assignments(N // 2)}start()\n{assignments(N // 2)}{loops(N)}run(1)\n")
    assert_exact(path, ("late",))


NEWCOMERS = {
    "disables": """import sys
m = sys.monitoring
m.use_tool_id(5, "newcomer")
m.register_callback(5, m.events.LINE, lambda code, line: m.DISABLE)
m.set_events(5, m.events.LINE)
""",
    "goes again": """import sys
m = sys.monitoring
m.use_tool_id(5, "newcomer")
m.register_callback(5, m.events.LINE, lambda code, line: m.DISABLE)
m.set_events(5, m.events.LINE)
m.set_events(5, 0)
m.free_tool_id(5)
""",
    "settrace": """import sys
def trace(frame, event, arg):
    frame.f_trace_opcodes = True
    return trace
sys.settrace(trace)
sys._getframe().f_trace = trace
""",
    "setprofile": "import sys\nsys.setprofile(lambda *args: None)\n",
    "cProfile": "import cProfile\ncProfile.Profile().enable()\n",
}


@pytest.mark.parametrize("newcomer", NEWCOMERS)
def test_a_tool_that_comes_while_long_code_runs(newcomer: str, tmp_path: Path) -> None:
    """It may disable LINE locations, or make CPython drop INSTRUCTION events (gh-157900): no line is lost, and no arm."""
    before = f"{loops(N)}import sys\nrun(1)\n{assignments(N)}"
    after = f"\n{assignments(N // 2)}run(2)\nsys.settrace(None); sys.setprofile(None)\n"
    comes = NEWCOMERS[newcomer]
    path, plain = tmp_path / "with.py", tmp_path / "without.py"
    path.write_text(before + comes + after)
    plain.write_text(before + "sys\n" * comes.count("\n") + after)

    got, alone = observe("covcore", path), observe("covcore", plain)
    lines, expected = lines_of(got["lines"]), lines_of(alone["lines"])
    first = before.count("\n") + 1
    own = set(range(first, first + comes.count("\n")))
    for key in [("", "<module>:1"), ("", "run:1")]:
        assert lines[key] - own == expected[key] - own
    assert arcs_of(got["arcs"])["", "run:1"] == arcs_of(alone["arcs"])["", "run:1"]
    assert got["error"] is None
