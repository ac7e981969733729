"""Opening a database file: whether it is one that covcore may have written.

A published file is never changed, only replaced by a rename, so that no lock and no journal beside it counts.  It is
opened once, by ourselves, and SQLite is given what was read, in memory or in a temporary file: whatever is put in its
place meanwhile, a FIFO or a link, say, is not looked at.
"""

import _sqlite3 as sqlite3
import os
import stat

from covcore._reader import check_pages
from covcore.errors import CovcoreError
from covcore.platform import open_descriptor
from covcore.store.copying import connect_to_copy
from covcore.store.schema import INDEXES, TABLES, VERSION, VIEWS
from covcore.store.seal import check_seal, pieces_of

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
MOST_STEPS, STEP = 2000, 100  # of SQLite's machine: ours takes less than 200, about ten for each table, index and view


def open_file(path: str, *, follow: bool) -> tuple[sqlite3.Connection, int]:
    """Open a database file, if it is one that covcore may have written.

    Args:
        path: of the file.
        follow: whether it may be a symbolic link.

    Returns:
        A connection to what was read, and the number of bytes of the file.

    Raises:
        OSError, sqlite3.Error, ValueError: it is damaged, or not ours.
        CovcoreError: it cannot be read.
    """
    connection, n_bytes, content = connect(path, follow=follow)
    try:
        harden(connection)
        with Brief(connection):
            check_size(connection, n_bytes)
            check_schema(connection)
        check_trees(connection, content)
    except BaseException:
        connection.close()
        raise
    return connection, n_bytes


def connect(path: str, *, follow: bool) -> tuple[sqlite3.Connection, int, bytes | None]:
    """Connect to a file that is as it was written.

    Returns:
        The connection, the number of bytes of the file, and these, unless they are on disk.

    Raises:
        OSError, sqlite3.Error, ValueError: it is not as it was written.
        CovcoreError: it cannot be read, or there is no room for a copy.
    """
    try:
        descriptor = open_descriptor(path, follow=follow)
    except OSError as error:
        raise CovcoreError(f"cannot read {path}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CovcoreError(f"cannot read {path}: not a regular file")
        pieces = pieces_of(descriptor)
        if status.st_size > LARGEST_IN_MEMORY:
            return connect_to_copy(pieces, status.st_size, path), status.st_size, None
        content = b"".join(pieces)
        check_seal([content])
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(content)
        return connection, len(content), content
    finally:
        os.close(descriptor)


def harden(connection: sqlite3.Connection) -> None:
    """Have nothing in the file run, and no value be larger than any of ours."""
    for option, enable in DEFENCES.items():
        connection.setconfig(option, enable)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT)
    connection.execute("PRAGMA cell_size_check = ON")


class Brief:
    """Within `with`, SQLite may do no more than it takes to read a schema like ours.

    It reads all of a schema before it does anything else, and of one with a million views for hours.
    """

    __slots__ = ("connection", "left")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.left = MOST_STEPS // STEP
        self.connection.set_progress_handler(self._is_over, STEP)

    def _is_over(self) -> bool:
        self.left -= 1
        return self.left < 0

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.connection.set_progress_handler(None, STEP)
        if self.left < 0 and isinstance(error, sqlite3.OperationalError):
            raise ValueError("it has too many tables") from None


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
