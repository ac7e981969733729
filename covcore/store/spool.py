"""Hits on disk, for merging more than memory holds: SQLite sorts them.

The file is SQLite's own temporary one: it has no name from the start, so that a killed process leaves nothing, and lies
where SQLITE_TMPDIR or TMPDIR say, else in /var/tmp.  What fits into the cache is not written at all.
"""

from __future__ import annotations

import _sqlite3 as sqlite3
from array import array
from itertools import islice

from covcore.errors import CovcoreError
from covcore.store.union import Hits, Patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore.store.union import Hit

BATCH = 10_000  # hits
CACHE = 24 << 10  # KiB, for what was added last and for sorting


class NoRoom(CovcoreError):
    """SQLite's temporary file cannot be written."""


class Spool(Hits):
    """See the module.  What is added must come before the first call of `of`.

    All methods raise NoRoom.
    """

    def __init__(self) -> None:
        self.connection = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{CACHE}",
            "CREATE TABLE hit (code INTEGER, bits BLOB, contexts BLOB)",
            "BEGIN",
        ):
            self.connection.execute(statement)
        self.is_sorted = False

    def close(self) -> None:
        self.connection.close()

    def add(self, hits: Iterable[Hit]) -> None:
        rows = (
            (code, bits, array("I", contexts).tobytes())
            for code, contexts_of in hits
            for bits, contexts in contexts_of.items()
        )
        while batch := list(islice(rows, BATCH)):  # errors of where they come from are not ours
            with Writing():
                self.connection.executemany("INSERT INTO hit VALUES (?, ?, ?)", batch)

    def mark(self) -> int:
        """A place to go back to."""
        with Writing():
            return int(self.connection.execute("SELECT coalesce(max(rowid), 0) FROM hit").fetchone()[0])

    def undo(self, mark: int) -> None:
        """Forget what was added since."""
        with Writing():
            self.connection.execute("DELETE FROM hit WHERE rowid > ?", (mark,))

    def of(self, code: int) -> dict[bytes, list[int]]:
        patterns = Patterns({})
        with Writing():
            if not self.is_sorted:
                self.connection.execute("CREATE INDEX by_code ON hit (code, bits, contexts)")
                self.is_sorted = True
            for bits, contexts in self.connection.execute(
                "SELECT bits, contexts FROM hit INDEXED BY by_code WHERE code = ?", (code,)
            ):
                patterns.add({bits: array("I", contexts).tolist()})
        return patterns.unique()


class Writing:
    """Says, within `with`, where SQLite's temporary file could not be written."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise NoRoom(f"no room to merge in: {error}: name a folder with more in TMPDIR") from None
