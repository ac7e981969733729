"""Combining 1,000 databases, 4 million arcs altogether, beside coverage.py's; and ten times as many.

Each is what one process of a test run leaves: four tests of its own, each with 1,000 arcs in 40 of the project's 500 functions.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import Cost, Estimate, environment, estimate, interleaved, ratios
from bench.report import BLOCK
from bench.results import Options, Result, Row
from bench.tools import COVCORE, SYSMON, Tool

N_FILES, N_FUNCTIONS = 50, 10
N_TESTS, N_CALLED, N_ARCS = 4, 40, 25


def measure(options: Options) -> Result:
    rows = []
    n_shards = 100 if options.quick else 1000
    for python in options.pythons:
        tools = {name: Tool(name, python) for name in (COVCORE, SYSMON)}
        with TemporaryDirectory(dir="/var/tmp") as temp:
            folder = Path(temp)
            make_shards(folder, tools[SYSMON], n_shards)
            peaks: dict[str, list[float]] = {name: [] for name in tools}
            variants = {name: partial(combine, tool, folder, peaks[name]) for name, tool in tools.items()}
            taken = interleaved(variants, options.pairs, f"combine, {python}")
            many = more(folder, tools[COVCORE], n_shards) if not options.quick else None
        wall = {name: [cost.wall for cost in costs] for name, costs in taken.items()}
        what = f"combining {n_shards:,} databases"
        rows.append(Row(f"{what}, {python}", "s", by_tool(wall), 4.0))
        rows.append(Row(f"{what}, memory, {python}", "MB", by_tool(peaks), 150.0, detail=True))
        rows.append(Row(f"{what}, over coverage.py's time, {python}", "x", ratio(wall), 1.0, detail=True))
        if many:
            seconds, peak = many
            times = {COVCORE: estimate([seconds / estimate(wall[COVCORE]).value])}
            rows.append(Row(f"combining ten times as many, over the time for those, {python}", "x", {**times}, 12.0))
            rows.append(
                Row(
                    f"combining ten times as many, memory, {python}",
                    "MB",
                    {COVCORE: estimate([peak])},
                    150.0,
                    detail=True,
                )
            )
    return Result("combine", options, rows)


def by_tool(values: dict[str, list[float]]) -> dict[str, Estimate | str]:
    return {name: estimate(numbers) for name, numbers in values.items()}


def ratio(values: dict[str, list[float]]) -> dict[str, Estimate | str]:
    return {COVCORE: ratios(values[COVCORE], values[SYSMON]), SYSMON: estimate([1.0])}


def combine(tool: Tool, folder: Path, peaks: list[float], number: int) -> Cost:
    """Combine all of a tool's shards into a new database, and keep them."""
    if tool.name == COVCORE:
        output = folder / "out.covcore"
        command: Sequence[str | Path] = [
            tool.folder / "bin/covcore",
            "combine",
            "--keep",
            f"--data={output}",
            folder / "ours",
        ]
    else:
        output = folder / ".coverage"  # whose name the shards begin with
        command = [tool.folder / "bin/coverage", "combine", "-q", "--keep", f"--data-file={output}", folder / "theirs"]
    output.unlink(missing_ok=True)
    cost, peak = run_with_peak(command, folder)
    peaks.append(peak)
    return cost


def more(folder: Path, tool: Tool, n_shards: int) -> tuple[float, float]:
    """Seconds and megabytes for ten times as many, once."""
    in_parallel(our_shard, [(folder / "ours" / f".covcore.{i}", i) for i in range(n_shards, 10 * n_shards)])
    peaks: list[float] = []
    return combine(tool, folder, peaks, 0).wall, peaks[0]


def run_with_peak(command: Sequence[str | Path], folder: Path, start: Path | None = None) -> tuple[Cost, float]:
    """Run a command, in `start` if given, else in the folder that takes its log.

    Returns its cost, and the most memory that it had, in megabytes.
    """
    with (folder / "output.log").open("w+b") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=start or folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        log.seek(0)
        output = log.read().decode(errors="replace")
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: exit status {process.returncode} of {' '.join(map(str, command))}\n{output[-1000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, 0, output), usage.ru_maxrss / 1000


# ---- the shards


def make_shards(folder: Path, theirs: Tool, n_shards: int) -> None:
    (folder / "ours").mkdir()
    (folder / "theirs").mkdir()
    in_parallel(our_shard, [(folder / "ours" / f".covcore.{i}", i) for i in range(n_shards)])
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from bench.combine import their_shards as f; f"
    halves = [range(n_shards // 2), range(n_shards // 2, n_shards)]
    commands = [f"{script}({str(folder / 'theirs')!r}, {half!r})" for half in halves]
    processes = [subprocess.Popen([theirs.interpreter, "-c", command], env=environment()) for command in commands]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise SystemExit("bench: coverage.py's shards could not be made")


def in_parallel(function: Callable[[Any], None], arguments: Sequence[object]) -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(function, arguments, chunksize=50))


def hits(number: int) -> list[tuple[str, int, int, int]]:
    """What a shard's tests hit: test, file, function and a seed for which arcs."""
    chance = random.Random(number)
    return [
        (f"tests/test_{number}.py::test_{test}", which // N_FUNCTIONS, which % N_FUNCTIONS, chance.randrange(64))
        for test in range(N_TESTS)
        for which in chance.sample(range(N_FILES * N_FUNCTIONS), N_CALLED)
    ]


def our_shard(job: tuple[Path, int]) -> None:
    """Write one of our databases."""
    from covcore._reader import decode_shape, describe
    from covcore.store.publish import write_file
    from covcore.store.shapes import n_slots
    from covcore.store.union import Union

    path, number = job
    module = compile("".join(BLOCK.format(i=i) for i in range(N_FUNCTIONS)), "x", "exec")
    shapes = [describe(constant) for constant in module.co_consts if hasattr(constant, "co_code")]
    union = Union()
    union.add_run(f"{number:032x}", number, [("argv", "-m"), ("argv", "pytest"), ("append", "1")])
    files = [union.add_file(f"/project/module_{i:03}.py".encode(), b"h" * 32, number) for i in range(N_FILES)]
    for test, file, function, seed in hits(number):
        shape = shapes[function]
        slots = n_slots(decode_shape(shape))
        chosen = random.Random(seed).sample(range(slots), min(N_ARCS, slots))
        bits = sum(1 << slots - 1 - slot for slot in chosen) << -slots % 8
        first_line = 1 + function * BLOCK.count("\n")
        code = union.add_code((files[file], first_line, f"work_{function}", "cpython-314", 0, 3, shape))
        union.hits.add([(code, {bits.to_bytes(slots + 7 >> 3): [union.add_context("", test, "")]})])
    path.touch()
    write_file(str(path), union, ())


def their_shards(folder: str, numbers: Sequence[int]) -> None:
    """Write databases of coverage.py with as many arcs under the same tests.  Runs in its environment."""
    from coverage import CoverageData

    for number in numbers:
        data = CoverageData(basename=f"{folder}/.coverage.{number}")
        for test, file, function, seed in hits(number):
            data.set_context(test)
            chosen = random.Random(seed).sample(range(40), N_ARCS)
            first_line = 1 + function * BLOCK.count("\n")
            data.add_arcs({f"/project/module_{file:03}.py": [(first_line + i, first_line + i + 1) for i in chosen]})
        data.close(force=True)
