"""A data file of coverage.py as data of covcore: `covcore import .coverage`.

Such a file has lines, and arcs from line to line; covcore has slots of code objects.  The code objects are those of the source
as it is now, and their slots are found by asking arcs.py what each stands for.  What an arc does not tell stays unknown: which of
several conditions on a line has led to the next, and what was decided within a line.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from covcore._reader import decode_shape, describe
from covcore.analysis.codes import is_counted, nested
from covcore.analysis.roots import Roots
from covcore.analysis.source import UnusableSource, read
from covcore.errors import CovcoreError
from covcore.platform import IS_WINDOWS, root_of, slashed
from covcore.store.inputs import reason_of
from covcore.store.processes import plural
from covcore.store.shapes import bitmap_bytes
from covcore.store.union import IMPORTED
from covcore_coverage.arcs import Shape, Source
from covcore_coverage.datafile import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from covcore.store.union import Union
    from covcore_coverage.arcs import Arc
    from covcore_coverage.datafile import DataFile

    type Slot = tuple[int, int]  # number of a code object, number of a slot
    type Bits = dict[int, int]  # number of a code object -> the slots that were hit, slot n as 1 << n

NAMED = 5  # of many files, so many are named
PHASES = ("setup", "run", "teardown")
OUTSIDE = "outside of the current folder and of those that the configuration names as source or paths"
CHANGED = "lines ran where the source has no code: it has changed"
MOVED = "functions began on lines where the source has none: it has changed"


def reader(source: Sequence[str], paths: Mapping[str, Sequence[str]]) -> Callable[[Union, str], list[str]]:
    """The add_to of a configuration: its settings `source` and `paths`."""
    return partial(add_to, Roots.of(source, paths))


def add_to(roots: Roots, union: Union, path: str) -> list[str]:
    """Add all that a data file of coverage.py holds.

    Args:
        roots: what may be read of sources, for the data file has no hash of theirs.
        union: what to add to; it says where the files are here.
        path: absolute, of the data file.

    Returns:
        What of it was not added, one line each.

    Raises:
        CovcoreError: it cannot be read, or nothing of it can be added.
    """
    with opened(path) as data:
        importing = Importing(union, data, roots)
        for name in sorted(data.contexts):
            importing.add(name)
    if not importing.n_added:
        why = "; ".join(importing.remarks()) or "it holds no data"
        raise CovcoreError(f"nothing of it can be added: {why}")
    return importing.remarks()


class Importing:
    """Files of a data file on their way into a union.

    Attributes:
        n_added: how many were added.
    """

    def __init__(self, union: Union, data: DataFile, roots: Roots) -> None:
        self._union = union
        self._data = data
        self._roots = roots
        self._left_out: defaultdict[str, list[str]] = defaultdict(list)
        self._without_arm: set[tuple[str, Arc]] = set()
        self._written_later: list[str] = []
        self.n_added = 0

    def add(self, name: str) -> None:
        """Add a file, or note why it cannot be."""
        reason = self._add(name)
        if reason:
            self._left_out[reason].append(name)

    def _add(self, name: str) -> str:
        plugin = self._data.plugin(name)
        if plugin:
            return f"measured by the plugin {plugin}"
        raw = os.fsencode(kept_name(name))
        try:
            path = os.fsdecode(self._union.locate(raw) if self._union.locate else raw)
        except ValueError as error:
            return str(error)
        if not self._roots.hold(path):
            return OUTSIDE
        try:
            text, hash = read(path)
            slots = Slots(path, text)
            written = os.stat(path).st_mtime_ns
        except UnusableSource as error:
            return str(error)
        except OSError as error:
            return reason_of(error)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return "no Python of this version"
        hits = {context: self._data.hits(name, context) for context in self._data.contexts[name]}
        if not set().union(*(lines for lines, _ in hits.values())) <= slots.lines:
            return CHANGED
        if not slots.begin_at({-end for _, arcs in hits.values() for arc in arcs for end in arc if end < 0}):
            return MOVED
        if written > self._data.measured:
            self._written_later.append(name)
        file = self._union.add_file(raw, hash, self._data.measured)
        patterns: defaultdict[int, defaultdict[bytes, list[int]]] = defaultdict(lambda: defaultdict(list))
        for context, (lines, arcs) in hits.items():
            number = self._union.add_context(*context_of(context))
            for code, bits in slots.hit(lines, arcs).items():
                patterns[code][slots.bitmap(code, bits)].append(number)
            self._without_arm |= {(path, arc) for arc in slots.without_arm(arcs)}
        self._union.hits.add(
            (self._union.add_code((file, *slots.keys[code])), dict(found)) for code, found in patterns.items()
        )
        self.n_added += 1
        return ""

    def remarks(self) -> list[str]:
        """What was not added, one line each."""
        found = [
            f"left out {plural(len(names), 'file')}, {reason}: {', '.join(names[:NAMED])}"
            + ", ..." * (len(names) > NAMED)
            for reason, names in sorted(self._left_out.items())
        ]
        if self._written_later:
            found.append(
                f"{plural(len(self._written_later), 'file')} written after it, and it does not tell what was in them: if they have "
                f"changed, run again: {', '.join(self._written_later[:NAMED])}"
                + ", ..."
                * (len(self._written_later) > NAMED)
            )
        if self.n_added and not self._data.has_arcs:
            found.append("it has lines only, no branches: none will count as taken")
        if self._without_arm:
            path, (line, to) = min(self._without_arm)
            found.append(
                f"left out {plural(len(self._without_arm), 'arc')} from decisions that lead elsewhere, as exceptions do: "
                f"{path} {line}->{to}" + ", ..." * (len(self._without_arm) > 1)
            )
        return found


class Slots:
    """Where the lines and arcs of a source are in the slots of its code objects.

    Attributes:
        keys: of each code object, what a union wants to know of it besides its file.
        lines: all that may have run.
    """

    def __init__(self, path: str, text: str) -> None:
        """Raises SyntaxError, ValueError, RecursionError, MemoryError: as compile() does."""
        with warnings.catch_warnings(action="ignore"):
            module = compile(text, path, "exec", dont_inherit=True, optimize=0)
        tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}{IMPORTED}"
        source = Source(path)
        self._text = text
        self.keys: list[tuple[int, str, str, int, int, bytes]] = []
        self._first = source.first
        self._bytes: list[int] = []
        self._at_end: defaultdict[Arc, list[int]] = defaultdict(list)  # ways into code objects, and out of them
        self._at_line: defaultdict[int, list[Slot]] = defaultdict(list)
        self._at_arc: defaultdict[Arc, list[Slot]] = defaultdict(list)
        self._after: defaultdict[int, set[int]] = defaultdict(set)  # decision -> where its arms lead
        for number, code in enumerate(nested(module)):
            encoded = describe(code)
            decoded = decode_shape(encoded)
            first = code.co_firstlineno
            self.keys.append((first, code.co_qualname, tag, 0, code.co_flags, encoded))
            self._bytes.append(bitmap_bytes(decoded))
            for slot, line in enumerate(decoded[0]):
                self._at_line[line].append((number, slot))
            for line in {self._first.get(line, line) for line in decoded[0]}:
                self._at_end[-first, line].append(number)
                self._at_end[line, -first].append(number)
            shape = Shape(first, decoded, source)
            for arm in range(2 * len(decoded[1])):
                for arc in shape.ways_of(arm):
                    self._at_arc[arc].append((number, len(decoded[0]) + arm))
                    if is_counted(code.co_name):
                        self._after[arc[0]].add(arc[1])
        self._of_statement: dict[int, int] = {}  # a statement -> its first line with code
        for line in sorted(self._at_line):
            self._of_statement.setdefault(self._first.get(line, line), line)
        end = text.count("\n") + 1
        statements = self._of_statement.keys()
        self.lines: AbstractSet[int] = self._at_line.keys() | {
            line for line in range(1, end + 1) if self._first.get(line, line) in statements
        }

    def begin_at(self, lines: set[int]) -> bool:
        """Whether code objects begin at all of these lines.  Before Python 3.12 comprehensions were such."""
        if lines <= {first for first, *_ in self.keys}:
            return True
        tree = ast.walk(ast.parse(self._text))
        comprehensions = {it.lineno for it in tree if isinstance(it, ast.ListComp | ast.SetComp | ast.DictComp)}
        return lines <= {first for first, *_ in self.keys} | comprehensions

    def hit(self, lines: Iterable[int], arcs: Iterable[Arc]) -> Bits:
        """What of the code objects was hit.

        A line may be in several, as that of a function on one line: it counts in those that tell by something else that they
        ran, an arc out of or into them, say; if none does, in the outermost.
        """
        slots = [
            self._at_line.get(line) or self._at_line[self._of_statement[self._first.get(line, line)]] for line in lines
        ]
        ways = self._by_statements(arcs)
        arms = [slot for arc in ways for slot in self._at_arc.get(arc, ())]
        ran = {places[0][0] for places in slots if len({code for code, _ in places}) == 1}
        ran |= {code for code, _ in arms}
        ran |= {code for arc in ways for code in self._at_end.get(arc, ())}
        found: defaultdict[int, int] = defaultdict(int)
        for places in slots:
            for code, slot in [place for place in places if place[0] in ran] or places[:1]:
                found[code] |= 1 << slot
        for code, slot in arms:
            found[code] |= 1 << slot
        return found

    def without_arm(self, arcs: Iterable[Arc]) -> set[Arc]:
        """The arcs from a decision to where none of its arms leads."""
        return {
            (line, to)
            for line, to in self._by_statements(arcs)
            if line > 0 and line != to and len(self._after.get(line, ())) > 1 and to not in self._after[line]
        }

    def bitmap(self, code: int, bits: int) -> bytes:
        """The slots of a code object that were hit, as a database has them."""
        n_bytes = self._bytes[code]
        return int(f"{bits:0{8 * n_bytes}b}"[::-1], 2).to_bytes(n_bytes)

    def _by_statements(self, arcs: Iterable[Arc]) -> set[Arc]:
        """Arcs from statement to statement: some come from, or lead to, a line further down."""
        first = self._first
        return {(first.get(line, line), first.get(to, to)) for line, to in arcs}


def kept_name(name: str, windows: bool = IS_WINDOWS) -> str:
    """The name of a file as covcore keeps it: a relative one with "/", also where coverage.py has written it on Windows."""
    name = slashed(name, windows)
    is_relative = not root_of(slashed(name, windows=True), windows=True)
    return name.replace("\\", "/") if is_relative and "/" not in name else name


def context_of(label: str) -> tuple[str, str, str]:
    """Take a context of coverage.py apart: static label, test and phase, of which any may be missing.

    `unit|test_it.py::test[a|b]|run` has all; what alone looks like no test is the static label.
    """
    rest, bar, phase = label.rpartition("|")
    if not (bar and phase in PHASES):
        rest, phase = label, ""
    static, bar, test = rest.partition("|")
    if not bar or "::" in static:
        static, test = "", rest
    if not (static or phase or "::" in test or test.rpartition(".")[2].startswith("test")):
        static, test = test, ""
    return static, test, phase
