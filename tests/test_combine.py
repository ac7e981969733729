"""Combining: any inputs in any order give the same bytes; nothing is lost, whatever interrupts it; nothing is half done."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from conftest import Place
from forging import forge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_files import OPEN, Recording, database_of, shape_of, simple

from covcore.errors import CovcoreError
from covcore.store import combine as combine_module
from covcore.store import spool
from covcore.store.combine import Refused, combine
from covcore.store.database import Database
from covcore.store.exchange import export
from covcore.store.mapping import OutsidePath, PathMap

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

ROOT = Path(__file__).parent.parent


def content(path: Path) -> bytes:
    return path.read_bytes()


def names(folder: Path) -> set[str]:
    """What is in a folder, but for the lock of the database `out`."""
    return {path.name for path in folder.iterdir()} - {"out.d"}


def contexts_of(path: Path) -> set[str]:
    with Database.open(str(path)) as database:
        return {test for _, test, _ in database.contexts().values()}


def shard(number: int, path: str = "/src/one.py", hash: bytes = b"h" * 32, **other: object) -> Recording:
    """What one process recorded, under a context of its own and one that others have too."""
    recording = Recording(f"{number:02x}", pid=number + 1, started=10**18 + number, **other)  # type: ignore[arg-type]
    code = recording.code(recording.file(path, hash), shape_of())
    recording.hit(code, [0])
    recording.context("", f"test_{number}", "run")
    recording.hit(code, [number % 5, 3])
    recording.context("", "test_common", "")
    recording.hit(code, [number % 7])
    return recording


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Four databases that overlap."""
    (tmp_path / "in").mkdir()
    return [database_of(tmp_path / "in" / f"{number}.covcore", shard(number)) for number in range(4)]


# ---- the same bytes


def recordings_of_any_kind() -> st.SearchStrategy[Recording]:
    """Processes of few runs, with few files, contexts and hits, so that all of them meet."""
    hit = st.tuples(st.sampled_from(["", "t1", "t2"]), st.sampled_from(["f", "g"]), st.integers(0, 5))

    def build(
        run: int, pid: int, started: int, end: int, path: str, label: str, hits: Sequence[tuple[str, str, int]]
    ) -> Recording:
        recording = Recording(
            f"a{run}", pid=pid, started=10**18 + started, end=end, settings=[("argv", f"{run}{started}")]
        )
        file = recording.file(path)
        codes = {name: recording.code(file, shape_of(), name) for name in ("f", "g")}
        for test, name, slot in hits:
            recording.context(label, test)
            recording.hit(codes[name], [slot])
        return recording

    return st.builds(
        build,
        st.integers(0, 1),
        st.integers(1, 2),
        st.integers(0, 1),
        st.sampled_from([OPEN, 2]),
        st.sampled_from(["/a.py", "/b.py"]),
        st.sampled_from(["", "nightly"]),
        st.lists(hit, max_size=6),
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.lists(recordings_of_any_kind(), min_size=1, max_size=2), min_size=1, max_size=3))
def test_any_order_and_any_grouping_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[Recording]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    inputs = [database_of(folder / f"part{number}", *part) for number, part in enumerate(parts)]
    results = set()
    for number, order in enumerate(itertools.permutations(inputs)):
        first, *rest = [str(path) for path in order]
        flat = folder / f"flat{number}"
        combine(str(flat), [first, *rest, first], keep=True)
        one_by_one = folder / f"one{number}"
        for path in (first, *rest):
            combine(str(one_by_one), [path], keep=True)
        right = folder / f"right{number}"
        tail = folder / f"tail{number}"
        if rest:
            combine(str(tail), rest, keep=True)
            combine(str(right), [str(tail), first], keep=True)
        else:
            combine(str(right), [first, str(flat)], keep=True)
        results |= {content(flat), content(one_by_one), content(right)}
    everything = database_of(folder / "whole", *itertools.chain(*parts))
    assert results == {content(everything)}


def test_a_database_combined_alone_is_the_same_bytes(tmp_path: Path, shards: list[Path]) -> None:
    combine(str(tmp_path / "out"), [str(shards[0])], keep=True)
    assert content(tmp_path / "out") == content(shards[0])


def test_again_with_the_result_among_the_inputs(tmp_path: Path, shards: list[Path]) -> None:
    out = tmp_path / "out"
    combine(str(out), [str(path) for path in shards], keep=True)
    first = content(out)
    copies = [tmp_path / "in" / f"copy{number}.covcore" for number in range(3)]
    for copy in copies:
        copy.write_bytes(first)
    combine(str(out), [str(tmp_path / "in"), *map(str, copies), str(copies[0])], keep=True)
    assert content(out) == first
    shards[0].rename(tmp_path / "x.covcore")
    combine(str(out), [str(tmp_path)])
    assert content(out) == first
    assert names(tmp_path) == {"in", "out"}  # the output lay in the folder that was combined


