"""Contexts wait in a journal for the end, where the data file is that of one process: none is lost that was there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Place
from coveragepy.test_core import check_silent, coverage, lines, run
from coveragepy.test_holding import SWITCHES, check_contexts, data_files

PARALLEL = "parallel = True\n"
KILLED = "os.kill(os.getpid(), signal.SIGKILL)\n"
NINE = f"{SWITCHES}switch(0, 9)\ntime.sleep(0.3)\nswitch(9, 12)\n"  # are in the journal, and then some are not


def journals(place: Place) -> list[Path]:
    return sorted(place.folder.glob(".covcore-*"))


def combined(place: Place) -> None:
    assert coverage(place, "combine").status == 0


def test_a_killed_process_loses_what_is_fresh(place: Place) -> None:
    assert run(place, PARALLEL, NINE + KILLED).status == -9
    assert len(journals(place)) == 1
    combined(place)
    check_contexts(place, range(9))
    assert journals(place) == []
    with closing(sqlite3.connect(place.folder / ".coverage")) as database:
        assert database.execute("SELECT key FROM meta WHERE key LIKE 'covcore%'").fetchall() == []


def test_killed_processes_whose_files_are_still_the_same(place: Place) -> None:
    """coverage.py leaves out a file that is like another."""
    for first in (0, 20):
        assert run(place, PARALLEL, NINE.replace("switch(0, 9)", f"switch({first}, {first + 9})") + KILLED).status == -9
    for name in data_files(place):
        with closing(sqlite3.connect(place.folder / name)) as database, database:
            database.execute("UPDATE meta SET value = 'now' WHERE key = 'when'")
    combined(place)
    check_contexts(place, {*range(9), *range(20, 29)})


@pytest.mark.parametrize("torn", ['{"test 9":[0', "[1, 2", '{"test 9":[1000]}\n', "\0\n{}\n", '"x"\n'])
def test_a_torn_journal(place: Place, torn: str) -> None:
    assert run(place, PARALLEL, NINE + KILLED).status == -9
    (journal,) = journals(place)
    with journal.open("a") as file:
        file.write(torn)
    combined(place)
    check_contexts(place, range(9))


def test_an_orderly_end_leaves_none(place: Place) -> None:
    """And all that waited was put in at once: by statements there is but the context that was under way."""
    settings = f"{PARALLEL}debug = sql\ndebug_file = said\n"
    assert run(place, settings, NINE).status == 0
    assert journals(place) == []
    (name,) = data_files(place)
    check_contexts(place, range(12), name)
    said = (place.folder / "said").read_text()
    assert said.count("json_each") == said.count("json_each(?)' with 1 rows") == 1
    with closing(sqlite3.connect(place.folder / name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert {key for (key,) in database.execute("SELECT key FROM meta")} == {
            "version",
            "has_arcs",
            "hash",
            "sys_argv",
            "when",
        }


@pytest.mark.parametrize("where", ["arctable.os.replace", "journal.open_descriptor"])
def test_a_disk_that_takes_no_more(place: Place, where: str) -> None:
    """SQLite stores what cannot be put in at once, and what no journal can hold."""
    fails = "def fails(*args, **keywords): raise OSError(28, 'full')\n"
    patch = f"from covcore_coverage import {where.partition('.')[0]}\n{fails}{where} = fails\n"
    assert run(place, PARALLEL, NINE.replace("def ran", patch + "def ran")).status == 0
    (name,) = data_files(place)
    found = {context for context in lines(place, name) if context.startswith("test")}
    assert found == {f"test {number}" for number in range(12)}
    assert journals(place) == []


def test_the_journal_of_a_process_that_runs_is_its_own(place: Place) -> None:
    program = (
        f"{NINE}import subprocess, sys; subprocess.run([sys.executable, '-m', 'coverage', 'combine', '-q', '--keep'])\n"
    )
    program += "assert any(name.startswith('.covcore-') for name in os.listdir())\n"
    check_silent(run(place, PARALLEL, program))
    (place.folder / ".coverage").unlink()
    combined(place)
    check_contexts(place, range(12))


def test_it_went_away_beneath_the_process(place: Place) -> None:
    """What it held, the process has as well."""
    program = f"{NINE}[os.unlink(name) for name in os.listdir() if name.startswith('.covcore-')]\ntime.sleep(0.3)\nswitch(12, 20)\n"
    check_silent(run(place, PARALLEL, program))
    (name,) = data_files(place)
    check_contexts(place, range(20), name)


def test_a_forked_process_has_none_of_its_parents(place: Place) -> None:
    program = f"{NINE}if not os.fork():\n    switch(20, 23); os._exit(0)\nos.wait()\n{KILLED}"
    assert run(place, PARALLEL, program).status == -9
    combined(place)
    contexts = {context for context in lines(place) if context.startswith("test")}
    assert contexts >= {f"test {number}" for number in (*range(9), 20, 21)}


def test_erased_with_the_data(place: Place) -> None:
    assert run(place, PARALLEL, NINE + KILLED).status == -9
    assert len(journals(place)) == 1
    assert coverage(place, "erase").status == 0
    assert journals(place) == [] and data_files(place) == []


def test_a_file_that_several_may_write_to_has_none(place: Place) -> None:
    """There each process stores soon, by SQLite, which has them take turns."""
    assert run(place, "", NINE + KILLED).status == -9
    assert journals(place) == []
    check_contexts(place, range(9))
