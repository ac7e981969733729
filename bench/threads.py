"""64 threads in code that they share and code of their own, over bare Python, publishing included."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import estimate, interleaved, ratios, run
from bench.results import Options, Result, Row
from bench.tools import BARE, COVCORE, Tool, rivals

PROGRAM = Path(__file__).with_name("programs") / "threads.py"
THREADS = 64
ROUNDS = 1500
REACH = 1.10
COUNTED = (60, 120)  # rounds under callgrind


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        names = [BARE, COVCORE, *rivals(python)]
        rounds = ROUNDS // 10 if options.quick else ROUNDS
        runs = {name: partial(cost, Tool(name, python), rounds) for name in names}
        taken = interleaved(runs, options.pairs, f"threads, {python}")
        figures = {name: ratios(taken[name], taken[BARE]) for name in names[1:]}
        rows.append(Row(f"{THREADS} threads in shared and own code, {python}", "x", {**figures}, REACH))
        if not options.quick:
            rows.append(counted(python))
    return Result("threads", options, rows)


def command(tool: Tool, folder: Path, rounds: int) -> list[str | Path]:
    program = [str(PROGRAM), str(THREADS), str(rounds), str(THREADS)]
    return [*tool.command(program, source=str(PROGRAM.parent), data=folder)]


def cost(tool: Tool, rounds: int, number: int) -> float:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        return run(command(tool, folder, rounds), cwd=folder, env=tool.environment(folder)).cpu


def counted(python: str) -> Row:
    """What each further round costs, in instructions: no clock, and neither start nor end."""
    bare, covcore = (slope(Tool(name, python)) for name in (BARE, COVCORE))
    what = f"{THREADS} threads, each further round, counted instructions, {python}"
    return Row(what, "x", {COVCORE: estimate([covcore / bare])}, REACH, detail=True)


def slope(tool: Tool) -> int:
    few, many = (instructions(tool, rounds) for rounds in COUNTED)
    return many - few


def instructions(tool: Tool, rounds: int) -> int:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        words = command(tool, folder, rounds)
        if tool.name != BARE:  # valgrind looks at the interpreter, not at a script's first line
            words = [tool.interpreter, *words]
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = run([*valgrind, *words], cwd=folder, env=tool.environment(folder))
    found = re.search(r"Collected : (\d+)", done.output)
    if found is None:
        raise SystemExit(f"bench: callgrind counted nothing:\n{done.output}")
    return int(found[1])
