"""The table of arcs that is written without SQLite, as SQLite sees it."""

from __future__ import annotations

import random
import sqlite3
from array import array
from contextlib import closing
from pathlib import Path

import pytest
from coverage.sqldata import SCHEMA, SqliteDb

from covcore._reader import arc_pages, check_pages
from covcore_coverage import arctable
from covcore_coverage.arcs import Arc, Part

LIMITS = (-(2**31), -(2**23) - 1, -32769, -129, -1, 0, 1, 127, 128, 32767, 32768, 2**23, 2**31 - 1)


class Debug:
    """For SqliteDb: says nothing."""

    def should(self, option: str) -> bool:
        return False


def make(path: Path, page_bytes: int) -> arctable.Layout:
    """A data file without arcs."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size={page_bytes}")
        database.executescript(SCHEMA)
    with SqliteDb(str(path), Debug()) as opened:  # type: ignore[arg-type]
        layout = arctable.layout_of(opened)
    assert layout is not None and layout.page_bytes == page_bytes
    return layout


def some_rows(seed: int, files: int, contexts: int, most: int) -> list[tuple[int, int, list[set[Arc]]]]:
    """Arcs by file, context and code object; some are in several of these."""
    random_ = random.Random(seed)
    rows = []
    for file in range(1, files + 1):
        for context in range(file % 3, contexts * 40, 40):
            largest = random_.choice((100, 3000, 70_000))
            arcs = [
                (random_.randrange(largest), random_.randrange(-largest, largest))
                for _ in range(random_.randrange(most + 1))
            ]
            arcs += random_.choices([(line, to) for line in LIMITS for to in LIMITS], k=random_.choice((0, 0, 3)))
            rows.append((file, context, [set(arcs[: most // 2]), set(arcs[most // 3 :])]))
    return rows


@pytest.mark.parametrize("page_bytes", [512, 4096, 65536])
@pytest.mark.parametrize(("files", "contexts", "most"), [(0, 0, 0), (1, 1, 1), (1, 1, 60), (3, 50, 20), (30, 100, 40)])
def test_sqlite_finds_what_was_put_in(tmp_path: Path, page_bytes: int, files: int, contexts: int, most: int) -> None:
    path = tmp_path / "data"
    layout = make(path, page_bytes)
    rows = some_rows(page_bytes + most, files, contexts, most)
    parts = [(file, context, [Part("", arcs) for arcs in sets]) for file, context, sets in rows]
    assert arctable.fill(str(path), layout, parts)
    expected = {(file, context, *arc) for file, context, sets in rows for arcs in sets for arc in arcs}
    check_pages(path.read_bytes(), [1, layout.table_root, layout.index_root])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = database.execute("SELECT file_id, context_id, fromno, tono FROM arc NOT INDEXED").fetchall()
        assert found == sorted(expected)
        for row in random.Random(0).choices(found, k=200) if found else ():  # by the index
            assert database.execute("SELECT 1 FROM arc WHERE (file_id, context_id, fromno, tono) = (?, ?, ?, ?)", row)
        more = {(file, context, line, -5) for file in range(5) for context in range(50) for line in range(20)}
        with database:
            database.executemany("INSERT OR IGNORE INTO arc VALUES (?, ?, ?, ?)", [*found[::7], *more])
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert set(database.execute("SELECT * FROM arc")) == expected | more
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data"]


def test_a_table_that_has_rows_is_left_to_sqlite(tmp_path: Path) -> None:
    make(tmp_path / "data", 4096)
    with SqliteDb(str(tmp_path / "data"), Debug()) as opened:  # type: ignore[arg-type]
        opened.execute_void("INSERT INTO arc VALUES (1, 1, 1, 1)")
        assert arctable.layout_of(opened) is None


def test_pages_beyond_one_gibibyte_are_left_to_sqlite(tmp_path: Path) -> None:
    """The page that begins there is SQLite's own."""
    rows = [(1, context, [array("i", range(20)).tobytes()]) for context in range(1000)]
    pages = 2**30 // 4096
    n_bytes = len(arc_pages(rows, 4096, 4096, 100)[2])
    assert len(arc_pages(rows, 4096, 4096, pages - n_bytes // 4096)[2]) == n_bytes
    with pytest.raises(MemoryError):
        arc_pages(rows, 4096, 4096, pages - n_bytes // 4096 + 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ([(1, 1, []), (1, 1, [])], 4096, 4096, 5),
        ([(2, 1, []), (1, 2, [])], 4096, 4096, 5),
        ([(1, 1, [b"1234567"])], 4096, 4096, 5),
        ([(1, 1, ["12345678"])], 4096, 4096, 5),
        ([], 0, 0, 5),
        ([], 1000, 1000, 5),
        ([], 131072, 131072, 5),
        ([], 512, 479, 5),
        ([], 512, 513, 5),
    ],
)
def test_what_makes_no_table(arguments: tuple[list[tuple[int, int, list[bytes]]], int, int, int]) -> None:
    with pytest.raises(ValueError):
        arc_pages(*arguments)
