"""What it costs that recordings lie on the disk and not in memory, by counted parts: interleaved times do not resolve 1 %.

How many bytes a suite records is counted; bench/c/bench_recording.c appends as many on the disk and in memory.
"""

from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import estimate, run, say
from bench.results import Options, Result, Row
from bench.suites import PACKAGES, pytest
from bench.tools import COVCORE, COVCORE_CONTEXTS, ROOT, Tool, compiled

REACH = 1.01
DISK = "/var/tmp"
MEMORY = "/dev/shm"  # the kernel has anonymous memory that processes share in the file system here
POLL_SECONDS = 0.02


def measure(options: Options) -> Result:
    """The suites with a context for each test: what records most."""
    rows = []
    for python in options.pythons:
        for suite in ["marshmallow"] if options.quick else PACKAGES:
            say(f"recordings of the suite of {suite}, {python}")
            n_bytes, seconds = recorded(suite, Tool(COVCORE_CONTEXTS, python))
            on_disk, in_memory = written(n_bytes)
            figure = estimate([1 + (on_disk - in_memory) / seconds])
            what = f"suite of {suite}, its {n_bytes / 1e6:.1f} MB of recording on disk over in memory, {python}"
            rows.append(Row(what, "x", {COVCORE: figure}, REACH))
    return Result("recording", options, rows)


def recorded(suite: str, tool: Tool) -> tuple[int, float]:
    """The bytes that the recordings of a suite take on the disk before they are published, and the suite's processor time."""
    most = 0
    done = threading.Event()

    def watch(folder: Path) -> None:
        nonlocal most
        while not done.wait(POLL_SECONDS):
            most = max(most, allocated(folder))

    with TemporaryDirectory(dir=DISK) as temp:
        watcher = threading.Thread(target=watch, args=(Path(temp),))
        watcher.start()
        try:
            cost = pytest(suite, tool, Path(temp))
        finally:
            done.set()
            watcher.join()
    return most, cost.cpu


def allocated(folder: Path) -> int:
    """Bytes of the recordings in a folder, which come and go meanwhile."""
    total = 0
    for path in folder.glob("*.d/*.[0-9]*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def written(n_bytes: int) -> tuple[float, float]:
    """Seconds of processor time to append that many bytes on the disk and in memory."""
    with TemporaryDirectory(dir=DISK) as disk, TemporaryDirectory(dir=MEMORY) as memory:
        program = compiled(ROOT / "bench/c/bench_recording.c", Path(disk))
        (folder := Path(disk) / "recordings").mkdir()
        on_disk, in_memory = run([program, str(n_bytes), folder, memory], cwd=Path(disk)).output.split()
    return float(on_disk), float(in_memory)
