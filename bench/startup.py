"""What it costs to run a script that does nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Cost, Estimate, differences, interleaved, run
from bench.results import Options, Result, Row
from bench.tools import BARE, COVCORE, Tool, rivals

REACH = 25  # ms


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        names = [BARE, COVCORE, *rivals(python)]
        tools = {name: Tool(name, python) for name in names}
        with TemporaryDirectory() as temp:
            script = Path(temp) / "empty.py"
            script.touch()
            for tool in tools.values():
                start(tool, script, 0)  # what is compiled at the first start
            variants = {name: partial(start, tool, script) for name, tool in tools.items()}
            taken = interleaved(variants, options.pairs * 2, f"start-up, {python}")
        cpu = {name: [cost.cpu * 1000 for cost in costs] for name, costs in taken.items()}
        wall = {name: [cost.wall * 1000 for cost in costs] for name, costs in taken.items()}
        for what, values, reach in (("start-up, CPU time", cpu, REACH), ("start-up, wall time", wall, None)):
            figures: dict[str, Estimate | str] = {
                name: differences(values[name], values[BARE]) for name in names if name != BARE
            }
            text = f"{what} of an empty script over Python's own, {python}"
            rows.append(Row(text, "ms", figures, reach, detail=reach is None))
    return Result("startup", options, rows)


def start(tool: Tool, script: Path, number: int) -> Cost:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        command = tool.command([str(script)], source=str(script.parent), data=folder)
        return run(command, cwd=folder, env=tool.environment(folder))
