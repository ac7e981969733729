"""The table of arcs of a data file that has none yet, written at once.

SQLite takes 5,000 instructions to put in a row, most of them to find its place among the others.  Where all rows are there, and in
order, the pages of the table and of its index can be written one after another; covcore._reader does that with 830.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from covcore._reader import arc_pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from covcore_coverage.arcs import Part

    type Row = tuple[int, int, list[Part]]  # ids of file and context, and what ran

ROOTS = "SELECT name, rootpage FROM sqlite_master WHERE tbl_name = 'arc'"

# In the header of an SQLite file: https://www.sqlite.org/fileformat2.html
FORMATS = slice(18, 20)  # of writing and of reading
ROLLBACK = b"\1\1"  # the one without a log beside the file
RESERVED = 20  # bytes at the end of each page
COUNTER = slice(24, 28)  # of changes
N_PAGES = slice(28, 32)
COUNTER_OF_SIZE = slice(92, 96)  # by which the number of pages is known to be right


class Layout(NamedTuple):
    """Where a data file has its table of arcs, which is empty.

    table_root, index_root: their pages, from 1
    """

    page_bytes: int
    table_root: int
    index_root: int


def layout_of(database: Any) -> Layout | None:
    """Look at an open file.  Returns None if it cannot be filled in this way."""
    if database.execute_one("SELECT 1 FROM arc LIMIT 1") or database.execute_one("PRAGMA auto_vacuum") != (0,):
        return None
    with database.execute(ROOTS) as rows:
        roots = dict(rows)
    if roots.keys() != {"arc", "sqlite_autoindex_arc_1"}:
        return None
    (page_bytes,) = database.execute_one("PRAGMA page_size")
    return Layout(page_bytes, roots["arc"], roots["sqlite_autoindex_arc_1"])


def fill(path: str, layout: Layout, rows: Sequence[Row]) -> bool:
    """Put rows, which ascend by file and context, into a file that nobody has open, and that none but this process writes to.

    Returns whether that was done; if not, the file is as it was.
    """
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".covcore-filled-{name}")  # no name that `combine` takes in
    try:
        with open(path, "rb") as file:
            content = bytearray(file.read())
        n_pages, rest = divmod(len(content), layout.page_bytes)
        if rest or content[FORMATS] != ROLLBACK:
            return False
        table, index, more = arc_pages(
            [(file, context, [part.packed for part in parts]) for file, context, parts in rows],
            layout.page_bytes,
            layout.page_bytes - content[RESERVED],
            n_pages,
        )
        for number, page in ((layout.table_root, table), (layout.index_root, index)):
            content[(number - 1) * layout.page_bytes : number * layout.page_bytes] = page
        counter = (int.from_bytes(content[COUNTER]) + 1) % (1 << 32)
        content[COUNTER] = content[COUNTER_OF_SIZE] = counter.to_bytes(4)
        content[N_PAGES] = (n_pages + len(more) // layout.page_bytes).to_bytes(4)
        with open(new, "xb") as filled:
            filled.write(content)
            filled.write(more)
        os.replace(new, path)
    except (OSError, MemoryError, ValueError):  # the disk is full, say: SQLite's way tells the user
        with suppress(OSError):
            os.unlink(new)
        return False
    return True
