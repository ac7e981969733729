"""Where a process comes from: the recording of the one that started it, and the context that was on when it did.

That recording is a file which its process goes on writing.  Its headers say which context is on just now, and COVCORE_RUN, in
what a started process inherits, which one was on then (src/children.c); where it does not, because the environment was a copy,
the header has to do, which is wrong only if the context ended before its process had started a Python.
"""

import os
import sys

from covcore._tracer import find_process
from covcore.platform import open_descriptor, read_at

HEADER = 512  # bytes
END, CONTINUED, CONTEXT = 456, 1, 464  # of the header: src/recording_format.h
CONTEXT_RECORD = 4  # its type
LONGEST = 1 << 24  # bytes of a context that is believed in

type Context = tuple[str, str]  # test, phase
NO_CONTEXT: Context = ("", "")


def recording_of(folder: str, run_id: str, pid: int) -> str:
    """The path, without the number of a segment, of what a process that is alive records.  Raises OSError."""
    return f"{folder}/{run_id}-{pid}-{find_process(pid)[1]}"


def nearest_recording(folder: str, run_id: str) -> str:
    """That of the nearest process, of those that this one descends from, which records: a shell may be in between.  "": of none."""
    pid = os.getppid()
    try:
        while pid > 0:
            recording = recording_of(folder, run_id, pid)
            if os.path.lexists(f"{recording}.0"):
                return recording
            pid = find_process(pid)[0]
    except OSError:
        pass  # one has ended, or nothing tells
    return ""


def context_of(recording: str, place: str = "") -> Context:
    """The test and phase that were on in a process.

    recording: path without the number of a segment
    place: where they stand, 16 hexadecimal digits; anything else: those that are on now
    """
    try:
        at = int(place, 16) if place.isalnum() else _newest(recording)
        return _context(recording, at >> 32, at & 0xFFFFFFFF) if at else NO_CONTEXT
    except (OSError, ValueError):
        return NO_CONTEXT  # it is gone, and its process with it; or no recording


def _newest(recording: str) -> int:
    """The place of the context that is on now."""
    segment = 0
    while True:
        header = _read(f"{recording}.{segment}", 0, HEADER)
        if len(header) < HEADER:
            raise ValueError
        if _number(header, END, 4) != CONTINUED:
            return _number(header, CONTEXT, 8)
        segment += 1


def _context(recording: str, segment: int, at: int) -> Context:
    path = f"{recording}.{segment}"
    head = _read(path, at, 20)  # type and words, checksum, three sizes
    sizes = [_number(head, place, 4) for place in (8, 12, 16)]
    if len(head) < 20 or head[0] != CONTEXT_RECORD or sum(sizes) > LONGEST:
        raise ValueError
    text = _read(path, at + 20, sum(sizes))[sizes[0] :]
    return text[: sizes[1]].decode("utf-8", "surrogatepass"), text[sizes[1] :].decode("utf-8", "surrogatepass")


def _number(data: bytes, at: int, n_bytes: int) -> int:
    return int.from_bytes(data[at : at + n_bytes], sys.byteorder)


def _read(path: str, at: int, n_bytes: int) -> bytes:
    descriptor = open_descriptor(path)
    try:
        return read_at(descriptor, n_bytes, at)
    finally:
        os.close(descriptor)
