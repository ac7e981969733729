"""Processes that are killed: whatever they had done is in the data, but for the event in flight (T8, T9, T10)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Place, unless_sanitized
from faults.victims import N_LINES, SEEDS, first_lines, logged, rng, threads

from covcore.store.loading import load
from covcore.store.processes import Process


def recorded(place: Place) -> tuple[set[int], list[Process]]:
    """The lines of victim.py that the data has, and the processes; reading publishes."""
    if not place.data.exists() and not place.data.with_name("data.d").exists():
        return set(), []
    try:
        with load(str(place.data)) as database:
            processes = database.processes()
    except Exception as error:
        if "no data at" in str(error):
            return set(), []
        raise
    return place.lines().get("victim.py", set()), processes


def forget(place: Place, log: Path) -> None:
    place.data.unlink(missing_ok=True)
    log.unlink(missing_ok=True)


def lost(done: set[int], known: set[int]) -> tuple[int, int]:
    """How many lines of those done are not known, and how many more than one a thread are known that were not done."""
    more = 0
    for first in first_lines():
        mine = set(range(first, first + N_LINES))
        more = max(more, len(known & mine - done))
    return len(done - known), more


def start(place: Place) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "covcore", "run", "--append", "victim.py"]
    return subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def duration(place: Place, log: Path) -> float:
    """How long a run takes that nobody disturbs, in seconds."""
    began = time.perf_counter()
    assert start(place).wait() == 0
    assert recorded(place)[0] >= logged(log) != set()
    forget(place, log)
    return time.perf_counter() - began


def test_sigkill_at_any_instant(place: Place, figure: Callable[[str], None]) -> None:
    """Start-up, work, exit and publishing included; the oracle is the victim's own log."""
    log = place.folder / "log"
    place.write("victim.py", threads(log))
    longest = duration(place, log)
    random = rng("kill")
    n_lost = n_early = n_unended = n_finished = 0
    n_kills = 0
    while n_kills < SEEDS or (not n_unended and n_kills < 10 * SEEDS):  # the machine may be slower than before
        n_kills += 1
        victim = start(place)
        time.sleep(random.uniform(0, longest * 1.05))
        victim.kill()
        status = victim.wait()
        done = logged(log)
        known, processes = recorded(place)
        missing, more = lost(done, known)
        n_lost += missing
        n_early = max(n_early, more)
        if done:
            (process,) = processes
            assert process.outcome in ("finished", "ended without an end mark")
            assert status in (0, -signal.SIGKILL)
        n_unended += [process.outcome for process in processes] == ["ended without an end mark"]
        n_finished += [process.outcome for process in processes] == ["finished"]
        forget(place, log)
    figure(
        f"{n_kills} kills: {n_unended} reported, {n_finished} after the end, {n_lost} lines lost, {n_early} ahead of the log"
    )
    assert (n_lost, n_early <= 1) == (0, True)
    assert n_unended


SIGNALLED = """\
import os, signal, sys
def handler(*_): os.write(1, b"handled\\n")
number, handling = int(sys.argv[1]), sys.argv[2]
if handling == "ignored":
    signal.signal(number, signal.SIG_IGN)
elif handling == "handled":
    signal.signal(number, handler)
print(signal.getsignal(number) is handler, signal.getsignal(number) == signal.SIG_IGN, flush=True)
sys.stdin.read()  # until the signal has been sent
print("read", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("handling", ["default", "ignored", "handled"])
def test_signals(place: Place, number: signal.Signals, handling: str) -> None:
    """They mean to the program what they mean without us, and what it did is kept (T8)."""
    place.write("victim.py", SIGNALLED)
    outcomes = []
    for measuring in [], ["-m", "covcore", "run"]:
        with subprocess.Popen(
            [sys.executable, *measuring, "victim.py", str(int(number)), handling],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as victim:
            assert victim.stdin is not None and victim.stdout is not None
            said = victim.stdout.readline()
            victim.send_signal(number)
            victim.stdin.close()
            outcomes.append((said + victim.stdout.read(), victim.wait()))
    assert outcomes[0] == outcomes[1]
    assert recorded(place)[0] >= {1, 2, 3, 4, 8} | ({2, 10} if handling == "handled" else set())


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("ctypes.string_at(0)", signal.SIGSEGV),
        ("os.abort()", signal.SIGABRT),
        ("signal.raise_signal(signal.SIGBUS)", signal.SIGBUS),
        ("write_nowhere()", signal.SIGSEGV),
        ("signal.raise_signal(signal.SIGKILL)", signal.SIGKILL),
    ],
)
def test_crashes(place: Place, how: str, number: signal.Signals) -> None:
    """Data kept, status and core dump as without us (T10)."""
    place.write(
        "victim.py",
        f"""\
