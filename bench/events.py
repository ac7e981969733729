"""What one event costs: dispatch by the interpreter, callback and recording together."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Estimate, estimate, interleaved, run
from bench.results import Options, Result, Row
from bench.tools import COVCORE, Tool

PROGRAM = Path(__file__).with_name("programs") / "events.py"
CALLBACK = "Python callback, set.add"
CORES = {COVCORE: "covcore", CALLBACK: "python"}
KINDS = {"line": "LINE event", "branch": "LINE or BRANCH event, one each"}

type Figures = dict[str, float]


def measure(options: Options) -> Result:
    rows = []
    million = 200 if options.quick else 1000  # functions of 1,000 lines
    for python in options.pythons:
        for kind, what in KINDS.items():
            many = rounds(python, kind, million, 3, options)
            few = rounds(python, kind, 10, million // 10, options)

            rows += [
                row(f"{what}, arc in the set, 100 contexts of 10,000 arcs, {python}", few, "known", 40),
                row(f"{what}, arc in the set, 3 contexts of 1,000,000 lines, {python}", many, "known", None),
                row(f"{what}, arc never seen before, 1,000,000 lines, {python}", many, "new", 80),
                row(f"{what}, what arming its code object adds, {python}", many, "arm", None),
            ]
    return Result("events", options, rows)


def row(what: str, runs: dict[str, list[Figures]], key: str, reach: float | None) -> Row:
    figures: dict[str, Estimate | str] = {tool: estimate([figures[key] for figures in runs[tool]]) for tool in runs}
    return Row(what, "ns", figures, reach, detail=reach is None)


def rounds(python: str, kind: str, functions: int, passes: int, options: Options) -> dict[str, list[Figures]]:
    variants = {name: partial(figures_of, python, core, kind, functions, passes) for name, core in CORES.items()}
    return interleaved(variants, options.pairs, f"events of {functions} functions ({kind}), {python}")


def figures_of(python: str, core: str, kind: str, functions: int, passes: int, number: int) -> Figures:
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        interpreter = Tool(COVCORE, python).interpreter
        arguments: list[str | Path] = [core, kind, str(functions), str(passes), folder / "figures.json"]
        run([interpreter, PROGRAM, *arguments], cwd=folder)
        figures: Figures = json.loads((folder / "figures.json").read_text())
        return figures
