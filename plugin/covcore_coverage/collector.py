"""coverage.py's Collector, with what contexts have run stored many at a time.

At each switch of context coverage.py's own stores what was measured.  This one keeps what contexts that are over have measured as the
tracer gave it, and stores it together: before anybody can ask for the data, and soon, as a process may be killed; or a journal, which
takes less, has it soon, and it is stored at the end.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

from coverage.collector import Collector

from covcore.platform import register_at_fork
from covcore_coverage import storing
from covcore_coverage.arcs import Shapes
from covcore_coverage.journal import Journal
from covcore_coverage.tracer import CovcoreTracer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from coverage.core import Core

    from covcore_coverage.arcs import Hit, Part

    type Told = dict[str, set[Any]]  # path -> its lines or arcs
    type Stored = tuple[str | None, dict[str, list[Part]]]  # a context, and what the files have run in it
    type Held = tuple[str | None, list[Hit], Told]  # a context, what the C tracer heard in it, and what plugins told

LONGEST = 0.25  # seconds that a context is held
MOST_KEPT = 10_000_000  # parts of contexts that are in the journal, 8 bytes each
MOST = 1000  # contexts that are held: where the clock is the program's own, it may stand still

# Held by whoever switches or stores.  No process is forked meanwhile: it would have coverage.py's locks and its connection as they are
# in the middle of it.
lock = RLock()
register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


class CovcoreCollector(Collector):
    """See the module.  Its tracers, one for each start, are CovcoreTracers."""

    _journal: Journal | None = None

    def reset(self) -> None:
        """Forget all, as coverage.py has it when it begins and when it erases."""
        super().reset()
        self._shapes = Shapes()
        self._left: list[Hit] = []  # by tracers that have stopped, in the present context
        self._held: list[Held] = []
        self._kept: list[Stored] = []  # what the journal holds
        self._forget_journal()
        self._since = 0.0  # when the first of them was
        self._is_switching = False
        self._process = os.getpid()

    def switch_context(self, new_context: str | None) -> str | None:
        """Begin a context.  Returns the one before."""
        with lock:
            self._hold()
            if not self._may_wait() and not self._keep():
                self._store()
            self._is_switching = True
            try:
                return super().switch_context(new_context)  # which has flush_data() called
            finally:
                self._is_switching = False

    def flush_data(self) -> bool:
        """Store all that was measured.  Returns whether there was any."""
        with lock:
            if self._is_switching and os.getpid() == self._process:
                return False
            self._hold()
            has_stored = self._store()
            return super().flush_data() or has_stored  # its own part is what becomes of no data at all

    def pause(self) -> None:
        """Measure no more for now, or for good: then the tracer is forgotten, and nothing says when there will be a switch again."""
        super().pause()
        with lock:
            self._is_switching = False  # a signal handler may stop measuring in the middle of a switch
            self._left = self._hits()
            self._store()

    # ---- what was measured

    def _hits(self) -> list[Hit]:
        """Take what was heard of in the present context."""
        tracers: Any = self.tracers
        left, self._left = self._left, []
        return [*left, *(hit for tracer in tracers for hit in tracer.take())]

    def _told(self) -> Told:
        """Take what plugins have told in the present context."""
        data: Any = self.data
        taken = {}
        for path, found in data.copy().items():
            if found:
                taken[path] = found.copy()
                found -= taken[path]
        return taken

    def _hold(self) -> None:
        """Take what was measured in the present context, to store it later."""
        if os.getpid() != self._process:  # after a fork: what is held is the parent's
            self._process = os.getpid()
            self._held.clear()
            self._kept.clear()
            self._journal = None
        hits, told = self._hits(), self._told()
        if hits or told:
            if not self._held:
                self._since = monotonic()
            self._held.append((self._context(), hits, told))

    def _context(self) -> str | None:
        """The context that the data is in.  To ask by its method takes two changes of it, and each is hashed."""
        data: Any = self.covdata
        try:
            context: str | None = data._current_context
        except AttributeError:
            context = data.set_context(None)
            data.set_context(context)
        return context

    def _may_wait(self) -> bool:
        """Whether what is held need not be stored yet.  In a forked process it need be: many leave without ceremony."""
        is_recent = 0 <= monotonic() - self._since < LONGEST
        return is_recent and len(self._held) < MOST and self._process == self.pid

    def _keep(self) -> bool:
        """Have the journal hold what is held: then it can wait for the end.  Returns whether it does."""
        if not self.branch or self._process != self.pid or any(told for _, _, told in self._held):
            return False
        held = self._held.copy()
        contexts = self._parts(held)
        try:
            if self._journal is None:
                self._journal = Journal(self.covdata)
            if self._journal.n_parts > MOST_KEPT:
                return False
            self._journal.keep(contexts)
        except OSError:
            return False
        self._kept += contexts
        del self._held[: len(held)]
        return True

    def _store(self) -> bool:
        """Store what is held.  Returns whether there was any."""
        if not (self._held or self._kept) or os.getpid() != self._process:
            return False
        held, kept = self._held.copy(), self._kept.copy()
        context = self.covdata.set_context(None)
        try:
            if self.branch:
                storing.add_arcs(self.covdata, [*kept, *self._parts(held)])
            else:
                lines = [(context, self._named(self._shapes.lines(hits))) for context, hits, _ in held if hits]
                storing.add_sets(self.covdata, lines, arcs=False)
            told = [(context, self._named(told)) for context, _, told in held if told]
            if told:
                storing.add_sets(self.covdata, told, arcs=self.branch)
                plugins = {path: it for path, it in self.file_tracers.items() if it not in self.disabled_plugins}
                self.covdata.add_file_tracers(self._named(plugins))
        finally:
            self.covdata.set_context(context)
            del self._held[: len(held)]
            del self._kept[: len(kept)]
        self._forget_journal()
        return True

    def _parts(self, held: list[Held]) -> list[Stored]:
        """The arcs that were hit in contexts."""
        return [(context, self._named(self._shapes.parts(hits))) for context, hits, _ in held if hits]

    def _forget_journal(self) -> None:
        """Have no journal: what it held is stored, or is not to be."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.remove()

    def _named[T](self, by_path: Mapping[str, T]) -> dict[str, T]:
        """The same by the names that the data file has for the paths."""
        return {self.cached_mapped_file(path): it for path, it in by_path.items()}


def stack_of_caller() -> str:
    """The stack, as coverage.py's Collector keeps it for one message: who made it.

    coverage.py's own function looks up the module of each frame and reads its source: 1 % of what marshmallow's tests take.
    """
    frame: FrameType | None = sys._getframe(1)
    lines = []
    while frame is not None:
        lines.append(f"{frame.f_code.co_name:>30s} : {frame.f_code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    return "\n".join(reversed(lines))


def collector_for(core: Core, **arguments: Any) -> Collector:
    """Make what coverage.py's core needs: with another tracer than covcore's, coverage.py's own Collector."""
    tracer: Any = core.tracer_class
    kind = CovcoreCollector if tracer is CovcoreTracer else Collector
    return kind(core=core, **arguments)
