"""A checksum over the whole file, for SQLite has none: a bit that flips in a bitmap would be a line that ran.

It stands in the file itself, in table `meta`: CRC-32 of the file with zeros in its own place.  It keeps nobody from
making up data; it is there so that what the disk or a download has changed is never taken for what was measured.
"""

from __future__ import annotations

import os
from binascii import crc32

from covcore.platform import open_descriptor, read_at, write_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABEL = "crc32"
UNSEALED = "0" * 8
PIECE = 1 << 20
HOLE = bytes(PIECE)
HEX = b"0123456789abcdef"


def write_seal(path: str) -> None:
    """Put the checksum into a database that is written.  Raises OSError."""
    descriptor = open_descriptor(path, os.O_RDWR)
    try:
        checksum, place, _ = _computed(pieces_of(descriptor))
        write_at(descriptor, checksum, place)
    finally:
        os.close(descriptor)


def check_seal(pieces: Iterable[bytes]) -> None:
    """Check that a file is as it was written.

    Args:
        pieces: what stands in it, the first 4 KB or more in the first piece.

    Raises:
        ValueError: it is not.
    """
    checksum, _, found = _computed(pieces)
    if checksum != found:
        raise ValueError("its checksum is wrong")


def pieces_of(descriptor: int) -> Iterator[bytes]:
    """Read a file, as long as it is now.  Raises OSError; ValueError: some of it was never written."""
    n_bytes = os.fstat(descriptor).st_size
    place = 0
    while place < n_bytes and (piece := read_at(descriptor, min(n_bytes - place, PIECE), place)):
        if piece == HOLE:
            raise ValueError("a part of it is missing")  # a hole of any size costs who sends it nothing
        yield piece
        place += len(piece)


def _computed(pieces: Iterable[bytes]) -> tuple[bytes, int, bytes]:
    """The checksum that a file should have, where it stands, and what stands there.  Raises ValueError: none does."""
    pieces = iter(pieces)
    first = next(pieces, b"")
    start, end = _place(first)
    checksum = crc32(memoryview(first)[end:], crc32(UNSEALED.encode(), crc32(first[:start])))
    for piece in pieces:
        checksum = crc32(piece, checksum)
    return b"%08x" % checksum, start, first[start:end]


def _place(first: bytes) -> tuple[int, int]:
    """Where the checksum begins and ends; the first that looks like one.  Raises ValueError: none does.

    The table is the first of all, so its page comes before any that could hold the like by chance or on purpose.
    """
    label = LABEL.encode()
    at = first.find(label)
    while at >= 0:
        start = at + len(label)
        end = start + len(UNSEALED)
        if end <= len(first) and not first[start:end].strip(HEX):
            return start, end
        at = first.find(label, at + 1)
    raise ValueError("it has no checksum")
