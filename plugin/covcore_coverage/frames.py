"""What has to be known frame by frame: which function starts a context, and the lines of code whose source a plugin tells.

Both need the frame itself at each event, so nothing of it can be silenced.  They have a tool id of their own, taken only where a setting or
a plugin asks for them, and its events are on such code alone.  (What cannot be told by the code is a plugin's own dynamic_context(): it is
asked at every start of any function while no context is under way.)
"""

from __future__ import annotations

import sys
import traceback
from opcode import opmap
from operator import index
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any
from weakref import ref

from coverage.context import should_start_context_test_function

if TYPE_CHECKING:
    from coverage.types import TFileDisposition

    from covcore_coverage.tracer import CovcoreTracer

monitoring = sys.monitoring
events = monitoring.events

STARTS = events.PY_START | events.PY_RESUME
ENDS = events.PY_RETURN | events.PY_YIELD
RESUME = bytes([opmap["RESUME"]])


class Frame:
    """A frame whose lines a plugin tells.

    data: lines or arcs of the source file that it stands for; None: it stands for none that is measured
    """

    __slots__ = ("data", "disposition", "last_line")

    def __init__(self, disposition: TFileDisposition, data: set[Any] | None, last_line: int) -> None:
        self.disposition = disposition
        self.data = data
        self.last_line = last_line


