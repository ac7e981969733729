"""Reading a database: nothing in it is trusted, and nothing in it can run.

covcore/store/opening.py looks at the file as a whole; here the type of each value is checked, and each reference.
"""

from __future__ import annotations

import _sqlite3 as sqlite3  # the sqlite3 package adds adapters of dates that take longer to import than all of this
import os

from covcore._reader import decode_numbers, decode_shape
from covcore.errors import CovcoreError
from covcore.store.collecting import Paused
from covcore.store.header import check_header
from covcore.store.opening import open_file
from covcore.store.processes import OUTCOMES, Process
from covcore.store.schema import TABLES
from covcore.store.shapes import bitmap_bytes, either
from covcore.store.union import IMPORTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Self

    from covcore._reader import Shape
    from covcore.store.union import Context, Hit, Union

NO_LIMIT = 2**63
REPEATED = 2  # a process's row has more bytes of its own than the id of its run, which comes with each


class Run:
    """One run.

    Attributes:
        run_id: its id, hexadecimal.
        started: when its first process started, ns since 1970.
        settings: (key, value) pairs as the run recorded them; a key may come several times.
    """

    __slots__ = ("run_id", "settings", "started")

    def __init__(self, run_id: str, started: int) -> None:
        self.run_id = run_id
        self.started = started
        self.settings: list[tuple[str, str]] = []

    def values(self, key: str) -> list[str]:
        """All values of a setting, in order."""
        return [value for name, value in self.settings if name == key]


class Code:
    """A code object that ran.

    Attributes:
        qualname, first_line, flags: its co_qualname, co_firstlineno and co_flags.
        tag, optimize: of the interpreter, such as "cpython-314" and 0.
        shape: lines, sites and blocks, see src/sites.h.
        bits: bitmap of the slots that were hit; slot 0 is bit 0x80 of byte 0.
        encoded: the shape as bytes.
    """

    __slots__ = ("bits", "encoded", "first_line", "flags", "optimize", "qualname", "shape", "tag")

    def __init__(
        self,
        qualname: str,
        first_line: int,
        flags: int,
        tag: str,
        optimize: int,
        shape: Shape,
        bits: bytes,
        encoded: bytes = b"",
    ) -> None:
        self.qualname = qualname
        self.first_line = first_line
        self.flags = flags
        self.tag = tag
        self.optimize = optimize
        self.shape = shape
        self.bits = bits
        self.encoded = encoded


class SourceFile:
    """A source file of which something ran.

    Attributes:
        path: absolute, as os.fsdecode gives it.
        hash: SHA-256 of its newline-normalised text when it ran; 32 zero bytes if it could not be read.
        codes: its code objects, by first line.
    """

    __slots__ = ("codes", "hash", "path")

    def __init__(self, path: str, hash: bytes) -> None:
        self.path = path
        self.hash = hash
        self.codes: list[Code] = []


class CodeHits:
    """What was hit of a code object, and under which contexts.

    Attributes:
        qualname, first_line, tag, shape: as Code has them.
        patterns: bitmaps of slots, each with the ids of the contexts under which just these were hit.
    """

    __slots__ = ("first_line", "patterns", "qualname", "shape", "tag")

    def __init__(self, qualname: str, first_line: int, tag: str, shape: Shape) -> None:
        self.qualname = qualname
        self.first_line = first_line
        self.tag = tag
        self.shape = shape
        self.patterns: list[tuple[bytes, list[int]]] = []


