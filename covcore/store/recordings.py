"""The recordings in DATA.d: which there are, whose they are, and reading them.

A recording is a row of segment files STEM.0, STEM.1, ... (src/recording.h).  Other names in the folder are none of it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from itertools import chain

from covcore._reader import read_recording, segment_info
from covcore.platform import is_locked, open_descriptor
from covcore.store.processes import is_running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from covcore._reader import Owner, Recording

HEADER_BYTES = 512
LENGTH = 448  # where the header has that of what is published
HEAD = 16 << 10  # bytes that are read at once: all that most processes record
SEGMENT_MAGIC = b"\x89COV\r\n\x1a\n"
LARGEST_SEGMENT = 132 << 20  # bytes: one has 4 MiB at most, or one record, which has 128 at most
PIECE = 1 << 20  # no honest recording has so many zeros in a row before its end
ZEROS = bytes(PIECE)
END_FINISHED, END_STOPPED = 2, 3  # of SegmentInfo
RESULTS = "analysis"  # beside them: what reports have found, see covcore/analysis/cache.py
SPOILED = ".spoiled"  # put behind the names of segments that cannot be read to the end


class Found:
    """A recording on disk.

    Attributes:
        name: without folder and number of the segment.
        segments: paths, in order.
        owner: who wrote it; None if that cannot be read.
        running: the process is alive, though its recording may be over.
        over: nothing will be appended: it has its end mark, was stopped by an error, or its process is dead.
        forks: what it tells of these, once it was read.
        problem: why it cannot be read, or "".
        spoiled: the problem lies in its bytes, and so will never go away.
    """

    __slots__ = ("forks", "name", "over", "owner", "problem", "running", "segments", "spoiled")

    def __init__(self, name: str, segments: list[str]) -> None:
        """Look at its headers.  Raises FileNotFoundError if it has gone."""
        self.name = name
        self.segments = segments
        self.owner: Owner | None = None
        self.forks: list[tuple[int, int, int]] = []
        self.problem = ""
        self.running = self.spoiled = False
        self.over = True
        try:
            headers = list(begun(read_file(path, HEADER_BYTES) for path in segments[:1] + segments[1:][-2:]))
            self.owner = segment_info(headers[0])["owner"] if headers else owner_by_name(name)
            self.running = is_running(self.owner) or is_held(segments[-1])
            self.over = not self.running
            if headers and segment_info(headers[-1])["end"] in (END_FINISHED, END_STOPPED):
                self.over = True
        except FileNotFoundError:
            raise
        except OSError as error:
            self.problem = error.strerror or str(error)
        except ValueError as error:
            self.problem = str(error)
            self.spoiled = True
        if self.problem and name.count("-") > 1:
            self.running = is_running(owner_by_name(name)) or is_held(segments[-1])

    @property
    def run_id(self) -> str:
        """The id of its run, or ""."""
        return self.owner["run_id"] if self.owner else ""

    @property
    def started(self) -> int:
        """When it began, ns since 1970, or 0."""
        return self.owner["started_ns"] if self.owner else 0

    def read(self) -> Recording:
        """Read it whole; a fault after its beginning is in the result's "problem".

        Raises:
            OSError: it cannot be read.
            ValueError: it is no recording.
        """
        segments = begun(read_segments(self.segments))
        first = next(segments, None)
        if first is None:
            return nothing_of(owner_by_name(self.name))
        recording = read_recording(chain([first], segments))
        self.forks = recording["forks"]
        return recording

    def delete(self) -> None:
        """Remove its files, the last one first: who looks meanwhile finds a shorter recording, never a headless one.

        Raises:
            OSError: one cannot be removed.
        """
        for path in reversed(self.segments):
            os.unlink(path)

    def keep_aside(self) -> str:
        """Rename its files, so that no command reads them again.  Returns the first one's new path.  Raises OSError."""
        for path in reversed(self.segments):
            os.rename(path, path + SPOILED)
        return self.segments[0] + SPOILED


def is_held(path: str) -> bool:
    """Whether a process has a recording open whose last segment is this, be it in a namespace that we cannot see into.

    Raises FileNotFoundError.
    """
    try:
        descriptor, _ = _open(path)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    try:
        if is_locked(descriptor):
            return True
    finally:
        os.close(descriptor)
    stem, _, number = path.rpartition(".")
    return os.path.lexists(f"{stem}.{int(number) + 1}")  # it was the last, but the process has just gone on


