"""What it costs to measure many processes: forks, started interpreters, and the start-up hook where nothing is measured."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Cost, Estimate, differences, interleaved, ratios, run
from bench.results import Options, Result, Row
from bench.tools import BARE, COVCORE, CTRACE, SYSMON, Tool

FORKS = """\
import os, sys, time
def work(n):
    if n % 2:
        return n
    return -n
began = time.perf_counter()
wrong = 0
for number in range({n}):
    child = os.fork()
    if child == 0:
        work(number)
        {leave}
    wrong += os.waitpid(child, 0)[1] != 0
print(wrong, time.perf_counter() - began)
"""
CHILDREN = """\
import subprocess, sys
for number in range({n}):
    subprocess.run([sys.executable, "-c", "import work; work.work(3)"], check=True)
"""
WORK = "def work(n):\n    if n % 2:\n        return n\n    return -n\n"
PATCHES = (
    "[run]\nbranch = true\nparallel = true\npatch = _exit, fork, subprocess\n"  # coverage.py measures no child without
)


def measure(options: Options) -> Result:
    rows = []
    n_forks, n_children = (40, 5) if options.quick else (200, 20)
    for python in options.pythons:
        tools = {name: Tool(name, python) for name in (BARE, COVCORE, CTRACE, SYSMON)}
        for leave in "os._exit(0)", "sys.exit()":
            program = FORKS.format(n=n_forks, leave=leave)
            rows += compare(f"{n_forks} forks that leave by {leave}", program, tools, python, options, 1.5)
        program = CHILDREN.format(n=n_children)
        rows += compare(f"{n_children} started interpreters", program, tools, python, options, None)
        rows.append(hook(tools, python, options))
    return Result("processes", options, rows)


def compare(
    what: str, program: str, tools: dict[str, Tool], python: str, options: Options, reach: float | None
) -> list[Row]:
    """A program under each tool, start and end of the process and of the measuring included."""
    with TemporaryDirectory() as temp:
        script = Path(temp) / "main.py"
        script.write_text(program)
        (Path(temp) / "work.py").write_text(WORK)
        for tool in tools.values():
            run_once(tool, script, 0)
        variants = {name: partial(run_once, tool, script) for name, tool in tools.items()}
        taken = interleaved(variants, options.pairs, f"{what}, {python}")
    rows = []
    for kind, value in ("CPU time", "cpu"), ("wall time", "wall"):
        costs = {name: [getattr(cost, value) for cost in taken[name]] for name in tools}
        figures: dict[str, Estimate | str] = {name: ratios(costs[name], costs[BARE]) for name in tools if name != BARE}
        rows.append(Row(f"{what}, {kind} over Python's own, {python}", "x", figures, reach, detail=value == "wall"))
    return rows


def run_once(tool: Tool, script: Path, number: int) -> Cost:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        (folder / "empty.coveragerc").write_text(PATCHES)  # which Tool.command names
        command = tool.command([str(script)], source=str(script.parent), data=folder)
        return run(command, cwd=script.parent, env=tool.environment(folder), log=folder / "output.log")


def hook(tools: dict[str, Tool], python: str, options: Options) -> Row:
    """The start of an interpreter that has covcore beside it and measures nothing."""
    bare, ours = tools[BARE], tools[COVCORE]
    variants = {
        BARE: partial(start, bare),
        COVCORE: partial(start, ours),
    }
    taken = interleaved(variants, options.pairs * 4, f"start-up hook, {python}")
    cpu = {name: [cost.cpu * 1000 for cost in costs] for name, costs in taken.items()}
    figures: dict[str, Estimate | str] = {COVCORE: differences(cpu[COVCORE], cpu[BARE])}
    return Row(f"start of Python where covcore is installed and unused, over one without, {python}", "ms", figures, 1.0)


def start(tool: Tool, number: int) -> Cost:
    with TemporaryDirectory() as temp:
        return run([tool.interpreter, "-c", ""], cwd=Path(temp))
