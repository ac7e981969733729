"""Publishing: what replaces what, and that neither a kill nor a full disk loses anything."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recording_files import ANOTHER_BOOT, OPEN, Recording, shape_of, simple, start_ticks

from covcore.errors import CovcoreError
from covcore.store import locking, publish
from covcore.store.database import Database
from covcore.store.loading import load
from covcore.store.publish import PublishReport, Unwritable, publish_run

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


class Folder:
    """A database and its recordings."""

    def __init__(self, path: Path) -> None:
        self.data = path / "data"
        self.recordings = path / "data.d"

    def add(self, recording: Recording) -> Path:
        return recording.write(self.recordings)

    def publish(self, run_id: str) -> PublishReport:
        return publish_run(str(self.data), [str(self.recordings)], run_id)

    def run(self, recording: Recording) -> PublishReport:
        """Record and publish."""
        self.add(recording)
        return self.publish(recording.name.partition("-")[0])

    def paths(self) -> list[str]:
        """The files of which the database has data."""
        with Database.open(str(self.data)) as database:
            return [file.path for file in database.files()]

    def runs(self) -> list[str]:
        with Database.open(str(self.data)) as database:
            return [run.run_id for run in database.runs()]

    def names(self) -> set[str]:
        """All there is but the lock."""
        return {path.name for path in [*self.recordings.iterdir(), *self.recordings.parent.iterdir()]} - {
            "data.d",
            "lock",
        }


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def in_child(function: Callable[[], object]) -> int:
    """Call a function in a forked process.  Returns its id; its status is 0 if nothing was raised."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function()
        status = 0
    finally:
        os._exit(status)


