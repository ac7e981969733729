"""The pages of SQLite files: real ones are fine, and one page or cell used twice is found."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import struct
from pathlib import Path

import pytest

from covcore._reader import check_pages

SIZES = [512, 1024, 4096, 65536]


def file_of(path: Path, page_bytes: int, n_rows: int = 100) -> tuple[bytes, list[int]]:
    """The bytes of a database with tables and indexes of short and long values, and its roots."""
    chance = random.Random(page_bytes)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, value BLOB)")
        connection.execute("CREATE TABLE b (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        connection.execute("CREATE INDEX c ON a (value)")
        for number in range(n_rows):
            value = chance.randbytes(int(10 ** chance.uniform(0, 4)))
            connection.execute("INSERT INTO a VALUES (?, ?)", (number * 10**12, value))
            connection.execute("INSERT INTO b VALUES (?, ?)", (f"{value.hex()} {number}", str(number)))
        connection.execute("DELETE FROM a WHERE id % 7 = 0")
        connection.execute("COMMIT")
        roots = [root for (root,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage != 0")]
    return path.read_bytes(), [1, *roots]


@pytest.mark.parametrize("page_bytes", SIZES)
def test_real_files_are_fine(tmp_path: Path, page_bytes: int) -> None:
    check_pages(*file_of(tmp_path / "data", page_bytes))
    check_pages(*file_of(tmp_path / "empty", page_bytes, 0))


@pytest.mark.parametrize("page_bytes", SIZES)
def test_a_cell_that_is_used_twice(tmp_path: Path, page_bytes: int) -> None:
    file, roots = file_of(tmp_path / "data", page_bytes)
    n_found = 0
    for start in range(page_bytes, len(file), page_bytes):
        n_cells = int.from_bytes(file[start + 3 : start + 5])
        if file[start] == 13 and n_cells > 2:
            spoilt = bytearray(file)
            spoilt[start + 8 : start + 8 + 2 * n_cells] = spoilt[start + 8 : start + 10] * n_cells
            room = page_bytes - 8 - 2 * n_cells
            first = int.from_bytes(file[start + 8 : start + 10])
            if (page_bytes - first) * n_cells > room:  # the first cell stands last in a page that was filled in order
                with contextlib.suppress(ValueError):
                    check_pages(bytes(spoilt), roots)
                    continue
                n_found += 1
    assert n_found > 0


@pytest.mark.parametrize("page_bytes", SIZES)
def test_a_page_that_is_used_twice(tmp_path: Path, page_bytes: int) -> None:
    file, roots = file_of(tmp_path / "data", page_bytes)
    n_pages = len(file) // page_bytes
    n_found = 0
    for start in range(page_bytes, len(file), page_bytes):
        if file[start] in (2, 5) and roots.count(start // page_bytes + 1):
            pages = range(n_pages + 2) if n_pages < 60 else random.Random(1).sample(range(n_pages + 2), 60)
            for page in pages:
                spoilt = bytearray(file)
                spoilt[start + 8 : start + 12] = struct.pack(">I", page)
                if spoilt != file:
                    with contextlib.suppress(ValueError):
                        check_pages(bytes(spoilt), roots)
                        continue  # a page that nothing else uses, and that looks like one of a tree
                    n_found += 1
            assert n_found > len(pages) * 0.8
    assert n_found > 0


def test_a_root_that_is_used_twice_or_is_none(tmp_path: Path) -> None:
    file, roots = file_of(tmp_path / "data", 4096)
    for wrong in [*roots, roots[1]], [0], [len(file) // 4096 + 1], [2**32 - 1]:
        with pytest.raises(ValueError, match="malformed"):
            check_pages(file, wrong)
    for number in -1, 2**32:
        with pytest.raises((OverflowError, ValueError)):
            check_pages(file, [number])


def test_files_that_are_cut_short_or_none(tmp_path: Path) -> None:
    file, roots = file_of(tmp_path / "data", 512, 30)
    for n_bytes in [*range(520), *range(600, len(file), 4870)]:
        with pytest.raises(ValueError, match="malformed"):
            check_pages(file[:n_bytes], roots)


def test_flipped_bits_never_surprise(tmp_path: Path) -> None:
    """What is taken for fine gives no more than the file has: SQLite itself says how much."""
    path = tmp_path / "data"
    file, roots = file_of(path, 512, 40)
    chance = random.Random(5)
    n_refused = 0
    for _ in range(1000):
        spoilt = bytearray(file)
        place = chance.randrange(len(file) // 512) * 512 + chance.choice([*range(12), chance.randrange(512)])
        spoilt[place] ^= 1 << chance.randrange(8)
        try:
            check_pages(bytes(spoilt), roots)
        except ValueError:
            n_refused += 1
            continue
        path.write_bytes(spoilt)
        with contextlib.closing(sqlite3.connect(path)) as connection, contextlib.suppress(sqlite3.DatabaseError):
            for table in "ab":
                for n_rows, _row in enumerate(connection.execute(f"SELECT * FROM {table}")):
                    assert n_rows < len(file)
    assert n_refused > 100
