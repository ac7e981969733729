"""What processes leave that end without publishing, or have not ended: every reading command takes it in."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Place
from recording_files import ANOTHER_BOOT, BOOT_ID, FINISHED, OPEN, STOPPED, Recording, simple, start_ticks

from covcore.store.loading import load
from covcore.store.processes import Process, is_running, summary
from covcore.store.publish import publish_run
from covcore.store.recordings import find


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data.d").mkdir()
    return tmp_path / "data"


def recordings(data: Path) -> Path:
    return data.with_name(data.name + ".d")


def names(data: Path) -> set[str]:
    return {path.name for path in recordings(data).iterdir()} - {"lock"}


def paths(data: Path) -> list[str]:
    with load(str(data)) as database:
        return [file.path for file in database.files()]


def outcomes(data: Path) -> list[str]:
    with load(str(data)) as database:
        return sorted(process.outcome for process in database.processes())


# ---- who is alive


def owner(pid: int, ticks: int, boot_id: str = BOOT_ID) -> Any:
    return {
        "run_id": "a1",
        "boot_id": boot_id,
        "pid": pid,
        "start_ticks": ticks,
        "started_ns": 1,
        "hexversion": 0,
        "optimize": 0,
    }


def test_who_is_alive() -> None:
    process = subprocess.Popen(["sleep", "100"])
    try:
        ticks = start_ticks(process.pid)
        assert is_running(owner(process.pid, ticks))
        assert is_running(owner(process.pid, ticks, boot_id=""))
        assert not is_running(owner(process.pid, ticks, boot_id=ANOTHER_BOOT))
        assert not is_running(owner(process.pid, ticks - 1))  # the id was another's before
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(owner(process.pid, ticks))  # a zombie
    finally:
        process.kill()
        process.wait()
    assert not is_running(owner(process.pid, ticks))
    assert not is_running(owner(0, 0, boot_id=""))
    assert not is_running(owner(2**64 - 1, 0))


def test_a_process_with_a_difficult_name(tmp_path: Path) -> None:
    script = tmp_path / ") R 1 (x"
    script.write_text("#!/bin/sh\nread line\n")
    script.chmod(0o755)
    process = subprocess.Popen([script], stdin=subprocess.PIPE)
    try:
        while b"R 1" not in Path(f"/proc/{process.pid}/comm").read_bytes():
            time.sleep(0.01)
        assert is_running(owner(process.pid, start_ticks(process.pid)))
    finally:
        process.communicate()


def test_counting_processes() -> None:
    def processes(*outcomes: str, problem: str = "") -> list[Process]:
        return [Process("a1", "", pid, 1, 1, "cpython-314", 0, it, problem) for pid, it in enumerate(outcomes, 1)]

    assert summary([]) == "0 processes"
    assert summary(processes("finished")) == "1 process: 1 finished"
    assert summary(processes("still running", "finished", "ended without an end mark", "finished")) == (
        "4 processes: 2 finished, 1 ended without an end mark, 1 still running"
    )
    assert summary(processes("finished", "ended without an end mark", problem="killed by signal 9")) == (
        "2 processes: 1 finished, 1 ended without an end mark (killed by signal 9)"
    )


# ---- processes that were killed


VICTIM = """\
import os, signal, sys
def work(n):
    for i in range(n):
        if i == 3:
            print("three", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
work(10)
"""


def test_a_killed_program_is_taken_up_by_the_next_command(place: Place) -> None:
    place.write("victim.py", VICTIM)
    outcome = place.covcore("run", "victim.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (-signal.SIGKILL, "three\n", "")
    assert not place.data.exists()

    said = place.covcore("report").stderr
    assert said.startswith("covcore: note: recovered the data of 1 process that ended without an end mark (pid ")
    ended = "covcore: note: 1 process: 1 ended without an end mark\n"
    assert said.endswith(ended) and said.count("\n") == 2
    assert place.lines() == {"victim.py": {1, 2, 3, 4, 5, 6, 7}}
    assert names(place.data) == {"analysis"}
    assert place.covcore("report").stderr == ended


@pytest.mark.parametrize("how", ["os.abort()", "os._exit(7)", "os.execv('/bin/true', ['true'])"])
def test_other_sudden_ends(place: Place, how: str) -> None:
    place.write("victim.py", VICTIM.replace("os.kill(os.getpid(), signal.SIGKILL)", how))
    place.covcore("run", "victim.py")
    with load(str(place.data)) as database:
        (process,) = database.processes()
    assert process.outcome == "ended without an end mark"
    assert place.lines() == {"victim.py": {1, 2, 3, 4, 5, 6, 7}}


def test_killed_runs_keep_their_own_setting(place: Place) -> None:
    place.write("first.py", "first = 1\n")
    place.write("victim.py", VICTIM)
    place.covcore("run", "first.py")
    place.covcore("run", "--append", "victim.py")
    with load(str(place.data)):
        assert set(place.lines()) == {"first.py", "victim.py"}
    place.covcore("run", "first.py")
    place.covcore("run", "victim.py")
    with load(str(place.data)):
        assert set(place.lines()) == {"victim.py"}


def test_killed_while_it_publishes(place: Place) -> None:
    """A program that ends well may be killed in the moment after."""
    place.write("plain.py", "def f():\n    return 1\nf()\n")
    command = [sys.executable, "-m", "covcore", "run", "plain.py"]
    began = time.perf_counter()
    subprocess.run(command, cwd=place.folder, env=place.environment, check=True)
    longest = time.perf_counter() - began
    place.data.unlink()
    n_recorded = 0
    for number in itertools.count():
        process = subprocess.Popen(command, cwd=place.folder, env=place.environment, stderr=subprocess.DEVNULL)
        time.sleep(longest * (0.5 + number / 20))
        process.kill()
        status = process.wait()
        if place.data.exists() or names(place.data):
            with load(str(place.data)) as database:
                n_recorded += len(database.files()) == 1
            assert set(place.lines()) <= {"plain.py"}
            assert names(place.data) == set()
        if number >= 10 and status == 0:  # the machine may have been quicker when the first one ran
            break
    assert n_recorded


# ---- processes that still run


def under_way(pid: int, run_id: str = "b1", path: str = "/running.py", append: bool = False) -> Recording:
    recording = Recording.of_running(run_id, pid, append=append, started=2 * 10**18)
    other = simple(run_id, path=path, append=append)
    recording.records, recording.arcs = other.records, other.arcs
    return recording


def test_what_still_runs_is_read_and_left(data: Path, neighbour: int) -> None:
    path = under_way(neighbour).write(recordings(data))
    before = path.read_bytes()
    for _ in range(2):
        assert paths(data) == ["/running.py"]
        assert outcomes(data) == ["still running"]
    assert path.read_bytes() == before
    assert not data.exists()


def test_it_counts_as_if_it_ended_now(data: Path, neighbour: int) -> None:
    simple("a1", path="/one.py").write(recordings(data))
    publish_run(str(data), [str(recordings(data))], "a1")
    path = under_way(neighbour).write(recordings(data))
    assert paths(data) == ["/running.py"]
    path.unlink()
    path = under_way(neighbour, append=True).write(recordings(data))
    assert paths(data) == ["/one.py", "/running.py"]
    assert outcomes(data) == ["finished", "still running"]
    path.unlink()
    under_way(neighbour, run_id="a1").write(recordings(data))
    assert paths(data) == ["/one.py", "/running.py"]
    with load(str(data), recover=False) as database:
        assert len(database.runs()) == 1


def test_a_run_is_published_when_its_last_process_has_ended(data: Path, neighbour: int) -> None:
    simple("b1", path="/child.py", pid=9).write(recordings(data))
    under_way(neighbour).write(recordings(data))
    assert paths(data) == ["/child.py", "/running.py"]
    assert not data.exists()
    os.kill(neighbour, signal.SIGKILL)
    os.waitid(os.P_PID, neighbour, os.WEXITED | os.WNOWAIT)
    assert paths(data) == ["/child.py", "/running.py"]
    assert data.exists()
    assert names(data) == set()
    assert outcomes(data) == ["ended without an end mark", "finished"]


def test_a_recording_that_is_just_being_made(data: Path, neighbour: int) -> None:
    new = recordings(data) / f"b1-{neighbour}-{start_ticks(neighbour)}.0"
    simple("a1", path="/one.py").write(recordings(data))
    for content in b"", bytes(4096):
        new.write_bytes(content)
        assert paths(data) == ["/one.py"]
        assert outcomes(data) == ["finished", "still running"]
        assert new.exists()


def test_a_segment_that_is_just_being_made(data: Path, neighbour: int) -> None:
    path = under_way(neighbour).write(recordings(data))
    path.with_suffix(".1").write_bytes(bytes(4096))
    assert paths(data) == ["/running.py"]
    assert outcomes(data) == ["still running"]


def test_many_readers_at_once(data: Path) -> None:
    """All of them find the recording, one of them publishes it."""
    for number in range(5):
        simple(f"a{number}", path=f"/{number}.py", append=True, end=OPEN).write(recordings(data))
    program = "import sys; from covcore.store.loading import load; print(len(load(sys.argv[1]).files()))"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", program, data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = [reader.communicate() for reader in readers]
    assert [out for out, _ in said] == ["5\n"] * 6
    notes = "".join(err for _, err in said)
    assert notes.count("recovered the data of 5 processes") == notes.count("\n") == 1


# ---- recordings that cannot be read


def test_an_error_that_stopped_a_recording(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    simple("a1", pid=77, end=STOPPED, error=28).write(recordings(data))
    assert paths(data) == ["/src/one.py"]
    assert outcomes(data) == ["stopped by an error"]
    assert capfd.readouterr().err == "covcore: warning: recording stopped early in pid 77: No space left on device\n"


def test_spoilt_recordings_are_put_aside(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    simple("a1", path="/one.py").write(recordings(data))
    cut = simple("a1", path="/cut.py", pid=8).write(recordings(data))
    cut.write_bytes(cut.read_bytes()[:-8])
    flipped = simple("a1", path="/flipped.py", pid=9).write(recordings(data))
    flipped.write_bytes(flipped.read_bytes().replace(b"choose", b"chooze"))
    text = recordings(data) / "a1-10-5.0"
    text.write_text("what is this?\n" * 100)

    for _ in range(2):
        assert paths(data) == ["/cut.py", "/flipped.py", "/one.py"]
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 3
    for path in cut, flipped, text:
        (line,) = [line for line in said if f" {path}: " in line]
        assert line.startswith("covcore: warning: cannot read the recording ")
        assert line.endswith(f"; kept as {path}.spoiled")
        assert path.with_name(path.name + ".spoiled").exists()
    assert len(names(data)) == 3


def test_things_that_are_no_recordings(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = recordings(data)
    simple("a1", path="/one.py").write(folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "a1-1-1.0.tmp").write_text("mine")
    (folder / "dir.0").mkdir()
    os.mkfifo(folder / "fifo.0")
    target = simple("a2", path="/elsewhere.py").write(tmp_path / "other")
    (folder / "a2-100-5.0").symlink_to(target)
    (folder / "dangling.0").symlink_to(tmp_path / "nothing")
    before = names(data) - {"a1-100-5.0"}

    assert paths(data) == ["/one.py"]
    assert names(data) == before
    assert target.exists() and not (tmp_path / "nothing").exists()
    said = capfd.readouterr().err
    assert said.count("Not a regular file") == 2
    assert said.count("Too many levels of symbolic links") == 2


def test_recordings_are_found_in_the_order_of_their_beginning(data: Path) -> None:
    for number, started in enumerate([30, 10, 20]):
        simple(f"a{number}", started=started).write(recordings(data))
    assert [one.started for one in find([str(recordings(data)), "/nowhere"])] == [10, 20, 30]


def test_any_cut_and_any_flip(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a recording's bytes: data or a warning, and the other recordings count."""
    whole = simple("a1", path="/spoilt.py", end=FINISHED).segment()
    positions = [*range(0, 512, 37), *range(512, len(whole), 5)]
    for position in positions:
        for content in whole[:position], whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :]:
            (recordings(data) / "a1-100-5.0").write_bytes(content)
            simple("a2", path="/good.py", pid=8, append=True, started=2 * 10**18).write(recordings(data))
            assert "/good.py" in paths(data)
            data.unlink(missing_ok=True)
            for name in names(data):
                (recordings(data) / name).unlink()
    capfd.readouterr()
