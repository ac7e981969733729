"""The steady state: hot functions after their first hits, over bare Python.

Timed inside the process (start-up and publishing are figures of their own), and counted: callgrind counts the
instructions of a run and of one that does twice as much, so that the difference is hot loop and nothing else.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Estimate, estimate, geometric_mean, geometric_ratios, interleaved, ratios, run, say
from bench.results import Options, Result, Row
from bench.tools import BARE, COVCORE, CTRACE, Tool, rivals

PROGRAM = Path(__file__).with_name("programs") / "steady.py"
REACH = 1.02
ALL = "steady state, geometric mean of 10 hot functions"

type Seconds = dict[str, float]  # by the function's name


@dataclass(frozen=True)
class Setting:
    python: str
    jit: bool

    def __str__(self) -> str:
        return self.python + (" with the JIT" if self.jit else "")

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHON_JIT": str(int(self.jit))}


def measure(options: Options) -> Result:
    rows = []
    settings = [Setting(python, jit) for python in options.pythons for jit in (False, True)]
    for setting in settings:
        rows += timed(setting, options)
    if not options.quick:
        for setting in settings:
            rows += counted(setting)
    return Result("steady", options, rows)


# ---- by time


def timed(setting: Setting, options: Options) -> list[Row]:
    names = [BARE, COVCORE, *(name for name in rivals(setting.python) if name != CTRACE)]  # ctrace has no steady state
    tools = {name: Tool(name, setting.python) for name in names}
    scale = 0.3 if options.quick else 1.0
    runs = {name: partial(seconds_of, tool, setting, scale) for name, tool in tools.items()}
    taken = interleaved(runs, options.pairs, f"steady state, {setting}")
    functions = list(taken[BARE][0])

    def costs(name: str) -> list[list[float]]:
        return [[seconds[function] for function in functions] for seconds in taken[name]]

    others = [name for name in names if name != BARE]
    rows = [Row(f"{ALL}, {setting}", "x", {name: geometric_ratios(costs(name), costs(BARE)) for name in others}, REACH)]
    for function in functions:
        figures: dict[str, Estimate | str] = {
            name: ratios([s[function] for s in taken[name]], [s[function] for s in taken[BARE]]) for name in others
        }
        rows.append(Row(f"{described(function)}, {setting}", "x", figures, REACH, detail=True))
    return rows


def described(function: str) -> str:
    name = function.removesuffix("_never")
    return name.replace("_", " ") + (", a line never runs" if function != name else "")


def seconds_of(tool: Tool, setting: Setting, scale: float, number: int) -> Seconds:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        program = [str(PROGRAM), str(folder / "seconds.json"), str(scale), str(37 * number)]
        command = tool.command(program, source=str(PROGRAM.parent), data=folder)
        run(command, cwd=folder, env={**tool.environment(folder), **setting.environment})
        seconds: Seconds = json.loads((folder / "seconds.json").read_text())
        return seconds


# ---- by counted instructions


def counted(setting: Setting) -> list[Row]:
    say(f"counting instructions, {setting}")
    tools = [Tool(BARE, setting.python), Tool(COVCORE, setting.python)]
    functions = re.findall(r"^    (\w+): [0-9_]+,$", PROGRAM.read_text(), re.MULTILINE)
    with ThreadPoolExecutor(2) as pool:
        jobs = {
            (function, tool): pool.submit(slope, tool, setting, function) for function in functions for tool in tools
        }
    bare, covcore = ([jobs[function, tool].result() for function in functions] for tool in tools)
    ratio = dict(zip(functions, [b / a for a, b in zip(bare, covcore, strict=True)], strict=True))
    rows = [
        Row(
            f"{ALL}, counted instructions, {setting}",
            "x",
            {COVCORE: estimate([geometric_mean(list(ratio.values()))])},
            REACH,
        )
    ]
    for function, value in ratio.items():
        what = f"{described(function)}, counted instructions, {setting}"
        rows.append(Row(what, "x", {COVCORE: estimate([value])}, REACH, detail=True))
    return rows


def slope(tool: Tool, setting: Setting, function: str) -> int:
    """The instructions that 2/100 of the usual work take, in the steady state."""
    return instructions(tool, setting, function, 0.04) - instructions(tool, setting, function, 0.02)


def instructions(tool: Tool, setting: Setting, function: str, scale: float) -> int:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        program = [str(PROGRAM), str(folder / "seconds.json"), str(scale), "0", function]
        command = tool.command(program, source=str(PROGRAM.parent), data=folder)
        if tool.name != BARE:  # valgrind looks at the interpreter, not at a script's first line
            command = [tool.interpreter, *command]
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = run([*valgrind, *command], cwd=folder, env={**tool.environment(folder), **setting.environment})
    found = re.search(r"Collected : (\d+)", done.output)
    if found is None:
        raise SystemExit(f"bench: callgrind counted nothing:\n{done.output}")
    return int(found[1])