def outlive(pid: int) -> int:
    """Wait for a process.  Returns its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---- replacing and appending


def test_a_run_replaces_the_ones_before(folder: Folder) -> None:
    folder.run(simple("a1", path="/one.py"))
    report = folder.run(simple("a2", path="/two.py"))

    assert folder.paths() == ["/two.py"]
    assert folder.runs() == ["a2"]
    assert folder.names() == {"data"}
    assert (report.warnings, report.notes) == ([], [])
    assert [process.run_id for process in report.processes] == ["a2"]


def test_with_append_it_adds(folder: Folder) -> None:
    folder.run(simple("a1", path="/one.py"))
    folder.run(simple("a2", path="/two.py", started=10**18 + 1, append=True))

    assert folder.paths() == ["/one.py", "/two.py"]
    assert folder.runs() == ["a1", "a2"]


def test_all_ended_processes_of_a_run_go_in(folder: Folder) -> None:
    folder.add(simple("a1", path="/child.py", pid=8, end=OPEN))
    report = folder.run(simple("a1", path="/main.py", pid=7))

    assert folder.paths() == ["/child.py", "/main.py"]
    assert report.notes == ["recovered the data of 1 process that ended without an end mark (pid 8)"]
    assert sorted((one.pid, one.outcome) for one in report.processes) == [
        (7, "finished"),
        (8, "ended without an end mark"),
    ]


def test_a_killed_run_before_it_counts_as_if_it_had_ended_by_itself(folder: Folder) -> None:
    folder.add(simple("a1", path="/one.py", end=OPEN))
    report = folder.run(simple("a2", path="/two.py", append=True))

    assert folder.paths() == ["/one.py", "/two.py"]
    assert report.notes == ["recovered the data of 1 process that ended without an end mark (pid 100)"]
    assert [process.run_id for process in report.recovered] == ["a1"]

    folder.add(simple("a3", path="/three.py", end=OPEN))
    folder.run(simple("a4", path="/four.py"))
    assert folder.paths() == ["/four.py"]
    assert folder.names() == {"data"}


def test_a_child_that_still_runs_stays(folder: Folder, neighbour: int) -> None:
    child = folder.add(Recording.of_running("a1", neighbour))
    report = folder.run(simple("a1", path="/main.py"))

    assert child.exists()
    assert sorted(process.outcome for process in report.processes) == ["finished", "still running"]
    with Database.open(str(folder.data)) as database:
        assert sorted(process.outcome for process in database.processes()) == ["finished", "still running"]


def test_another_run_that_still_runs_is_left_alone(folder: Folder, neighbour: int) -> None:
    other = simple("b2", path="/ended_child.py", pid=9)
    left = {folder.add(other), folder.add(Recording.of_running("b2", neighbour))}
    for append in False, True:
        folder.run(simple("a1", append=append))
        assert folder.runs() == ["a1"]
        assert all(path.exists() for path in left)
    folder.recordings.joinpath(f"b2-{neighbour}-{start_ticks(neighbour)}.0").unlink()
    folder.add(simple("b2", pid=neighbour, boot_id=ANOTHER_BOOT, path="/late.py"))
    publish.recover(str(folder.data))
    assert folder.paths() == ["/ended_child.py", "/late.py"]


def test_what_outlives_its_run_adds_to_it(folder: Folder) -> None:
    folder.run(simple("a1", path="/main.py"))
    folder.run(simple("a2", path="/two.py", append=True))
    folder.add(simple("a1", path="/daemon.py", pid=8))
    report = publish.recover(str(folder.data))

    assert folder.paths() == ["/daemon.py", "/main.py", "/two.py"]
    assert report.notes == []


def test_what_outlives_a_replaced_run_replaces_nothing(folder: Folder, neighbour: int) -> None:
    folder.run(simple("a1", path="/main.py"))
    running = folder.add(Recording.of_running("a1", neighbour))
    folder.run(simple("a2", path="/two.py"))
    running.unlink()
    daemon = folder.add(simple("a1", path="/daemon.py", pid=8))
    publish.recover(str(folder.data))

    assert folder.paths() == ["/two.py"]
    assert not daemon.exists()
    folder.run(simple("a3", append=True))
    with Database.open(str(folder.data)) as database:
        assert database.replaced() == set()  # no recording is left of any


@pytest.mark.parametrize("order", [1, -1])
def test_a_killed_run_replaces_what_is_published_with_all_its_processes(folder: Folder, order: int) -> None:
    folder.run(simple("a1", path="/main.py"))
    folder.add(simple("a1", path="/daemon.py", pid=8, started=10**18 - order))
    folder.add(simple("a2", path="/killed.py", end=OPEN))
    publish.recover(str(folder.data))

    assert folder.paths() == ["/killed.py"]
    assert folder.names() == {"data"}


def test_a_run_without_any_recording_changes_nothing(folder: Folder) -> None:
    folder.run(simple("a1", path="/one.py"))
    report = folder.publish("a2")

    assert folder.paths() == ["/one.py"]
    assert report.warnings == [f"nothing was recorded: was {folder.recordings} removed meanwhile?"]


def test_a_run_that_was_killed_as_it_began_replaces_nothing(folder: Folder) -> None:
    folder.run(simple("a1", path="/one.py"))
    folder.add(Recording("a2", pid=8, end=OPEN, append=None))
    unbegun = folder.recordings / "a3-9-5.0"
    unbegun.write_bytes(bytes(4096))
    report = publish.recover(str(folder.data))

    assert folder.paths() == ["/one.py"]
    assert not unbegun.exists()
    assert report.notes == ["recovered the data of 2 processes that ended without an end mark (pid 9, 8)"]


def test_a_changed_file_is_not_mixed(folder: Folder) -> None:
    for number in range(3):
        recording = Recording(f"a{number}", started=10**18 + number, append=True)
        recording.hit(recording.code(recording.file("/src/one.py", bytes([number]) * 32), shape_of()), [number])
        report = folder.run(recording)

    with Database.open(str(folder.data)) as database:
        (file,) = database.files()
    assert (file.hash, file.codes[0].bits[0]) == (b"\2" * 32, 0b00100000)
    assert report.warnings == ["1 file changed between two runs: only the data of the newer text is kept: /src/one.py"]


# ---- the path


@pytest.mark.parametrize("content", [b"my notes\n", b"SQLite format 3\0" + bytes(200)])
def test_what_is_not_ours_is_never_replaced(folder: Folder, content: bytes) -> None:
    folder.data.write_bytes(content)
    with pytest.raises(CovcoreError):
        folder.run(simple("a1"))
    assert folder.data.read_bytes() == content
    assert folder.names() == {"data", "a1-100-5.0"}


def test_an_empty_file_is_replaced(folder: Folder) -> None:
    folder.data.touch(0o640)
    folder.run(simple("a1"))
    assert folder.runs() == ["a1"]
    assert folder.data.stat().st_mode & 0o777 == 0o640


def test_a_damaged_database(folder: Folder) -> None:
    folder.run(simple("a1"))
    damaged = folder.data.read_bytes()[:9000]
    folder.data.write_bytes(damaged)
    with pytest.raises(CovcoreError, match="is damaged"):
        folder.run(simple("a2", append=True))
    assert folder.data.read_bytes() == damaged
    assert folder.names() == {"data", "a2-100-5.0"}

    (warning,) = folder.run(simple("a3")).warnings
    assert warning == f"{folder.data} is damaged (its checksum is wrong), and is replaced"
    assert folder.runs() == ["a3"]


def test_a_link_stays(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "there" / "real"
    target.parent.mkdir()
    folder.data.symlink_to(target)
    for run_id in "a1", "a2":
        folder.run(simple(run_id))
        assert folder.data.readlink() == target
        assert folder.runs() == [run_id]
    assert [path.name for path in target.parent.iterdir()] == ["real"]


def test_recordings_in_several_folders(folder: Folder, tmp_path: Path) -> None:
    """A disk may fill up in the middle: segments go to the next folder then."""
    recording = simple("a1", path="/one.py")
    half = len(recording.records)
    recording.hit(0, [3])
    (tmp_path / "other").mkdir()
    folder.recordings.mkdir()
    first = folder.recordings / "a1-100-5.0"
    second = tmp_path / "other" / "a1-100-5.1"
    first.write_bytes(recording.segment(0, records=recording.records[:half], end=1))
    second.write_bytes(recording.segment(1, records=recording.records[half:]))
    report = publish_run(str(folder.data), [str(folder.recordings), str(tmp_path / "other")], "a1")

    assert report.warnings == []
    with Database.open(str(folder.data)) as database:
        assert database.files()[0].codes[0].bits[0] == 0b11010000
    assert not first.exists() and not second.exists()


# ---- kills


def prepare(folder: Folder) -> None:
    """An old database, what an append run recorded in two processes, and a killed run before it."""
    folder.run(simple("a1", path="/one.py"))
    folder.add(simple("a2", path="/two.py", end=OPEN, append=True))
    for pid in 7, 8:
        recording = Recording("a3", pid=pid, append=True)
        file = recording.file(f"/three{pid}.py")
        for number in range(200):
            recording.hit(recording.code(file, shape_of(), first_line=number), [0, number % 7])
        folder.add(recording)


def check_nothing_is_lost(folder: Folder, old: bytes, new: bytes) -> None:
    """After a kill: the old database with all recordings, or the new one; and the next command sets all right."""
    now = folder.data.read_bytes()
    assert now in (old, new)
    if now == old:
        assert {"a2-100-5.0", "a3-7-5.0", "a3-8-5.0"} <= folder.names()
    publish.recover(str(folder.data))
    assert folder.data.read_bytes() == new
    assert folder.names() == {"data"}


def results(tmp_path: Path) -> tuple[bytes, bytes]:
    """The database before and after an undisturbed publishing of what prepare() leaves."""
    folder = Folder(tmp_path)
    prepare(folder)
    old = folder.data.read_bytes()
    folder.publish("a3")
    return old, folder.data.read_bytes()


def test_killed_at_each_call_to_the_system(tmp_path: Path) -> None:
    (tmp_path / "undisturbed").mkdir()
    old, new = results(tmp_path / "undisturbed")
    names = "open", "close", "fsync", "replace", "unlink", "fchmod", "listdir", "fstat", "read"

    def publish_until(n: int, folder: Folder) -> None:
        """Publish, and die before the n-th call."""
        left = iter(range(n))

        def dying(call: Callable[..., object]) -> Callable[..., object]:
            def wrapper(*arguments: object) -> object:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments)

            return wrapper

        for name in names:
            setattr(os, name, dying(getattr(os, name)))
        folder.publish("a3")

    for n in range(1000):
        path = tmp_path / str(n)
        path.mkdir()
        folder = Folder(path)
        prepare(folder)
        status = outlive(in_child(lambda n=n, folder=folder: publish_until(n, folder)))  # type: ignore[misc]
        assert status in (0, -signal.SIGKILL)
        check_nothing_is_lost(folder, old, new)
        if status == 0:
            break
    assert 20 < n < 999


def test_killed_at_any_moment(tmp_path: Path) -> None:
    (tmp_path / "undisturbed").mkdir()
    began = time.perf_counter()
    old, new = results(tmp_path / "undisturbed")
    longest = time.perf_counter() - began
    chance = random.Random()
    for number in range(40):
        path = tmp_path / str(number)
        path.mkdir()
        folder = Folder(path)
        prepare(folder)
        pid = in_child(lambda folder=folder: folder.publish("a3"))  # type: ignore[misc]
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        outlive(pid)
        check_nothing_is_lost(folder, old, new)


# ---- full disks


def test_no_room_at_any_size(folder: Folder) -> None:
    prepare(folder)
    old, names = folder.data.read_bytes(), folder.names()

    def publish_with(n_bytes: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
        try:
            folder.publish("a3")
        except Unwritable as error:
            assert str(error).startswith(f"cannot write {folder.data}: ")
            assert "\n" not in str(error)
            os._exit(9)

    sizes = list(range(0, 400_000, 12_288))
    for n_bytes in sizes:
        status = outlive(in_child(lambda n_bytes=n_bytes: publish_with(n_bytes)))  # type: ignore[misc]
        if status == 0:
            break
        assert status == 9
        assert folder.data.read_bytes() == old
        assert folder.names() == names
    assert sizes[4] < n_bytes < sizes[-1]


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_call_that_fails(folder: Folder, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(folder)
    old, names = folder.data.read_bytes(), folder.names()

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch, pytest.raises(Unwritable) as raised:
        patch.setattr(os, call, fail)
        folder.publish("a3")
    assert str(raised.value) == (
        f"cannot write {folder.data}: Input/output error; the recordings stay in {folder.recordings}"
        " for the next command to publish"
    )
    assert folder.data.read_bytes() == old
    assert folder.names() == names


def test_reading_where_nothing_can_be_written(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.run(simple("a1", path="/one.py"))
    folder.add(simple("a2", path="/two.py", append=True))
    folder.data.with_name("data.new").mkdir()
    with load(str(folder.data)) as database:
        assert [file.path for file in database.files()] == ["/one.py", "/two.py"]
    assert capfd.readouterr().err.startswith(f"covcore: warning: cannot write {folder.data}: ")
    assert "a2-100-5.0" in folder.names()


# ---- several at once


def test_two_publishers_at_once(folder: Folder) -> None:
    """Each adds its run; whoever comes second adds to what the first has published."""
    for round in range(10):
        runs = [f"a{round}{number}" for number in range(3)]
        for number, run_id in enumerate(runs):
            folder.add(simple(run_id, path=f"/{run_id}.py", append=True, started=10**18 + 3 * round + number))
        pids = [in_child(lambda run_id=run_id: folder.publish(run_id)) for run_id in runs]  # type: ignore[misc]
        assert [outlive(pid) for pid in pids] == [0, 0, 0]
        assert len(folder.runs()) == 3 * (round + 1)
        assert folder.names() == {"data"}


def test_readers_while_others_publish(folder: Folder) -> None:
    """At no moment is anything missing that was there before."""

    def read_on() -> None:
        seen = 0
        while seen < 20:
            with load(str(folder.data)) as database:
                n_files = len(database.files())
            assert n_files >= seen
            seen = n_files

    folder.run(simple("a0", path="/0.py"))
    readers = [in_child(read_on) for _ in range(2)]
    for number in range(1, 20):
        folder.run(simple(f"a{number}", path=f"/{number}.py", append=True))
    assert [outlive(pid) for pid in readers] == [0, 0]


def test_a_publisher_that_hangs(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    folder.add(simple("a1"))
    with locking.Lock(str(folder.recordings)), pytest.raises(CovcoreError, match="another covcore command holds"):
        folder.publish("a1")
    folder.publish("a1")
    assert folder.runs() == ["a1"]


PUBLISHER = """
import itertools, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from recording_files import simple
from covcore.errors import CovcoreError
from covcore.store.publish import publish_run
data, number = sys.argv[2], int(sys.argv[3])
for step in itertools.count():
    run = f"{number:x}{step:04x}"
    Path(data + ".d").mkdir(exist_ok=True)
    try:
        simple(run, started=10**18 + number * 10**6 + step).write(Path(data + ".d"))
        for warning in publish_run(data, [data + ".d"], run).warnings:
            print(warning, flush=True)
    except (CovcoreError, OSError) as error:
        print(error, flush=True)
"""


def test_publishers_in_a_crowd(tmp_path: Path) -> None:
    """Many at once, some killed, and the folder with their lock removed under them: what is there is whole at any time."""
    data = tmp_path / "data"
    chance = random.Random(4)
    output = tmp_path / "output"
    with output.open("w") as out:

        def start(number: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-c", PUBLISHER, str(Path(__file__).parent), str(data), str(number)]
            return subprocess.Popen(command, stdout=out, stderr=out)

        crowd = [start(number) for number in range(4)]
        try:
            for number in range(4, 12):
                time.sleep(0.3)
                shutil.rmtree(f"{data}.d", ignore_errors=True)
                one = crowd.pop(chance.randrange(len(crowd)))
                one.kill()
                one.wait()
                crowd.append(start(number))
        finally:
            for one in crowd:
                one.kill()
                one.wait()
    assert data.exists()
    assert "Traceback" not in output.read_text()
    assert [line for line in output.read_text().splitlines() if "damaged" in line or "read back" in line] == []
    Database.open(str(data)).close()
