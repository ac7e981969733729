"""From hits to what coverage.py keeps: lines, and arcs (from line, to line).

An arc's ends make their lines count as run for coverage.py, so an arc is kept only where LINE events tell that its end was reached: what
was jumped to may have raised.  Ways out of lines that have several come from sites: each arm that was taken is followed through the flow
graph to the first line of another statement, or out of the code object.  Of all other arcs coverage.py wants to know nothing but the
lines, and its data grows with the number of arcs: so of the ways on from lines that have but one, only as many are kept as it takes for
each line to be at an end of one; and a line for which that does not do has an arc to itself, (7, 7).
"""

from __future__ import annotations

import ast
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

from coverage.parser import multiline_map_from_text
from coverage.python import get_python_source

from covcore._reader import decode_shape
from covcore.store.shapes import GOTO, RAISE, RETURN

if TYPE_CHECKING:
    from covcore._reader import Shape as Decoded
    from covcore.analysis.outline import Outline

type Arc = tuple[int, int]
type Hit = tuple[tuple[str, int, bytes], bytes]  # of a code object: its path, first line and encoded shape; bitmap

SHIFT = 24  # bits of the number that an arc is encoded as: the line above these, and where to in them
NOWHERE = 0
RAISED = None
HEADER = re.compile(r"\s*(?:async|class|def|match|case|with|try|for|while|if|elif|else|except|finally)\b")
DECISION = re.compile(r"\s*(?:if|elif|while|for|async\s+for|case)\b")
MAY_RAISE = re.compile(r":.*\braise\b|\bfinally\b")  # the body of a decision on its line, or in a finally


class Part:
    """The arcs that were hit of a code object.

    arcs: ascending
    packed: the numbers of all, in 32 bits each
    digest: what tells them from others, by so few bytes that each context's are hashed in no time
    """

    def __init__(self, path: str, arcs: Iterable[Arc]) -> None:
        """Of these, in any order, of a file."""
        self.arcs = tuple(sorted(arcs))
        self.packed = array("i", chain.from_iterable(self.arcs)).tobytes()
        told = self.packed + path.encode(errors="surrogateescape")
        self.digest = sha256(told, usedforsecurity=False).digest()[:8]

    @cached_property
    def encoded(self) -> str:
        """Each arc as one number, with commas between them: what SQLite is given."""
        return ",".join([str((line << SHIFT) + to + (1 << SHIFT - 1)) for line, to in self.arcs])


