"""What coverage.py stores, made cheap to store: contexts many at a time, and arcs that need not be hashed one by one.

At each switch of context coverage.py asks for what was measured, opens its data file, hashes each arc and closes the file again:
that took longer than a suite's tests.  So what is measured is held back at a switch, and many contexts are stored at one
opening: soon, as a process may be killed, and before anybody can ask for the data.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Collection
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from coverage.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from covcore_coverage.arcs import Arc

LONGEST = 0.25  # seconds that a context is held
MOST = 1000  # contexts that are held: where the clock is the program's own, it may stand still


class ArcSet(Collection["Arc"]):
    """The arcs of one file.

    coverage.py hashes what it stores: the elements of a set one by one, in three steps each, and the attributes of an object of a
    type that it does not know.  This one has one, all arcs in a row.
    """

    __slots__ = ("_arcs",)

    def __init__(self, arcs: Iterable[Arc] = ()) -> None:
        self._arcs = set(arcs)

    def __dir__(self) -> list[str]:
        return ["packed"]

    @property
    def packed(self) -> bytes:
        """What tells these arcs from others."""
        return array("q", chain.from_iterable(sorted(self._arcs))).tobytes()

    def __contains__(self, arc: object) -> bool:
        return arc in self._arcs

    def __iter__(self) -> Iterator[Arc]:
        return iter(self._arcs)

    def __len__(self) -> int:
        return len(self._arcs)

    def add(self, arc: Arc) -> None:
        """Add one."""
        self._arcs.add(arc)

    def update(self, arcs: Iterable[Arc]) -> None:
        """Add several."""
        self._arcs.update(arcs)

    def copy(self) -> ArcSet:
        """The same arcs, which stay."""
        return ArcSet(self._arcs)

    def clear(self) -> None:
        """Have none."""
        self._arcs.clear()


class Holding:
    """What was measured in contexts that are over, until it is stored.

    Attributes:
        is_empty: whether all is stored.
    """

    def __init__(self) -> None:
        self._contexts: list[tuple[str | None, dict[str, Any]]] = []
        self._since = 0.0
        self._process = os.getpid()

    @property
    def is_empty(self) -> bool:
        return not self._contexts

    def takes(self, collector: Collector) -> bool:
        """Take what the collector has in `data` of a context that is over, if that can wait.

        A forked process stores at once: many leave without ceremony.
        """
        if os.getpid() != self._process:
            return False
        now = monotonic()
        if not self._contexts:
            self._since = now
        elif len(self._contexts) == MOST or not 0 <= now - self._since < LONGEST:
            return False
        data = {path: found.copy() for path, found in collector.data.copy().items() if found}
        for found in collector.data.copy().values():
            found.clear()
        context = collector.covdata.set_context(None)
        collector.covdata.set_context(context)
        self._contexts.append((context, data))
        return True

    def store(self, collector: Collector) -> None:
        """Store all."""
        if os.getpid() != self._process:
            self._contexts.clear()  # the parent will
        if not self._contexts:
            return
        covdata = collector.covdata
        add: Any = covdata.add_arcs if collector.branch else covdata.add_lines
        add({})  # from here on the data file is that of this process
        context = covdata.set_context(None)
        held = self._contexts.copy()
        try:
            with covdata._connect():  # coverage.py's own methods use that connection as long as it lasts
                for its_context, data in held:
                    covdata.set_context(its_context)
                    add(collector.mapped_file_dict(data))
        finally:
            covdata.set_context(context)
            del self._contexts[: len(held)]


def is_switching() -> bool:
    """Whether coverage.py asks because it switches contexts: for whatever else it asks, it needs the data now."""
    frame = sys._getframe(1).f_back
    for _ in range(5):
        if frame is None or frame.f_code is Collector.flush_data.__code__:
            break
        frame = frame.f_back
    return frame is not None and frame.f_back is not None and frame.f_back.f_code is Collector.switch_context.__code__
