"""The data file that a process has written becomes the combined one as it is, and holds what coverage.py's own way gives."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from conftest import Outcome, Place
from coveragepy.test_core import coverage
from coveragepy.test_holding import data_files

UPDATE = "Updating with data from"  # what coverage.py says, asked to, when it copies row by row
# As pytest-cov does it: one object measures into a file with a suffix, another one combines.
MEASURE = """\
import coverage, os, sys
def ran(number):
    if number % 2:
        return "odd"
    return "even"
def measure(numbers):
    measuring = coverage.Coverage(data_suffix=True, config_file="inner.ini", data_file=DATA)
    measuring.start()
    for number in numbers:
        measuring.switch_context(f"test {number}")
        ran(number)
    measuring.stop()
    measuring.save()
    return measuring
def combine(**options):
    combining = coverage.Coverage(config_file="inner.ini", data_file=DATA)
    combining.load()
    combining.combine(**options)
    combining.save()
DATA = os.path.abspath(".coverage")
"""
SETTINGS = "[run]\nbranch = True\nplugins = covcore_coverage\ndebug = dataop\n"


def combined(place: Place, end: str, settings: str = "") -> Outcome:
    place.write("inner.ini", SETTINGS + settings)
    place.write("program.py", f"{MEASURE}{end}\n")
    outcome = place.python("program.py")
    assert outcome.status == 0, outcome.stderr
    return outcome


def content(place: Place, name: str = ".coverage") -> tuple[list[str], set[tuple[object, ...]]]:
    """The meta data that is the same in each run, and the rows by name."""
    with closing(sqlite3.connect(place.folder / name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute(
            "SELECT path, context, fromno, tono FROM arc, file, context WHERE file.id = file_id AND context.id = context_id"
        ).fetchall()
        assert len(set(rows)) == len(rows)
        return sorted(key for (key,) in database.execute("SELECT key FROM meta")), set(rows)


def test_a_file_of_ones_own_is_copied_as_it_is(place: Place) -> None:
    outcome = combined(place, "measure(range(9)); combine()")
    assert UPDATE not in outcome.stderr
    ours = content(place)
    assert data_files(place) == [".coverage"]
    (place.folder / ".coverage").unlink()
    outcome = combined(place, "measure(range(9)); import covcore_coverage.adopting as a; a._written.clear(); combine()")
    assert UPDATE in outcome.stderr
    assert content(place) == ours
    assert ours[0] == ["has_arcs", "version"]
    assert len({row[1] for row in ours[1]}) == 9


def test_combining_can_keep_what_it_takes_in(place: Place) -> None:
    outcome = combined(place, "measure(range(9)); combine(keep=True)")
    assert UPDATE not in outcome.stderr
    both, shard = data_files(place)
    assert content(place, both)[1] == content(place, shard)[1]
    assert "hash" in content(place, shard)[0]


def test_more_comes_to_what_was_taken_in(place: Place) -> None:
    outcome = combined(place, "measure(range(9)); measure(range(20, 23)); combine(); measure([40]); combine()")
    assert outcome.stderr.count(UPDATE) == 2
    contexts = {row[1] for row in content(place)[1]}
    assert contexts == {f"test {number}" for number in [*range(9), 20, 21, 22, 40]}


@pytest.mark.parametrize(
    "change",
    [
        "database.execute('INSERT INTO context (context) VALUES (?)', ('new',))",
        "database.execute('UPDATE context SET context = ? WHERE context = ?', ('new', 'test 4'))",  # as long as before
    ],
)
def test_a_file_that_was_changed_since_is_read_with_care(place: Place, change: str) -> None:
    end = f"""
measure(range(9))
import glob, sqlite3
(name,) = glob.glob(".coverage.*")
with sqlite3.connect(name) as database:
    {change}
combine()"""
    assert UPDATE in combined(place, end).stderr
    with closing(sqlite3.connect(place.folder / ".coverage")) as database:
        assert ("new",) in database.execute("SELECT context FROM context").fetchall()


def test_another_file_in_its_place_is_read_with_care(place: Place) -> None:
    """As long, and as many transactions old."""
    end = """
measure(range(9))
import glob
(name,) = glob.glob(".coverage.*")
content = open(name, "rb").read()
open("other", "wb").write(content.replace(b"test 8", b"test 9"))
os.replace("other", name)
combine()"""
    assert UPDATE in combined(place, end).stderr
    assert {row[1] for row in content(place)[1]} == {f"test {number}" for number in [*range(8), 9]}


def test_a_file_of_another_process_is_read_with_care(place: Place) -> None:
    combined(place, "measure(range(9))")
    place.write(".coveragerc", SETTINGS)
    outcome = coverage(place, "combine")
    assert (outcome.status, outcome.stderr.count(UPDATE)) == (0, 1)


def test_names_that_are_mapped_are_mapped(place: Place) -> None:
    place.folder.joinpath("other").mkdir()
    place.write("other/program.py", "")
    settings = f"[paths]\nsource =\n    {place.folder}/other\n    {place.folder}\n"
    assert UPDATE in combined(place, "measure(range(9)); combine()", settings).stderr
    assert {row[0] for row in content(place)[1]} == {f"{place.folder}/other/program.py"}


def test_relative_names_are_so_already(place: Place) -> None:
    assert UPDATE not in combined(place, "measure(range(9)); combine()", "relative_files = True\n").stderr
    assert {row[0] for row in content(place)[1]} == {"program.py"}


def test_what_is_there_stays(place: Place) -> None:
    combined(place, "measure([50]); combine()")
    assert UPDATE in combined(place, "measure(range(9)); combine()").stderr
    assert {"test 50", "test 3"} <= {row[1] for row in content(place)[1]}


def test_half_a_copy_does_not_stay(place: Place) -> None:
    """The disk is full: coverage.py's own way tells so."""
    end = """
measure(range(9))
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
try: combine()
except Exception as error: print(type(error).__name__)"""
    assert combined(place, end).stdout
    assert not [path.name for path in place.folder.iterdir() if path.name.endswith("adopted")]


def test_lines_alone_do_not_come_to_arcs(place: Place) -> None:
    """What coverage.py refuses stays refused."""
    end = (
        "measure([1]); combine()\nopen('inner.ini', 'w').write('[run]\\nplugins = covcore_coverage\\n')\nmeasure([2]);"
    )
    outcome = combined(place, f"{end}\ntry: combine()\nexcept coverage.CoverageException as error: print(error)")
    assert "Can't combine" in outcome.stdout


def test_where_no_copy_can_be_made_coverage_py_goes_its_own_way(place: Place) -> None:
    place.folder.joinpath("x" * 120).mkdir()
    name = "x" * 120 + "/" + "y" * 248  # too long with anything behind it
    end = f"DATA = os.path.abspath('{name}')\nmeasuring = coverage.Coverage(data_file=DATA + 'z', config_file='inner.ini')"
    end += "\nmeasuring.start(); ran(1); measuring.stop(); measuring.save()\ncombine(data_paths=[DATA + 'z'])"
    assert UPDATE in combined(place, end).stderr
    assert content(place, name)[1]