def folder_of(data: str) -> str:
    """The folder of a database's recordings."""
    return data + ".d"


def find(folders: Iterable[str]) -> list[Found]:
    """Look for recordings.

    Args:
        folders: one that cannot be read has none; a recording may have segments in several.

    Returns:
        The oldest first.
    """
    segments: dict[str, list[tuple[int, str]]] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, _, number = name.rpartition(".")
            if stem and number.isascii() and number.isdigit() and len(number) < 10:
                segments.setdefault(stem, []).append((int(number), f"{folder}/{name}"))
    found = []
    for name, numbered in segments.items():
        try:
            found.append(Found(name, [path for _, path in sorted(numbered)]))
        except FileNotFoundError:
            continue  # another command has just published it
    found.sort(key=lambda one: (one.started, one.name))
    return found


def is_named_like_one(name: str) -> bool:
    """Whether a name without the segment's number is that of a recording: RUN-PID-TICKS, and more."""
    _, *numbers = name.split("-")
    return len(numbers) >= 2 and all(number.isascii() and number.isdigit() for number in numbers)


def begun(segments: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out the segments at the end that their process had no time to begin: it writes the first eight bytes last."""
    not_begun = []
    for segment in segments:
        not_begun.append(segment)
        if any(segment[:8]):
            yield from not_begun
            not_begun.clear()


def owner_by_name(name: str) -> Owner:
    """What the name of a recording that did not begin tells of its process: RUN-PID-TICKS.  Raises ValueError."""
    if not is_named_like_one(name):
        raise ValueError("it is empty, and not named like a recording")
    run_id, *numbers = name.split("-")
    return owner_of(run_id, int(numbers[0]), int(numbers[1]))


def owner_of(run_id: str, pid: int, start_ticks: int) -> Owner:
    """A process of which no more is known: it did not begin a recording."""
    return {
        "run_id": run_id,
        "boot_id": "",
        "pid": pid,
        "start_ticks": start_ticks,
        "started_ns": 0,
        "hexversion": 0,
        "optimize": 0,
    }


def nothing_of(owner: Owner) -> Recording:
    """The recording of a process that was killed before it recorded anything."""
    return {
        "owner": owner,
        "end": 0,
        "error": 0,
        "problem": None,
        "settings": [],
        "files": [],
        "codes": [],
        "contexts": [],
        "forks": [],
        "hits": [],
    }


def read_segments(paths: Iterable[str]) -> Iterator[bytes]:
    """Read all segments of a recording, each as it is asked for: a process that switches contexts for hours records gigabytes.

    Raises:
        OSError: as read_file.
        ValueError: one is larger than any that was written by covcore.
    """
    for path in paths:
        descriptor, size = _open(path)
        try:
            if size > LARGEST_SEGMENT:
                raise ValueError("larger than a recording can be")
            head = os.read(descriptor, HEAD)
            published = int.from_bytes(head[LENGTH : LENGTH + 8], sys.byteorder)
            if head[: len(SEGMENT_MAGIC)] == SEGMENT_MAGIC and HEADER_BYTES <= published <= size:
                size = published  # the rest of the file is room for more
            yield head[:size] if size <= len(head) else head + _read(descriptor, size - len(head))
        finally:
            os.close(descriptor)


def read_file(path: str, n_bytes: int = -1) -> bytes:
    """Read a regular file: all of it, or its first n_bytes; no more than the beginning of a long row of zeros.

    Raises OSError, also if it is anything else: whoever opens a FIFO may wait for ever, and a link leads anywhere.
    """
    descriptor, size = _open(path)
    try:
        return _read(descriptor, size if n_bytes < 0 else min(n_bytes, size))
    finally:
        os.close(descriptor)


def _read(descriptor: int, n_bytes: int) -> bytes:
    """Read so many bytes, or as many as there are; no more than the beginning of a long row of zeros."""
    parts = []
    while n_bytes > 0 and (part := os.read(descriptor, min(n_bytes, PIECE))):
        parts.append(part)
        n_bytes -= len(part)
        if part == ZEROS:
            break  # a hole of any size takes no room on the disk, and would in memory
    return b"".join(parts)


def _open(path: str) -> tuple[int, int]:
    """Open a regular file to read.  Returns the descriptor, and how many bytes the file has."""
    descriptor = open_descriptor(path)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor, status.st_size