class Shape:
    """What one code object can do, and what its hits mean."""

    def __init__(self, first_line: int, shape: Decoded, source: Source) -> None:
        self._lines, self._sites, self._blocks = shape
        self._exit = -first_line
        self._source = source
        self._first = source.first
        self._ways: dict[int, tuple[Arc, ...]] = {}

    def lines(self, bits: bytes) -> list[int]:
        """The lines that were hit."""
        return [line for slot, line in enumerate(self._lines) if bits[slot >> 3] & 0x80 >> (slot & 7)]

    def arcs(self, bits: bytes) -> set[Arc]:
        """The arcs that were hit."""
        # A statement's first line -> the first of its lines that ran: what the others pass to it may have raised.
        run: dict[int, int] = {}
        lines = self.lines(bits)
        for line in sorted(lines, reverse=True):
            run[self._first.get(line, line)] = line
        taken = [way for way in self._choices if way[0] in run]
        n_lines = len(self._lines)
        for slot in range(n_lines, n_lines + 2 * len(self._sites)):
            if bits[slot >> 3] & 0x80 >> (slot & 7):
                taken += self.ways_of(slot - n_lines)
        arcs = {(run.get(line, line), run.get(to, to)) for line, to in taken if to < 0 or to in run}
        missing = set(lines).difference(*arcs)
        for way in self._straight:
            line, to = run.get(way[0], 0), run.get(way[1], way[1])
            if line in missing and (to < 0 or to in missing):
                arcs.add((line, to))
                missing -= {line, to}
        return arcs | {(line, line) for line in missing}

    def ways_of(self, arm: int) -> tuple[Arc, ...]:
        """The arcs that an arm stands for: one, or none if it stays within its line or ends in an exception."""
        ways = self._ways.get(arm)
        if ways is None:
            site = self._sites[arm >> 1]
            line = self._first.get(site[6], site[6])
            to = self._follow(site[3 + (arm & 1)], line)
            if to is RAISED:
                to = self._source.handler(line, self._exit)
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
    def _ways_on(self) -> Iterable[Arc]:
        """The ways on from statements without any site, which have but one: what runs once they have run."""
        decide = {self._first.get(site[6], site[6]) for site in self._sites}
        return dict.fromkeys(way for way in self._find_straight() if way[0] not in decide)

    @cached_property
    def _straight(self) -> Iterable[Arc]:
        """Those of which coverage.py wants to know no more than that their ends ran."""
        return sorted(way for way in self._ways_on if way[0] not in self._source.headers)

    @cached_property
    def _choices(self) -> Iterable[Arc]:
        """Those from headers: with a definition and its body on one line, coverage.py takes it for one of two ways out."""
        return [way for way in self._ways_on if way[0] in self._source.headers]

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
        self.headers: Set[int] = set()
        self._decisions: Set[int] = set()
        # It may be gone or no Python, or open() may be the program's own just now.
        with suppress(Exception):
            text = get_python_source(path)
            lines = text.split("\n")
            self.first = multiline_map_from_text(text)
            self.headers = {n for n, line in enumerate(lines, 1) if HEADER.match(line)}
            self._decisions = {n for n in self.headers if DECISION.match(lines[n - 1])}

    def handler(self, line: int, to_exit: int) -> int:
        """Where the exception goes that is raised on the line of a test, if its body stands there.

        Returns the line of the handler, `to_exit` for leaving the code object, or NOWHERE: coverage.py has no arc for it.
        """
        if line not in self._decisions or self._outline is None:
            return NOWHERE
        decision = self._outline.decisions.get(line)
        if decision is None or decision.raised is None:
            return NOWHERE
        return decision.raised or to_exit

    @cached_property
    def _outline(self) -> Outline | None:
        """What stands around each decision: most files have none of which that is asked, and parsing takes long."""
        with suppress(Exception):
            text = get_python_source(self._path)
            if MAY_RAISE.search(text):
                from covcore.analysis.outline import Outline

                return Outline(ast.parse(text), text)
        return None


class Shapes:
    """All code objects met, by what they are rather than by which: code that is made again and again is one."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, int, bytes], Shape] = {}
        self._sources: dict[str, Source] = {}
        self._parts: dict[Hit, Part] = {}  # most tests run a code object the way that others did

    def parts(self, hits: Iterable[Hit]) -> dict[str, list[Part]]:
        """The arcs that hits stand for, by path."""
        found: defaultdict[str, list[Part]] = defaultdict(list)
        for hit in hits:
            part = self._parts.get(hit)
            if part is None:
                description, bits = hit
                part = self._parts[hit] = Part(description[0], self._get(description).arcs(bits))
            if part.arcs:
                found[hit[0][0]].append(part)
        return found

    def lines(self, hits: Iterable[Hit]) -> dict[str, set[int]]:
        """The lines that hits stand for, by path."""
        found: defaultdict[str, set[int]] = defaultdict(set)
        for description, bits in hits:
            found[description[0]].update(self._get(description).lines(bits))
        return found

    def _get(self, description: tuple[str, int, bytes]) -> Shape:
        shape = self._shapes.get(description)
        if shape is None:
            path, first_line, encoded = description
            source = self._sources.get(path)
            if source is None:
                source = self._sources[path] = Source(path)
            shape = self._shapes[description] = Shape(first_line, decode_shape(encoded), source)
        return shape
