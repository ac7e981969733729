"""The test suites of real libraries, over bare pytest: the whole process, publishing of the data included."""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from bench.measure import Cost, Estimate, estimate, geometric_ratios, interleaved, ratios, run, say
from bench.results import Options, Result, Row
from bench.tools import (
    BARE,
    CACHE,
    COVCORE,
    COVCORE_CONTEXTS,
    CTRACE,
    PYTEST_COV,
    Tool,
    install,
    output_of,
    rivals,
    stamped,
)

REACH = 1.03
REACH_WITH_CONTEXTS = 1.10  # the worst; the median is to be 1.05
PACKAGES = {
    "click": ["src/click"],
    "marshmallow": ["src/marshmallow"],
    "attrs": ["src/attr", "src/attrs"],
    "jinja2": ["src/jinja2"],
    "mako": ["mako"],
}  # what a suite tests
WITHOUT_CONTEXTS = ["click", "marshmallow", "attrs"]
XDIST = ["click", "jinja2"]  # also run by two workers; marshmallow has ids with the time of collection
REACH_OF_XDIST = 1.05
TESTS_FAILED = 1  # pytest's exit status
EVERY = 3  # the rivals take part in every third round: their figures need not be as sharp as ours
LIST = Path(__file__).with_name("suites.txt")

type Outcomes = Counter[tuple[str, str, str]]  # (class, test, outcome)


@dataclass(frozen=True)
class Timing:
    cost: Cost
    summary: str  # 1192 passed, 3 skipped


def measure(options: Options) -> Result:
    """The suites, without contexts as other tools measure, and with."""
    rows = []
    for python in options.pythons:
        first = python == options.pythons[0]
        costs: dict[str, list[list[float]]] = {BARE: [], COVCORE: []}
        for suite in ["marshmallow"] if options.quick else PACKAGES:
            say(f"suite of {suite}, {python}: outcomes of the tests")
            problem = differing_outcomes(suite, python)
            names = [BARE, *([COVCORE] if suite in WITHOUT_CONTEXTS else []), COVCORE_CONTEXTS]
            others = [*(rivals(python) if suite in WITHOUT_CONTEXTS else []), PYTEST_COV] if first else []
            taken, texts = timed(suite, python, [*names, *others], options)
            figures: dict[str, Estimate | str] = dict(texts)
            for name in taken.keys() - {BARE}:
                rounds = [i for i in range(options.pairs) if takes_part(name, i)]
                figures[name] = ratios(taken[name], [taken[BARE][i] for i in rounds])
            rows += suite_rows(f"suite of {suite}", python, figures)
            if COVCORE in taken:
                costs[BARE].append(taken[BARE])
                costs[COVCORE].append(taken[COVCORE])
            if suite in XDIST:
                rows.append(with_workers(suite, python, options))
            if problem:
                rows.append(Row(f"suite of {suite}, {python}: outcomes of tests", "x", {COVCORE: problem}))
        if len(costs[BARE]) > 1:
            by_round = {name: list(zip(*suites, strict=True)) for name, suites in costs.items()}
            what = f"geometric mean of the suites, {python}"
            rows.append(Row(what, "x", {COVCORE: geometric_ratios(by_round[COVCORE], by_round[BARE])}, REACH))
        if first and not options.quick:
            rows.append(data_sizes("click", python))
    return Result("suites", options, rows)


def with_workers(suite: str, python: str, options: Options) -> Row:
    """The suite by two workers of pytest-xdist, with contexts, over the same bare; merging their data included."""
    taken, texts = timed(suite, python, [BARE, COVCORE_CONTEXTS], options, "-n2")
    figure = texts.get(COVCORE_CONTEXTS) or ratios(taken[COVCORE_CONTEXTS], taken[BARE])
    what = f"suite of {suite} with a context for each test, by two workers of pytest-xdist, {python}"
    return Row(what, "x", {COVCORE: figure}, REACH_OF_XDIST)


def suite_rows(what: str, python: str, figures: dict[str, Estimate | str]) -> list[Row]:
    """A row without contexts and one with them, whose figures stand in the same columns."""
    columns = {COVCORE_CONTEXTS: COVCORE, PYTEST_COV: CTRACE}
    without = {name: figure for name, figure in figures.items() if name not in columns}
    with_contexts = {columns[name]: figure for name, figure in figures.items() if name in columns}
    rows = [Row(f"{what}, {python}", "x", without, REACH)] if without else []
    text = f"{what} with a context for each test, {python}"
    return [*rows, Row(text, "x", with_contexts, REACH_WITH_CONTEXTS)]


def data_sizes(suite: str, python: str) -> Row:
    """What the data of a run with contexts takes on disk."""
    sizes: dict[str, Estimate | str] = {}
    for name, column in ((COVCORE_CONTEXTS, COVCORE), (PYTEST_COV, CTRACE)):
        with TemporaryDirectory() as temp:
            pytest(suite, Tool(name, python), Path(temp))
            data = Path(temp) / ("covcore" if name == COVCORE_CONTEXTS else "coverage")
            sizes[column] = estimate([data.stat().st_size / 1e6])
    return Row(f"data of the suite of {suite} with a context for each test, {python}", "MB", sizes)


def takes_part(name: str, number: int) -> bool:
    return name in (BARE, COVCORE, COVCORE_CONTEXTS) or number % EVERY == 0


# ---- the suites