import ctypes, os, resource, signal
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def write_nowhere():
    libc = ctypes.CDLL(None)
    libc.memset(ctypes.c_void_p(1), 0, 1)
for i in range(100):
    if i == 99:
        {how}
""",
    )
    assert place.covcore("run", "victim.py").status == place.python("victim.py").status == -number
    known, (process,) = recorded(place)
    assert known >= {1, 2, 3, 6, 7, 8}
    assert process.outcome == "ended without an end mark"


def test_killed_while_others_read(place: Place, figure: Callable[[str], None]) -> None:
    """Commands that read while processes start, write and die neither fail nor disturb (P2)."""
    log = place.folder / "log"
    place.write("victim.py", threads(log))
    random = rng("readers")
    longest = duration(place, log)
    n_rounds = max(3, SEEDS // 10)
    figure(f"{n_rounds} rounds")
    for _ in range(n_rounds):
        victims = [start(place) for _ in range(2)]
        time.sleep(random.uniform(0.3, 0.9) * longest)
        readers = [
            subprocess.Popen(
                [sys.executable, "-m", "covcore", "report", f"--data={place.data}"],
                cwd=place.folder,
                env=place.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        for victim in victims:
            victim.kill()
            victim.wait()
        for reader in readers:
            said = reader.communicate(timeout=60)[1].decode()
            assert "Traceback" not in said and reader.returncode in (0, 1)
            assert reader.returncode == 0 or "no data at" in said or "nothing was measured" in said
        done = logged(log)
        assert done <= recorded(place)[0]
        assert set(os.listdir(place.data.with_name("data.d"))) <= {"lock", "analysis"}
        forget(place, log)


FORKS = """\
import os
child = os.fork()
print(os.waitstatus_to_exitcode(os.wait()[1])) if child else None
"""
STARTS = """\
import os, subprocess, sys
print(subprocess.run([sys.executable, "-c", ""], env={**os.environ, "FAULT_FIRST": "1"}).returncode)
"""


@unless_sanitized
@pytest.mark.parametrize("program", [FORKS, STARTS], ids=["forked", "started"])
def test_killed_before_the_recording_is_there(place: Place, shim: Path, program: str) -> None:
    """T9: a child that has noted that it is there, and is killed as it makes its recording, counts."""
    place.write("main.py", program)
    outcome = place.covcore(
        *("run", "main.py"),
        LD_PRELOAD=str(shim),
        FAULT_FOLDER=str(place.data.with_name("data.d")),
        FAULT_CALL="create",
        FAULT_FIRST="2",  # the first is the program's own
        FAULT_LAST="2",
        FAULT_ERRNO=str(-signal.SIGKILL),
        FAULT_TOLD=str(place.folder / "told"),
    )
    assert outcome.stdout == "-9\n"
    for command in ["report"], ["report", "--strict"]:
        said = place.covcore(*command)
        assert said.status == len(command) - 1
        assert "2 processes: 1 finished, 1 ended without an end mark\n" in said.stderr
    killed = next(process for process in recorded(place)[1] if process.outcome != "finished")
    assert killed.pid > 0 and killed.start_ticks > 0 and killed.is_loss()
