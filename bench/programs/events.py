"""What one event costs inside a process, in ns of CPU time.

    events.py CORE KIND FUNCTIONS PASSES OUT

CORE: covcore, or python for a Python callback that adds to a set.  KIND: line, functions of 1,000 lines that are
one LINE event each, or branch, where each line is one BRANCH_LEFT event more.  Writes a JSON object to OUT:

    new       an event of an arc that was never seen before
    known     an event of an arc that is in the set, in a context that did not see it yet
    arm       what it costs to meet a code object, arm it and describe it, for each of its events

Each pass calls every function once.  The same pass with everything silenced is subtracted.
"""

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import mean
from types import CodeType, FunctionType
from typing import Any

LINES = 1000
BODY = {"line": "    x = a", "branch": "    if a: x = a"}


def functions_of(kind: str, n: int) -> list[Callable[[bool], object]]:
    """Functions that are code objects of their own; called with 1 they return at once."""
    body = "\n".join([BODY[kind]] * LINES)
    text = f"def f(early, a=True):\n    if early:\n        return\n{body}\n    return x\n"
    names: dict[str, Any] = {}
    exec(compile(text, "generated.py", "exec"), names)
    code = names["f"].__code__
    return [FunctionType(code.replace(co_name=f"f{i}", co_qualname=f"f{i}"), {}, argdefs=(True,)) for i in range(n)]


def timed(functions: list[Callable[[bool], object]], early: bool) -> int:
    started = time.process_time_ns()
    for function in functions:
        function(early)
    return time.process_time_ns() - started


class Covcore:
    def __init__(self) -> None:
        from covcore import _tracer

        self.folder = tempfile.TemporaryDirectory()
        self.tracer = _tracer.Tracer(lambda name: "/generated.py" if name == "generated.py" else None)
        self.tracer.start([self.folder.name], "0")
        self.number = 0

    def switch(self) -> None:
        self.number += 1
        self.tracer.switch_context("", f"test {self.number}", "")

    def seen(self) -> int:
        return self.tracer.counts()["arcs"]

    def stop(self) -> None:
        self.tracer.stop()
        assert self.tracer.error is None, self.tracer.error
        assert self.tracer.counts()["unknown"] == 0
        self.folder.cleanup()


class Python:
    """The least that a Python callback can do."""

    def __init__(self) -> None:
        monitoring: Any = sys.monitoring
        self.tool = 3
        seen: set[tuple[int, ...]] = set()
        self.arcs = seen
        disable = monitoring.DISABLE

        def line(code: CodeType, number: int) -> object:
            seen.add((id(code), number))
            return disable

        def branch(code: CodeType, source: int, destination: int) -> object:
            seen.add((id(code), source, destination))
            return disable

        def start(code: CodeType, offset: int) -> object:
            if code.co_filename == "generated.py":
                events = monitoring.events
                monitoring.set_local_events(self.tool, code, events.LINE | events.BRANCH_LEFT | events.BRANCH_RIGHT)
            return disable

        events = monitoring.events
        monitoring.use_tool_id(self.tool, "bench")
        monitoring.register_callback(self.tool, events.LINE, line)
        monitoring.register_callback(self.tool, events.BRANCH_LEFT, branch)
        monitoring.register_callback(self.tool, events.BRANCH_RIGHT, branch)
        monitoring.register_callback(self.tool, events.PY_START, start)
        monitoring.set_events(self.tool, events.PY_START)

    def switch(self) -> None:
        sys.monitoring.restart_events()

    def seen(self) -> int:
        return len(self.arcs)

    def stop(self) -> None:
        sys.monitoring.free_tool_id(self.tool)


def main() -> None:
    core_name, kind, n_text, passes_text, out = sys.argv[1:]
    n, passes = int(n_text), int(passes_text)
    functions = functions_of(kind, n)
    gc.disable()
    for _ in range(3):  # the interpreter specialises code in its first passes, measured or not
        timed(functions, False)
    bare_early = timed(functions, True)
    core = Covcore() if core_name == "covcore" else Python()
    first_early = timed(functions, True)  # each code object is met and armed
    early = core.seen()
    first = timed(functions, False)
    events = core.seen() - early
    per_line = 1 if kind == "line" else 2
    assert events == (per_line * LINES + 2) * n, (events, n)  # and the way past the early return, and the return
    timed(functions, False)
    silenced = min(timed(functions, False) for _ in range(5))
    known = []
    for _ in range(passes):
        core.switch()
        if core_name == "python":
            timed(functions, True)  # restart_events() is carried out at the next call
        known.append(timed(functions, False))
        timed(functions, False)
        timed(functions, False)
    core.stop()
    figures = {
        "new": (first - silenced) / events,
        "known": (mean(known) - silenced) / events,  # not the median: new segments of the recording count too
        "arm": (first_early - bare_early) / events,
    }
    with open(out, "w") as file:
        json.dump(figures, file)


main()
