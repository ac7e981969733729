"""From hits to what coverage.py keeps: lines, and arcs (from line, to line).

A line is kept as an arc to itself, (7, 7): coverage.py takes it for the one way out of a line that has only one.  Ways out of lines
that have several come from sites: each arm that was taken is followed through the flow graph to the first line of another statement, or
out of the code object.  An arc's end makes its line count as run for coverage.py, so an arc is kept only where LINE events tell that its
end was reached: what was jumped to may have raised.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from coverage.parser import multiline_map_from_text
from coverage.python import get_python_source

from covcore._reader import decode_shape
from covcore.analysis.outline import EXIT, Outline

if TYPE_CHECKING:
    from covcore._reader import Shape as Decoded

type Arc = tuple[int, int]

GOTO, SITE, RETURN, RAISE = range(4)  # how a block ends: src/sites.h
NOWHERE = 0
RAISED = None


class Shape:
    """What one code object can do, and what its hits mean.

    Results are kept by bitmap: most tests run a code object the way that others did.
    """

    def __init__(self, first_line: int, shape: Decoded, source: Source) -> None:
        self._lines, self._sites, self._blocks = shape
        self._exit = -first_line
        self._source = source
        self._first = source.first
        self._known: dict[bytes, tuple[Arc, ...]] = {}
        self._ways: dict[int, tuple[Arc, ...]] = {}

    def lines(self, bits: bytes) -> list[int]:
        """The lines that were hit."""
        return [line for slot, line in enumerate(self._lines) if bits[slot >> 3] & 0x80 >> (slot & 7)]

    def arcs(self, bits: bytes) -> tuple[Arc, ...]:
        """The arcs that were hit."""
        arcs = self._known.get(bits)
        if arcs is None:
            arcs = self._known[bits] = tuple(self._arcs(bits))
        return arcs

    def _arcs(self, bits: bytes) -> Iterator[Arc]:
        # A statement's first line -> the first of its lines that ran: what the others pass to it may have raised.
        run: dict[int, int] = {}
        for line in sorted(self.lines(bits), reverse=True):
            yield line, line
            run[self._first.get(line, line)] = line
        taken = [way for way in self._straight if way[0] in run]
        n_lines = len(self._lines)
        for slot in range(n_lines, n_lines + 2 * len(self._sites)):
            if bits[slot >> 3] & 0x80 >> (slot & 7):
                taken += self.ways_of(slot - n_lines)
        for line, to in taken:
            if to < 0 or to in run:
                yield run.get(line, line), run.get(to, to)

    def ways_of(self, arm: int) -> tuple[Arc, ...]:
        """The arcs that an arm stands for: one, or none if it stays within its line or ends in an exception."""
        ways = self._ways.get(arm)
        if ways is None:
            site = self._sites[arm >> 1]
            line = self._first.get(site[6], site[6])
            to = self._follow(site[3 + (arm & 1)], line)
            if to is RAISED:
                handler = self._source.handler(line)
                to = self._exit if handler == EXIT else handler or NOWHERE
            ways = self._ways[arm] = ((line, to),) if to and line else ()
        return ways

    def _follow(self, block: int, here: int) -> int | None:
        """Where one gets from the start of a block: the first line of another statement than `here`, the exit, RAISED, or
        NOWHERE: another site tells."""
        seen = set()
        while block not in seen:
            seen.add(block)
            end, target, lines = self._blocks[block]
            for line in lines:
                first = self._first.get(line, line)
                if first not in (0, here):
                    return first
            if end == RETURN:
                return self._exit
            if end != GOTO:
                return RAISED if end == RAISE else NOWHERE
            block = target
        return NOWHERE

    @cached_property
    def _straight(self) -> Iterable[Arc]:
        """The ways on from statements without any site, which have but one: what runs once they have run.

        Two of them on one line, a definition and its body, make it a line of two ways out for coverage.py.
        """
        decide = {self._first.get(site[6], site[6]) for site in self._sites}
        return dict.fromkeys(way for way in self._find_straight() if way[0] not in decide)

    def _find_straight(self) -> Iterator[Arc]:
        for end, target, lines in self._blocks:
            here = 0
            for line in lines:
                first = self._first.get(line, line)
                if here and first and first != here:
                    yield here, first
                here = first or here
            if here and end == RETURN:
                yield here, self._exit
            elif here and end == GOTO and (to := self._follow(target, here)):
                yield here, to


class Source:
    """What is to be known of a source text.

    first: line -> first line of its statement, where that is another
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.first: Mapping[int, int] = {}
        # It may be gone or no Python, or open() may be the program's own just now.
        with suppress(Exception):
            self.first = multiline_map_from_text(get_python_source(path))

    def handler(self, line: int) -> int | None:
        """Where the exception goes that is raised on the line of a test, if its body stands there.

        Returns the line of the handler, EXIT, or None where coverage.py has no arc for it.
        """
        decision = None if self._outline is None else self._outline.decisions.get(line)
        return None if decision is None else decision.raised

    @cached_property
    def _outline(self) -> Outline | None:
        with suppress(Exception):
            text = get_python_source(self._path)
            return Outline(ast.parse(text), text)
        return None


class Shapes:
    """All code objects met, by what they are rather than by which: code that is made again and again is one."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, int, bytes], Shape] = {}
        self._sources: dict[str, Source] = {}

    def get(self, description: tuple[str, int, bytes]) -> Shape:
        """The shape that the tracer describes so: (path, first line, encoded shape)."""
        shape = self._shapes.get(description)
        if shape is None:
            path, first_line, encoded = description
            source = self._sources.get(path)
            if source is None:
                source = self._sources[path] = Source(path)
            shape = self._shapes[description] = Shape(first_line, decode_shape(encoded), source)
        return shape
