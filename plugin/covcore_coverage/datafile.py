"""A data file of coverage.py, checked before anything believes it.

coverage.py opens such a file to write to it, follows links, and takes what the tables hold for what it would have put there.
So it is given a copy in a folder of our own, and that only once SQLite has read it with all of our defences: its tables are
coverage.py's and nothing else, no page is used twice, and each value is of the right type and of a sensible size.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coverage.data import CoverageData
from coverage.exceptions import CoverageException
from coverage.sqldata import SCHEMA, SCHEMA_VERSION

from covcore.errors import CovcoreError
from covcore.platform import open_descriptor
from covcore.store.inputs import reason_of
from covcore.store.opening import Brief, check_size, harden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from covcore_coverage.arcs import Arc

LARGEST = 1 << 30  # bytes of a file
LARGEST_LINE = 1 << 20
LONGEST_TEXT = 1 << 16  # characters of a path, a context, the name of a plugin

IS_LINE = f"BETWEEN {-LARGEST_LINE} AND {LARGEST_LINE}"
IS_TEXT = f"< {LONGEST_TEXT}"
OF_BOTH = "file_id IN (SELECT id FROM file) AND context_id IN (SELECT id FROM context)"
VALUES = {  # what each row has to be
    "meta": f"typeof(key) = 'text' AND length(value) {IS_TEXT}",
    "file": f"typeof(path) = 'text' AND length(path) {IS_TEXT} AND instr(path, char(0)) = 0",
    "context": f"typeof(context) = 'text' AND length(context) {IS_TEXT}",
    "line_bits": f"{OF_BOTH} AND typeof(numbits) = 'blob' AND length(numbits) <= {LARGEST_LINE >> 3}",
    "arc": f"{OF_BOTH} AND typeof(fromno) = 'integer' AND typeof(tono) = 'integer' AND fromno {IS_LINE} AND tono {IS_LINE}",
    "tracer": f"file_id IN (SELECT id FROM file) AND typeof(tracer) = 'text' AND length(tracer) {IS_TEXT}",
}


class DataFile:
    """What a data file of coverage.py holds.

    Attributes:
        measured: when it was written last, ns since 1970.
        has_arcs: whether branches were measured.
        contexts: path of a file -> the contexts in which any of it ran.
    """

    def __init__(self, data: CoverageData, contexts: dict[str, list[str]], measured: int) -> None:
        self._data = data
        self.measured = measured
        self.has_arcs = data.has_arcs()
        self.contexts = contexts

    def plugin(self, path: str) -> str:
        """The name of the plugin that has measured a file; "": Python."""
        return self._data.file_tracer(path) or ""

    def hits(self, path: str, context: str) -> tuple[set[int], set[Arc]]:
        """The lines and the arcs of a file in a context."""
        self._data.set_query_context(context)
        return set(self._data.lines(path) or ()), set(self._data.arcs(path) or ())


@contextmanager
def opened(path: str) -> Iterator[DataFile]:
    """Open a data file of coverage.py.

    Args:
        path: of the file, which stays as it is.

    Raises:
        CovcoreError: it cannot be read, is no such file, or is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="covcore-") as folder:
        copy = os.path.join(folder, "data")
        try:
            measured = copy_to(path, copy)
            contexts = check(copy)
            data = CoverageData(basename=copy)
            data.read()
        except OSError as error:
            raise CovcoreError(reason_of(error)) from None
        except (sqlite3.Error, ValueError, OverflowError, CoverageException) as error:
            raise CovcoreError(" ".join(str(error).split())[:200]) from None
        try:
            yield DataFile(data, contexts, measured)
        finally:
            data.close(force=True)


def copy_to(path: str, copy: str) -> int:
    """Copy a regular file.

    Returns:
        When it was written last, ns since 1970.

    Raises:
        OSError: it cannot be read, or there is no room.
        ValueError: it is no regular file, or too large.
    """
    descriptor = open_descriptor(path)
    with open(descriptor, "rb") as file, open(copy, "xb") as new:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > LARGEST:
            raise ValueError("it is too large")
        shutil.copyfileobj(file, new)
    return max(0, status.st_mtime_ns)


def check(copy: str) -> dict[str, list[str]]:
    """Check a file that nobody else writes to.

    Returns:
        What DataFile has as contexts.

    Raises:
        sqlite3.Error, ValueError: what is wrong with it.
    """
    uri = Path(copy).absolute().as_uri()  # a folder for temporary files may be called anything
    with closing(sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None)) as connection:
        harden(connection)
        with Brief(connection):
            check_size(connection, os.path.getsize(copy))
            check_tables(connection)
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":  # pages that are used twice, say
            raise ValueError(found)
        for table, condition in VALUES.items():
            if connection.execute(f"SELECT 1 FROM {table} WHERE ({condition}) IS NOT TRUE LIMIT 1").fetchone():
                raise ValueError(f"a value in its table {table} is none of coverage.py's")
        paths, contexts = (
            dict(connection.execute(query))
            for query in ("SELECT id, path FROM file", "SELECT id, context FROM context")
        )
        contexts_of: dict[str, list[str]] = {path: [] for path in sorted(paths.values())}
        for file, context in connection.execute(
            "SELECT file_id, context_id FROM arc UNION SELECT file_id, context_id FROM line_bits"
        ):
            contexts_of[paths[file]].append(contexts[context])  # by ids: many rows may refer to one long text
        for found in contexts_of.values():
            found.sort()
        return contexts_of


def check_tables(connection: sqlite3.Connection) -> None:
    """Raises ValueError if tables are not exactly those of coverage.py's present schema."""
    tables = tables_of(connection)
    if "coverage_schema" not in tables:
        raise ValueError("it is another program's SQLite database")
    versions = connection.execute("SELECT version FROM coverage_schema LIMIT 2").fetchall()
    if versions != [(SCHEMA_VERSION,)]:
        found = ", ".join(str(version)[:20] for (version,) in versions) or "none"
        raise ValueError(
            f"its schema is coverage.py's {found}, and the coverage.py that is installed has {SCHEMA_VERSION}"
        )
    with closing(sqlite3.connect(":memory:")) as own:
        own.executescript(SCHEMA)
        if tables != tables_of(own):
            raise ValueError("its tables are not coverage.py's")


def tables_of(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """All that a schema has: name -> kind, and text without comments and layout."""
    return {
        str(name): (str(kind), " ".join(re.sub(r"--.*", "", sql or "").split()))
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master")
    }
