"""Data files that somebody made up: refused in a line, soon, and without touching anything else.

A forged database has a checksum that is right (tests/forging.py): what is tested is what stands behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Place, unless_sanitized
from forging import forge
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import CODE, Recording, database_of, shape_of, simple

from covcore._reader import read_recording
from covcore.errors import CovcoreError
from covcore.store import opening
from covcore.store.combine import Refused, combine
from covcore.store.database import Database
from covcore.store.publish import write_file
from covcore.store.seal import check_seal, write_seal
from covcore.store.union import Union

SECONDS = 1.0  # to be refused in
MEGABYTES = 100  # of memory, the interpreter's own included


def several() -> Recording:
    recording = Recording("a1", settings=[("argv", "-m pytest"), ("source", "/src")])
    for number in range(3):
        code = recording.code(recording.file(f"/src/{number}.py"), shape_of(), f"f{number}")
        recording.context("", f"test_{number}", "run")
        recording.hit(code, range(number, 5))
    return recording


def everything(path: Path) -> object:
    """All that a database says."""
    union = Union()
    with Database.open(str(path)) as database:
        database.add_to(union)
        return [
            [(run.run_id, run.started, run.settings) for run in database.runs()],
            [tuple(getattr(one, name) for name in one.__slots__) for one in database.processes()],
            database.contexts(),
            database.counts(),
            database.replaced(),
            [(file.path, file.hash, [(code.qualname, code.bits) for code in file.codes]) for file in database.files()],
            sorted(union.codes),
        ]


class Limited:
    """A process that reads files, with a limit on its memory and a clock: what one hostile file may cost."""

    SCRIPT = """\
