"""Recordings and code objects, read by C: see src/reader.c."""

from collections.abc import Iterable
from types import CodeType
from typing import TypedDict

class Owner(TypedDict):
    run_id: str
    boot_id: str
    pid: int
    start_ticks: int
    started_ns: int
    hexversion: int
    optimize: int

class SegmentInfo(TypedDict):
    owner: Owner
    segment: int
    end: int  # 0 open, 1 continued, 2 finished, 3 stopped by `error`
    error: int  # errno or 0
    length: int  # published bytes

class Recording(TypedDict):
    owner: Owner
    end: int  # of the last segment given
    error: int
    problem: str | None  # why reading stopped early; what came before it is good
    settings: list[tuple[str, str]]  # of the RUN record, in order, keys may repeat
    files: list[
        tuple[bytes, bytes]
    ]  # (path as the file system's bytes, SHA-256 of the normalised text or 32 zero bytes)
    codes: list[tuple[int, int, int, str, bytes]]  # (file id, first line, co_flags, qualified name, shape)
    contexts: list[tuple[str, str, str]]  # (static, test, phase); hits name them by index
    forks: list[
        tuple[int, int, int]
    ]  # (when, ns since 1970; process id and start ticks of the child, or 0 and 0 if it has not said that it is there)
    hits: list[dict[bytes, list[int]]]  # by code id: bitmap over slots -> indices of the contexts, -1 for the empty one

type Site = tuple[int, int, int, int, int, int, int, int, int, int]
# (source, left, right, left_block, right_block, kind, line, end_line, col, end_col)
type Block = tuple[int, int, tuple[int, ...]]  # (end: 0 goto 1 site 2 return 3 raise, target, lines)
type Shape = tuple[tuple[int, ...], tuple[Site, ...], tuple[Block, ...]]  # lines, sites, blocks

def segment_info(segment: bytes) -> SegmentInfo:
    """Look at one segment file's bytes (the first 512 are enough).  Raises ValueError: what is wrong with it."""

def read_recording(segments: Iterable[bytes]) -> Recording:
    """Read the segment files of one recording, in order; each is let go of before the next is asked for.

    Raises ValueError if the first is not one of ours, and whatever the iterable raises.
    """

def describe(code: CodeType) -> bytes:
    """The encoded shape of a code object of this interpreter.  Raises ValueError if its bytecode is malformed."""

def starts(code: CodeType) -> tuple[tuple[tuple[int, int], ...], bool]:
    """What the tracer knows of a code object beyond its encoded shape: (offset, line) of each instruction at which a line begins, and
    whether LINE events leave instructions behind that stay instrumented for ever."""

def encode_numbers(numbers: list[int]) -> str:
    """Numbers as the database keeps them, JSON in ascending order.  Raises OverflowError if one takes more than 32 bits."""

def decode_numbers(text: str) -> list[int]:
    """Numbers that the database keeps: from 1 on, ascending.  Raises ValueError: what is malformed."""

def shape_columns(shape: bytes) -> tuple[str, str]:
    """The lines and the sites of a shape as the database keeps them, JSON.  Raises ValueError: what is malformed."""

def decode_shape(shape: bytes) -> Shape:
    """Raises ValueError: what is malformed."""

def check_pages(file: bytes, roots: list[int]) -> None:
    """Check that the b-trees of an SQLite file use each page once, and hold no more than fits into it.

    Args:
        file: its bytes.
        roots: the first page of each, from 1.

    Raises:
        ValueError: they do not.
        OverflowError: a root that can be none.
    """

def arc_pages(
    rows: list[tuple[int, int, list[bytes]]], page_bytes: int, usable: int, n_pages: int
) -> tuple[bytes, bytes, bytes]:
    """The table of arcs in a data file of coverage.py, and its index.

    Args:
        rows: ids of a file and of a context, ascending, and the arcs that it has run there, in any order: pairs of 32-bit numbers.
        page_bytes, usable: of each page.
        n_pages: that the file has.

    Returns:
        The pages of both roots, which the file has, and the pages that go to its end.

    Raises:
        ValueError: rows do not ascend, arcs are no pairs, or SQLite has no such pages.
        MemoryError: there is none, or the file would be larger than 1 GiB.
    """

UNLOCK: int
SHARE: int
EXCLUDE: int

def is_process(pid: int, start: int, /) -> bool:
    """Whether a process runs that began then (start_ticks of its recording; 0: at any time)."""

def boot_id() -> str:
    """What names the time since the machine was started; "" if nothing tells."""

def lock(descriptor: int, kind: int, /) -> None:
    """Lock an open file, or let go of it, without waiting.

    Raises BlockingIOError: another process has it locked; OSError: the file system knows no locks.
    """