def test_what_the_output_held_stays(tmp_path: Path, shards: list[Path]) -> None:
    out = database_of(tmp_path / "out", shard(9, "/src/nine.py"))
    combine(str(out), [str(path) for path in shards])
    assert contexts_of(out) == {"", "test_common", *(f"test_{number}" for number in (0, 1, 2, 3, 9))}


def test_hits_of_one_context_in_several_shards_add_up(tmp_path: Path, shards: list[Path]) -> None:
    combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    with Database.open(str(tmp_path / "out")) as database:
        ids = [id for id, (_, test, _) in database.contexts().items() if test == "test_common"]
        (file,) = database.files(ids)
        (n_hits,) = (
            sqlite3.connect(tmp_path / "out").execute("SELECT count(*) FROM hit WHERE context = ?", ids).fetchone()
        )
    assert (file.codes[0].bits[0], n_hits) == (0b11110000, 1)


# ---- what is taken, and what goes


def test_inputs_go_when_their_data_is_safe(tmp_path: Path, shards: list[Path]) -> None:
    combine(str(tmp_path / "out"), [str(path) for path in shards[:2]])
    assert names(tmp_path / "in") == {"2.covcore", "3.covcore"}
    combine(str(tmp_path / "out"), [str(tmp_path / "in")], keep=True)
    assert names(tmp_path / "in") == {"2.covcore", "3.covcore"}
    combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert names(tmp_path / "in") == set()


def test_without_paths_the_neighbours_of_that_name(tmp_path: Path) -> None:
    for number, name in enumerate(["out.unit", "out.slow", "other.unit", "out-journal"]):
        database_of(tmp_path / name, shard(number))
    (tmp_path / "out.unit.d").mkdir()
    shard(8).write(tmp_path / "out.unit.d")
    combine(str(tmp_path / "out"), [])
    assert names(tmp_path) == {"out", "other.unit", "out-journal"}
    assert contexts_of(tmp_path / "out") == {"", "test_common", "test_0", "test_1", "test_8"}


def test_recordings_and_their_folders(tmp_path: Path) -> None:
    for number in range(4):
        shard(number, end=OPEN if number % 2 else 2).write(tmp_path / ("one.d" if number < 2 else "two.d"))
    (segment,) = (tmp_path / "two.d").glob("02-*")
    result = combine(str(tmp_path / "out"), [str(tmp_path / "one.d"), str(segment)])
    assert result.counts() == "3 recordings"
    assert contexts_of(tmp_path / "out") == {"", "test_common", "test_0", "test_1", "test_2"}
    assert [path.name.partition("-")[0] for path in (tmp_path / "two.d").iterdir() if path.name != "lock"] == ["03"]
    assert not (tmp_path / "one.d").exists()
    with Database.open(str(tmp_path / "out")) as database:
        assert {one.outcome for one in database.processes()} == {"finished", "ended without an end mark"}


def test_a_folder_of_folders_of_recordings(tmp_path: Path, shards: list[Path]) -> None:
    shard(7).write(tmp_path / "in" / "0.covcore.d")
    combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert "test_7" in contexts_of(tmp_path / "out")
    assert names(tmp_path / "in") == set()


def test_recordings_of_the_output_count_too(tmp_path: Path, shards: list[Path]) -> None:
    shard(7).write(tmp_path / "out.d")
    result = combine(str(tmp_path / "out"), [str(path) for path in shards])
    assert contexts_of(tmp_path / "out") >= {"test_7", "test_0"}
    assert result.warnings == []


def test_what_processes_noted_of_others_goes_along(tmp_path: Path) -> None:
    parent = shard(0)
    parent.fork(2)
    parent.fork(0)
    parent.write(tmp_path / "in.d")
    simple("00", pid=2, started=10**18 + 1, end=OPEN).write(tmp_path / "in.d")
    (tmp_path / "in.d" / "00-1-5.children").write_text("kill 2 9\n")
    simple("00", pid=2, started=10**18 + 1).write(tmp_path / "other.d")
    for paths in ["in.d", "other.d"], ["other.d", "in.d"]:
        out = tmp_path / "-".join(["out", *paths])
        combine(str(out), [str(tmp_path / path) for path in paths], keep=True)
        with Database.open(str(out)) as database:
            assert [(one.pid, one.outcome, one.problem) for one in database.processes()] == [
                (0, "left no record", ""),
                (1, "finished", ""),
                (2, "finished", ""),
            ]
    combine(str(tmp_path / "out"), [str(tmp_path / "in.d")])
    with Database.open(str(tmp_path / "out")) as database:
        assert [one.problem for one in database.processes()] == ["", "", "killed by signal 9"]
    assert not (tmp_path / "in.d").exists()


