"""Reading a database: nothing in it is trusted, and nothing in it can run.

A published file is never changed, only replaced by a rename, so that no lock and no journal beside it counts.  It is
opened once, by ourselves, and SQLite is given what was read: whatever is put in its place meanwhile, a FIFO or a link,
say, is not looked at.  What is too large for that SQLite opens itself, by its name, since it follows even /proc/self/fd/N
to a name; then what it has opened has to be that file.
"""

from __future__ import annotations

import _sqlite3 as sqlite3  # the sqlite3 package adds adapters of dates that take longer to import than all of this
import os
import stat

from covcore._reader import check_pages, decode_numbers, decode_shape
from covcore.errors import CovcoreError
from covcore.store.collecting import Paused
from covcore.store.header import check_header
from covcore.store.processes import OUTCOMES, Process
from covcore.store.schema import INDEXES, TABLES, VERSION, VIEWS
from covcore.store.seal import check_seal, pieces_of
from covcore.store.shapes import bitmap_bytes, either

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Self

    from covcore._reader import Shape
    from covcore.store.union import Context, Hit, Union

DEFENCES = {
    sqlite3.SQLITE_DBCONFIG_DEFENSIVE: True,
    sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA: False,
    sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER: False,
    sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW: False,
    sqlite3.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION: False,
}
LARGEST_IN_MEMORY = 32 << 20  # bytes of a file
LONGEST_VALUE = 64 << 20  # bytes
LONGEST_STATEMENT = 100_000  # bytes: those of a schema are parsed before they can be compared
SAFE_IN_URI = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-~")


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
        qualname, first_line, shape: as Code has them.
        patterns: bitmaps of slots, each with the ids of the contexts under which just these were hit.
    """

    __slots__ = ("first_line", "patterns", "qualname", "shape")

    def __init__(self, qualname: str, first_line: int, shape: Shape) -> None:
        self.qualname = qualname
        self.first_line = first_line
        self.shape = shape
        self.patterns: list[tuple[bytes, list[int]]] = []


class Database:
    """An open database; also a context manager, which closes it.

    All its methods raise CovcoreError if it is damaged.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        """Args:
        connection: to a database with our schema.
        name: what errors call it.
        """
        self.connection = connection
        self.name = name
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
            connection, n_bytes, content = connect(path, follow=follow)
            try:
                harden(connection)
                check_size(connection, n_bytes)
                check_schema(connection)
                check_trees(connection, content)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

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
                id: CodeHits(qualname, first_line, decode_shape(encoded))
                for id, qualname, first_line, encoded in self._rows(
                    "SELECT id, qualname, first_line, shape FROM code WHERE file = ?",
                    *(int, str, int, bytes),
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
        """The rows of a query.  Raises what SQLite does; ValueError if a value is of the wrong type."""
        for row in self.connection.execute(query, parameters):
            if tuple(map(type, row)) != types:
                raise ValueError("a value of the wrong type")
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


def connect(path: str, *, follow: bool) -> tuple[sqlite3.Connection, int, bytes | None]:
    """Connect to a file that is as it was written.

    Returns:
        The connection, the number of bytes of the file, and these, unless SQLite has opened it itself.

    Raises:
        OSError, sqlite3.Error: it cannot be read.
        ValueError: it is not as it was written, or no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size <= LARGEST_IN_MEMORY:
            content = b"".join(pieces_of(descriptor))
            check_seal([content])
            connection = sqlite3.connect(":memory:", isolation_level=None)
            connection.deserialize(content)
            return connection, len(content), content
        check_seal(pieces_of(descriptor))
        quoted = "".join(chr(byte) if byte in SAFE_IN_URI else f"%{byte:02X}" for byte in os.fsencode(path))
        uri = f"file:{'//' if path.startswith('/') else ''}{quoted}?mode=ro&immutable=1"
        before = descriptors_of(status)
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        if not descriptors_of(status) - before:
            connection.close()
            raise ValueError("it was replaced while it was opened")
        return connection, status.st_size, None
    finally:
        os.close(descriptor)


def descriptors_of(status: os.stat_result) -> set[int]:
    """The descriptors of this process under which a file is open.  Raises OSError: the system does not tell."""
    found = set()
    for name in os.listdir("/dev/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), status):
                found.add(int(name))
        except OSError:
            continue  # closed meanwhile, as that of the listing itself
    return found


def harden(connection: sqlite3.Connection) -> None:
    """Have nothing in the file run, and no value be larger than any of ours."""
    for option, enable in DEFENCES.items():
        connection.setconfig(option, enable)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT)
    connection.execute("PRAGMA cell_size_check = ON")


def check_size(connection: sqlite3.Connection, n_bytes: int) -> None:
    """Raises ValueError if the file has lost its end; SQLite itself looks at whole pages, and only at those it needs."""
    n_pages, page_bytes = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if n_bytes < n_pages * page_bytes:
        raise ValueError("it is cut short")


def check_schema(connection: sqlite3.Connection) -> None:
    """Raises ValueError if a table, index or view is not exactly ours."""
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        raise ValueError("its version is none of covcore's")
    ours = {(statement.split()[1].lower(), statement.split()[2], statement) for statement in TABLES + VIEWS + INDEXES}
    if set(connection.execute("SELECT type, name, sql FROM sqlite_master")) != ours:
        raise ValueError("its tables are not covcore's")


def check_trees(connection: sqlite3.Connection, content: bytes | None) -> None:
    """Raises ValueError if pages are used twice: a few that lead to each other would make as many rows as one likes.

    content: the file's bytes, if they are here; SQLite's own check is used where not, and takes ten times as long
    """
    if content is not None:
        roots = connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage != 0").fetchall()
        check_pages(content, [1, *(root for (root,) in roots)])
        return
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise ValueError(" ".join(str(found).split()))


def check_bits(bits: bytes, shape: Shape) -> None:
    """Raises ValueError if a bitmap does not fit a shape."""
    if len(bits) != bitmap_bytes(shape):
        raise ValueError("a bitmap of the wrong length")