import os, sys, time
from covcore.errors import CovcoreError
from covcore.store.combine import combine
import covcore.store.loading, covcore.store.maintenance
for path in sys.argv[2:]:
    started = time.process_time()
    try:
        combine(sys.argv[1], [path], keep=True)
        said = "nothing"
    except CovcoreError as error:
        said = "; ".join([str(error), *getattr(error, "reasons", [])])
    with open("/proc/self/status") as status:  # ru_maxrss would be that of who started us, if it is larger
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(time.process_time() - started, peak // 1000, repr(said))
"""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "limited.out"

    def refusal(self, path: Path) -> str:
        """What is said of a file, which must be soon and within the memory that is allowed."""
        run = subprocess.run(
            [sys.executable, "-c", self.SCRIPT, str(self.output), str(path)], capture_output=True, text=True, timeout=30
        )
        assert run.returncode == 0, run.stderr
        seconds, megabytes, said = run.stdout.split(maxsplit=2)
        assert float(seconds) < SECONDS, said
        assert int(megabytes) < MEGABYTES, said
        assert not self.output.exists(), said
        assert "nothing was combined" in said
        return said


@pytest.fixture
def limited(tmp_path: Path) -> Limited:
    return Limited(tmp_path)


# ---- bits


@pytest.mark.once
def test_each_bit_of_a_database_counts(tmp_path: Path) -> None:
    """A flipped bit anywhere is found by the checksum, before SQLite sees the file."""
    path = database_of(tmp_path / "data", simple())
    whole = path.read_bytes()
    right = everything(path)
    with path.open("r+b", buffering=0) as file:
        for place in range(len(whole)):
            os.pwrite(file.fileno(), bytes([whole[place] ^ 1 << place % 8]), place)
            with pytest.raises(ValueError, match="checksum"):
                check_seal([path.read_bytes()])
            if place % 997 == 0:
                with pytest.raises(CovcoreError):
                    Database.open(str(path))
            os.pwrite(file.fileno(), whole[place : place + 1], place)
    assert everything(path) == right


# ---- files that become something else

COPIED = [pytest.param(opening.LARGEST_IN_MEMORY, id="in-memory"), pytest.param(0, id="copied")]
SWAPPER = """
import itertools, os, sys
path, mine, fifo = sys.argv[1:]
os.mkfifo(fifo)
print(flush=True)
for number in itertools.count():
    os.symlink(mine, path + ".link")
    os.rename(path + ".link", path)
    os.link(fifo, path + ".again")
    os.rename(path + ".again", path)
    os.link(path + ".whole", path + ".copy")
    os.rename(path + ".copy", path)
"""


@pytest.mark.parametrize("most", COPIED)
def test_a_file_that_is_swapped_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """For a link to another database, and for a FIFO, which would wait for ever: neither is ever read."""
    monkeypatch.setattr(opening, "LARGEST_IN_MEMORY", most)
    path = database_of(tmp_path / "data", several())
    os.link(path, tmp_path / "data.whole")
    mine = database_of(tmp_path / "mine", simple(path="/secret.py"))
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, path, mine, tmp_path / "fifo"], stdout=subprocess.PIPE)
    found = {"read": 0, "refused": 0}
    try:
        assert swapper.stdout
        swapper.stdout.readline()
        began = time.monotonic()
        while time.monotonic() < began + (1 if all(found.values()) else 30):
            try:
                with Database.open(str(path), follow=False) as database:
                    assert database.paths() == ["/src/0.py", "/src/1.py", "/src/2.py"]
                found["read"] += 1
            except CovcoreError:
                found["refused"] += 1
        assert swapper.poll() is None
    finally:
        swapper.kill()
        swapper.communicate()
    assert all(found.values())


# A process, since one that waits in SQLite for a FIFO cannot be interrupted.  Right before the function that is named first is
# called the file becomes what is named last.
SWAPPED = """
import _sqlite3, importlib, os, socket, sys, time
from covcore.errors import CovcoreError
from covcore.store import database, opening
most, module, function, path, kind = sys.argv[1:]
opening.LARGEST_IN_MEMORY = int(most)
os.chdir(os.path.dirname(path))
def become():
    os.unlink(path)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(path + ".mine", path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(os.path.basename(path))
    elif kind == "device":
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
def swapped(*arguments, real=getattr(importlib.import_module(module), function), **named):
    if os.path.isfile(path) and not os.path.islink(path):
        become()
    return real(*arguments, **named)
setattr(importlib.import_module(module), function, swapped)
try:
    print(database.Database.open(path, follow=False).paths())
except CovcoreError as error:
    print(error)
print(time.process_time() < 5)
"""


@pytest.mark.parametrize("most", COPIED)
@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "link", "device"])
def test_a_file_that_becomes_something_else(tmp_path: Path, kind: str, most: int) -> None:
    """Before it is opened: it is refused, in words.  After that, as SQLite connects: what was opened is read."""
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("devices are root's to make")
    for module, function in ("covcore.store.opening", "connect"), ("_sqlite3", "connect"):
        path = database_of(tmp_path / f"{module}.data", several())
        database_of(tmp_path / f"{module}.data.mine", simple(path="/secret.py"))
        command = [sys.executable, "-c", SWAPPED, str(most), module, function, path, kind]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert run.returncode == 0, run.stderr
        said, was_quick = run.stdout.splitlines()
        if module == "_sqlite3":
            assert said == "['/src/0.py', '/src/1.py', '/src/2.py']"
        else:
            assert said.startswith(f"cannot read {path}: ")
        assert was_quick == "True"


def test_a_large_file_is_read_from_a_copy_without_a_name(place: Place, tmp_path: Path) -> None:
    planted(place, str(place.folder / "other.py"), b"h" * 32)
    connection = sqlite3.connect(place.data)
    with connection:
        connection.execute(
            "UPDATE context SET test = hex(randomblob(?)) WHERE id = 2", (opening.LARGEST_IN_MEMORY // 2,)
        )
    connection.close()
    write_seal(str(place.data))
    copies = tmp_path / "copies"
    copies.mkdir()
    right = place.covcore("report", TMPDIR=str(copies))
    assert "mine.py" in right.stdout and right.status == 0
    assert list(copies.iterdir()) == []
    limit = "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    place.write("limited.py", limit + "from covcore.cli import main\nsys.exit(main(['report']))\n")
    short = place.python("limited.py", TMPDIR=str(copies))
    assert short.status == 1
    assert short.stderr.endswith("no room for a copy of it (File too large): name a folder with more in TMPDIR\n")
    assert list(copies.iterdir()) == []


def test_flipped_bits_under_a_good_checksum_never_surprise(tmp_path: Path) -> None:
    """As if their author had flipped them: every byte of every page that says something."""
    path = database_of(tmp_path / "data", several())
    whole = path.read_bytes()
    n_refused = 0
    chance = random.Random(3)
    places = [place for place in range(len(whole)) if whole[place]]
    for place in chance.sample(places, min(len(places), 1000)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        try:
            write_seal(str(path))
        except ValueError:
            continue  # it has no place for one any more
        try:
            everything(path)
        except CovcoreError as error:
            assert "\n" not in str(error)
            n_refused += 1
    assert n_refused > 400


def test_cut_at_each_page_and_beside(tmp_path: Path) -> None:
    path = database_of(tmp_path / "data", several())
    whole = path.read_bytes()
    for n_bytes in sorted({*range(0, len(whole), 512), *range(1, 200), len(whole) - 1}):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(CovcoreError):
            everything(path)
        if n_bytes > 70_000:
            write_seal(str(path))
            with pytest.raises(CovcoreError):
                everything(path)


# ---- what SQLite would run


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON file BEGIN DELETE FROM file; END",
        "CREATE TRIGGER t AFTER DELETE ON sqlite_sequence BEGIN SELECT 1; END",
        "CREATE VIEW extra AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "CREATE VIRTUAL TABLE extra USING fts5(x)",
        "CREATE TABLE extra (x, y AS (x + 1))",
        "CREATE INDEX extra ON file (length(hash))",
        "CREATE TABLE sqlite_stat9 (x)",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
    ],
)
def test_schemas_that_are_not_ours(tmp_path: Path, limited: Limited, statement: str) -> None:
    path = database_of(tmp_path / "data", several())
    try:
        forge(path, statement)
    except sqlite3.Error:
        forge(
            path,
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', 'extra', 'extra', 0,"
            " 'CREATE VIRTUAL TABLE extra USING fts5(x)')",
        )
    limited.refusal(path)


@pytest.mark.parametrize("table", ["pattern", "code", "file", "context", "run", "process", "meta"])
def test_a_table_that_is_an_endless_view(tmp_path: Path, limited: Limited, table: str) -> None:
    path = database_of(tmp_path / "data", several())
    view = f"CREATE VIEW {table} AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS code FROM n"
    forge(path, f"UPDATE sqlite_schema SET type = 'view', rootpage = 0, sql = '{view}' WHERE name = '{table}'")
    assert "is damaged" in limited.refusal(path)


# ---- sizes


@unless_sanitized  # its limit is on memory
@pytest.mark.once
def test_blobs_and_texts_that_are_too_long(tmp_path: Path, limited: Limited) -> None:
    """The file itself is as large as they are: the limit is that of what reading it may cost."""
    for number, statement in enumerate(
        [
            "UPDATE pattern SET bits = zeroblob(90000000) WHERE id = 1",
            "UPDATE file SET path = CAST(zeroblob(90000000) AS TEXT) WHERE id = 1",
            "UPDATE context SET test = hex(randomblob(40000000)) WHERE id = 2",
        ]
    ):
        path = database_of(tmp_path / f"data{number}", several())
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(statement)
        connection.close()
        write_seal(str(path))
        assert "is damaged" in limited.refusal(path)
        path.unlink()


@unless_sanitized  # which takes as much memory as the limit leaves
def test_a_long_text_that_many_rows_refer_to(tmp_path: Path, limited: Limited) -> None:
    """4 MB that come with each of 3,000 rows."""
    path = database_of(tmp_path / "data", several())
    forge(
        path,
        "UPDATE run SET run_id = hex(randomblob(2000000)) WHERE id = 1",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " INSERT INTO process SELECT 100 + i, 1, '', i, i, i, '', 0, 'finished', '' FROM n",
    )
    assert "is damaged (its rows hold more than the file)" in limited.refusal(path)


def test_a_schema_of_many_views(tmp_path: Path, limited: Limited) -> None:
    """SQLite reads all of it before it does anything else, and for hours."""
    path = database_of(tmp_path / "data", several())
    forge(
        path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n",
    )
    assert "is damaged (it has too many tables)" in limited.refusal(path)


def test_a_hole_of_a_terabyte(tmp_path: Path, limited: Limited) -> None:
    path = database_of(tmp_path / "data", several())
    with path.open("r+b") as file:
        file.truncate(1 << 40)
        file.seek(28)
        file.write(struct.pack(">I", (1 << 40) // 4096 % (1 << 32)))
    assert "is damaged (a part of it is missing)" in limited.refusal(path)
    Path(f"{path}.zeros").write_bytes(b"")
    os.truncate(f"{path}.zeros", 1 << 40)
    assert "is not a database of covcore" in limited.refusal(Path(f"{path}.zeros"))


def test_recordings_of_holes(tmp_path: Path, limited: Limited) -> None:
    """A segment with a hole behind what it has, one of zeros that it says are records, and one that is too large."""
    recording = simple()
    path = recording.write(tmp_path / "hole.d")
    os.truncate(path, 1 << 40)
    assert "larger than a recording can be" in limited.refusal(path)
    zeros = recording.write(tmp_path / "zeros.d")
    zeros.write_bytes(recording.segment(records=recording.records + bytes(64 << 20)))
    assert "a record is of no known type" in limited.refusal(zeros)
    noise = recording.write(tmp_path / "noise.d")
    with noise.open("ab") as file:
        for _ in range(140):
            file.write(b"x" * (1 << 20))
    assert "larger than a recording can be" in limited.refusal(noise)


def test_a_shape_that_claims_more_than_there_is(tmp_path: Path, limited: Limited) -> None:
    for number, shape in enumerate([b"\xff" * 8, b"\xff\xff\xff\xff\x0f" * 3, bytes(4), shape_of()[:-1], b""]):
        recording = Recording(f"b{number}")
        file = recording.file("/x.py")
        recording.add(CODE, struct.pack("<IiIII", file, 1, 3, 1, len(shape)) + b"f" + shape)
        path = recording.write(tmp_path / f"{number}.d")
        limited.refusal(path)


# ---- pages that lead round in circles


def pages_of(whole: bytes) -> list[bytearray]:
    return [bytearray(whole[place : place + 4096]) for place in range(0, len(whole), 4096)]


def interior(kind: int, children: list[int], keys: list[bytes], first: int = 0) -> bytearray:
    """An interior page of a b-tree; kind 5: of a table."""
    page = bytearray(4096)
    end = 4096
    pointers = []
    for child, key in zip(children, keys, strict=False):
        cell = struct.pack(">I", child) + key
        end -= len(cell)
        page[end : end + len(cell)] = cell
        pointers.append(end)
    page[first : first + 12] = struct.pack(">BHHHBI", kind, 0, len(pointers), end, 0, children[-1])
    for number, pointer in enumerate(pointers):
        page[first + 12 + 2 * number : first + 14 + 2 * number] = struct.pack(">H", pointer)
    return page


def varint(number: int) -> bytes:
    result = [number & 0x7F]
    while number := number >> 7:
        result.append(number & 0x7F | 0x80)
    return bytes(reversed(result))


def root_of(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    connection.close()
    return int(root)


def write_pages(path: Path, pages: list[bytearray]) -> None:
    pages[0][28:32] = struct.pack(">I", len(pages))
    path.write_bytes(b"".join(pages))
    write_seal(str(path))


@pytest.mark.parametrize("table", ["pattern", "file", "code", "context", "run", "process"])
def test_a_page_that_is_its_own_child(tmp_path: Path, limited: Limited, table: str) -> None:
    path = database_of(tmp_path / "data", several())
    root = root_of(path, table)
    pages = pages_of(path.read_bytes())
    pages[root - 1] = interior(5, [root] * 100, [varint(number) for number in range(1, 100)])
    write_pages(path, pages)
    assert "is damaged" in limited.refusal(path)


@pytest.mark.parametrize("table", ["pattern", "file", "context"])
def test_a_few_pages_that_make_endless_rows(tmp_path: Path, limited: Limited, table: str) -> None:
    """Six levels, each of 300 times the same child: 10**14 rows in a file of a few pages."""
    path = database_of(tmp_path / "data", several())
    root = root_of(path, table)
    pages = pages_of(path.read_bytes())
    leaf = pages[root - 1]
    pages.append(leaf)
    child = len(pages)
    for _ in range(5):
        pages.append(interior(5, [child] * 300, [varint(number) for number in range(1, 300)]))
        child = len(pages)
    pages[root - 1] = interior(5, [child] * 300, [varint(number) for number in range(1, 300)])
    write_pages(path, pages)
    assert "is damaged" in limited.refusal(path)


def test_a_circle_of_overflow_pages(tmp_path: Path, limited: Limited) -> None:
    path = database_of(tmp_path / "data", several())
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE context SET test = hex(randomblob(20000)) WHERE id = 2")
    connection.close()
    pages = pages_of(path.read_bytes())
    chain = [number for number in range(len(pages)) if pages[number][4:].isalnum() and number]
    assert len(chain) > 5
    pages[chain[3]][:4] = struct.pack(">I", chain[0] + 1)
    write_pages(path, pages)
    assert "is damaged" in limited.refusal(path)


# ---- values


WRONG = ["NULL", "''", "'x'", "x'00'", "1.5", "-1", "9223372036854775807", "-9223372036854775808", "x'ff'"]
COLUMNS = [
    ("run", "run_id"), ("run", "started"), ("setting", "run"), ("setting", "position"), ("setting", "key"),
    ("setting", "value"), ("process", "run"), ("process", "boot_id"), ("process", "pid"), ("process", "start_ticks"),
    ("process", "started"), ("process", "tag"), ("process", "optimize"), ("process", "outcome"), ("process", "problem"),
    ("file", "id"), ("file", "path"), ("file", "hash"), ("file", "recorded"), ("code", "file"), ("code", "first_line"),
    ("code", "qualname"), ("code", "tag"), ("code", "optimize"), ("code", "flags"), ("code", "shape"),
    ("context", "static"), ("context", "test"), ("context", "phase"), ("pattern", "code"), ("pattern", "bits"),
    ("pattern", "contexts"), ("meta", "key"), ("meta", "value"),
]  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_wrong_values_in_each_column(tmp_path: Path, table: str, column: str) -> None:
    """Whatever stands there: it is refused, or taken for what it says, and then comes out of a merge as it went in."""
    template = database_of(tmp_path / "template", several()).read_bytes()
    path = tmp_path / "data"
    for value in WRONG:
        path.write_bytes(template)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table' AND name = ?", (table,)
        )
        connection.close()
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"UPDATE {table} SET {column} = {value}")
        except sqlite3.Error:
            continue  # not even SQLite takes it
        finally:
            connection.close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA writable_schema = ON")
        (sql,) = sqlite3.connect(":memory:").execute("SELECT ?", (schema_of(template, tmp_path, table),)).fetchone()
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", (sql, table))
        connection.close()
        try:
            write_seal(str(path))
        except ValueError:
            continue
        try:
            said = everything(path)
        except CovcoreError as error:
            assert "is damaged" in str(error)
            continue
        assert said
        output = tmp_path / "output"
        output.unlink(missing_ok=True)
        try:
            combine(str(output), [str(path)], keep=True)
            first = output.read_bytes()
            combine(str(output), [str(path)], keep=True)
            assert output.read_bytes() == first
        except Refused:
            pass


def schema_of(template: bytes, folder: Path, table: str) -> str:
    path = folder / "schema"
    path.write_bytes(template)
    connection = sqlite3.connect(path)
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    connection.close()
    return str(sql)


# ---- things that are no files


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Path]:
    """A folder with all that may lie in one, named like data."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    os.mkfifo(folder / ".covcore.fifo")
    (folder / ".covcore.folder").mkdir()
    (folder / ".covcore.dangling").symlink_to(folder / "created")
    (folder / ".covcore.loop").symlink_to(".covcore.loop")
    database_of(tmp_path / "target", several())
    (folder / ".covcore.link").symlink_to(tmp_path / "target")
    (folder / ".covcore.null").symlink_to("/dev/null")
    (folder / "a1-1-1.0").symlink_to("/dev/zero")
    os.mkfifo(folder / "a1-2-2.0")
    for name in (
        ".covcore.x-journal",
        ".covcore.y-wal",
        ".covcore.new",
        ".covcore.1~",
        ".covcore.swp",
        "notes.txt",
        "x.1",
    ):
        (folder / name).write_bytes(b"left over")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(".", os.O_RDONLY)
        os.chdir(folder)
        server.bind(".covcore.socket")
        os.fchdir(here)
        os.close(here)
        if os.getuid() == 0:
            with contextlib.suppress(PermissionError):
                os.mknod(folder / ".covcore.device", 0o600 | 0o020000, os.makedev(1, 5))
        yield folder


def test_a_folder_with_anything_in_it(tmp_path: Path, zoo: Path) -> None:
    before = {path.name: os.lstat(path) for path in zoo.iterdir()}
    started = time.monotonic()
    with pytest.raises(Refused, match="nothing to combine"):
        combine(str(tmp_path / "out"), [str(zoo)])
    database_of(zoo / ".covcore.good", several())
    result = combine(str(tmp_path / "out"), [str(zoo)])
    assert time.monotonic() - started < 10  # a FIFO would wait for ever
    assert [Path(one.path).name for one in result.taken] == [".covcore.good"]
    assert {path.name: os.lstat(path).st_ino for path in zoo.iterdir()} == {
        name: status.st_ino for name, status in before.items()
    }
    assert not (zoo / "created").exists()
    assert (tmp_path / "target").exists()
    (note,) = result.notes
    assert note.startswith("no data of covcore: ") and "more" in note


def test_each_of_them_named(tmp_path: Path, zoo: Path, limited: Limited) -> None:
    said = {path.name: limited.refusal(path) for path in sorted(zoo.iterdir()) if not path.is_dir()}
    assert all("link is not followed" in said[name] for name in said if (zoo / name).is_symlink())
    assert "ot a regular file" in said[".covcore.fifo"]
    assert "ot a database" in said["notes.txt"]
    assert not (zoo / "created").exists()
    linked = tmp_path / "folder"
    linked.symlink_to(zoo)
    assert "link is not followed" in limited.refusal(linked)


def test_as_the_database_of_a_report(place: Place, zoo: Path) -> None:
    for path in sorted(zoo.iterdir()):
        if not path.is_symlink():
            run = place.covcore("report", f"--data={path}")
            assert run.status == 1, path
            assert run.stderr.count("\n") == 1, path


def test_recordings_in_a_folder_that_is_a_link(tmp_path: Path) -> None:
    database_of(tmp_path / "in", several())
    simple("b2", path="/secret.py").write(tmp_path / "others.d")
    (tmp_path / "in.d").symlink_to(tmp_path / "others.d")
    combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    with Database.open(str(tmp_path / "out")) as database:
        assert "/secret.py" not in database.paths()
    assert len(list((tmp_path / "others.d").iterdir())) == 1


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database_of(tmp_path / "in", several())
    real = os.open

    def refuse(name: object, *arguments: int, **more: int) -> int:
        if name == str(path):
            raise PermissionError(13, "Permission denied", name)
        return real(name, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Refused) as raised:
        combine(str(tmp_path / "out"), [str(path)])
    assert raised.value.reasons == [f"cannot read {path}: Permission denied"]


# ---- paths that lead elsewhere


SECRET = "PASSWORD = 'hunter2'\n\n\ndef secret_function():\n    return 1\n"


def reports(place: Place, *arguments: str) -> str:
    """All that any report says, standard error included."""
    said = []
    for command in (
        ["report", "-m"],
        ["json", "-o", "-"],
        ["xml", "-o", "-"],
        ["lcov", "-o", "-"],
        ["tests", "secret.py"],
    ):
        run = place.covcore(*command, *arguments)
        assert "Traceback" not in run.stderr
        said += [run.stdout, run.stderr]
    return "".join(said)


def planted(place: Place, path: str, hash: bytes, settings: tuple[tuple[str, str], ...] = ()) -> None:
    """A database that names a file, and one of the project that ran."""
    mine = place.write("mine.py", "x = 1\n")
    recording = Recording(settings=settings)
    recording.hit(
        recording.code(
            recording.file(str(mine), hashlib.sha256(b"x = 1\n").digest()), shape_of("def f():\n  1\n", "f")
        ),
        [0],
    )
    recording.context("", "test_a", "run")
    recording.hit(recording.code(recording.file(path, hash), shape_of()), [0])
    place.data.parent.mkdir(exist_ok=True)
    database_of(place.data, recording)


@pytest.mark.once
@pytest.mark.parametrize("hash", [bytes(32), b"h" * 32])
def test_a_file_outside_is_named_and_not_read(place: Place, tmp_path: Path, hash: bytes) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text(SECRET)
    (place.folder / "linked").symlink_to(tmp_path)
    for path in (secret, place.folder / ".." / "secret.py", place.folder / "linked" / "secret.py"):
        planted(place, str(path), hash)
        said = reports(place)
        assert "mine.py" in said
        assert "secret.py" in said
        assert "hunter2" not in said
        assert "secret_function" not in said
        assert ("was not read" if not any(hash) else "has changed since") in said


def test_a_file_of_the_system(place: Place) -> None:
    planted(place, "/etc/passwd", bytes(32))
    said = reports(place)
    assert "/etc/passwd is outside of the current folder" in said
    assert "root:" not in said


def test_a_file_inside_without_a_hash_is_read(place: Place, tmp_path: Path) -> None:
    """As those of archives are, and those below a source folder that the configuration names."""
    inside = place.write("secret.py", SECRET)
    planted(place, str(inside), bytes(32))
    assert "secret_function" in reports(place)
    other = tmp_path / "lib" / "secret.py"
    other.parent.mkdir()
    other.write_text(SECRET)
    planted(place, str(other), bytes(32))
    assert "secret_function" not in reports(place)
    place.write("covcore.toml", f"source = ['{other.parent}']")
    assert "secret_function" in reports(place)


def test_a_file_outside_whose_text_the_data_knows_is_read(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "secret.py"
    path.write_text(SECRET)
    planted(place, str(path), hashlib.sha256(SECRET.encode()).digest())
    assert "secret_function" in reports(place)


def test_a_source_folder_outside_is_not_searched(place: Place, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "secret.py").write_text(SECRET)
    planted(place, "/gone.py", b"h" * 32, (("source", str(tmp_path / "lib")), ("source", "/")))
    started = time.monotonic()
    said = reports(place)
    assert time.monotonic() - started < 20
    assert f"{tmp_path}/lib is outside of the current folder" in said
    assert "secret.py" not in said.replace("nothing of secret.py", "")
    place.write("covcore.toml", f"source = ['{tmp_path}/lib']")
    assert "secret_function" in reports(place)


@pytest.mark.parametrize("kind", ["fifo", "zero", "huge", "folder"])
def test_sources_that_are_no_files(place: Place, kind: str) -> None:
    path = place.folder / "secret.py"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "huge":
        path.write_text("x = 1\n")
        os.truncate(path, 1 << 40)
    else:
        path.mkdir()
    planted(place, str(path), b"h" * 32)
    started = time.monotonic()
    run = place.covcore("report")
    assert time.monotonic() - started < 10
    assert run.status == 0
    assert "secret.py cannot be read" in run.stderr


# ---- recordings


@settings(max_examples=300, deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6), tail=st.binary(max_size=40))
def test_recordings_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]], tail: bytes
) -> None:
    whole = bytearray(several().segment() + tail)
    for place, value in cuts:
        whole[place % len(whole)] = value
    try:
        recording = read_recording([bytes(whole)])
    except ValueError:
        return
    union = Union()
    union.add_recording(recording)
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(b"")
    write_file(str(path), union, ())
    everything(path)