def test_a_child_that_noted_itself_counts_once(tmp_path: Path) -> None:
    """By its own recording, wherever that is and whenever it comes; and without one, too."""
    parent = shard(0)
    parent.fork(2, 7)
    parent.fork()
    parent.write(tmp_path / "in.d")
    (tmp_path / "in.d" / "00-1-5.children").write_text("born 3 8\nbegan 2 7 python\n")
    simple("00", pid=2, ticks=7, started=10**18 + 1).write(tmp_path / "other.d")
    outs = []
    for groups in [["in.d", "other.d"]], [["other.d"], ["in.d"]], [["in.d"], ["other.d"]]:
        outs.append(tmp_path / f"out{len(outs)}")
        for paths in groups:
            combine(str(outs[-1]), [str(tmp_path / path) for path in paths], keep=True)
        with Database.open(str(outs[-1])) as database:
            assert {(one.pid, one.start_ticks, one.outcome) for one in database.processes()} == {
                (1, 5, "finished"),
                (2, 7, "finished"),
                (3, 8, "ended without an end mark"),
            }
    assert len({out.read_bytes() for out in outs}) == 1


def test_a_process_that_still_runs_keeps_its_recording(tmp_path: Path, shards: list[Path]) -> None:
    path = Recording.of_running("ff").write(tmp_path / "in" / "0.covcore.d")
    result = combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert result.notes == [f"1 recording of processes that still run stay as they are: {path}"]
    assert path.exists()


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="nothing to combine: there is no data in"):
        combine(str(tmp_path / "out"), [str(tmp_path / "empty")])
    with pytest.raises(Refused, match=r"out\.\*"):
        combine(str(tmp_path / "out"), [])
    with pytest.raises(Refused) as raised:
        combine(str(tmp_path / "out"), [str(tmp_path / "missing")])
    assert raised.value.reasons == [f"cannot read {tmp_path}/missing: No such file or directory"]
    assert names(tmp_path) == {"empty"}


