"""Bytes that an arc takes in the set, as bench/c/bench_arcs.c prints them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import estimate, run
from bench.results import FORMATS, Options, Result, Row
from bench.tools import COVCORE, ROOT, compiled

REACH = 28


def measure(options: Options) -> Result:
    rows = []
    with TemporaryDirectory() as temp:
        program = compiled(ROOT / "bench/c/bench_arcs.c", Path(temp))
        for line in run([program], cwd=Path(temp)).output.splitlines():
            name, value, unit = line.split()
            reach = REACH if name == "arcs_memory_at_1M" else None
            if unit in FORMATS:
                what = f"C core, {name.replace('_', ' ')}"
                rows.append(Row(what, unit, {COVCORE: estimate([float(value)])}, reach, detail=reach is None))
    return Result("memory", options, rows)
