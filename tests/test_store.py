"""The database: what goes in comes out, in whatever order it came; nothing that a file holds can do harm."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from recording_files import Recording, line_slots, shape_of, simple

from covcore._reader import decode_numbers, decode_shape, encode_numbers, read_recording
from covcore.errors import CovcoreError
from covcore.store import schema
from covcore.store.database import Database, SourceFile
from covcore.store.loading import load
from covcore.store.publish import publish_run, write_file
from covcore.store.seal import write_seal
from covcore.store.shapes import flags
from covcore.store.union import Union


def published(tmp_path: Path, *recordings: Recording) -> str:
    """Publish recordings as one run after the other.  Returns the path of the database."""
    data = tmp_path / "data"
    for recording in recordings:
        recording.write(tmp_path / "data.d")
        publish_run(str(data), [f"{data}.d"], recording.name.partition("-")[0])
    return str(data)


def files(data: str) -> list[SourceFile]:
    with load(data) as database:
        return database.files()


def union_of(*recordings: Recording) -> Union:
    union = Union()
    for recording in recordings:
        union.add_recording(read_recording([recording.segment()]))
    return union


def database_bytes(tmp_path: Path, union: Union) -> bytes:
    path = tmp_path / "bytes"
    path.write_bytes(b"")
    write_file(str(path), union, ())
    return path.read_bytes()


def rows(data: str, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(data)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


# ---- what goes in comes out


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    shape = shape_of()
    recording = Recording(
        "a1", pid=7, ticks=9, settings=[("source", "/src"), ("source", "/lib"), ("argv", "-m pytest")]
    )
    recording.hit(recording.code(recording.file("/src/one.py"), shape), [0, 2, 4, 5])
    data = published(tmp_path, recording)
    with load(data) as database:
        (run,) = database.runs()
        (process,) = database.processes()
        (file,) = database.files()

    assert (run.run_id, run.started) == ("a1", 10**18)
    assert run.values("source") == ["/src", "/lib"]
    assert run.values("argv") == ["-m pytest"]
    assert (process.pid, process.start_ticks, process.tag, process.optimize) == (7, 9, "cpython-314", 0)
    assert (process.outcome, process.problem) == ("finished", "")
    assert (file.path, file.hash) == ("/src/one.py", b"h" * 32)
    (code,) = file.codes
    assert (code.qualname, code.first_line, code.flags) == ("choose", 1, 3)
    assert code.shape == decode_shape(shape)
    assert flags(code.bits)[:6] == "101011"
    assert list(Path(f"{data}.d").iterdir()) == [Path(f"{data}.d/lock")]


def test_hits_of_one_context_or_all(tmp_path: Path) -> None:
    recording = simple(slots=[0])
    recording.context("", "test_a", "run")
    recording.hit(0, [1, 3])
    recording.context("label", "", "")
    recording.hit(0, [4])
    data = published(tmp_path, recording)
    with load(data) as database:
        contexts = {context: id for id, context in database.contexts().items()}

        def bits(ids: list[int] | None) -> str:
            return flags(database.files(ids)[0].codes[0].bits)[:5]

        assert list(contexts) == [("", "", ""), ("", "test_a", "run"), ("label", "", "")]
        assert bits(None) == "11011"
        assert bits([contexts["", "test_a", "run"]]) == "01010"
        assert bits([contexts["", "", ""], contexts["label", "", ""]]) == "10001"
        assert bits([]) == "00000"


def test_equal_code_objects_are_one(tmp_path: Path) -> None:
    data = published(tmp_path, simple("a1", [0]), simple("a2", [3], append=True), simple("a3", [0], append=True))
    (code,) = files(data)[0].codes

    assert flags(code.bits)[:5] == "10010"
    assert rows(data, "SELECT count(*) FROM hit") == [(1,)]


def test_patterns_are_kept_once(tmp_path: Path) -> None:
    recording = Recording()
    code = recording.code(recording.file("/src/one.py"), shape_of())
    for number in range(100):
        recording.context("", f"test_{number}", "")
        recording.hit(code, [0, number % 2 + 1])
    data = published(tmp_path, recording)

    assert rows(data, "SELECT count(*) FROM pattern") == [(2,)]
    assert rows(data, "SELECT count(*) FROM hit") == [(100,)]
    assert rows(data, "SELECT count(*) FROM context") == [(101,)]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    recording = Recording()
    shape = shape_of()
    recording.hit(recording.code(recording.file(b"/src/\xff\n.py"), shape, "f\ud800"), [0])
    recording.hit(recording.code(recording.file("/src/ä.py"), shape, "ø"), [0])
    recording.context("\ud800", "t[\0'\"]", "\x1b")
    recording.hit(0, [1])
    data = published(tmp_path, recording)
    odd, plain = sorted(files(data), key=lambda file: len(file.path))[::-1]

    assert rows(data, "SELECT typeof(path) FROM file ORDER BY id") == [("text",), ("blob",)]
    assert os.fsencode(odd.path) == b"/src/\xff\n.py"
    assert odd.codes[0].qualname == "f\\ud800"
    assert plain.path == "/src/ä.py"
    with load(data) as database:
        assert database.contexts()[2] == ("\\ud800", "t[\0'\"]", "\x1b")


def test_numbers_in_columns() -> None:
    assert encode_numbers([]) == "[]"
    assert encode_numbers([30, 2, 4294967295]) == "[2,30,4294967295]"
    assert decode_numbers("[2,30,4294967295]") == [2, 30, 4294967295]
    for text in "[]", "[0]", "[2,1]", "[1, 2]", "[1,2]\0", "[4294967296]", "[é]":
        with pytest.raises(ValueError, match="malformed"):
            decode_numbers(text)
    for numbers in [-1], [2**32]:
        with pytest.raises((OverflowError, ValueError)):
            encode_numbers(numbers)


# ---- in any order


def varied() -> list[Recording]:
    """Recordings that overlap in all that they can."""
    result = []
    for number, (path, slots) in enumerate([("/a.py", [0]), ("/b.py", [1, 2]), ("/a.py", [0, 5]), ("/a.py", [2])]):
        recording = simple(f"a{number % 3}", slots, path, pid=number, started=10**18 + number % 2)
        recording.context("", f"test_{number % 2}", "run")
        recording.hit(recording.code(recording.file("/c.py"), shape_of(), first_line=number % 2), [number])
        result.append(recording)
    return result


def test_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    expected = database_bytes(tmp_path, union_of(*varied()))
    for order in itertools.permutations(varied()):
        assert database_bytes(tmp_path, union_of(*order, order[0])) == expected


def test_merging_databases_gives_the_same_bytes_too(tmp_path: Path) -> None:
    recordings = varied()
    expected = database_bytes(tmp_path, union_of(*recordings))
    parts = [database_bytes(tmp_path, union_of(*part)) for part in (recordings[:1], recordings[1:3], recordings[2:])]
    for order in itertools.permutations(parts):
        union = Union()
        for number, part in enumerate(order):
            path = tmp_path / f"part{number}"
            path.write_bytes(part)
            with Database.open(str(path)) as database:
                database.add_to(union)
        assert database_bytes(tmp_path, union) == expected


def test_the_newer_text_of_a_file_wins(tmp_path: Path) -> None:
    old, new, unreadable = (Recording(f"a{number}", pid=number, started=10**18 + number) for number in range(3))
    for recording, hash in (old, b"1"), (new, b"0"), (unreadable, b"\0"):
        recording.hit(recording.code(recording.file("/a.py", hash * 32), shape_of()), [int(hash == b"0")])
    expected = database_bytes(tmp_path, union_of(new, old, unreadable))
    (file,) = files(str(tmp_path / "bytes"))

    assert (file.hash, flags(file.codes[0].bits)[:2]) == (b"0" * 32, "01")
    for order in itertools.permutations([old, new, unreadable]):
        union = union_of(*order)
        assert union.changed() == [b"/a.py"]
        assert database_bytes(tmp_path, union) == expected


# ---- plain SQL


def test_views_say_what_the_bits_say(tmp_path: Path) -> None:
    chance = random.Random(5)
    shape = shape_of()
    lines, sites, _ = decode_shape(shape)
    n_slots = len(lines) + 2 * len(sites)
    recording = Recording()
    expected: dict[str, set[int]] = {}
    for number in range(20):
        recording.context("", f"test_{number}", "")
        expected[f"test_{number}"] = set(chance.sample(range(n_slots), chance.randrange(1, n_slots)))
        recording.hit(recording.code(recording.file(f"/{number % 3}.py"), shape), sorted(expected[f"test_{number}"]))
    data = published(tmp_path, recording)

    hits: dict[str, set[int]] = {}
    for test, slot in rows(data, "SELECT test, slot FROM line_hit UNION ALL SELECT test, slot FROM arc_hit"):
        hits.setdefault(str(test), set()).add(int(str(slot)))
    assert hits == expected
    for path in "/0.py", "/1.py", "/2.py":
        ran = set().union(*(slots for test, slots in expected.items() if int(test[5:]) % 3 == int(path[1])))
        query = f"SELECT slot, hit FROM line WHERE path = '{path}' UNION ALL SELECT slot, hit FROM arc WHERE path = '{path}'"
        assert sorted(rows(data, query)) == [(slot, int(slot in ran)) for slot in range(n_slots)]


def test_arcs_in_words(tmp_path: Path) -> None:
    shape = shape_of()
    recording = simple(slots=line_slots(shape, 2))
    data = published(tmp_path, recording)

    arcs = rows(data, "SELECT line, col, end_col, outcome, hit FROM arc ORDER BY slot")
    loop = (4, 16, 23) if sys.version_info >= (3, 13) else (4, 4, 19)  # 3.12's FOR_ITER has the whole statement's place
    assert arcs == [
        (2, 7, 8, "true", 0), (2, 7, 8, "false", 0), (2, 13, 14, "true", 0), (2, 13, 14, "false", 0),
        (4, 16, 23, "false", 0), (4, 16, 23, "true", 0), (*loop, "iterated", 0), (*loop, "exhausted", 0),
    ]  # fmt: skip
    offsets = rows(data, "SELECT source, destination FROM arc ORDER BY slot")
    assert offsets == [(site[0], site[1 + arm]) for site in decode_shape(shape)[1] for arm in (0, 1)]


def test_the_schema_changes_with_its_version() -> None:
    """Whoever changes a table raises VERSION: a database is known by the text of its schema."""
    text = "\n".join(schema.TABLES + schema.VIEWS + schema.INDEXES)

    assert (schema.VERSION, hashlib.sha256(text.encode()).hexdigest()[:16]) == (3, "2e999e413b4e81fc")


# ---- files that are not, or no longer, ours


def spoil(data: str, *statements: str) -> None:
    connection = sqlite3.connect(data, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    if any(data.endswith(name) for name in ("data", "bytes")):
        write_seal(data)  # as its author would, or all were refused for that alone


def refusal(data: str) -> str:
    """What is said of a file that cannot be read, in one line."""
    with pytest.raises(CovcoreError) as raised, load(data) as database:
        database.runs()
        database.processes()
        database.contexts()
        database.files([1])
        database.files()
        database.add_to(Union())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_nothing_there(tmp_path: Path) -> None:
    assert refusal(f"{tmp_path}/data") == f"no data at {tmp_path}/data: run `covcore run ...` first"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "is empty" in refusal(f"{tmp_path}/data")


def test_other_things(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("total 1\n")
    (tmp_path / "short").write_bytes(b"SQLite format 3\0")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    spoil(f"{tmp_path}/other", "CREATE TABLE coverage_schema (version)")

    assert "is a folder" in refusal(f"{tmp_path}/folder")
    assert "is not a database of covcore" in refusal(f"{tmp_path}/text")
    assert "is not a database of covcore" in refusal(f"{tmp_path}/short")
    assert "is not a regular file" in refusal(f"{tmp_path}/fifo")
    assert "Too many levels of symbolic links" in refusal(f"{tmp_path}/loop")
    assert "another program's SQLite database" in refusal(f"{tmp_path}/other")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    data = published(tmp_path, simple())
    os.chmod(data, 0)
    assert refusal(data) == f"cannot read {data}: Permission denied"


def test_a_newer_schema(tmp_path: Path) -> None:
    data = published(tmp_path, simple())
    spoil(data, "PRAGMA user_version = 4")
    assert refusal(data) == f"{data} was written by a newer covcore (schema 4, not 3): upgrade covcore"


def test_an_older_schema(tmp_path: Path) -> None:
    data = published(tmp_path, simple())
    spoil(data, "PRAGMA user_version = 1")
    older = f"{data} was written by an older covcore (schema 1, not 3)"
    assert refusal(data) == f"{older}: measure again, or read it with that covcore"


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE pattern",
        "CREATE TABLE extra (x)",
        "CREATE TRIGGER t AFTER INSERT ON file BEGIN DELETE FROM file; END",
        "DROP VIEW line",
        "UPDATE sqlite_schema SET type = 'view', rootpage = 0, name = 'pattern', tbl_name = 'pattern',"
        " sql = 'CREATE VIEW pattern AS SELECT 1 AS id, 1 AS code, x''80'' AS bits, ''[1]'' AS contexts' WHERE name = 'pattern'",
        "UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'file'",
        "PRAGMA user_version = 0",
        "UPDATE file SET hash = 'x'",
        "UPDATE code SET file = 99",
        "UPDATE code SET first_line = 'x'",
        "UPDATE code SET qualname = x'00'",
        "UPDATE code SET qualname = CAST(x'ff' AS TEXT)",
        "UPDATE code SET shape = x'ffffffff'",
        "UPDATE code SET shape = zeroblob(100000000)",
        "UPDATE pattern SET bits = zeroblob(9)",
        "UPDATE pattern SET bits = 'x'",
        "UPDATE process SET outcome = 'x'",
        "UPDATE process SET run = 99",
        "UPDATE setting SET run = 99",
        "UPDATE context SET test = x'00'",
        "UPDATE pattern SET contexts = '[99]'",
        "UPDATE pattern SET contexts = '[1,1]'",
        "UPDATE pattern SET contexts = x'5b315d'",
    ],
)
def test_what_does_not_fit(tmp_path: Path, statement: str) -> None:
    data = published(tmp_path, simple())
    spoil(data, statement)

    assert "is damaged" in refusal(data)


def test_files_cut_short(tmp_path: Path) -> None:
    data = published(tmp_path, simple())
    whole = Path(data).read_bytes()
    for n_bytes in range(512, len(whole), 512):
        Path(data).write_bytes(whole[:n_bytes])
        assert "is damaged" in refusal(data)


def test_flipped_bits_never_surprise(tmp_path: Path) -> None:
    data = published(tmp_path, *varied())
    whole = Path(data).read_bytes()
    chance = random.Random(1)
    for _ in range(300):
        spoilt = bytearray(whole)
        for _ in range(chance.choice([1, 1, 20])):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        Path(data).write_bytes(spoilt)
        try:
            with load(data) as database:
                database.runs()
                database.processes()
                database.contexts()
                database.files()
                database.add_to(Union())
        except CovcoreError:
            pass


def test_a_planted_journal_counts_for_nothing(tmp_path: Path) -> None:
    data = published(tmp_path, simple())
    before = Path(data).read_bytes()
    for ending in "-journal", "-wal":
        Path(data + ending).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + os.urandom(4096))
    assert len(files(data)) == 1
    assert Path(data).read_bytes() == before


def test_a_path_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%41&mode=rw ä\udcff"
    folder.mkdir()
    assert files(published(folder, simple()))[0].path == "/src/one.py"


# ---- docs/database.md

SHOP = """\
import sys

