"""Large databases are read from a copy: a temporary file without a name.

SQLite opens files by their names, following even /proc/self/fd/N to one, and waits for ever if that has become a FIFO's.  So
what is too large to be given to it in memory is copied, once, into a file that nobody else can name.  It lies where
SQLite's own temporary files do.
"""

from __future__ import annotations

import _sqlite3 as sqlite3
import os

from covcore.errors import CovcoreError
from covcore.platform import open_descriptor, temporary_places
from covcore.store.seal import check_seal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAFE_IN_URI = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-~")


def connect_to_copy(pieces: Iterable[bytes], n_bytes: int, path: str) -> sqlite3.Connection:
    """Connect to a copy of a file, which goes with the connection.

    Args:
        pieces: what stands in the file.
        n_bytes: of them.
        path: what errors call it.

    Raises:
        OSError, sqlite3.Error: the file cannot be read.
        ValueError: it is not as it was written.
        CovcoreError: there is no room for the copy.
    """
    try:
        connection, descriptor = open_nameless(n_bytes)
    except (OSError, sqlite3.Error) as error:
        raise no_room(path, error) from None
    try:
        check_seal(copied(pieces, descriptor, path))
        return connection
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(descriptor)


def open_nameless(n_bytes: int) -> tuple[sqlite3.Connection, int]:
    """Make a file that SQLite can read and we can write, and take its name away before anything is in it.

    It has its length from the start: SQLite asks for that as it opens the file, and for nothing else.

    Returns:
        SQLite's connection, and our descriptor.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """
    folder = make_temporary_folder()
    path = f"{folder}/copy"
    try:
        descriptor = open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, n_bytes)
            quoted = "".join(chr(byte) if byte in SAFE_IN_URI else f"%{byte:02X}" for byte in os.fsencode(path))
            uri = f"file://{quoted}?mode=ro&immutable=1"
            return sqlite3.connect(uri, uri=True, isolation_level=None), descriptor
        except BaseException:
            os.close(descriptor)
            raise
        finally:
            os.unlink(path)
    finally:
        os.rmdir(folder)


def make_temporary_folder() -> str:
    """Make a folder of ours alone, where SQLite would have its temporary files.  Raises OSError."""
    error = None
    for place in (os.environ.get("SQLITE_TMPDIR"), *temporary_places()):
        folder = f"{place}/covcore-{os.urandom(8).hex()}"
        try:
            if place and os.path.isabs(place):
                os.mkdir(folder, 0o700)
                return folder
        except OSError as reason:
            error = reason
    assert error
    raise error


def copied(pieces: Iterable[bytes], descriptor: int, path: str) -> Iterator[bytes]:
    """Pass pieces on, and write them to a file.  Raises CovcoreError: there is no room."""
    for piece in pieces:
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            raise no_room(path, error) from None
        yield piece


def no_room(path: str, error: Exception) -> CovcoreError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CovcoreError(f"cannot read {path}: no room for a copy of it ({reason}): name a folder with more in TMPDIR")