@cache
def folder_of(suite: str, python: str) -> Path:
    """Where the suite's source package is unpacked."""
    suites = CACHE / "suites"
    wanted = next(
        line.split()[0].replace("==", "-") for line in LIST.read_text().splitlines() if line.startswith(suite)
    )
    folder = suites / wanted
    if not folder.is_dir():
        say(f"bringing {wanted}")
        archives = suites / "archives"
        pip: list[str | Path] = [Tool(BARE, python).interpreter, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        output_of([*pip, "download", "--no-deps", "--no-binary=:all:", "--require-hashes", "-r", LIST, "-d", archives])
        with TemporaryDirectory(dir=suites) as temp, tarfile.open(archives / f"{wanted}.tar.gz") as archive:
            archive.extractall(temp, filter="data")
            shutil.move(Path(temp) / wanted, folder)
    return folder


@cache
def installed(suite: str, tool: Tool) -> Path:
    """The suite's folder, after it was installed (editable, as its developers do) for the tool."""
    folder = folder_of(suite, tool.python)
    stamp = tool.folder / f".{suite}"
    if not stamped(stamp, str(folder)):
        install(tool.python, tool.folder, "--no-deps", "--editable", folder)
        stamp.write_text(str(folder))
    return folder


def pytest(suite: str, tool: Tool, folder: Path, *options: str, source: str = "") -> Cost:
    """Run the suite; folder takes the data.

    source: what is measured; default: what the suite tests
    """
    here = installed(suite, tool)
    program = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    if suite == "attrs":
        program.append("--hypothesis-seed=0")
    packages = PACKAGES[suite]
    folders = ",".join(f"{here}/{package}" for package in packages)
    command = tool.command(program, source or ",".join(Path(package).name for package in packages), folder, folders)
    environment = {**tool.environment(folder), "HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis"}
    return run(command, cwd=here, log=folder / "output.log", env=environment, check=False)


# ---- time


def timed(
    suite: str, python: str, names: list[str], options: Options, *words: str
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds by tool, of the rounds that it takes part in; and for tools that cannot run the suite, why not.

    words: arguments of pytest
    """
    tools = {name: Tool(name, python) for name in names}
    texts = {}
    bare = once(suite, tools[BARE], 0, words)
    if bare.cost.status not in (0, TESTS_FAILED):  # one of attrs's does on 3.12: then it has to with every tool
        raise SystemExit(f"bench: the suite of {suite} fails without being measured:\n{bare.cost.output[-2000:]}")
    for name in names[1:]:
        first = once(suite, tools[name], 0, words)
        if first.cost.status != bare.cost.status or first.summary != bare.summary:
            texts[name] = f"fails ({first.cost.status}): {first.summary or last_line(first.cost.output)}"
    able = {name: tool for name, tool in tools.items() if name not in texts}
    variants = {name: partial(round_of, suite, tool, words) for name, tool in able.items()}
    taken = interleaved(variants, options.pairs, " ".join([f"suite of {suite}, {python}", *words]))
    for name, timings in taken.items():
        for timing in timings:
            if timing is not None and timing.summary != bare.summary:
                say(f"suite of {suite}, {name}: {timing.summary}, bare {bare.summary}")
    return {name: [t.cost.cpu for t in timings if t is not None] for name, timings in taken.items()}, texts


def round_of(suite: str, tool: Tool, words: Sequence[str], number: int) -> Timing | None:
    return once(suite, tool, number, words) if takes_part(tool.name, number) else None


def once(suite: str, tool: Tool, number: int, words: Sequence[str]) -> Timing:
    with TemporaryDirectory() as temp:
        cost = pytest(suite, tool, Path(temp), *words)
    found = re.findall(r"^(\d+ passed.*?|.*?\d+ failed.*?) in [\d.]+s", cost.output, re.MULTILINE)
    return Timing(cost, re.sub(r", \d+ warnings?", "", found[-1]) if found else "")


def last_line(output: str) -> str:
    """What went wrong, without what only this machine has: of an exception its name."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].partition(": ")[0] if lines else "no output"


# ---- outcomes


def differing_outcomes(suite: str, python: str) -> str | None:
    """What differs in the tests' outcomes between bare Python and covcore, or None."""
    bare, covcore = (outcomes(suite, Tool(name, python)) for name in (BARE, COVCORE_CONTEXTS))
    differing = sorted(((bare - covcore) + (covcore - bare)).elements())
    for item in differing[:10]:
        print("differs:", *item, file=sys.stderr)
    if not bare:
        return "no test ran"
    return f"{len(differing)} outcomes differ" if differing else None


def outcomes(suite: str, tool: Tool) -> Outcomes:
    with TemporaryDirectory() as temp:
        report = Path(temp) / "junit.xml"
        pytest(suite, tool, Path(temp), f"--junitxml={report}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    return Counter((case.get("classname", ""), stable(case.get("name", "")), outcome(case)) for case in cases)


def stable(name: str) -> str:
    """A test's name without what is another in each run: dates, times, addresses."""
    return re.sub(r"0x[0-9a-f]+|\d+([:-])\d+\1\d+", "*", name)


def outcome(case: ElementTree.Element) -> str:
    """passed, failure, error or skipped (with its type, which tells an expected failure)."""
    found = [f"{child.tag} {child.get('type', '')}" for child in case if child.tag in ("failure", "error", "skipped")]
    return " ".join(found) or "passed"
