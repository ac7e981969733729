"""What a part found: rows of figures, kept as JSON until the table is written."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date

from bench.measure import Estimate, say
from bench.tools import ROOT, versions

PAIRS = 15  # as many rounds at least, for the README
RESULTS = ROOT / "build" / "bench"

FORMATS = {
    "x": "{:.3f}x",
    "ns": "{:.1f} ns",
    "ms": "{:.1f} ms",
    "µs": "{:.1f} µs",
    "s": "{:.2f} s",
    "bytes": "{:.1f} bytes",
    "MB": "{:.1f} MB",
}


@dataclass
class Row:
    """One figure, for each of the tools; a tool that gives none has a text that says why."""

    what: str
    unit: str
    figures: dict[str, Estimate | str]  # by the tool's name
    reach: float | None = None  # covcore's figure is to be at most this
    detail: bool = False  # of a row above: not in the README's first table


@dataclass(frozen=True)
class Options:
    pairs: int
    quick: bool
    pythons: list[str]


@dataclass
class Result:
    part: str
    options: Options
    rows: list[Row]
    versions: dict[str, str] = field(default_factory=lambda: versions())
    taken: str = field(default_factory=lambda: date.today().isoformat())
    machine: str = field(default_factory=lambda: machine())

    def save(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (RESULTS / f"{self.part}.json").write_text(text + "\n")


def load(part: str) -> Result | None:
    path = RESULTS / f"{part}.json"
    if not path.exists():
        return None
    fields = json.loads(path.read_text())
    if "options" not in fields:
        say(f"{path} is of an older form and left out: measure {part} again")
        return None
    rows = [
        Row(**{**row, "figures": {k: f if isinstance(f, str) else Estimate(**f) for k, f in row["figures"].items()}})
        for row in fields.pop("rows")
    ]
    return Result(rows=rows, options=Options(**fields.pop("options")), **fields)


def machine() -> str:
    """The processor and how many of it."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} x {name}, {platform.system()}"


def shown(figure: Estimate | str | None, unit: str) -> str:
    """1.012x (1.003-1.020)"""
    if figure is None:
        return ""
    if isinstance(figure, str):
        return figure
    form = FORMATS[unit]
    if figure.n == 1:
        return form.format(figure.value)
    number = form.partition("}")[0] + "}"
    return f"{form.format(figure.value)} ({number.format(figure.low)}-{number.format(figure.high)})"


def misses(row: Row, tool: str = "covcore") -> bool:
    figure = row.figures.get(tool)
    return row.reach is not None and isinstance(figure, Estimate) and figure.value > row.reach


def print_rows(rows: Iterable[Row]) -> None:
    for row in rows:
        reach = "" if row.reach is None else f", reach {FORMATS[row.unit].format(row.reach)}"
        print(f"{row.what}{reach}{': MISSED' if misses(row) else ''}")
        for tool, figure in row.figures.items():
            print(f"    {tool:20} {shown(figure, row.unit)}")
    sys.stdout.flush()
