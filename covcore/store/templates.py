"""What was recorded of code that a template engine made, as lines of the template.

The path of such a file in a recording is followed by NUL, the engine, NUL, and LINES: `1=12&4=17` says that line 1 of the template begins
at line 12 of the code (covcore/measure/templates.py).  Code objects are taken into a database with the template's path and lines, and are
told from all others by their qualified names, `Jinja2:root`.

Only what the engine says is believed: a line of the code that begins no line of the template is none of it, be it next to one.  What
comes first in a function whose `def` begins a line, which runs whenever the function does, is that line's.
"""

from __future__ import annotations

from bisect import bisect_right

from covcore._reader import decode_shape
from covcore.store.shapes import GOTO, RAISE, SITE, encode_shape, flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from covcore._reader import Block, Shape, Site

MARK = ":"  # between engine and name: no Python function has one in its name
LARGEST = 2**31 - 1
MOST_DIGITS = 9
NOWHERE = OUT = -1


def is_template(qualnames: Iterable[str]) -> bool:
    """Whether these are the names of a template's code objects."""
    return any(MARK in name for name in qualnames)


class Template:
    """How the lines of a file's code are those of a template.

    Attributes:
        engine: what made the code.
    """

    def __init__(self, engine: str, lines: str) -> None:
        self.engine = engine
        self._lines: dict[int, int] = {}  # of the code -> of the template, 0: of none
        for pair in lines.split("&"):
            line, _, code_line = pair.partition("=")
            if _is_line(line) and _is_line(code_line):
                self._lines.setdefault(int(code_line), int(line))
        self._begun = sorted(self._lines)

    @classmethod
    def split(cls, name: bytes) -> tuple[bytes, Template | None]:
        """The path of a file of a recording, and how it is a template's, if it is."""
        path, *parts = name.split(b"\0")
        if len(parts) != 2:
            return name, None
        engine, lines = (part.decode("ascii", "replace") for part in parts)
        return path, cls(engine, lines)

    def translated(self, first_line: int, encoded: bytes) -> Translation | None:
        """A code object's lines as lines of the template; None if it has none, or a malformed shape.

        Args:
            first_line, encoded: as they were recorded.
        """
        try:
            lines, sites, blocks = decode_shape(encoded)
        except ValueError:
            return None
        header = self._lines.get(first_line, 0)
        at = bisect_right(self._begun, first_line)
        body = self._begun[at] if at < len(self._begun) else LARGEST
        places = {line: self._lines.get(line, header if first_line <= line < body else 0) for line in lines}
        new_lines = tuple(sorted({place for place in places.values() if place}))
        if not new_lines:
            return None
        new_blocks = tuple((end, target, _in_order(places[line] for line in flow)) for end, target, flow in blocks)
        of_sites = _sites_by_line([self._lines.get(site[6], 0) for site in sites], sites, new_blocks)
        new_sites = tuple((*site[:6], line, line, -1, -1) for site, line in zip(sites, of_sites, strict=True))
        slots = {line: slot for slot, line in enumerate(new_lines)}
        new_slots = [slots.get(places[line], NOWHERE) for line in lines]
        new_slots += range(len(new_lines), len(new_lines) + 2 * len(sites))
        return Translation(header or 1, (new_lines, new_sites, new_blocks), new_slots)


class Translation:
    """A code object with the lines of a template.

    Attributes:
        first_line: that of its definition, or 1 if the template has none.
        encoded: its shape.
    """

    def __init__(self, first_line: int, shape: Shape, slots: Sequence[int]) -> None:
        """slots: for each slot that was recorded the one it is now, or NOWHERE"""
        self.first_line = first_line
        self.encoded = encode_shape(shape)
        self._slots = slots
        self._n_bytes = len(shape[0]) + 2 * len(shape[1]) + 7 >> 3

    def hits(self, contexts_of: dict[bytes, list[int]]) -> dict[bytes, list[int]]:
        """What was hit under which contexts, by the slots it has now."""
        found: dict[bytes, list[int]] = {}
        for bits, contexts in contexts_of.items():
            now = bytearray(self._n_bytes)
            for flag, slot in zip(flags(bits), self._slots, strict=False):
                if flag == "1" and slot != NOWHERE:
                    now[slot >> 3] |= 0x80 >> (slot & 7)
            if any(now):
                found.setdefault(bytes(now), []).extend(contexts)
        return found


def _is_line(text: str) -> bool:
    return text.isdecimal() and len(text) <= MOST_DIGITS


def _in_order(lines: Iterable[int]) -> tuple[int, ...]:
    """Lines of the template without repeats in a row."""
    found: list[int] = []
    for line in lines:
        if line and found[-1:] != [line]:
            found.append(line)
    return tuple(found)


def _sites_by_line(lines: list[int], sites: Sequence[Site], blocks: Sequence[Block]) -> list[int]:
    """The line of the template that each site decides, or 0: where an arm may lead to several, none can be told to have been taken.

    Args:
        lines: those that the sites stand on, or 0.
        sites: their blocks matter.
        blocks: with lines of the template.
    """
    unclear = {line for line, site in zip(lines, sites, strict=True) if not _is_clear(line, site, lines, blocks, sites)}
    return [0 if line in unclear else line for line in lines]


def _is_clear(line: int, site: Site, lines: Sequence[int], blocks: Sequence[Block], sites: Sequence[Site]) -> bool:
    """Whether each arm of a site leads to one line, or out, or back to what its own line decides; whatever is decided on the way."""
    for arm in site[3:5]:
        found: set[int] = set()
        seen: set[int] = set()
        ways = [arm]
        while ways:
            block = ways.pop()
            if block in seen:
                continue
            seen.add(block)
            end, target, flow = blocks[block]
            after = next((other for other in flow if other != line), 0)
            if after:
                found.add(after)
            elif end == GOTO:
                ways.append(target)
            elif end == SITE and lines[target] != line:
                ways += sites[target][3:5]
            elif end != RAISE:
                found.add(line if end == SITE else OUT)
        if len(found) > 1:
            return False
    return True
