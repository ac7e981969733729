"""What many contexts have run put into coverage.py's data file at one opening of it.

CoverageData opens the file, and closes it again, for each context, hashes each arc and hands it to SQLite by itself: that took longer
than a suite's tests.  Its methods use a connection that is open already, by its _connect(); and by that connection all contexts can be put
in at once, and all arcs of a file.  Where there is no _connect() or no _hasher, or the tables are others than we know, its methods do it
all.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from coverage import sqldata

from covcore_coverage import arctable
from covcore_coverage.arcs import SHIFT
from covcore_coverage.journal import UNMARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from coverage import CoverageData

    from covcore_coverage.arcs import Arc, Part
    from covcore_coverage.arctable import Row

    type InContext[T] = Sequence[tuple[str | None, Mapping[str, T]]]  # context, then by path

SCHEMA_VERSION = 7  # since coverage.py 5.0
INSERT_CONTEXT = "INSERT OR IGNORE INTO context (context) VALUES (?)"
INSERT = f"""INSERT OR IGNORE INTO arc (file_id, context_id, fromno, tono)
SELECT ?, ?, value >> {SHIFT}, (value & {(1 << SHIFT) - 1}) - {1 << SHIFT - 1} FROM json_each(?)"""


def add_arcs(covdata: CoverageData, contexts: InContext[Sequence[Part]]) -> None:
    """Store arcs.  The context that covdata is in changes."""
    add: Any = covdata.add_arcs
    add({})  # from here on the data file is that of this process
    hasher = getattr(covdata, "_hasher", None)  # of what the name of the file will tell: whether another holds the same
    with _opened(covdata) as database:
        if database is None or hasher is None or getattr(sqldata, "SCHEMA_VERSION", 0) != SCHEMA_VERSION:
            for context, files in contexts:
                covdata.set_context(context)
                add({path: {arc for part in parts for arc in part.arcs} for path, parts in files.items()})
            return
        contexts = [(context, files) for context, files in contexts if files]
        covdata.touch_files({path for _, files in contexts for path in files})
        database.executemany_void(INSERT_CONTEXT, [(context or "",) for context, _ in contexts])
        for context, files in contexts:
            hasher.update(context)
            hasher.update(b"".join(sorted([part.digest for parts in files.values() for part in parts])))
        database.execute_void(UNMARK)  # all that was in the journal is among them
        rows = _rows(database, contexts)
        layout = arctable.layout_of(database) if getattr(covdata, "_our_suffix", False) else None
    # Where others may write to the file, or have it open, SQLite knows how they get along.
    if layout is None or database.con is not None or not arctable.fill(covdata.data_filename(), layout, rows):
        with _opened(covdata) as database:
            arcs = [(file, context, f"[{','.join([it.encoded for it in parts])}]") for file, context, parts in rows]
            database.executemany_void(INSERT, arcs)


def _rows(database: Any, contexts: InContext[Sequence[Part]]) -> list[Row]:
    """What is to be stored, by the ids of files and contexts, and in their order: it is that of the table's index."""
    with database.execute("SELECT path, id FROM file") as found:
        file_ids = dict(found)
    with database.execute("SELECT context, id FROM context") as found:
        context_ids = dict(found)
    by_ids: dict[tuple[int, int], list[Part]] = {}  # a context may have come more than once
    for context, files in contexts:
        context_id = context_ids[context or ""]
        for path, parts in files.items():
            by_ids.setdefault((file_ids[path], context_id), []).extend(parts)
    return [(*ids, parts) for ids, parts in sorted(by_ids.items())]


def add_sets(covdata: CoverageData, contexts: InContext[Set[Arc]] | InContext[Set[int]], *, arcs: bool) -> None:
    """Store arcs or lines that are in sets.  The context that covdata is in changes."""
    add: Any = covdata.add_arcs if arcs else covdata.add_lines
    add({})
    with _opened(covdata):
        for context, files in contexts:
            covdata.set_context(context)
            add(files)


def _opened(covdata: CoverageData) -> Any:
    """The connection, to be open for a while; None: it has no such method any more, and each of the others opens one."""
    return getattr(covdata, "_connect", nullcontext)()
