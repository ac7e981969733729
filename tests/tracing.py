"""Run a program under the tracer, or under a slow and obvious twin, and tell what ran in which context.

As a script (`python tracing.py CORE PROGRAM OUT [OPTION ..]`) it runs one program in a process of its own; `observe` does that from a
test.  CORE is `covcore`; `tally`, the same as coverage.py has it; `lines`, CPython's own sys.settrace; or `arcs`, BRANCH events that nobody
ever disables.  The program finds these names built in: `switch(label)`, `start()`, `stop()`, `restart()`, `tool(...)` (see below), and
`LABEL`, a ContextVar: what runs where it is set is kept under it by a twin, and with BY_TASK in the environment under the name of the
asyncio task by covcore.

OPTIONs put other tools beside us: `instruction` (a tool that wants INSTRUCTION events of everything), `opcodes` (settrace with
f_trace_opcodes), `busy` (all tool ids but one are taken), `late` (measuring begins only when the program calls start()).
"""

from __future__ import annotations

import builtins
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextvars import ContextVar
from pathlib import Path
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, Protocol

from instructions import HAS_EVENT_PER_ARM, eventless_arms

type Observation = dict[str, dict[str, list[Any]]]  # context -> code object -> what ran there


class Core(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def switch(self, label: str) -> None: ...
    def restart(self) -> None: ...
    def result(self) -> Any: ...


LABEL: ContextVar[str] = ContextVar("LABEL", default="")


def label_of(code: CodeType) -> str:
    return f"{code.co_qualname}:{code.co_firstlineno}"


class Covcore:
    """The real thing, read back from its recording."""

    def __init__(self, path: str) -> None:
        from covcore import _tracer

        self.folder = tempfile.mkdtemp()
        self.n_starts = 0
        self.accept = {path}
        spare, by_task = "SPARE" not in os.environ, "BY_TASK" in os.environ
        self.tracer = _tracer.Tracer(
            lambda filename: filename if filename in self.accept else None, spare=spare, by_task=by_task
        )
        self.start_tracer()

    def start_tracer(self) -> None:
        self.n_starts += 1
        folder = os.path.join(self.folder, str(self.n_starts))
        os.mkdir(folder)
        self.tracer.start([folder], f"{self.n_starts:016x}")

    def start(self) -> None:
        if not self.tracer.started:
            self.start_tracer()

    def stop(self) -> None:
        self.tracer.stop()

    def switch(self, label: str) -> None:
        self.tracer.switch_context("", label, "")

    def restart(self) -> None:
        self.tracer.restart()

    def result(self) -> Any:
        self.tracer.stop()
        counts = self.tracer.counts()
        lines: Observation = {}
        arcs: Observation = {}
        for number in range(1, self.n_starts + 1):
            read_recording(os.path.join(self.folder, str(number)), lines, arcs)
        return {"lines": lines, "arcs": arcs, "unknown": counts["unknown"], "error": self.tracer.error}


class Tally(Covcore):
    """The real thing as coverage.py has it: hits in memory, which each switch takes.  Of code it tells no name, but its line."""

    def __init__(self, path: str) -> None:
        self.context = ""
        self.lines: Observation = {}
        self.arcs: Observation = {}
        self.lock = threading.Lock()
        super().__init__(path)

    def start_tracer(self) -> None:
        self.tracer.start_tally(resume=self.n_starts > 0)
        self.n_starts += 1

    def stop(self) -> None:
        with self.lock:
            self.tracer.stop()
            self.take()

    def switch(self, label: str) -> None:
        with self.lock:
            self.take()
            self.context = label
            self.tracer.restart()

    def take(self) -> None:
        from covcore import _reader

        for (_, first_line, encoded), bits in self.tracer.take():
            add_hits(self.lines, self.arcs, self.context, f":{first_line}", _reader.decode_shape(encoded), bits)

    def result(self) -> Any:
        self.stop()
        unknown = self.tracer.counts()["unknown"]
        return {"lines": self.lines, "arcs": self.arcs, "unknown": unknown, "error": self.tracer.error}


def read_recording(folder: str, lines: Observation, arcs: Observation) -> None:
    """Add what the recordings of a folder say to two observations."""
    from recording_files import hits_of

    from covcore import _reader

    stems = {name.rpartition(".")[0] for name in os.listdir(folder)}
    for stem in stems:
        names = sorted(
            (n for n in os.listdir(folder) if n.startswith(stem + ".")), key=lambda n: int(n.rpartition(".")[2])
        )
        recording = _reader.read_recording([Path(folder, name).read_bytes() for name in names])
        assert recording["problem"] is None, recording["problem"]
        shapes = [_reader.decode_shape(code[4]) for code in recording["codes"]]
        for code_id, context, bits in hits_of(recording):
            test = recording["contexts"][context][1] if context >= 0 else ""
            _, first_line, _, qualname, _ = recording["codes"][code_id]
            add_hits(lines, arcs, test, f"{qualname}:{first_line}", shapes[code_id], bits)


def add_hits(lines: Observation, arcs: Observation, context: str, where: str, shape: Any, bits: bytes) -> None:
    """Add what a bitmap says of a code object to two observations."""
    shape_lines, sites, _ = shape
    for slot in range(len(shape_lines) + 2 * len(sites)):
        if not bits[slot >> 3] >> (7 - (slot & 7)) & 1:
            continue
        if slot < len(shape_lines):
            lines.setdefault(context, {}).setdefault(where, []).append(shape_lines[slot])
        else:
            site, arm = divmod(slot - len(shape_lines), 2)
            arcs.setdefault(context, {}).setdefault(where, []).append([sites[site][0], sites[site][1 + arm]])


class Twin:
    """Keeps everything that it hears of under the current context."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.context = ""
        self.heard: dict[str, dict[str, set[Any]]] = {}

    def add(self, code: CodeType, item: Any) -> None:
        self.heard.setdefault(LABEL.get() or self.context, {}).setdefault(label_of(code), set()).add(item)

    def switch(self, label: str) -> None:
        self.context = label

    def restart(self) -> None:
        pass

    def result(self) -> Any:
        self.stop()
        return {c: {k: sorted(v) for k, v in codes.items()} for c, codes in self.heard.items()}

    def stop(self) -> None:
        raise NotImplementedError


class LinesTwin(Twin):
    def start(self) -> None:
        """Trace what starts from now on, and what is running or suspended."""
        threading.settrace_all_threads(self.trace)
        sys.settrace(self.trace)
        frames: list[FrameType | None] = list(sys._current_frames().values())
        for thing in gc.get_objects():
            if isinstance(thing, GeneratorType | CoroutineType | AsyncGeneratorType):
                frames.append(
                    getattr(thing, "gi_frame", None)
                    or getattr(thing, "cr_frame", None)
                    or getattr(thing, "ag_frame", None)
                )
        for frame in frames:
            while frame is not None:
                if frame.f_code.co_filename == self.path:
                    frame.f_trace = self.trace
                frame = frame.f_back

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        if event == "line":
            self.add(frame.f_code, frame.f_lineno)
        return self.trace

    def stop(self) -> None:
        sys.settrace(None)


class ArcsTwin(Twin):
    TOOL = 5

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.kept: list[CodeType] = []
        self.eventless: dict[int, dict[int, tuple[int, int]]] = {}

    def start(self) -> None:
        monitoring = sys.monitoring
        monitoring.use_tool_id(self.TOOL, "twin")
        events: Any = monitoring.events
        if HAS_EVENT_PER_ARM:
            callbacks = {events.BRANCH_LEFT: self.branch, events.BRANCH_RIGHT: self.branch}
        else:
            callbacks = {events.BRANCH: self.branch, events.INSTRUCTION: self.instruction}
        for event, callback in callbacks.items():
            monitoring.register_callback(self.TOOL, event, callback)
        monitoring.set_events(self.TOOL, sum(callbacks))

    def branch(self, code: CodeType, source: int, destination: int) -> None:
        if code.co_filename == self.path:
            self.add(code, (source, destination))

    def instruction(self, code: CodeType, offset: int) -> None:
        if code.co_filename != self.path:
            return
        if id(code) not in self.eventless:
            self.kept.append(code)
            self.eventless[id(code)] = eventless_arms(code)
        if offset in self.eventless[id(code)]:
            self.add(code, self.eventless[id(code)][offset])

    def stop(self) -> None:
        if sys.monitoring.get_tool(self.TOOL) == "twin":
            sys.monitoring.free_tool_id(self.TOOL)


class Idle:
    """Stands in for a core until the program starts one."""

    def switch(self, label: str) -> None:
        pass


CORES = {"covcore": Covcore, "tally": Tally, "lines": LinesTwin, "arcs": ArcsTwin}


def want_instructions() -> None:
    tool = 0
    sys.monitoring.use_tool_id(tool, "instruction counter")
    sys.monitoring.register_callback(tool, sys.monitoring.events.INSTRUCTION, lambda code, offset: None)
    sys.monitoring.set_events(tool, sys.monitoring.events.INSTRUCTION)


def want_opcodes() -> None:
    def trace(frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_opcodes = True
        return trace

    sys.settrace(trace)


def main() -> None:
    core_name, path, out, *options = sys.argv[1:]
    text = Path(path).read_text()
    code = compile(text, path, "exec", dont_inherit=True)
    if "busy" in options:
        for tool in (0, 1, 2, 4, 5):
            sys.monitoring.use_tool_id(tool, f"other tool {tool}")
    if "instruction" in options:
        want_instructions()
    if "opcodes" in options:
        want_opcodes()
    late = "late" in options
    holder: list[Any] = [Idle() if late else CORES[core_name](path)]
    if not late and core_name != "covcore":
        holder[0].start()

    def start() -> None:
        if isinstance(holder[0], Idle):
            holder[0] = CORES[core_name](path)
            if core_name == "covcore":
                return
        holder[0].start()

    def accept(*paths: str) -> None:
        holder[0].accept = set(paths)

    names: dict[str, Any] = {
        "switch": lambda label: holder[0].switch(label),
        "start": start,
        "stop": lambda: holder[0].stop(),
        "restart": lambda: holder[0].restart(),
        "accept": accept,
        "PROGRAM": path,
        "LABEL": LABEL,
    }
    for name, value in names.items():
        setattr(builtins, name, value)
    namespace = {"__name__": "__main__", "__file__": path, "__builtins__": builtins}
    exec(code, namespace)
    if "opcodes" in options:
        sys.settrace(None)
    result = holder[0].result()
    Path(out).write_text(json.dumps(result))


def observe(core: str, path: Path, *options: str, env: dict[str, str] | None = None) -> Any:
    """Run a program under a core.  Returns what it observed: for covcore and a tally a dict with lines, arcs, unknown and error; for a
    twin an Observation.  Raises AssertionError with the program's output if it fails."""
    out = path.with_name(f"{path.stem}-{core}-{'-'.join(options)}.json")
    command = [sys.executable, __file__, core, str(path), str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


if __name__ == "__main__":
    main()
