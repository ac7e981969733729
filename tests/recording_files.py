"""Recordings made by hand, byte for byte as src/recording_format.h has them, and programs to take shapes from."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from covcore import _reader
from covcore._reader import decode_shape, describe
from covcore.store.publish import write_file
from covcore.store.union import Union

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ANOTHER_BOOT = "00000000-0000-4000-8000-000000000000"  # whose processes are all dead
HEXVERSION = 0x030E08F0
OPEN, CONTINUED, FINISHED, STOPPED = range(4)
RUN, FILE, CODE, CONTEXT, ARC, HIT, SWITCH, SLOT, MORE, FORK = range(1, 11)

SOURCE = """\
def choose(a, b):
    if a and b:
        return "both"
    for item in a or []:
        print(item)
    return "none"
"""


def shape_of(source: str = SOURCE, name: str = "choose") -> bytes:
    """The encoded shape of a function in a source text."""
    code = compile(source, "<source>", "exec")
    return describe(next(constant for constant in code.co_consts if getattr(constant, "co_name", "") == name))


def line_slots(shape: bytes, *lines: int) -> list[int]:
    return [decode_shape(shape)[0].index(line) for line in lines]


def hits_of(recording: _reader.Recording) -> list[tuple[int, int, bytes]]:
    """What was hit: number of the code object, index of the context or -1 for the empty one, bitmap."""
    return [
        (number, context, bits)
        for number, contexts_of in enumerate(recording["hits"])
        for bits, contexts in contexts_of.items()
        for context in contexts
    ]


def start_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


class Recording:
    """One process's recording; write() puts it on disk.

    By default its process was of another boot, and finished.
    """

    def __init__(
        self,
        run_id: str = "a1",
        *,
        pid: int = 100,
        ticks: int = 5,
        boot_id: str = ANOTHER_BOOT,
        started: int = 10**18,
        end: int = FINISHED,
        error: int = 0,
        append: bool | None = False,
        settings: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.owner = struct.pack("<32s40sQQQII", run_id.encode(), boot_id.encode(), pid, ticks, started, HEXVERSION, 0)
        self.name = f"{run_id}-{pid}-{ticks}"
        self.end = end
        self.error = error
        self.records = b""
        self.n_arcs = 0
        self.arcs: dict[tuple[int, int], int] = {}
        self.n_files = self.n_codes = self.n_contexts = 0
        if append is not None:
            pairs = [("append", str(int(append))), *settings]
            text = "".join(f"{key}\0{value}\0" for key, value in pairs).encode("utf-8", "surrogatepass")
            self.add(RUN, struct.pack("<I", len(text)) + text)

    @classmethod
    def of_running(cls, run_id: str = "a1", pid: int | None = None, **other: object) -> Recording:
        """One that a process that runs now, by default this one, has under way."""
        pid = pid or os.getpid()
        return cls(run_id, pid=pid, ticks=start_ticks(pid), boot_id=BOOT_ID, **{"end": OPEN, **other})  # type: ignore[arg-type]

    def add(self, kind: int, payload: bytes, argument: int | None = None) -> None:
        payload += bytes(-len(payload) % 8)
        head = struct.pack("<I", kind | (1 + len(payload) // 8) << 8)
        if argument is None:
            argument = zlib.crc32(payload, zlib.crc32(head))
        self.records += head + struct.pack("<I", argument) + payload

    def file(self, path: str | bytes, hash: bytes = b"h" * 32) -> int:
        path = os.fsencode(path)
        self.add(FILE, hash + struct.pack("<I", len(path)) + path)
        self.n_files += 1
        return self.n_files - 1

    def code(self, file: int, shape: bytes, qualname: str = "choose", first_line: int = 1, flags: int = 3) -> int:
        name = qualname.encode("utf-8", "surrogatepass")
        self.add(CODE, struct.pack("<IiIII", file, first_line, flags, len(name), len(shape)) + name + shape)
        self.n_codes += 1
        return self.n_codes - 1

    def context(self, static: str = "", test: str = "", phase: str = "") -> None:
        parts = [part.encode("utf-8", "surrogatepass") for part in (static, test, phase)]
        self.add(CONTEXT, struct.pack("<III", *map(len, parts)) + b"".join(parts))
        self.n_contexts += 1

    def switch(self, context: int) -> None:
        self.add(SWITCH, b"", context)

    def fork(self, pid: int = 0, ticks: int = 5, when: int = 0) -> None:
        """pid: 0 if the child has not said that it is there"""
        self.add(FORK, struct.pack("<QQ", when, pid and ticks << 24 | pid), 0)

    def hit(self, code: int, slots: Iterable[int]) -> None:
        for slot in slots:
            if (code, slot) in self.arcs:
                self.add(HIT, b"", self.arcs[code, slot])
            else:
                self.arcs[code, slot] = len(self.arcs)
                self.add(ARC, struct.pack("<II", slot, 0), code)

    def segment(self, number: int = 0, *, records: bytes | None = None, end: int | None = None) -> bytes:
        """The bytes of a segment."""
        records = self.records if records is None else records
        n_bytes = 512 + len(records)
        header = (
            b"\x89COV\r\n\x1a\n" + struct.pack("<IIQII", 0x01020304, 1, n_bytes, number, 0) + self.owner + bytes(308)
        )
        live = struct.pack("<QIi", n_bytes, self.end if end is None else end, self.error)
        return header + struct.pack("<I", zlib.crc32(header)) + live + bytes(48) + records

    def write(self, folder: Path, name: str = "") -> Path:
        """Put it on disk as one segment.  Returns its path."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{name or self.name}.0"
        path.with_suffix(".making").write_bytes(self.segment())
        path.with_suffix(".making").rename(path)  # an empty one would be taken for that of a process killed as it began
        return path


def simple(run_id: str = "a1", slots: Iterable[int] = (0, 1), path: str = "/src/one.py", **other: object) -> Recording:
    """A recording of one function in one file, under the empty context; `other` goes to Recording."""
    recording = Recording(run_id, **other)  # type: ignore[arg-type]
    recording.hit(recording.code(recording.file(path), shape_of()), slots)
    return recording


def database_of(path: Path, *recordings: Recording) -> Path:
    """Write a database with what these processes recorded."""
    union = Union()
    for recording in recordings:
        union.add_recording(_reader.read_recording([recording.segment()]))
    path.write_bytes(b"")
    write_file(str(path), union, ())
    return path