from covcore import _tracer

text, folder = sys.argv[1:]
tracer = _tracer.Tracer(lambda name: "/src/shop.py" if name == "shop" else None)
tracer.start([folder], "a1", b"append\\0000\\0argv\\0-m\\0argv\\0pytest\\0")
shop = {}
exec(compile(text, "shop", "exec"), shop)
tracer.switch_context("", "test_shop.py::test_member", "")
shop["price"](200, True)
tracer.switch_context("", "test_shop.py::test_small", "")
shop["price"](10, False)
tracer.stop()
"""
DOCUMENT = (Path(__file__).parent.parent / "docs" / "database.md").read_text()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database that the document's answers are about."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "data.d").mkdir()
    source = DOCUMENT.partition("```python\n")[2].partition("```")[0]
    subprocess.run([sys.executable, "-c", SHOP, source, folder / "data.d"], check=True)
    publish_run(f"{folder}/data", [f"{folder}/data.d"], "a1")
    return f"{folder}/data"


@pytest.mark.parametrize(("query", "answer"), re.findall(r"```sql\n(.*?)```\n```\n(.*?)```\n", DOCUMENT, re.DOTALL))
def test_documented_queries(shop: str, query: str, answer: str) -> None:
    connection = sqlite3.connect(shop)
    found = "".join(
        "|".join(map(str, row)) + "\n" for statement in query.split(";\n") for row in connection.execute(statement)
    )
    connection.close()
    assert re.sub(r"cpython-\d+", "cpython", found) == answer


def test_documented_tables() -> None:
    connection = sqlite3.connect(":memory:")
    schema.create(connection)
    sections = DOCUMENT.partition("## Views")[2].partition("## Tables")
    documented: dict[str, set[str]] = {}
    table = ""
    for section in sections:
        for first, second, *_ in re.findall(r"^\| *(`\w+`)? *\| (.*?) \|(.*)$", section, re.MULTILINE):
            table = first.strip("`") or table
            documented.setdefault(table, set()).update(re.findall(r"`(\w+)`", second))
    for kind, table in connection.execute("SELECT type, name FROM sqlite_master").fetchall():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        assert table in documented, table
        assert kind == "view" or columns - {"id"} == documented[table]
    connection.close()
