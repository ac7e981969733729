"""3.12 and 3.13, where one event tells of both arms of a branch: SlipCover's seven benchmark programs, and suites with contexts.

Six of the programs are in pyperformance's source package, which is kept in the cache folder; the sudoku solver is ours.  Scimark is the
sum of its five parts, each of which has a row of its own in detail.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.measure import Estimate, estimate, interleaved, ratios, run, say
from bench.results import Options, Result, Row
from bench.suites import REACH as REACH_OF_SUITES
from bench.suites import WITHOUT_CONTEXTS as SUITES
from bench.suites import suite_rows
from bench.suites import timed as timed_suite
from bench.tools import BARE, CACHE, COVCORE, COVCORE_CONTEXTS, CTRACE, PYTEST_COV, SLIPCOVER, Tool, output_of

PYTHONS = ["3.12", "3.13"]
REACH_OF_MEDIAN, REACH, REACH_WITH_CONTEXTS = 1.05, 1.20, 1.08
EVERY = 3  # the rivals take part in every third round
PROGRAM = Path(__file__).with_name("programs") / "older.py"
PINNED = Path(__file__).with_name("older.txt")

LOOPS = {  # each takes about as long as the others
    "fannkuch": 3,
    "mdp": 1,
    "pprint": 40_000,
    "raytrace": 4,
    "spectral_norm": 10,
    "sudoku": 60,
    "sor": 10,
    "sparse_mat_mult": 150,
    "monte_carlo": 18,
    "lu": 7,
    "fft": 4,
}
PARTS = ["sor", "sparse_mat_mult", "monte_carlo", "lu", "fft"]  # of scimark

type Seconds = dict[str, float]  # by the program's name


def measure(options: Options) -> Result:
    rows: list[Row] = []
    for python in [version for version in options.pythons if version in PYTHONS] or PYTHONS:
        rows += programs(python, options)
        if not options.quick:
            rows += suites(python, options)
    return Result("older", options, rows)


# ---- the programs


def programs(python: str, options: Options) -> list[Row]:
    names = [BARE, COVCORE, SLIPCOVER, CTRACE]
    with TemporaryDirectory() as temp:
        folders = {program: prepared(program, python, Path(temp)) for program in LOOPS}
        scale = 0.1 if options.quick else 1.0
        runs = {name: partial(round_of, Tool(name, python), folders, scale) for name in names}
        taken = interleaved(runs, options.pairs, f"programs of SlipCover's benchmark, {python}")
    rows = [row(program, python, taken, [program]) for program in LOOPS if program not in PARTS]
    rows.append(row("scimark", python, taken, PARTS))
    medians: dict[str, Estimate | str] = {
        name: estimate([median(figure.value for each in rows if isinstance(figure := each.figures[name], Estimate))])
        for name in names[1:]
    }
    what = f"median of SlipCover's seven benchmark programs, {python}"
    details = [row(f"scimark's {part}", python, taken, [part], detail=True) for part in PARTS]
    return [Row(what, "x", medians, REACH_OF_MEDIAN), *rows, *details]


def row(
    what: str, python: str, taken: dict[str, list[Seconds | None]], parts: Sequence[str], detail: bool = False
) -> Row:
    """The ratio to bare Python of the time that some programs take together, round by round."""
    figures: dict[str, Estimate | str] = {}
    for name in [name for name in taken if name != BARE]:
        pairs = [
            (sum(seconds[part] for part in parts), sum(bare[part] for part in parts))
            for seconds, bare in zip(taken[name], taken[BARE], strict=True)
            if seconds is not None and bare is not None
        ]
        figures[name] = ratios([seconds for seconds, _ in pairs], [bare for _, bare in pairs])
    return Row(f"{what.replace('_', ' ')}, {python}", "x", figures, REACH, detail)


def round_of(tool: Tool, folders: dict[str, Path], scale: float, number: int) -> Seconds | None:
    """One run of each program; None in a round in which the tool takes no part."""
    if tool.name not in (BARE, COVCORE) and number % EVERY:
        return None
    return {program: seconds_of(tool, program, folder, scale) for program, folder in folders.items()}


def seconds_of(tool: Tool, program: str, folder: Path, scale: float) -> float:
    with TemporaryDirectory() as temp:
        data = Path(temp)
        loops = max(1, int(LOOPS[program] * scale))
        arguments = [str(PROGRAM), str(folder), program, str(loops), str(data / "seconds")]
        run(tool.command(arguments, source=str(folder), data=data), cwd=data, env=tool.environment(data))
        return float((data / "seconds").read_text())


def prepared(program: str, python: str, parent: Path) -> Path:
    """A folder with the program, to be measured whole."""
    folder = parent / program
    folder.mkdir()
    if program == "sudoku":
        shutil.copy(PROGRAM.with_name("sudoku.py"), folder)
        return folder
    benchmark = "scimark" if program in PARTS else program
    shutil.copy(pyperformance(python) / f"bm_{benchmark}" / "run_benchmark.py", folder)
    if program == "pprint":
        command: list[str | Path] = [Tool(BARE, python).interpreter, "-c", "import pprint; print(pprint.__file__)"]
        shutil.copy(output_of(command), folder)
    return folder


@cache
def pyperformance(python: str) -> Path:
    """The folder of the benchmarks in pyperformance's source package, brought if it is not there."""
    suites = CACHE / "suites"
    wanted = PINNED.read_text().split("\n")[1].split()[0].replace("==", "-")
    folder = suites / wanted
    if not folder.is_dir():
        say(f"bringing {wanted}")
        archives = suites / "archives"
        pip: list[str | Path] = [Tool(BARE, python).interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        output_of(
            [*pip, "download", "--no-deps", "--no-binary=:all:", "--require-hashes", "-r", PINNED, "-d", archives]
        )
        with TemporaryDirectory(dir=suites) as temp, tarfile.open(archives / f"{wanted}.tar.gz") as archive:
            archive.extractall(temp, filter="data")
            shutil.move(Path(temp) / wanted, folder)
    return folder / "pyperformance/data-files/benchmarks"


# ---- suites with contexts


def suites(python: str, options: Options) -> list[Row]:
    rows = []
    for suite in SUITES:
        taken, texts = timed_suite(suite, python, [BARE, COVCORE, COVCORE_CONTEXTS, PYTEST_COV], options)
        figures: dict[str, Estimate | str] = dict(texts)
        for name in [name for name in taken if name != BARE]:
            rounds = [i for i in range(options.pairs) if name != PYTEST_COV or i % EVERY == 0]
            figures[name] = ratios(taken[name], [taken[BARE][i] for i in rounds])
        without, with_contexts = suite_rows(f"suite of {suite}", python, figures)
        without.reach, with_contexts.reach = REACH_OF_SUITES, REACH_WITH_CONTEXTS
        without.detail = True
        rows += [without, with_contexts]
    return rows