# ---- all or nothing


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path): content(path) for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def spoilt(whole: bytes) -> dict[str, bytes]:
    """Bytes that are no database, by the reason that is to be given."""
    newer = bytearray(whole)
    newer[63] = 9
    older = bytearray(whole)
    older[63] = 1
    other = bytearray(whole)
    other[68:72] = bytes(4)
    return {
        "is empty": b"",
        "is not a database of covcore": b"\x1f\x8b" + whole[2:],
        "is damaged (": whole[: len(whole) // 2],
        "is another program's SQLite database": bytes(other),
        "was written by a newer covcore (schema 9, not 3)": bytes(newer),
        "was written by an older covcore (schema 1, not 3)": bytes(older),
    }


def test_one_bad_input_stops_all(tmp_path: Path, shards: list[Path]) -> None:
    out = database_of(tmp_path / "out", shard(9))
    for number, whole in enumerate(spoilt(content(shards[0])).values()):
        (tmp_path / "in" / f"bad{number}.covcore").write_bytes(whole)
    before = all_files(tmp_path)
    paths = [str(path) for path in sorted((tmp_path / "in").iterdir())]
    with pytest.raises(Refused, match="nothing was combined, and nothing removed: 6 inputs cannot be read") as raised:
        combine(str(out), paths)
    for number, reason in enumerate(spoilt(content(shards[0]))):
        (line,) = [line for line in raised.value.reasons if f"bad{number}" in line]
        assert reason in line
    assert all_files(tmp_path) == before

    result = combine(str(out), paths, allow_partial=True)
    assert len(result.left_out) == len(result.warnings) == 6
    assert contexts_of(out) == {"", "test_common", *(f"test_{number}" for number in (0, 1, 2, 3, 9))}
    assert names(tmp_path / "in") == {f"bad{number}.covcore" for number in range(6)}


def test_a_database_that_turns_out_bad_half_way_leaves_nothing_behind(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BATCH", 7)  # so that some of its hits are on disk by then
    expected = tmp_path / "expected"
    database_of(tmp_path / "in" / "9.covcore", shard(9, "/9.py"))  # whose code objects get the numbers of the bad one's
    combine(str(expected), [str(tmp_path / "in")], keep=True)
    bad = tmp_path / "in" / "1a.covcore"
    database_of(bad, *(shard(number, f"/{number}.py") for number in range(20, 40)))
    whole = content(bad)
    with Database.open(str(bad)) as database:
        (bits,) = database.connection.execute("SELECT max(rowid) FROM pattern").fetchone()
        assert bits > 10
    forge(bad, "UPDATE pattern SET bits = zeroblob(99) WHERE id = (SELECT max(id) FROM pattern)")
    result = combine(str(tmp_path / "out"), [str(tmp_path / "in")], allow_partial=True, keep=True)
    assert result.left_out == [(str(bad), "is damaged (a bitmap of the wrong length): move it away")]
    assert content(tmp_path / "out") == content(expected)
    bad.write_bytes(whole)


def test_a_recording_that_is_cut_is_left_alone(tmp_path: Path, shards: list[Path]) -> None:
    path = shard(7).write(tmp_path / "in" / "x.d")
    path.write_bytes(content(path)[:-8])
    with pytest.raises(Refused) as raised:
        combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert raised.value.reasons == [f"cannot read {path}: segment 0: a record is cut short"]
    combine(str(tmp_path / "out"), [str(tmp_path / "in")], allow_partial=True)
    assert "test_7" not in contexts_of(tmp_path / "out")
    assert path.exists()


def test_two_texts_of_a_file_are_not_mixed(tmp_path: Path) -> None:
    old = database_of(tmp_path / "old", shard(1, hash=b"1" * 32), shard(2, "/src/two.py"))
    new = database_of(tmp_path / "new", shard(3, hash=b"3" * 32))
    for order in [old, new], [new, old]:
        with pytest.raises(Refused, match="1 file changed between the inputs") as raised:
            combine(str(tmp_path / "out"), [str(path) for path in order])
        assert raised.value.reasons == [f"/src/one.py: it had another text when {old} was measured than for {new}"]
    assert names(tmp_path) == {"old", "new"}

    result = combine(str(tmp_path / "out"), [str(old), str(new)], allow_partial=True)
    assert result.warnings == [
        f"left out older text: /src/one.py: it had another text when {old} was measured than for {new}"
    ]
    with Database.open(str(tmp_path / "out")) as database:
        assert [(file.path, file.hash[:1]) for file in database.files()] == [
            ("/src/one.py", b"3"),
            ("/src/two.py", b"h"),
        ]
    assert names(tmp_path) == {"out", "old", "new"}  # what was left out is still there


def test_a_damaged_output_stops_even_what_may_be_partial(tmp_path: Path, shards: list[Path]) -> None:
    out = database_of(tmp_path / "out", shard(9))
    out.write_bytes(content(out)[:-4096])
    before = all_files(tmp_path)
    with pytest.raises(CovcoreError, match="is damaged"):
        combine(str(out), [str(tmp_path / "in")], allow_partial=True)
    assert all_files(tmp_path) == before


# ---- whatever interrupts it


def test_a_full_disk_loses_nothing(tmp_path: Path, shards: list[Path]) -> None:
    """RLIMIT_FSIZE stands for the disk: a write beyond it fails as one to a full disk does."""
    expected = tmp_path / "expected"
    combine(str(expected), [str(path) for path in shards], keep=True)
    out = database_of(tmp_path / "out", shard(0))
    before = all_files(tmp_path)
    size = len(content(expected))
    script = (
        "import resource, signal, sys; sys.dont_write_bytecode = True; from covcore.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); sys.exit(main(sys.argv[2:]))"
    )
    for n_bytes in range(0, size, 8192):
        run = subprocess.run(
            [sys.executable, "-c", script, str(n_bytes), "combine", f"--data={out}", str(tmp_path / "in")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 1, n_bytes
        assert "cannot write" in run.stderr
        assert "no input was removed" in run.stderr
        assert all_files(tmp_path) == before
    combine(str(out), [str(tmp_path / "in")])
    assert content(out) == content(expected)


def test_a_file_that_does_not_read_back_is_not_published(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from covcore.store import publish

    real = publish.write_file

    def torn(new: str, *arguments: object) -> object:
        written = real(new, *arguments)  # type: ignore[arg-type]
        with open(new, "r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(bytes(4096))
        return written

    monkeypatch.setattr(publish, "write_file", torn)
    before = all_files(tmp_path)
    with pytest.raises(CovcoreError, match="does not read back as it was written"):
        combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert all_files(tmp_path) == before


def test_an_input_that_changed_meanwhile_is_not_removed(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that publishes into an input while it is combined puts a new file in its place."""
    real = combine_module.write_database

    def meanwhile(*arguments: object, **more: object) -> object:
        result = real(*arguments, **more)  # type: ignore[arg-type]
        database_of(tmp_path / "in" / "new", shard(0), shard(30)).rename(shards[0])
        return result

    monkeypatch.setattr(combine_module, "write_database", meanwhile)
    combine(str(tmp_path / "out"), [str(tmp_path / "in")])
    assert names(tmp_path / "in") == {"0.covcore"}
    assert "test_30" in contexts_of(shards[0])


VICTIM = "import sys; from covcore.cli import main; sys.exit(main(sys.argv[1:]))"


def combine_killed(folder: Path, delay: float | None) -> int:
    """Combine in a process of its own, and kill it after a delay.  Returns its status."""
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM, "combine", f"--data={folder}/out", str(folder / "in")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode


def test_killed_at_any_instant_nothing_is_lost(tmp_path: Path, n_seeds: int, figure: Callable[[str], None]) -> None:
    """What is in the output and the inputs together is all there ever was, and the next call ends as if none was killed."""
    n_shards = 12
    (tmp_path / "template").mkdir()
    for number in range(n_shards):
        database_of(tmp_path / "template" / f"{number}.covcore", *(shard(number * 10 + k) for k in range(3)))
    combine(str(tmp_path / "expected"), [str(tmp_path / "template")], keep=True)
    expected = content(tmp_path / "expected")
    everything = contexts_of(tmp_path / "expected")

    def prepared(name: str) -> Path:
        folder = tmp_path / name
        (folder / "in").mkdir(parents=True)
        for path in (tmp_path / "template").iterdir():
            (folder / "in" / path.name).write_bytes(content(path))
        return folder

    started = time.monotonic()
    assert combine_killed(prepared("timing"), None) == 0
    duration = time.monotonic() - started
    chance = random.Random(6)
    killed = 0
    for seed in range(n_seeds):
        folder = prepared(f"seed{seed}")
        started = time.monotonic()
        if combine_killed(folder, chance.uniform(0.3, 1.1) * duration):
            killed += 1
        else:  # the machine may have been slower when the first one ran
            duration = time.monotonic() - started
        left = [path for path in (folder / "in").iterdir() if path.suffix == ".covcore"]
        there = [folder / "out"] if (folder / "out").exists() else []
        assert set().union(*(contexts_of(path) for path in left + there)) == everything, seed
        assert not there or content(there[0]) == expected, seed
        if left:
            assert combine_killed(folder, None) == 0
        assert content(folder / "out") == expected, seed
        assert names(folder) == {"in", "out"}, seed
    figure(f"{n_seeds} combines, {killed} of them killed: 0 contexts lost, called again 0 bytes differ")
    assert killed


def test_killed_between_any_two_steps(tmp_path: Path) -> None:
    """As before, and at each of the steps that change the disk: by a hook that kills at the n-th."""
    (tmp_path / "template").mkdir()
    for number in range(3):
        database_of(tmp_path / "template" / f"{number}.covcore", shard(number))
    combine(str(tmp_path / "expected"), [str(tmp_path / "template")], keep=True)
    everything = contexts_of(tmp_path / "expected")

    for n in itertools.count(1):
        folder = tmp_path / f"step{n}"
        (folder / "in").mkdir(parents=True)
        for path in (tmp_path / "template").iterdir():
            (folder / "in" / path.name).write_bytes(content(path))
        status = in_child(lambda n=n, folder=folder: (kill_at(n), combine(f"{folder}/out", [f"{folder}/in"])))
        left = list((folder / "in").glob("*.covcore"))
        there = [folder / "out"] if (folder / "out").exists() else []
        assert set().union(*(contexts_of(path) for path in left + there)) == everything, n
        if left:
            combine(f"{folder}/out", [f"{folder}/in"])
        assert content(folder / "out") == content(tmp_path / "expected"), n
        assert names(folder) == {"in", "out"}, n
        if status == 0:
            assert n > 20
            return
        assert status == -signal.SIGKILL


def kill_at(n: int) -> None:
    """Have this process killed before the n-th thing that it does to the disk."""
    left = n

    def step(event: str, arguments: object) -> None:
        nonlocal left
        if event in ("os.remove", "os.rename", "os.mkdir", "open", "sqlite3.connect", "os.rmdir"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(step)


def in_child(function: Callable[[], object]) -> int:
    """Call a function in a forked process.  Returns its status: 0 if nothing was raised, negative for a signal."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_two_at_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(30):
        database_of(tmp_path / "in" / f"{number}.covcore", shard(number))
    combine(str(tmp_path / "expected"), [str(tmp_path / "in")], keep=True)
    command = [sys.executable, "-c", VICTIM, "combine", f"--data={tmp_path}/out", str(tmp_path / "in")]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert content(tmp_path / "out") == content(tmp_path / "expected")
    for process, text in zip(processes, errors, strict=True):
        late = "nothing to combine" in text or "cannot read" in text or "call again" in text
        assert process.returncode == 0 or (late and "Traceback" not in text), text


@pytest.mark.parametrize("change", [Path.unlink, Path.touch])
def test_an_input_that_goes_while_it_is_read(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Another command has taken it, or written it anew."""
    path = database_of(tmp_path / "one", shard(0))

    def locate(name: bytes) -> bytes:
        change(path)
        return name

    with pytest.raises(Refused, match="changed while it was read: nothing was combined, call again"):
        combine(str(tmp_path / "out"), [str(path)], locate)
    assert not (tmp_path / "out").exists()


# ---- paths


def mapped(table: dict[str, list[str]], path: str) -> str:
    place = PathMap("/here", table)
    result = place(os.fsencode(path))
    assert place(result) == result, "mapping what was mapped changes nothing"
    return os.fsdecode(result)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["/ci/src"], "/ci/src/a/b.py", "/here/src/a/b.py"),
        (["/ci/src"], "/ci/srcs/a.py", "/ci/srcs/a.py"),
        (["/ci/src/"], "/ci/src/a.py", "/here/src/a.py"),
        (["/ci/*/src"], "/ci/42/src/a.py", "/here/src/a.py"),
        (["/ci/*/src"], "/ci/4/2/src/a.py", "/ci/4/2/src/a.py"),
        (["/ci/**/src"], "/ci/4/2/src/a.py", "/here/src/a.py"),
        (["*/src"], "/ci/4/2/src/a.py", "/here/src/a.py"),
        (["*/src"], "/ci/src/x/src/a.py", "/here/src/x/src/a.py"),
        (["*/src"], "/here/src/src/a.py", "/here/src/src/a.py"),
        (["*/src"], "/ci/nosrc/a.py", "/ci/nosrc/a.py"),
        (["/ci/job?/src"], "/ci/job7/src/a.py", "/here/src/a.py"),
        (["/ci/src"], "/other/ci/src/a.py", "/other/ci/src/a.py"),
        (["/ci/a.b"], "/ci/aXb/c.py", "/ci/aXb/c.py"),
        (["C:\\ci\\src"], "c:\\CI\\src\\a\\b.py", "/here/src/a/b.py"),
        (["C:\\ci\\*\\src"], "C:\\ci\\42\\src\\a.py", "/here/src/a.py"),
        (["c:/ci/src"], "C:\\ci\\src\\a.py", "/here/src/a.py"),
        (["\\\\server\\share\\src"], "\\\\server\\share\\src\\a.py", "/here/src/a.py"),
        (["*\\src"], "D:\\x\\src\\a.py", "/here/src/a.py"),
        (["/ci/SRC"], "/ci/src/a.py", "/ci/src/a.py"),
        (["/first", "/ci/src"], "/ci/src/a.py", "/here/src/a.py"),
        ([], "/ci/src/a.py", "/ci/src/a.py"),
        (["/ci/src"], "/ci/src/a\udcff\\b.py", "/here/src/a\udcff\\b.py"),
    ],
)
def test_the_leading_part_of_a_path(patterns: list[str], path: str, expected: str) -> None:
    assert mapped({"source": ["src", *patterns]}, path) == expected


def test_a_folder_here_below_one_that_a_pattern_matches() -> None:
    table = {"source": ["src/deep", "*/src"]}
    assert mapped(table, "/ci/src/a.py") == "/here/src/deep/a.py"
    assert mapped(table, "/here/src/deep/a.py") == "/here/src/deep/a.py"


def test_roots_with_equal_names_below() -> None:
    table = {"one": ["one", "/ci/one"], "two": ["two", "/ci/two"]}
    assert mapped(table, "/ci/one/pkg/a.py") == "/here/one/pkg/a.py"
    assert mapped(table, "/ci/two/pkg/a.py") == "/here/two/pkg/a.py"


@pytest.mark.parametrize("path", ["../a.py", "a/../../b.py", "./a.py", "a//b.py", "", "./."])
def test_relative_paths_lead_nowhere_else(path: str) -> None:
    with pytest.raises(OutsidePath):
        PathMap("/here")(path.encode())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("covcore.toml", "[paths]\nsource = ['src', '/ci/*/src', 'c:\\ci\\src']\n"),
        (".coveragerc", "[paths]\nsource =\n  src\n  /ci/*/src\n  c:\\ci\\src\n"),
    ],
)
def test_files_of_two_machines_are_one(place: Place, name: str, text: str) -> None:
    data = place.data.parent
    data.mkdir()
    database_of(data / "linux", shard(1, "/ci/linux/src/a.py"))
    database_of(data / "windows", shard(2, "C:\\CI\\src\\a.py"))
    place.write(name, text)
    run = place.covcore("combine", data / "linux", data / "windows")
    assert (run.status, run.stderr) == (0, "")
    with Database.open(str(place.data)) as database:
        assert [file.path for file in database.files()] == [str(place.folder / "src" / "a.py")]
    assert contexts_of(place.data) == {"", "test_common", "test_1", "test_2"}


def test_a_table_of_paths_that_makes_no_sense(place: Place) -> None:
    for text in "paths = ['src']", "[paths]\nsource = []", "[paths]\nsource = [1]":
        place.write("covcore.toml", text)
        run = place.covcore("combine")
        assert run.status == 1
        assert "paths must be a table of lists" in run.stderr


# ---- export and import


@pytest.mark.parametrize("source", ["pkg", "."])
def test_an_export_goes_to_another_folder(source: str, place: Place, tmp_path: Path) -> None:
    place.write("pkg/__init__.py", "")
    place.write("pkg/unused.py", "x = 1\n")
    place.write("pkg/main.py", "import sys\nif len(sys.argv) > 5:\n    print('many')\n")
    assert place.covcore("run", f"--source={source}", "-m", "pkg.main").status == 0
    run = place.covcore("export", "-o", tmp_path / "moved.covcore")
    assert (run.status, run.stdout, run.stderr) == (0, f"Wrote {tmp_path}/moved.covcore\n", "")
    report = place.covcore("report", "-m")

    elsewhere = Place(tmp_path / "elsewhere2" / "deep", tmp_path / "data2")
    (tmp_path / "elsewhere2").mkdir()
    place.folder.rename(elsewhere.folder)
    for _ in range(2):
        run = elsewhere.covcore("import", tmp_path / "moved.covcore")
        assert (run.status, run.stderr) == (0, "")
    assert elsewhere.covcore("report", "-m").stdout == report.stdout
    assert "unused.py" in report.stdout
    assert (tmp_path / "moved.covcore").exists()


def test_an_export_holds_what_is_not_published_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    database_of(data, shard(1))
    Recording.of_running("ff", append=True).write(tmp_path / "data.d")
    shard(2, append=True).write(tmp_path / "data.d")
    export(str(data), str(tmp_path / "file"), "/src")
    assert contexts_of(tmp_path / "file") >= {"test_1", "test_2"}
    with Database.open(str(tmp_path / "file")) as database:
        assert database.paths() == ["one.py"]


def test_exporting_over_other_things(place: Place) -> None:
    place.data.parent.mkdir()
    database_of(place.data, shard(1))
    before = content(place.data)
    assert "is the database itself" in place.covcore("export", "-o", place.data).stderr
    assert "is not a regular file" in place.covcore("export", "-o", place.folder).stderr
    assert "cannot write" in place.covcore("export", "-o", "missing/file").stderr
    assert content(place.data) == before
    assert "is a folder" in place.covcore("import", place.folder).stderr


# ---- other Pythons


MINOR = sys.version_info.minor
# Of the Pythons that the project is developed with, the one whose bytecode is the least like that of this one.
OTHERS = sorted({12, 13, 14, 15} - {MINOR}, key=lambda other: -abs(other - MINOR))


def other_python() -> tuple[int, str]:
    """Another Python that covcore is built for here: its minor version, its path."""
    for other in OTHERS:
        folder = ROOT / ".venv" / f"3.{other}"
        if (folder / ".built").exists():
            return other, str(folder / "bin" / "python")
    pytest.skip("covcore is not built for another Python here")


PROGRAM = """\
import sys


def choose(a, b):
    assert a is not None
    if a and b:
        return "both"
    for item in a or []:
        if item > 1:
            continue
        print(item)
    else:
        return [x for x in "ab" if x != b]
    return "none"


def never():
    try:
        return 1
    finally:
        print()


print(choose(*eval(sys.argv[1])))
"""


def figures(place: Place, *data: str) -> tuple[dict[str, set[object]], dict[str, set[object]]]:
    """What ran and what there is: lines, and branches from -> to, of prog.py in a database."""
    import json

    run = place.covcore("json", "-o", "-", *data)
    assert run.status == 0, run.stderr
    ((_, file),) = json.loads(run.stdout)["files"].items()
    ran: dict[str, set[object]] = {
        "lines": set(file["executed_lines"]),
        "branches": {tuple(pair) for pair in file["executed_branches"]},
    }
    missed: dict[str, set[object]] = {
        "lines": set(file["missing_lines"]),
        "branches": {tuple(pair) for pair in file["missing_branches"]},
    }
    return ran, {kind: ran[kind] | missed[kind] for kind in ran}


def test_shards_of_two_pythons_and_of_optimized_code_add_up(place: Place) -> None:
    place.write("prog.py", PROGRAM)
    place.data.parent.mkdir()
    data = place.data.parent
    minor, other = other_python()
    runs: Iterable[tuple[str, list[str], str]] = [
        (sys.executable, [], "(1, 1)"),
        (other, [], "([0, 3], 0)"),
        (sys.executable, ["-O"], "([], 'a')"),
        (other, ["-O"], "([2], 0)"),
    ]
    ran: dict[str, set[object]] = {"lines": set(), "branches": set()}
    everything: dict[str, set[object]] = {"lines": set(), "branches": set()}
    for number, (python, options, argument) in enumerate(runs):
        run = place.run(
            python, *options, "-m", "covcore", "run", f"--data={data}/{number}", "prog.py", argument,
            PYTHONPATH=str(ROOT),
        )  # fmt: skip
        assert run.status == 0, run.stderr
        one, whole = figures(place, f"--data={data}/{number}")
        for kind in ran:
            ran[kind] |= one[kind]
            everything[kind] |= whole[kind]
    outcome = place.covcore("combine", *(data / str(number) for number in range(4)))
    assert (outcome.status, outcome.stderr) == (0, "")

    combined_ran, combined_all = figures(place)
    assert combined_ran == ran
    assert combined_all == everything
    with Database.open(str(place.data)) as database:
        assert {(one.tag, one.optimize) for one in database.processes()} == {
            (f"cpython-3{it}", level) for it in (MINOR, minor) for level in (0, 1)
        }


CONDITIONS = """\
import sys


def decide(a, b, c):
    x = [i for i in a if i and b]
    if a and (b or c):
        x = [1]
    return [j for j in x] if b else not (a and b) or c


decide(*eval(sys.argv[1]))
"""


def test_outcomes_that_several_pythons_saw_add_up(place: Place) -> None:
    """Their compilers give the sites of operands different places."""
    place.write("prog.py", CONDITIONS)
    place.data.parent.mkdir()
    data = place.data.parent
    arguments = ["([0], 0, 1)", "([1], 1, 0)", "([1], 0, 0)", "([], 0, 1)"]

    def never_seen(runs: Iterable[tuple[str, str]]) -> list[str]:
        for number, (python, argument) in enumerate(runs):
            run = place.run(
                python, "-m", "covcore", "run", f"--data={data}/{number}", "prog.py", argument, PYTHONPATH=str(ROOT)
            )
            assert run.status == 0, run.stderr
        assert place.covcore("combine", *(data / str(number) for number in range(len(arguments)))).status == 0
        report = place.covcore("report", "--conditions").stdout
        return [line for line in report.splitlines() if "was never" in line or "outcomes" in line]

    alone = never_seen((sys.executable, argument) for argument in arguments)
    _, other = other_python()
    assert never_seen(zip([sys.executable, other] * 2, arguments, strict=True)) == alone
    assert never_seen(zip([other, sys.executable] * 2, arguments, strict=True)) == alone
    assert alone[-1].startswith("Conditions: ")


# ---- in words


def test_the_command(place: Place) -> None:
    place.data.parent.mkdir()
    for number in range(3):
        database_of(place.folder / f"{number}.covcore", shard(number))
    place.write("3.covcore", "nothing of the kind")
    run = place.covcore("combine", *(f"{number}.covcore" for number in range(4)))
    assert run.status == 1
    assert run.stderr == (
        f"covcore: error: cannot read {place.folder}/3.covcore: is not a database of covcore\n"
        "covcore: error: nothing was combined, and nothing removed: 1 input cannot be read: --allow-partial leaves that out,"
        " and `covcore erase` drops what was there before\n"
    )
    run = place.covcore("combine", "--keep", "--allow-partial", *(f"{number}.covcore" for number in range(4)))
    assert (run.status, run.stderr) == (
        0,
        f"covcore: warning: left out {place.folder}/3.covcore: is not a database of covcore\n",
    )
    assert run.stdout == f"Combined 3 databases into {os.path.relpath(place.data, place.folder)}\n"
    assert (place.folder / "0.covcore").exists()
