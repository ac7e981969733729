"""`covcore html` with very many tests and of a real suite, beside `coverage html --show-contexts` on the same runs."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.browser import choices, first_paints
from bench.combine import run_with_peak
from bench.measure import Estimate, environment, estimate, interleaved, ratios, run
from bench.report import generate
from bench.results import Options, Result, Row
from bench.suites import installed, pytest
from bench.tools import COVCORE, COVCORE_CONTEXTS, CTRACE, PYTEST_COV, ROOT, Tool

PROGRAM = Path(__file__).with_name("programs") / "tested_files.py"
LARGE = 1249, 26184, 22  # files, tests, files of each test: coverage.py's issue 1584
MIDDLE = 300, 3000, 60
MANY, SHORT = 10_000, 20  # files, and their lines, of an index that is only looked at
SUITE = "click"
REACH_OF_SUITE = 1 / 3  # of coverage.py's time and size

type Figures = dict[str, float]


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        sizes: list[tuple[str, tuple[int, int, int], bool, tuple[float | None, ...]]]
        if options.quick:
            sizes = [("30 files, 100 tests", (30, 100, 10), True, (6, None, None, None))]
        else:
            sizes = [
                ("300 files, 3,000 tests", MIDDLE, True, (6, None, None, None)),
                ("1,249 files, 26,184 tests", LARGE, False, (60, 150, 3, 400)),
            ]
        for what, size, beside, reach in sizes:
            names = [COVCORE, CTRACE] if beside else [COVCORE]
            taken = pages(names, python, size, min(options.pairs, 5), what)
            for (text, unit, key), most in zip(SHOWN, reach, strict=True):
                figures: dict[str, Estimate | str] = {
                    name: estimate([figures[key] for figures in taken[name]]) for name in names
                }
                rows.append(Row(f"html of {what}: {text}, {python}", unit, figures, most, detail=key != "wall"))
        if not options.quick and python == options.pythons[0]:
            rows += suite_rows(python, min(options.pairs, 5))
        if python == options.pythons[0]:
            rows += browser_rows(python, options)
    return Result("html", options, rows)


SHOWN = [
    ("the whole command", "s", "wall"),
    ("all files", "MB", "megabytes"),
    ("the largest page", "MB", "largest"),
    ("resident memory", "MB", "resident"),
]


def suite_rows(python: str, rounds: int) -> list[Row]:
    """Pages of a real suite with a context for each test: what ours take of coverage.py's time and size."""
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        tools = {name: Tool(name, python) for name in (COVCORE_CONTEXTS, PYTEST_COV)}
        for tool in tools.values():
            pytest(SUITE, tool, folder)
        variants = {name: partial(write, tool, folder, installed(SUITE, tool)) for name, tool in tools.items()}
        what = f"html of the suite of {SUITE} with a context for each test"
        taken = interleaved(variants, rounds, f"{what}, {python}")
    ours, theirs = taken[COVCORE_CONTEXTS], taken[PYTEST_COV]
    return [
        Row(
            f"{what}: {text} over coverage.py's, {python}",
            "x",
            {COVCORE: ratios([it[key] for it in ours], [it[key] for it in theirs])},
            REACH_OF_SUITE,
            detail=key != "cpu",
        )
        for text, key in (("processor time", "cpu"), ("all files", "megabytes"))
    ]


def pages(
    names: list[str], python: str, size: tuple[int, int, int], rounds: int, what: str
) -> dict[str, list[Figures]]:
    """Record by each tool, then write pages by turns."""
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        for name in names:
            record(Tool(name, python), folder, size)
        variants = {name: partial(write, Tool(name, python), folder, folder) for name in names}
        return interleaved(variants, rounds, f"html of {what}, {python}")


def browser_rows(python: str, options: Options) -> list[Row]:
    """What readers wait for: the first sight of a large index, and a choice of tests."""
    tool = Tool(COVCORE, python)
    n_files = 100 if options.quick else MANY
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        program = generate(folder / "project", n_files, SHORT)
        run(tool.command([str(program)], str(program.parent), folder), cwd=folder)
        write(tool, folder, folder, 0)
        paints = first_paints(folder / "pages" / "index.html", options.pairs)
    size = (30, 100, 10) if options.quick else LARGE
    with TemporaryDirectory() as temp:
        folder = Path(temp)
        record(tool, folder, size)
        write(tool, folder, folder, 0)
        index = choices(folder / "pages" / "index.html", options.pairs)
        [page, *_] = (folder / "pages" / "files").iterdir()
        times = {"the index, the first time": index[:1], "the index": index[1:], "a page": choices(page, options.pairs)}
    rows = [
        Row(f"html of {n_files:,} files: first contentful paint of the index", "ms", {COVCORE: estimate(paints)}, 300)
    ]
    what = f"html of {size[0]:,} files, {size[1]:,} tests: choosing a test on"
    return rows + [Row(f"{what} {where}", "ms", {COVCORE: estimate(taken)}, 100) for where, taken in times.items()]


def kind(tool: Tool) -> str:
    return "covcore" if tool.name in (COVCORE, COVCORE_CONTEXTS) else "coverage"


def record(tool: Tool, folder: Path, size: tuple[int, int, int]) -> None:
    command: list[str | Path] = [tool.interpreter, PROGRAM, kind(tool), folder / kind(tool), folder, *map(str, size)]
    run(command, cwd=folder, env=environment({"PYTHONPATH": str(ROOT)}))


def write(tool: Tool, folder: Path, start: Path, number: int) -> Figures:
    """Write pages into a folder, from another one: names of files in it are shown as they are from there, by either tool."""
    out = folder / "pages"
    shutil.rmtree(out, ignore_errors=True)
    (folder / "covcore.d" / "analysis").unlink(missing_ok=True)
    program = tool.folder / "bin" / kind(tool)
    command: list[str | Path] = [program, "html", "--quiet", "-d", out]
    if kind(tool) == "covcore":
        command += [f"--data={folder}/covcore"]
    else:
        command += ["--show-contexts", f"--data-file={folder}/coverage", "--rcfile=/dev/null"]
    cost, resident = run_with_peak(command, folder, start)
    sizes = {path: path.stat().st_size for path in out.rglob("*") if path.is_file()}
    largest = max(size for path, size in sizes.items() if path.suffix == ".html")
    return {
        "cpu": cost.cpu,
        "wall": cost.wall,
        "megabytes": sum(sizes.values()) / 1e6,
        "largest": largest / 1e6,
        "resident": resident,
    }