class Database:
    """An open database; also a context manager, which closes it.

    All its methods raise CovcoreError if it is damaged.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, most_bytes: int = NO_LIMIT) -> None:
        """Args:
        connection: to a database with our schema.
        name: what errors call it.
        most_bytes: of text and blobs that any query may give.
        """
        self.connection = connection
        self.name = name
        self.most_bytes = most_bytes
        self._numbers: dict[bytes, tuple[int, bytes]] | None = (
            None  # of files: id and hash by path, once they are asked for
        )

    @classmethod
    def open(cls, path: str, *, follow: bool = True) -> Self:
        """Open a database file.

        Args:
            path: of the file.
            follow: whether it may be a symbolic link.

        Raises:
            CovcoreError: it is not there, not ours, damaged.
        """
        if not check_header(path):
            raise CovcoreError(f"{path} is empty: remove it, then `covcore run ...`")
        with Reading(path):
            connection, n_bytes = open_file(path, follow=follow)
        return cls(connection, path, REPEATED * n_bytes)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def runs(self) -> list[Run]:
        """The runs whose data is in it, in the order of their start."""
        with Reading(self.name):
            runs = {
                id: Run(run_id, started)
                for id, run_id, started in self._rows("SELECT id, run_id, started FROM run ORDER BY id", int, str, int)
            }
            for run, key, value in self._rows(
                "SELECT run, key, value FROM setting ORDER BY run, position", int, str, str
            ):
                runs[run].settings.append((key, value))
        return list(runs.values())

    def processes(self) -> list[Process]:
        """All processes of its runs."""
        with Reading(self.name):
            rows = self._rows(
                "SELECT run_id, boot_id, pid, start_ticks, process.started, tag, optimize, outcome, problem"
                " FROM process LEFT JOIN run ON run.id = process.run ORDER BY process.id",
                *(str, str, int, int, int, str, int, str, str),
            )
            processes = [Process(*row) for row in rows]
            if not {process.outcome for process in processes} <= set(OUTCOMES):
                raise ValueError("an unknown outcome of a process")
        return processes

    def contexts(self, ids: Iterable[int] | None = None) -> dict[int, Context]:
        """The contexts by id: static label, test id, phase.

        Args:
            ids: only these are wanted; None: all.
        """
        chosen = "" if ids is None else "WHERE id IN (SELECT value FROM json_each(?))"
        parameters = () if ids is None else (str([*ids]),)
        with Reading(self.name):
            query = f"SELECT id, static, test, phase FROM context {chosen} ORDER BY id"
            rows = self._rows(query, int, str, str, str, parameters=parameters)
            return {id: (static, test, phase) for id, static, test, phase in rows}

    def replaced(self) -> set[str]:
        """The ids of runs whose data was replaced while there were recordings of theirs (see publish.py)."""
        with Reading(self.name):
            rows = self._rows("SELECT value FROM meta WHERE key = 'replaced'", str)
            return {run_id for (value,) in rows for run_id in value.split()}

    def imported(self) -> set[str]:
        """The absolute paths of files of which hits were imported from data of coverage.py's."""
        query = "SELECT DISTINCT CAST(path AS BLOB), tag FROM code JOIN file ON file.id = code.file"
        with Reading(self.name):
            return {os.fsdecode(path) for path, tag in self._rows(query, bytes, str) if tag.endswith(IMPORTED)}

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        with Reading(self.name):
            tables = [statement.split()[2] for statement in TABLES]
            return {table: self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}

    def files(self, contexts: Iterable[int] | None = None) -> list[SourceFile]:
        """Its files, with their code objects and what of them was hit.

        Args:
            contexts: only hits under the contexts of these ids count; None: all do.
        """
        with Reading(self.name), Paused():
            files = {
                id: SourceFile(os.fsdecode(path), hash)
                for id, path, hash in self._rows(
                    "SELECT id, CAST(path AS BLOB), hash FROM file ORDER BY id", int, bytes, bytes
                )
            }
            bits_of = self._bits(contexts)
            for id, file, first_line, qualname, tag, optimize, flags, encoded in self._codes():
                shape = decode_shape(encoded)
                bits = bits_of.get(id) or bytes(bitmap_bytes(shape))
                check_bits(bits, shape)
                files[file].codes.append(Code(qualname, first_line, flags, tag, optimize, shape, bits, encoded))
        return list(files.values())

    def paths(self) -> list[str]:
        """The absolute paths of its files."""
        with Reading(self.name):
            return [os.fsdecode(path) for path in self._known_files()]

    def hits_of(self, path: str) -> tuple[bytes, list[CodeHits]]:
        """What was hit of one file, and under which contexts.

        Args:
            path: absolute, as SourceFile has it.

        Returns:
            The file's hash, as SourceFile has it, and its code objects; b"" and none if nothing of it ran.
        """
        with Reading(self.name):
            file = self._known_files().get(os.fsencode(path))
            if file is None:
                return b"", []
            codes = {
                id: CodeHits(qualname, first_line, tag, decode_shape(encoded))
                for id, qualname, first_line, tag, encoded in self._rows(
                    "SELECT id, qualname, first_line, tag, shape FROM code WHERE file = ?",
                    *(int, str, int, str, bytes),
                    parameters=file[:1],
                )
            }
            for code, bits, contexts in self._rows(
                "SELECT code, bits, contexts FROM code JOIN pattern ON code = code.id WHERE file = ?",
                *(int, bytes, str),
                parameters=file[:1],
            ):
                check_bits(bits, codes[code].shape)
                codes[code].patterns.append((bits, decode_numbers(contexts)))
            return file[1], list(codes.values())

    def is_file(self) -> bool:
        """Whether it is what `name` names, and not in memory, with what is not published yet."""
        with Reading(self.name):
            return any(path for _, _, path in self.connection.execute("PRAGMA database_list"))

    def add_to(self, union: Union) -> None:
        """Add all its data to a union."""
        runs, processes = self.runs(), self.processes()
        contexts = {id: union.add_context(*context) for id, context in self.contexts().items()}
        with Reading(self.name):
            rows = self._rows("SELECT id, CAST(path AS BLOB), hash, recorded FROM file", int, bytes, bytes, int)
            files = {id: union.add_file(path, hash, recorded) for id, path, hash, recorded in rows}
            codes = {}
            for id, file, *rest, shape in self._codes():
                codes[id] = number = union.add_code((files[file], *rest, shape))
                if number not in union.bitmap_bytes:
                    union.bitmap_bytes[number] = bitmap_bytes(decode_shape(shape))
            union.hits.add(self._hits(codes, contexts, union.bitmap_bytes))
        for run in runs:
            union.add_run(run.run_id, run.started, run.settings)
        for process in processes:
            union.add_process(process)

    def _hits(self, codes: dict[int, int], contexts: dict[int, int], n_bytes: dict[int, int]) -> Iterator[Hit]:
        """What was hit, with the numbers that a union gives to code objects and contexts; n_bytes: of their bitmaps."""
        for code, bits, ids in self._rows("SELECT code, bits, contexts FROM pattern", int, bytes, str):
            number = codes[code]
            if len(bits) != n_bytes[number]:
                raise ValueError("a bitmap of the wrong length")
            yield number, {bits: [contexts[id] for id in decode_numbers(ids)]}

    def _known_files(self) -> dict[bytes, tuple[int, bytes]]:
        """Id and hash of each file, by path."""
        if self._numbers is None:
            rows = self._rows("SELECT CAST(path AS BLOB), id, hash FROM file", bytes, int, bytes)
            self._numbers = {path: (id, hash) for path, id, hash in rows}
        return self._numbers

    def _codes(self) -> Iterator[tuple[Any, ...]]:
        return self._rows(
            "SELECT id, file, first_line, qualname, tag, optimize, flags, shape FROM code ORDER BY id",
            *(int, int, int, str, str, int, int, bytes),
        )

    def _bits(self, contexts: Iterable[int] | None) -> dict[int, bytes]:
        """What was hit of each code object, by id."""
        bits_of: dict[int, bytes] = {}
        asked = set(contexts) if contexts is not None else None
        if asked is None:
            patterns = self._rows("SELECT code, bits, '' FROM pattern", int, bytes, str)
        else:
            patterns = self._rows("SELECT code, bits, contexts FROM pattern", int, bytes, str)
        for code, bits, ids in patterns:
            if asked is None or not asked.isdisjoint(decode_numbers(ids)):
                known = bits_of.get(code)
                bits_of[code] = either(known, bits) if known else bits
        return bits_of

    def _rows(self, query: str, *types: type, parameters: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query.

        Raises what SQLite does; ValueError if a value is of the wrong type, or if they hold more than the file: one value
        that many rows refer to comes with each of them.
        """
        sized = [place for place, kind in enumerate(types) if kind is not int]
        left = self.most_bytes
        for row in self.connection.execute(query, parameters):
            if tuple(map(type, row)) != types:
                raise ValueError("a value of the wrong type")
            for place in sized:
                left -= len(row[place])
            if left < 0:
                raise ValueError("its rows hold more than the file")
            yield row


class Reading:
    """Turns whatever reading a database raises, within `with`, into CovcoreError."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, KeyError):
            error = ValueError("a reference that leads nowhere")
        if isinstance(error, (sqlite3.Error, ValueError, OverflowError, OSError)):
            reason = " ".join(str(error).split())[:200]  # SQLite quotes what it cannot read
            raise CovcoreError(f"{self.name} is damaged ({reason}): move it away") from None


def check_bits(bits: bytes, shape: Shape) -> None:
    """Raises ValueError if a bitmap does not fit a shape."""
    if len(bits) != bitmap_bytes(shape):
        raise ValueError("a bitmap of the wrong length")
