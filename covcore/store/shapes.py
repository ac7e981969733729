"""The bitmaps of shapes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore._reader import Shape


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
