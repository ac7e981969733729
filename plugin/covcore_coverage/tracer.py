"""What coverage.py's Collector takes for a tracer: one for all threads.

coverage.py asks `activity()` before it takes what is in `data`, and says `reset_activity()` after it has: at each switch of context, and
when it saves.  In between covcore's C tracer hears of each line and branch once.
"""

from __future__ import annotations

import os
import sys
from threading import RLock
from types import FrameType
from typing import TYPE_CHECKING, Any

import covcore
from covcore._tracer import Tracer
from covcore_coverage.arcs import Shapes
from covcore_coverage.frames import FrameEvents
from covcore_coverage.holding import ArcSet, Holding, is_switching

if TYPE_CHECKING:
    from collections.abc import Callable

    from coverage.collector import Collector
    from coverage.types import (
        TCheckIncludeFn,
        TFileDisposition,
        TShouldStartContextFn,
        TShouldTraceFn,
        TTraceData,
        TWarnFn,
    )


OURS = tuple(f"{os.path.dirname(file)}{os.sep}" for file in (__file__, covcore.__file__))


class CovcoreTracer:
    """See the module.  Attributes are the Collector's to set, those that are None only where we name them."""

    data: TTraceData
    trace_arcs: bool
    should_trace: TShouldTraceFn
    should_trace_cache: dict[str, TFileDisposition | None]
    lock_data: Callable[[], None]
    unlock_data: Callable[[], None]
    warn: TWarnFn

    concur_id_func: Callable[[], Any] | None = (
        None  # greenlets need nothing: events are the interpreter's, not a stack's
    )
    check_include: TCheckIncludeFn | None = None
    file_tracers: dict[str, str] | None = None
    disable_plugin: Callable[[TFileDisposition], None] | None = None
    should_start_context: TShouldStartContextFn | None = None
    switch_context: Callable[[str | None], str | None] | None = None

    def __init__(self) -> None:
        self._tracer = Tracer(self._decide)
        self._shapes = Shapes()
        self._frames = FrameEvents(self)
        self._holding = Holding()
        self._lock = RLock()  # of taking hits: activity() may be called from several threads, and from a signal handler
        self._is_resumed = False
        self._has_data = False

    def __repr__(self) -> str:
        return f"<CovcoreTracer at {id(self):#x}: {len(self.data)} files>"

    # ---- what the Collector calls

    def start(self) -> None:
        """Begin to measure, or go on after stop(); if that cannot be, say so."""
        try:
            self._tracer.start_tally(branches=self.trace_arcs, resume=self._is_resumed)
        except RuntimeError as error:
            self.warn(f"covcore measures nothing: {error}", slug="no-covcore")
            return
        self._is_resumed = True
        self._has_data = True  # if there is none at the first flush, that is worth coverage.py's warning
        if self.should_start_context is not None or self._tracer.meet is not None:
            self._follow_frames()

    def stop(self) -> None:
        """Measure no more; all that was is in `data`."""
        if self._tracer.started:
            self._frames.stop()
            self._tracer.stop()
            self._keep()
            self._store_held()  # the next tracer knows nothing of it
            if self._tracer.error is not None:
                self.warn(f"covcore stopped measuring early: {self._tracer.error}", slug="covcore-stopped")

    def post_fork(self) -> None:
        """Leave what was measured before a fork to the parent."""
        self._frames.stop()
        self._tracer.stop()
        self._tracer.take()

    def activity(self) -> bool:
        """Put all hits into `data`.  Returns whether there is anything to store now."""
        with self._lock:
            self._keep()
            if is_switching():
                if not self._has_data:
                    return False
                if self._holding.takes(self._collector):
                    self.reset_activity()
                    return False
            self._store_held()
            return self._has_data

    def reset_activity(self) -> None:
        """Hear of everything once more: what was heard of until now is not in `data` any more."""
        self._has_data = False
        self._tracer.restart()

    def get_stats(self) -> dict[str, int] | None:
        """Give nothing to print."""
        return None

    # ---- hits

    @property
    def _collector(self) -> Collector:
        return self.lock_data.__self__  # type: ignore[attr-defined,no-any-return]  # it gives us a method of its own

    def _store_held(self) -> None:
        if not self._holding.is_empty:
            self._has_data = True  # that is worth what coverage.py does once it has stored something
            self._holding.store(self._collector)

    def _keep(self) -> None:
        with self._lock:
            taken = self._tracer.take()
            if taken:
                self._has_data = True
            for description, bits in taken:
                shape = self._shapes.get(description)
                into = self.file_data(description[0])
                into.update(shape.arcs(bits) if self.trace_arcs else shape.lines(bits))

    def file_data(self, path: str, plugin: str = "") -> set[Any]:
        """The set of lines or arcs of a source file.

        plugin: the name of that whose file tracer it is
        """
        self.lock_data()
        try:
            data: dict[str, Any] = self.data
            if path not in data:
                data[path] = ArcSet() if self.trace_arcs else set()
                if plugin and self.file_tracers is not None:
                    self.file_tracers[path] = plugin
            found: set[Any] = data[path]  # or what does as much
            return found
        finally:
            self.unlock_data()

    def has_data(self) -> None:
        """Say that something is in `data`."""
        self._has_data = True

    # ---- files

    def _decide(self, filename: str) -> str | None:
        """Say under which path the C tracer measures a file, on behalf of the frame that starts in it."""
        if filename.startswith(OURS):
            return None
        self._has_data = True  # as it says at the start
        frame: FrameType | None = sys._getframe(1)
        if frame is not None and frame.f_code.co_filename != filename:
            frame = None  # decided on without a start of it
        disposition = self.disposition(filename, frame)
        if disposition is None or not disposition.trace:
            return None
        if disposition.file_tracer is not None:
            self._follow_frames()
            return None
        return disposition.source_filename

    def _follow_frames(self) -> None:
        self._tracer.meet = self._frames.meet
        try:
            self._frames.start()
        except RuntimeError as error:
            self.warn(f"covcore follows neither contexts nor plugins: {error}", slug="no-covcore-frames", once=True)

    def disposition(self, filename: str, frame: FrameType | None) -> TFileDisposition | None:
        """What coverage.py says of a file; None: a file of a plugin that include and omit do not let through."""
        if filename in self.should_trace_cache:
            return self.should_trace_cache[filename]
        disposition = self.should_trace(filename, frame)  # type: ignore[arg-type]  # which None is fine for
        self.should_trace_cache[filename] = disposition
        return disposition
