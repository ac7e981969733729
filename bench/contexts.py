"""Contexts: what a switch costs, and what becomes of many of them."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import estimate, interleaved, run
from bench.results import Options, Result, Row
from bench.tools import COVCORE, Tool

PROGRAMS = Path(__file__).with_name("programs")
KNOWN = [10, 1_000, 100_000]
LINES = 40  # of a touched function

type Figures = dict[str, float]


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        rows += switches(python, options)
        rows += database(python, options)
    return Result("contexts", options, rows)


def figures_of(python: str, program: str, arguments: list[str | Path], number: int = 0) -> Figures:
    with TemporaryDirectory() as temp:
        out = Path(temp) / "figures.json"
        run([Tool(COVCORE, python).interpreter, PROGRAMS / program, *arguments, out], cwd=Path(temp))
        figures: Figures = json.loads(out.read_text())
        return figures


# ---- switches


def switches(python: str, options: Options) -> list[Row]:
    known = KNOWN[:2] if options.quick else KNOWN
    variants = {n: partial(figures_of, python, "switches.py", [str(n), "0", str(LINES), "1000"]) for n in known}
    nothing = {str(n): variant for n, variant in variants.items()}
    touched = {"touched": partial(figures_of, python, "switches.py", ["1000", "100", str(LINES), "200"])}
    taken = interleaved(nothing | touched, options.pairs, f"switches, {python}")
    rows = [
        Row(
            f"a switch of context, nothing touched, {int(n):,} code objects known, {python}",
            "µs",
            {COVCORE: estimate([figures["switch"] for figures in taken[n]])},
            2,
        )
        for n in nothing
    ]
    none = [figures["switch"] for figures in taken["1000"]]
    each = [(figures["switch"] - base) / 100 for figures, base in zip(taken["touched"], none, strict=True)]
    units = taken["touched"][0]["units"]
    text = f"... and for each code object of {units:.0f} code units that was touched, {python}"
    return [*rows, Row(text, "µs", {COVCORE: estimate(each)}, 0.5 + 0.020 * units)]


# ---- the database


def database(python: str, options: Options) -> list[Row]:
    """10,000 contexts of 50 files each, of 5,000."""
    counts = ["500", "1000", "50"] if options.quick else ["10000", "5000", "50"]
    with TemporaryDirectory() as temp:
        recording = Path(temp) / "recording"
        recording.mkdir()
        run([Tool(COVCORE, python).interpreter, PROGRAMS / "many_contexts.py", recording, *counts], cwd=Path(temp))
        variants = {
            "publish": partial(publish, python, recording, Path(temp) / "database"),
            "ask": partial(ask, python, Path(temp) / "database"),
        }
        taken = interleaved(variants, min(options.pairs, 5), f"database of contexts, {python}")
    pairs = int(counts[0]) * int(counts[2])
    what = f"{int(counts[0]):,} contexts, {pairs:,} pairs of context and file"

    def row(text: str, unit: str, variant: str, key: str, reach: float) -> Row:
        return Row(text, unit, {COVCORE: estimate([figures[key] for figures in taken[variant]])}, reach)

    return [
        row(f"{what}: from recording to database, {python}", "s", "publish", "seconds", 3),
        row(f"... the database, {python}", "MB", "publish", "megabytes", 60),
        row(f"... resident memory, {python}", "MB", "publish", "resident", 300),
        row(f"... `covcore tests FILE:LINE`, the whole command, {python}", "ms", "ask", "milliseconds", 100),
    ]


def publish(python: str, recording: Path, database: Path, number: int) -> Figures:
    """Publish a copy of the recording: publishing deletes it."""
    database.unlink(missing_ok=True)
    with TemporaryDirectory() as temp:
        copy = Path(temp) / "recording"
        shutil.copytree(recording, copy)
        return figures_of(python, "publish.py", [copy, database])


def ask(python: str, database: Path, number: int) -> Figures:
    command: list[str | Path] = [
        Tool(COVCORE, python).folder / "bin/covcore",
        "tests",
        f"--data={database}",
        "module77.py:3",
    ]
    with TemporaryDirectory() as temp:
        return {"milliseconds": run(command, cwd=Path(temp)).wall * 1000}
