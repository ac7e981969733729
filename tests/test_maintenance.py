"""covcore erase, covcore debug."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Place
from recording_files import OPEN, Recording, simple

from covcore.store.publish import publish_run


@pytest.fixture
def folder(place: Place) -> Path:
    """That of the recordings; there is a database beside it."""
    recordings = place.data.with_name("data.d")
    place.data.parent.mkdir()
    simple("a1").write(recordings)
    publish_run(str(place.data), [str(recordings)], "a1")
    return recordings


def facts(place: Place, topic: str, *arguments: str, **environment: str) -> dict[str, str]:
    """What `covcore debug` prints: {name: value}; a value of several lines has them joined by "; "."""
    outcome = place.covcore("debug", topic, *arguments, **environment)
    assert (outcome.status, outcome.stderr) == (0, "")
    result: dict[str, str] = {}
    name = ""
    for line in outcome.stdout.splitlines():
        if line.startswith(" "):
            result[name] += "; " + line.strip()
        else:
            name, _, value = line.partition(":")
            result[name] = value.strip()
    return result


# ---- erase


def test_erase_removes_everything(place: Place, folder: Path) -> None:
    simple("a2", pid=8, end=OPEN).write(folder)
    simple("a3").write(folder).rename(folder / "a3-100-5.0.spoiled")
    place.data.with_name("data.new").write_bytes(b"half a database")
    outcome = place.covcore("erase")

    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert list(place.data.parent.iterdir()) == []
    assert place.covcore("erase").status == 0
    assert list(place.data.parent.iterdir()) == []


def test_erase_keeps_what_still_runs(place: Place, folder: Path) -> None:
    path = Recording.of_running("a2").write(folder)
    finished = Recording.of_running("a2", end=2).write(folder, f"{path.stem}-7")
    outcome = place.covcore("erase")

    assert outcome.stderr == (
        f"covcore: note: kept 2 recordings of processes that still run (pid {os.getpid()}, {os.getpid()})\n"
    )
    assert not place.data.exists()
    assert {entry.name for entry in folder.iterdir()} == {path.name, finished.name, "lock"}


def test_erase_keeps_what_is_not_ours(place: Place, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert place.covcore("erase").status == 0
    assert {entry.name for entry in folder.iterdir()} == {"notes.txt", "lock"}

    place.data.write_text("my diary")
    outcome = place.covcore("erase")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == (
        f"covcore: error: {place.data} is not a database of covcore: name another file with --data, or move it away\n"
    )
    assert place.data.read_text() == "my diary"


def test_erase_takes_a_newer_database(place: Place, folder: Path) -> None:
    connection = sqlite3.connect(place.data)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert place.covcore("erase").status == 0
    assert not place.data.exists()


def test_erase_waits_for_a_publisher(place: Place, folder: Path) -> None:
    """Who waits for the lock of a folder that erase removes takes the lock of the new one."""
    program = "import sys; from covcore.store.publish import publish_run; publish_run(sys.argv[1], [sys.argv[1] + '.d'], 'a2')"
    for _ in range(5):
        folder.mkdir(exist_ok=True)
        simple("a2").write(folder)
        publisher = subprocess.Popen([sys.executable, "-c", program, place.data], env=place.environment)
        assert place.covcore("erase").status == 0
        assert publisher.wait() == 0


# ---- debug


def test_debug_sys(place: Place) -> None:
    said = facts(place, "sys", PYTHONHASHSEED="0")

    assert said["Python"].startswith(f"CPython {sys.version.split()[0]} ")
    assert said["SQLite"] == sqlite3.sqlite_version
    assert said["covcore._tracer"].endswith(".so")
    assert said["cache tag"] == sys.implementation.cache_tag
    assert said["tool ids in use"] == "none"
    assert said["data"] == str(place.data)
    assert said["recordings"] == f"{place.data}.d"
    assert said["PYTHONHASHSEED"] == "0"


def test_debug_config(place: Place) -> None:
    said = facts(place, "config")
    assert said["configuration file"] == "no file"
    assert said["omit"] == "() (default)"
    assert said["data"] == f"{str(place.data)!r} (environment, COVCORE_DATA)"

    place.write("pyproject.toml", '[tool.covcore]\nomit = ["*/x"]\nprecision = 2\n')
    said = facts(place, "config", "--data=here")
    assert said["configuration file"] == "pyproject.toml"
    assert said["omit"] == "['*/x'] (pyproject.toml [tool.covcore])"
    assert said["precision"] == "2 (pyproject.toml [tool.covcore])"
    assert said["sort"] == "'name' (default)"
    assert said["data"] == f"'{place.folder}/here' (command line)"


def test_debug_data(place: Place, folder: Path) -> None:
    dead = simple("a2", pid=8, end=OPEN).write(folder)
    running = Recording.of_running("a3").write(folder)
    (folder / "x.spoiled").write_bytes(b"")
    said = facts(place, "data")

    assert said["database"] == str(place.data)
    assert said["rows of code"] == "1"
    assert said["run a1"] == "append = '0'"
    assert said["processes"] == "1 process: 1 finished"
    assert said[dead.stem] == f"{dead.stat().st_size} bytes, run a2, over, its process has ended"
    assert said[running.stem] == f"{running.stat().st_size} bytes, run a3, under way, its process still runs"
    assert said["x.spoiled"] == "not read"
    assert dead.exists()


def test_debug_data_where_there_is_none_or_only_rubbish(place: Place) -> None:
    said = facts(place, "data")
    assert said["size"] == "none: it is not there"
    place.data.parent.mkdir()
    place.data.write_text("\x1b[2Jrubbish")
    assert facts(place, "data")["problem"].startswith(f"{place.data} is not a database of covcore")
