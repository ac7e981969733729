"""Shapes, and their bitmaps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore._reader import Shape

GOTO, SITE, RETURN, RAISE = range(4)  # how a block ends: src/sites.h


def n_slots(shape: Shape) -> int:
    return len(shape[0]) + 2 * len(shape[1])


def bitmap_bytes(shape: Shape) -> int:
    return n_slots(shape) + 7 >> 3


def either(bits: bytes, others: bytes) -> bytes:
    """What is set in one of two bitmaps of equal length, or in both."""
    return (int.from_bytes(bits) | int.from_bytes(others)).to_bytes(len(bits))


def flags(bits: bytes) -> str:
    """A bitmap as text: character i, "0" or "1", is slot i.  There may be up to seven more than slots."""
    return bin(int.from_bytes(b"\1" + bits))[3:]


def encode_shape(shape: Shape) -> bytes:
    """What decode_shape of covcore._reader reads: src/shape.c has the form."""
    lines, sites, blocks = shape
    slot_of = {line: slot for slot, line in enumerate(lines)}
    numbers = [len(lines), len(sites), len(blocks), sum(len(block[2]) for block in blocks)]
    numbers += [line - before - 1 for before, line in zip((-1, *lines), lines, strict=False)]
    last = (0,) * 10
    for site in sites:
        source, left, right, left_block, right_block, kind, line, end_line, column, end_column = site
        numbers += (source - last[0] >> 1, kind + (left - source >> 1) * 8, _near(right >> 1, left >> 1))
        numbers += (_near(left_block, last[3]), _near(right_block, left_block))
        numbers += (_near(line, last[6]), _near(end_line, line), column + 1, _near(end_column, column))
        last = site
    next_site = 0
    for number, (end, target, flow) in enumerate(blocks):
        numbers.append(len(flow) * 4 + end)
        if end == GOTO:
            numbers.append(_near(target, number))
        elif end == SITE:
            numbers.append(_near(target, next_site))
            next_site = target + 1
    next_slot = 0
    for line in (line for block in blocks for line in block[2]):
        numbers.append(_near(slot_of[line], next_slot))
        next_slot = slot_of[line] + 1
    return b"".join(map(_encoded, numbers))


def _near(value: int, base: int) -> int:
    """A difference of either sign as a number from 0."""
    return 2 * (value - base) if value >= base else 2 * (base - value) - 1


def _encoded(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth is set in all bytes but the last."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
