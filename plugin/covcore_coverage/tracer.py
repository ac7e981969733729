"""What coverage.py's Collector takes for a tracer: one for all threads.

covcore's C tracer hears of each line and branch once; CovcoreCollector takes what it has heard of, and then it hears of all once more.
What plugins tell frame by frame is in `data`.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import covcore
from covcore._tracer import Tracer
from covcore.platform import IS_WINDOWS, is_below, slashed
from covcore_coverage.frames import FrameEvents

if TYPE_CHECKING:
    from collections.abc import Callable

    from coverage.types import (
        TCheckIncludeFn,
        TFileDisposition,
        TShouldStartContextFn,
        TShouldTraceFn,
        TTraceData,
        TWarnFn,
    )

    from covcore_coverage.arcs import Hit

OURS = tuple(slashed(os.path.dirname(file)) for file in (__file__, covcore.__file__))


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
        self._frames = FrameEvents(self)
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
        """Measure no more; take() still gives what was."""
        if self._tracer.started:
            self._frames.stop()
            self._tracer.stop()
            if self._tracer.error is not None:
                self.warn(f"covcore stopped measuring early: {self._tracer.error}", slug="covcore-stopped")

    def post_fork(self) -> None:
        """Leave what was measured before a fork to the parent."""
        self._frames.stop()
        self._tracer.stop()
        self._tracer.take()

    def activity(self) -> bool:
        """Say whether there is anything in `data`, or coverage.py is to see that there is nothing at all."""
        return self._has_data

    def reset_activity(self) -> None:
        """Hear of everything once more: what was heard of until now is taken."""
        self._has_data = False
        self._tracer.restart()

    def get_stats(self) -> dict[str, int] | None:
        """Give nothing to print."""
        return None

    # ---- hits

    def take(self) -> list[Hit]:
        """Give what was heard of since the last time; if anything was, hear of everything once more."""
        hits = self._tracer.take()
        if hits or self._has_data:
            self._tracer.restart()
        return hits

    def file_data(self, path: str, plugin: str) -> set[Any]:
        """The set of lines or arcs of a source file that a plugin tells of."""
        self.lock_data()
        try:
            data: dict[str, Any] = self.data
            if path not in data:
                data[path] = set()
                if self.file_tracers is not None:
                    self.file_tracers[path] = plugin
            found: set[Any] = data[path]
            return found
        finally:
            self.unlock_data()

    def has_data(self) -> None:
        """Say that something is in `data`."""
        self._has_data = True

    # ---- files

    def _decide(self, filename: str) -> str | None:
        """Say under which path the C tracer measures a file, on behalf of the frame that starts in it."""
        if is_ours(filename):
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


def is_ours(filename: str, windows: bool = IS_WINDOWS) -> bool:
    """Whether code is covcore's own, and not to be measured."""
    path = slashed(filename, windows)
    return any(is_below(path, folder, windows) for folder in OURS)
