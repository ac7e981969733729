"""Other tools, to stand beside covcore: each hears of the code in one folder, and tells what it heard."""

from __future__ import annotations

import bdb
import cProfile
import os
import random
import re
import sys
import threading
import trace
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

events = sys.monitoring.events
BRANCHES = ("BRANCH_LEFT", "BRANCH_RIGHT") if sys.version_info >= (3, 14) else ("BRANCH",)
NAMES = ("PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "LINE", "JUMP", *BRANCHES)
WITH_DESTINATION = ("JUMP", *BRANCHES)


class Tool:
    """What stage.py starts, calls in between, and stops.  heard: {what: how often}"""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.heard: Counter[str] = Counter()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def at_switch(self) -> None:
        """Before covcore is told of a switch."""

    def between(self) -> None:
        """Before each program."""

    def result(self) -> dict[str, int]:
        return dict(self.heard)

    def note(self, code: CodeType, what: object) -> bool:
        """Keep what happened in code of the folder.  Returns whether it is."""
        if code.co_filename.startswith(self.folder):
            self.heard[f"{os.path.basename(code.co_filename)} {code.co_qualname}:{code.co_firstlineno} {what}"] += 1
            return True
        return False


class Listener(Tool):
    """Counts events of sys.monitoring, those of LEFT and RIGHT by where they lead: where they come from is not
    stable when other tools come and go (it shifts with LINE and INSTRUCTION, and goes stale under the JIT)."""

    tool = 0
    names: tuple[str, ...] = NAMES
    once = False  # disables each location after its first event

    def start(self) -> None:
        sys.monitoring.use_tool_id(self.tool, type(self).__name__)
        mask = 0
        for name in self.names:
            event = getattr(events, name)
            sys.monitoring.register_callback(self.tool, event, self.callback(name))
            mask |= event
        sys.monitoring.set_events(self.tool, mask)

    def callback(self, name: str) -> Any:
        def hear(code: CodeType, *args: Any) -> object:
            if self.note(code, f"{name} {args[-1] if name in WITH_DESTINATION else args[0]}"):
                self.at_event()
            return sys.monitoring.DISABLE if self.once else None

        return hear

    def at_event(self) -> None:
        pass

    def stop(self) -> None:
        sys.monitoring.free_tool_id(self.tool)


class All(Listener):
    """Counts all."""


class Once(Listener):
    """Disables each location after its first event."""

    once = True


class OnceAbove(Once):
    """The same with the highest id: CPython calls it before covcore."""

    tool = 5


class Crowd(Once):
    """Leaves one id to others."""

    def start(self) -> None:
        for id in range(1, 5):
            sys.monitoring.use_tool_id(id, f"crowd {id}")
        super().start()


class Instructions(Listener):
    """Counts all, and each instruction."""

    names = (*NAMES, "INSTRUCTION")


class Restarter(Once):
    """Has the events of all tools restarted, now and then between programs."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.random = random.Random(1)

    def between(self) -> None:
        if self.random.random() < 0.5:
            sys.monitoring.restart_events()


class WildRestarter(Restarter):
    """... in the middle of anything, from its callbacks."""

    def at_event(self) -> None:
        if self.random.random() < 0.02:
            sys.monitoring.restart_events()


class Visitor(Listener):
    """Comes and goes: takes an id that is free, listens for a while, gives it back."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.random = random.Random(1)
        self.tool = -1

    def at_switch(self) -> None:
        if self.random.random() < 0.7:
            return
        if self.tool >= 0:
            super().stop()
            self.tool = -1
        else:
            self.tool = self.random.choice([id for id in range(6) if sys.monitoring.get_tool(id) is None])
            self.once = self.random.random() < 0.5
            super().start()

    def start(self) -> None:
        pass

    def stop(self) -> None:
        if self.tool >= 0:
            super().stop()


class Thief(Tool):
    """Frees, clears and takes ids that are not its own.  heard: what came by the ids that it took: nothing
    since 3.14, and before what was armed by them, which goes on after an id is freed."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.random = random.Random(1)
        self.taken: list[int] = []

    def start(self) -> None:
        pass

    def stop(self) -> None:
        while self.taken:
            sys.monitoring.free_tool_id(self.taken.pop())

    def at_switch(self) -> None:
        if self.random.random() < 0.7:
            return
        self.stop()
        ours = [id for id in range(6) if sys.monitoring.get_tool(id) == "covcore"]
        kind = self.random.choice(
            ["free", "clear", "take"] if hasattr(sys.monitoring, "clear_tool_id") else ["free", "take"]
        )
        for id in self.random.sample(ours, self.random.randint(0, len(ours))):
            if kind == "clear":
                sys.monitoring.clear_tool_id(id)
                continue
            sys.monitoring.free_tool_id(id)
            if kind == "take":
                sys.monitoring.use_tool_id(id, "thief")
                self.taken.append(id)
                for name in NAMES:
                    sys.monitoring.register_callback(id, getattr(events, name), self.hear)

    def hear(self, code: CodeType, *args: object) -> None:
        self.note(code, "heard by the thief")


class Profiler(Tool):
    """cProfile: how often each function was called, built-in ones too."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.profile = cProfile.Profile()

    def start(self) -> None:
        self.profile.enable()

    def stop(self) -> None:
        self.profile.disable()

    def result(self) -> dict[str, int]:
        self.profile.create_stats()
        return {
            f"{file}:{line} {re.sub(' at 0x.*', '', name)} {what}": number
            for (file, line, name), (primitive, calls, *_) in self.profile.stats.items()
            for what, number in (("calls", calls), ("primitive", primitive))
            if not re.search(
                "covcore|stage.py|classes.py", f"{file} {name}"
            )  # "classes" compiles code, which shares a label
        }


class Tracing(Profiler):
    """The same from 3.15's profiling.tracing."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        from profiling.tracing import Profile

        self.profile = Profile()


class SetProfile(Tool):
    """A function for sys.setprofile, in all threads."""

    def start(self) -> None:
        threading.setprofile_all_threads(self.profile)

    def stop(self) -> None:
        threading.setprofile_all_threads(None)

    def profile(self, frame: FrameType, event: str, arg: object) -> None:
        name = getattr(arg, "__qualname__", "") if event.startswith("c_") else ""
        self.note(frame.f_code, f"{frame.f_lineno} {event} {name}")


class SetTrace(Tool):
    """A debugger of one's own, by sys.settrace, in all threads."""

    opcodes = False

    def start(self) -> None:
        threading.settrace(self.trace)
        sys.settrace(self.trace)

    def stop(self) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if not self.note(frame.f_code, f"{frame.f_lasti if event == 'opcode' else frame.f_lineno} {event}"):
            return None
        frame.f_trace_opcodes = self.opcodes
        return self.trace


class SetTraceOpcodes(SetTrace):
    """... with f_trace_opcodes."""

    opcodes = True


class SetTraceCalls(SetTrace):
    """... without f_trace_lines."""

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_lines = False
        return super().trace(frame, event, arg)


class SetTraceThreads(SetTrace):
    """... in all threads but the main one."""

    def start(self) -> None:
        threading.settrace(self.trace)


class TraceModule(Tool):
    """The standard library's trace."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.trace = trace.Trace(count=1, trace=0)

    def start(self) -> None:
        threading.settrace(self.trace.globaltrace)
        sys.settrace(self.trace.globaltrace)

    def stop(self) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def result(self) -> dict[str, int]:
        counts = dict(self.trace.results().counts)
        return {
            f"{os.path.basename(file)}:{line}": n for (file, line), n in counts.items() if file.startswith(self.folder)
        }


class Stepper(Tool):
    """A debugger made of bdb that steps through everything."""

    backend = "settrace"

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.debugger = Steps(self.note, self.backend)

    def start(self) -> None:
        self.debugger.set_trace()

    def stop(self) -> None:
        self.debugger.set_continue()
        if sys.version_info >= (3, 14):
            self.debugger.stop_trace()
        else:
            sys.settrace(None)


class MonitoringStepper(Stepper):
    """... by bdb's backend on sys.monitoring."""

    backend = "monitoring"


class Steps(bdb.Bdb):
    def __init__(self, note: Callable[[CodeType, object], object], backend: str) -> None:
        super().__init__(**({"backend": backend} if sys.version_info >= (3, 14) else {}))
        self.note = note

    def user_call(self, frame: FrameType, argument_list: Any) -> None:
        self.note_step(frame, "call")

    def user_line(self, frame: FrameType) -> None:
        self.note_step(frame, "line")

    def user_return(self, frame: FrameType, return_value: Any) -> None:
        self.note_step(frame, "return")

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        self.note_step(frame, "exception")

    def note_step(self, frame: FrameType, event: str) -> None:
        self.note(frame.f_code, f"{frame.f_lineno} {event}")
        self.set_step()


class CoverageCtrace(Tool):
    """coverage.py, with a core of its own: what it reports."""

    core = "ctrace"

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        import coverage

        self.coverage = coverage.Coverage(branch=True, data_file=None, config_file=False, include=f"{folder}/*")
        self.coverage.set_option("run:core", self.core)

    def start(self) -> None:
        self.coverage.start()

    def stop(self) -> None:
        self.coverage.stop()

    def result(self) -> dict[str, int]:
        data = self.coverage.get_data()
        return {f"{os.path.basename(file)} {arc}": 1 for file in data.measured_files() for arc in data.arcs(file) or ()}


class CoveragePytrace(CoverageCtrace):
    core = "pytrace"


class CoverageSysmon(CoverageCtrace):
    core = "sysmon"


class Hunter(Tool):
    """hunter, which traces by sys.settrace from C."""

    def start(self) -> None:
        import hunter

        self.tracer = hunter.trace(hunter.Q(filename_startswith=self.folder), action=self.hear, threading_support=True)

    def stop(self) -> None:
        self.tracer.stop()

    def hear(self, event: Any) -> None:
        self.note(event.code, f"{event.lineno} {event.kind}")


TOOLS: dict[str, type[Tool]] = {
    name: tool for name, tool in globals().items() if isinstance(tool, type) and issubclass(tool, Tool)
}
