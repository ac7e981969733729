"""Writing a union as a database.

The same union gives the same bytes: every table is filled in the order of what its rows say, and ids follow that order.
"""

from __future__ import annotations

from covcore._reader import encode_numbers, shape_columns
from covcore.store import schema
from covcore.store.seal import LABEL, UNSEALED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _sqlite3 import Connection
    from collections.abc import Iterable

    from covcore.store.union import Union

    type Rows = list[tuple[object, ...]]

BATCH = 10_000  # rows kept in memory before they are inserted
N_COLUMNS = {
    "meta": 2,
    "run": 3,
    "setting": 4,
    "process": 10,
    "file": 4,
    "code": 10,
    "context": 4,
    "pattern": 4,
}


class Written:
    """What was written: the number of rows by table, and how many code objects were left out, their shapes being malformed."""

    __slots__ = ("n_malformed", "n_rows")

    def __init__(self) -> None:
        self.n_rows = dict.fromkeys(N_COLUMNS, 0)
        self.n_malformed = 0


def write_union(connection: Connection, union: Union, replaced: Iterable[str] = ()) -> Written:
    """Fill an empty database, in one transaction.

    Args:
        connection: in autocommit mode.
        union: the data.
        replaced: ids of runs whose data was replaced while there were recordings of theirs (see gathering.py).

    Raises:
        sqlite3.Error: whatever writing it met.
    """
    written = Written()
    connection.execute("BEGIN")
    schema.create(connection)
    insert(
        connection, written, "meta", [(LABEL, UNSEALED), *([("replaced", " ".join(sorted(replaced)))] * bool(replaced))]
    )
    write_runs(connection, written, union)
    write_files(connection, written, union, write_contexts(connection, written, union))
    schema.create_indexes(connection)
    connection.execute("COMMIT")
    return written


def write_runs(connection: Connection, written: Written, union: Union) -> None:
    """Fill run, setting and process."""
    runs = sorted((started, run_id, settings) for run_id, (started, settings) in union.runs.items())
    ids = {run_id: id for id, (_, run_id, _) in enumerate(runs, 1)}
    insert(connection, written, "run", ((ids[run_id], run_id, started) for started, run_id, _ in runs))
    insert(
        connection,
        written,
        "setting",
        (
            (ids[run_id], position, key, value)
            for _, run_id, settings in runs
            for position, (key, value) in enumerate(settings)
        ),
    )
    processes = sorted(
        (
            ids[one.run_id],
            one.boot_id,
            one.pid,
            one.start_ticks,
            one.started,
            one.tag,
            one.optimize,
            one.outcome,
            one.problem,
        )
        for one in union.known_processes()
    )
    insert(connection, written, "process", ((id, *process) for id, process in enumerate(processes, 1)))


def write_contexts(connection: Connection, written: Written, union: Union) -> list[int]:
    """Fill context.  Returns the ids of the contexts, in the union's order."""
    contexts = sorted(union.contexts)
    insert(connection, written, "context", ((id, *context) for id, context in enumerate(contexts, 1)))
    ids = dict(zip(contexts, range(1, len(contexts) + 1), strict=True))
    return [ids[context] for context in union.contexts]


def write_files(connection: Connection, written: Written, union: Union, context_ids: list[int]) -> None:
    """Fill file, code and pattern."""
    codes: Rows = []
    patterns: Rows = []
    code_id = pattern_id = 0
    newest = union.newest()
    codes_of = union.codes_of_revisions()
    insert(
        connection,
        written,
        "file",
        (
            (id, path_value(path), hash, union.recorded[revision])
            for id, (path, (hash, revision)) in enumerate(newest.items(), 1)
        ),
    )
    for file_id, (_, revision) in enumerate(newest.values(), 1):
        for key, number in codes_of[revision]:
            try:
                columns = shape_columns(key[-1])
            except ValueError:  # a forgery: reading a recording checks but the counts
                written.n_malformed += 1
                continue
            code_id += 1
            codes.append((code_id, file_id, *key[1:], *columns))
            for bits, contexts in sorted(union.hits.of(number).items()):
                pattern_id += 1
                ids = encode_numbers([context_ids[context] for context in contexts])
                patterns.append((pattern_id, code_id, bits, ids))
            if len(codes) + len(patterns) > BATCH:
                insert_all(connection, written, codes, patterns)
    insert_all(connection, written, codes, patterns)


def insert_all(connection: Connection, written: Written, codes: Rows, patterns: Rows) -> None:
    """Insert code objects and what was hit of them, and empty the lists."""
    for table, rows in ("code", codes), ("pattern", patterns):
        insert(connection, written, table, rows)
        rows.clear()


def insert(connection: Connection, written: Written, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    places = ", ".join("?" * N_COLUMNS[table])
    written.n_rows[table] += connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows).rowcount


def path_value(path: bytes) -> str | bytes:
    """A path as the database keeps it: text where it is UTF-8, else its bytes."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return path
