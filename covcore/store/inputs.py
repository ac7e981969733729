"""What `covcore combine` is to read: which files those are, and what of a folder is none of it.

Nothing is believed of a name, no link is followed and nothing but a regular file is opened: whoever can put a file into
the folder must not make us wait for a FIFO, or read and write elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat

from covcore.store.header import BadData, check_bytes
from covcore.store.recordings import SEGMENT_MAGIC, find, folder_of, is_named_like_one, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore.store.recordings import Found

# What editors, SQLite, downloads and killed publishers leave.
LEFTOVERS = ("-journal", "-wal", "-shm", ".new", ".tmp", ".part", ".spoiled", ".swp", ".bak", ".orig", "~", ".lock")
HEADER_BYTES = 100


class Input:
    """A database or a recording to be read.

    Attributes:
        path: of the file, or of a recording's first segment.
        recording: None for a database.
        identity: of the file as it was when found; it is removed only if it is still the same.
    """

    __slots__ = ("identity", "path", "recording")

    def __init__(self, path: str, recording: Found | None = None) -> None:
        """Raises OSError: it has gone."""
        self.path = path
        self.recording = recording
        self.identity = identity_of(path)

    def is_unchanged(self) -> bool:
        """Whether it is still what was found: another command may have taken it meanwhile."""
        try:
            return identity_of(self.path) == self.identity
        except FileNotFoundError:
            return False

    @property
    def kind(self) -> str:
        return "recording" if self.recording else "database"


class Inputs:
    """What was found.

    Attributes:
        wanted: the inputs, each once, by path.
        bad: path and reason of what was to be read, and cannot be.
        ignored: paths in folders that are no data.
        running: recordings of processes that still run.
    """

    def __init__(self, output: str) -> None:
        """output: path of the database that all goes into; it is none of the inputs"""
        self.bad: list[tuple[str, str]] = []
        self.ignored: list[str] = []
        self.running: set[str] = set()
        self._output = output
        self._found: dict[tuple[int, int], Input] = {}
        self._except = {identity_of(output)[:2]} if os.path.exists(output) else set()

    @property
    def wanted(self) -> list[Input]:
        return sorted(self._found.values(), key=lambda one: one.path)

    def add_path(self, path: str) -> None:
        """Add what the user named: a file or a folder."""
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode):
                self.add_folder(path)
            elif looks_like_segment(path):
                folder, _, name = path.rpartition("/")
                self._add_recordings(folder or "/", {name.rpartition(".")[0]})
            else:
                self._add_database(path)
        except OSError as error:
            self.bad.append((path, reason_of(error)))

    def add_folder(self, folder: str) -> None:
        """Add the databases and recordings in a folder, and in the folders *.d in it."""
        if folder.endswith(".d"):
            self._add_recordings(folder)
            return
        segments = set()
        for name in sorted(os.listdir(folder)):
            path = f"{folder.rstrip('/')}/{name}"
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode) and name.endswith(".d"):
                self._add_recordings(path)
            elif not stat.S_ISREG(mode) or name.endswith(LEFTOVERS):
                self.ignored.append(path)
            elif looks_like_segment(path):
                segments.add(name.rpartition(".")[0])
            elif self._is_named_like_a_database(name) or looks_like_database(path):
                self._add_database(path)
            else:
                self.ignored.append(path)
        if segments:
            self._add_recordings(folder, segments)

    def add_neighbours(self) -> None:
        """Add the databases beside the output that are named like it: .covcore.unit beside .covcore."""
        folder, _, own = self._output.rpartition("/")
        for name in sorted(os.listdir(folder or "/")):
            path = f"{folder}/{name}"
            if name.startswith(f"{own}.") and not name.endswith((".d", *LEFTOVERS)):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    self._add_database(path)
                else:
                    self.ignored.append(path)

    def _is_named_like_a_database(self, name: str) -> bool:
        own = os.path.basename(self._output)
        return any(name == stem or name.startswith(f"{stem}.") for stem in (own, ".covcore"))

    def _add_database(self, path: str) -> None:
        """Add a database, and the recordings beside it."""
        if os.path.lexists(path) and identity_of(path)[:2] in self._except:
            return
        try:
            check_bytes(read_file(path, HEADER_BYTES))
            self._add(Input(path))
        except BadData as error:
            self.bad.append((path, str(error)))
        except OSError as error:
            self.bad.append((path, reason_of(error)))
        if not os.path.islink(folder_of(path)):
            self._add_recordings(folder_of(path))

    def _add_recordings(self, folder: str, names: Iterable[str] = ()) -> None:
        """names: only these; none: all"""
        if folder == folder_of(self._output):
            return  # those are published before
        for one in find([folder]):
            if names and one.name not in names:
                continue
            if one.running and not one.over:
                self.running.add(one.segments[0])
            elif one.problem and not (names or is_named_like_one(one.name)):
                self.ignored += one.segments
            elif one.problem:
                self.bad.append((one.segments[0], one.problem))
            else:
                self._add(Input(one.segments[0], one))

    def _add(self, one: Input) -> None:
        self._found.setdefault(one.identity[:2], one)


def identity_of(path: str) -> tuple[int, int, int, int]:
    """What tells whether a file is still the same.  Raises OSError."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def looks_like_segment(path: str) -> bool:
    """Whether a file begins as a recording's segment does, or is named and empty as one that was not begun."""
    stem, _, number = os.path.basename(path).rpartition(".")
    if not (number.isascii() and number.isdigit()):
        return False
    try:
        head = read_file(path, len(SEGMENT_MAGIC))
    except OSError:
        return False
    return head == SEGMENT_MAGIC or (not any(head) and is_named_like_one(stem))


def looks_like_database(path: str) -> bool:
    try:
        check_bytes(read_file(path, HEADER_BYTES), any_version=True)
    except (BadData, OSError):
        return False
    return True


def reason_of(error: OSError) -> str:
    """What is wrong, in a few words; opening a link without following it is told to be a loop."""
    return "a symbolic link is not followed" if error.errno == errno.ELOOP else error.strerror or str(error)