class FrameEvents:
    """The events of a CovcoreTracer that are told frame by frame."""

    def __init__(self, tracer: CovcoreTracer) -> None:
        self._tracer = tracer
        self._tool: int | None = None
        self._armed: dict[int, tuple[ref[CodeType], int]] = {}  # by id of the code object: the events on it
        self._frames: dict[int, Frame] = {}  # by id of the frame
        self._context_frame: FrameType | None = None
        self._asks_all = False

    def start(self) -> None:
        """Listen.  Raises RuntimeError if no tool id is free."""
        if self._tool is not None:
            return
        tool = next((tool for tool in range(6) if monitoring.get_tool(tool) is None), None)
        if tool is None:
            raise RuntimeError("no tool id of sys.monitoring is free")
        monitoring.use_tool_id(tool, "covcore")
        self._tool = tool
        for event, callback in (
            (events.PY_START, self._on_start),
            (events.PY_RESUME, self._on_resume),
            (events.PY_RETURN, self._on_return),
            (events.PY_YIELD, self._on_yield),
            (events.PY_UNWIND, self._on_unwind),
            (events.LINE, self._on_line),
        ):
            monitoring.register_callback(tool, event, callback)
        asks = self._tracer.should_start_context
        self._asks_all = asks is not None and asks is not should_start_context_test_function
        monitoring.set_events(tool, events.PY_UNWIND | (STARTS if self._asks_all else 0))
        armed, self._armed = self._armed, {}
        for known, wanted in armed.values():
            if (code := known()) is not None:
                self._arm(code, wanted)

    def stop(self) -> None:
        """Listen no more."""
        if self._tool is not None:
            monitoring.free_tool_id(self._tool)
            self._tool = None
        self._frames.clear()
        self._context_frame = None

    def meet(self, code: CodeType) -> None:
        """Take a code object over if it is ours; the C tracer meets it, at a start of it."""
        if self._tool is None:
            return
        wanted = 0
        if self._plugin_file(code) is not None:
            wanted = STARTS | ENDS | events.LINE
        elif self._tracer.should_start_context is not None and not self._asks_all and _is_test(code.co_name):
            wanted = STARTS | ENDS
        if wanted:
            self._arm(code, wanted)
            frame = sys._getframe(1)
            if frame.f_code is code:  # its event is under way already
                is_resumed = code.co_code[frame.f_lasti + 1] & 3
                self._start(frame, frame.f_lineno if is_resumed else -code.co_firstlineno)

    def _arm(self, code: CodeType, wanted: int) -> None:
        tool = self._tool
        if tool is not None:
            known, has = self._armed.get(id(code), (None, 0))
            if known is None or known() is not code:  # of a dead one that lay at the same address
                has = 0
            if has | wanted != has:
                self._armed[id(code)] = ref(code), has | wanted
                monitoring.set_local_events(tool, code, has | wanted)

    def _plugin_file(self, code: CodeType) -> TFileDisposition | None:
        disposition = self._tracer.should_trace_cache.get(code.co_filename)
        return disposition if disposition is not None and disposition.file_tracer is not None else None

    # ---- events

    def _on_start(self, code: CodeType, offset: int) -> None:
        self._start(sys._getframe(1), -code.co_firstlineno)

    def _on_resume(self, code: CodeType, offset: int) -> None:
        frame = sys._getframe(1)
        self._start(frame, frame.f_lineno)

    def _on_return(self, code: CodeType, offset: int, value: object) -> None:
        self._leave(code, sys._getframe(1))

    def _on_yield(self, code: CodeType, offset: int, value: object) -> None:
        self._end(sys._getframe(1))

    def _on_unwind(self, code: CodeType, offset: int, exception: BaseException) -> None:
        if id(code) in self._armed:  # which another may have had: then the frame is unknown
            frame = sys._getframe(1)
            # Thrown into a generator that waited: before 3.13 coverage.py takes that for one more yield.
            if code.co_code[frame.f_lasti + 2 : frame.f_lasti + 3] == RESUME:
                self._end(frame)
            else:
                self._leave(code, frame)

    def _on_line(self, code: CodeType, line: int) -> None:
        frame = sys._getframe(1)
        known = self._known(frame)
        if known is None or known.data is None:
            return
        try:
            lines = _lines(known.disposition.file_tracer.line_number_range(frame))  # type: ignore[union-attr]
        except Exception:
            self._disable(known.disposition)
            known.data = None
            return
        for number in lines:
            self._add(known.data, (known.last_line, number) if self._tracer.trace_arcs else number)
            known.last_line = number

    # ---- what they mean

    def _start(self, frame: FrameType, last_line: int) -> None:
        """A frame begins or goes on.

        last_line: where it comes from
        """
        tracer = self._tracer
        if tracer.should_start_context is not None and self._context_frame is None:
            context = tracer.should_start_context(frame)
            if context is not None:
                self._context_frame = frame
                self._arm(frame.f_code, ENDS)
                assert tracer.switch_context is not None
                tracer.switch_context(context)
        disposition = self._plugin_file(frame.f_code)
        if disposition is not None:
            self._begin(frame, disposition, last_line)

    def _known(self, frame: FrameType) -> Frame | None:
        """What a frame stands for; None: it is not of a plugin's file."""
        known = self._frames.get(id(frame))
        if known is None:  # an exception was thrown into it, or it ran when measuring went on
            disposition = self._plugin_file(frame.f_code)
            if disposition is not None:
                known = self._begin(frame, disposition, frame.f_lineno)
        return known

    def _leave(self, code: CodeType, frame: FrameType) -> None:
        """A frame returns or is left by an exception: for coverage.py both are ways to the exit."""
        known = self._known(frame)
        if known is not None and known.data is not None and self._tracer.trace_arcs:
            self._add(known.data, (known.last_line, -code.co_firstlineno))
        self._end(frame)

    def _end(self, frame: FrameType) -> None:
        """A frame ends, or waits."""
        self._frames.pop(id(frame), None)
        if frame is self._context_frame:
            self._context_frame = None
            assert self._tracer.switch_context is not None
            self._tracer.switch_context(None)

    def _begin(self, frame: FrameType, disposition: TFileDisposition, last_line: int) -> Frame:
        path = self._source(frame, disposition) if disposition.trace else None
        data = None
        if path is not None:
            plugin = disposition.file_tracer._coverage_plugin._coverage_plugin_name  # type: ignore[union-attr]
            data = self._tracer.file_data(path, plugin)
        known = self._frames[id(frame)] = Frame(disposition, data, last_line)
        return known

    def _source(self, frame: FrameType, disposition: TFileDisposition) -> str | None:
        """The source file that a frame stands for, if it is to be measured."""
        if not disposition.has_dynamic_filename:
            return disposition.source_filename
        assert disposition.file_tracer is not None and self._tracer.check_include is not None
        try:
            path = disposition.file_tracer.dynamic_source_filename(disposition.source_filename, frame)  # type: ignore[arg-type]
        except Exception:
            self._disable(disposition)
            return None
        if path is None:
            return None
        cache = self._tracer.should_trace_cache
        if path not in cache:
            cache[path] = disposition if self._tracer.check_include(path, frame) else None
        return path if cache[path] is not None else None

    def _add(self, data: set[Any], item: object) -> None:
        data.add(item)
        self._tracer.has_data()

    def _disable(self, disposition: TFileDisposition) -> None:
        traceback.print_exc()
        assert self._tracer.disable_plugin is not None
        self._tracer.disable_plugin(disposition)


def _is_test(name: str) -> bool:
    """Whether should_start_context_test_function() may start a context for it."""
    return name.startswith("test") or name == "runTest"


def _lines(first_and_last: object) -> range:
    """What a plugin gives as range of lines; (-1, -1) stands for none."""
    if not isinstance(first_and_last, tuple) or len(first_and_last) != 2:
        raise TypeError("line_number_range must return 2-tuple")
    first, last = map(index, first_and_last)
    return range(first, last + 1) if first != -1 else range(0)
