"""Bytes that an arc takes in the set, as bench/c/bench_arcs.c prints them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import estimate, run
from bench.results import FORMATS, Options, Result, Row
from bench.tools import COVCORE, ROOT

REACH = 28


def measure(options: Options) -> Result:
    rows = []
    with TemporaryDirectory() as temp:
        program = Path(temp) / "bench_arcs"
        source = ROOT / "bench/c/bench_arcs.c"
        needed = source.read_text().partition("\n")[0].removeprefix("// needs:").split()
        flags = ["-std=c11", "-O2", "-DNDEBUG", "-D_GNU_SOURCE", f"-I{ROOT}/src"]
        sources = [source, *(ROOT / "src" / name for name in needed)]
        run([os.environ.get("CC", "cc"), *flags, "-o", program, *sources], cwd=Path(temp))
        for line in run([program], cwd=Path(temp)).output.splitlines():
            name, value, unit = line.split()
            reach = REACH if name == "arcs_memory_at_1M" else None
            if unit in FORMATS:
                what = f"C core, {name.replace('_', ' ')}"
                rows.append(Row(what, unit, {COVCORE: estimate([float(value)])}, reach, detail=reach is None))
    return Result("memory", options, rows)
