"""coverage.py with covcore as its core: suites under pytest-cov with a context for each test, over bare pytest."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Cost, Estimate, estimate, interleaved, ratios
from bench.results import Options, Result, Row
from bench.suites import pytest
from bench.tools import BARE, COVCORE, CTRACE, ON_COVCORE, PYTEST_COV, ROOT, Tool

REACH = 1.25
PACKAGES = ["marshmallow", "attrs", "click", "jinja2"]
NOTHING = "nothing_to_measure"  # no package's name: what is left is pytest-cov's and coverage.py's own work, and contexts switched in vain
COLUMNS = {ON_COVCORE: COVCORE, PYTEST_COV: CTRACE}


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        for suite in ["marshmallow"] if options.quick else PACKAGES:
            variants = {name: partial(once, suite, Tool(name, python)) for name in (BARE, *COLUMNS)}
            for name in COLUMNS:
                variants[f"{name}, {NOTHING}"] = partial(once, suite, Tool(name, python), source=NOTHING)
            for variant in variants.values():
                variant(0)
            taken = interleaved(variants, options.pairs, f"pytest-cov on the suite of {suite}, {python}")
            cpu = {name: [cost.cpu for cost in costs] for name, costs in taken.items()}
            over_bare = {name: ratios(times, cpu[BARE]) for name, times in cpu.items()}
            what = f"pytest-cov with contexts on the suite of {suite}, {python}"
            rows.append(Row(what, "x", {COLUMNS[name]: over_bare[name] for name in COLUMNS}, REACH))
            without: dict[str, Estimate | str] = {COLUMNS[name]: over_bare[f"{name}, {NOTHING}"] for name in COLUMNS}
            rows.append(Row("... with a package to measure that nothing imports", "x", without, detail=True))
            storing: dict[str, Estimate | str] = {
                COLUMNS[name]: estimate([stored(suite, Tool(name, python)) / min(cpu[BARE])]) for name in COLUMNS
            }
            rows.append(Row("... of it coverage.py's own storing", "x", storing, detail=True))
    return Result("coveragepy", options, rows)


def once(suite: str, tool: Tool, number: int, *words: str, source: str = "") -> Cost:
    with TemporaryDirectory() as temp:
        return pytest(suite, tool, Path(temp), *words, source=source)


def stored(suite: str, tool: Tool) -> float:
    """Seconds that coverage.py took to store its data."""
    folder = f"{ROOT}/bench/programs"
    cost = once(suite, tool, 0, "-o", f"pythonpath={folder}", "-p", "storing")
    found = re.search(r"stored in ([\d.]+) s", cost.output)
    if not found:
        raise SystemExit(f"bench: nothing tells how long storing took:\n{cost.output[-1000:]}")
    return float(found[1])
