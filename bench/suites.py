"""The test suites of real libraries, over bare pytest: the whole process, publishing of the data included."""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from bench.measure import Cost, Estimate, geometric_ratios, interleaved, ratios, run, say
from bench.results import Options, Result, Row
from bench.tools import BARE, CACHE, COVCORE, Tool, install, output_of, rivals, stamped

REACH = 1.03
PACKAGES = {"click": ["click"], "marshmallow": ["marshmallow"], "attrs": ["attr", "attrs"]}  # what a suite tests
EVERY = 3  # the rivals take part in every third round: their figures need not be as sharp as ours
LIST = Path(__file__).with_name("suites.txt")

type Outcomes = Counter[tuple[str, str, str]]  # (class, test, outcome)


@dataclass(frozen=True)
class Timing:
    cost: Cost
    summary: str  # 1192 passed, 3 skipped


def measure(options: Options) -> Result:
    rows = []
    for python in options.pythons:
        whole: list[dict[str, list[float]]] = []
        for suite in ["marshmallow"] if options.quick else PACKAGES:
            say(f"suite of {suite}, {python}: outcomes of the tests")
            problem = differing_outcomes(suite, python)
            names = [BARE, COVCORE, *(rivals(python) if python == options.pythons[0] else [])]
            taken, texts = timed(suite, python, names, options)
            whole.append({name: taken[name] for name in (BARE, COVCORE)})
            figures: dict[str, Estimate | str] = dict(texts)
            for name in names[1:]:
                if name not in texts:
                    rounds = [i for i in range(options.pairs) if takes_part(name, i)]
                    figures[name] = ratios(taken[name], [taken[BARE][i] for i in rounds])
            rows.append(Row(f"suite of {suite}, {python}", "x", figures, REACH))
            if problem:
                rows.append(Row(f"suite of {suite}, {python}: outcomes of tests", "x", {COVCORE: problem}))
        if len(whole) > 1:
            by_round = {name: list(zip(*(suite[name] for suite in whole), strict=True)) for name in (BARE, COVCORE)}
            what = f"geometric mean of the suites, {python}"
            rows.append(Row(what, "x", {COVCORE: geometric_ratios(by_round[COVCORE], by_round[BARE])}, REACH))
    return Result("suites", options, rows)


def takes_part(name: str, number: int) -> bool:
    return name in (BARE, COVCORE) or number % EVERY == 0


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


def pytest(suite: str, tool: Tool, folder: Path, *options: str) -> Cost:
    """Run the suite; folder takes the data."""
    here = installed(suite, tool)
    program = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    if suite == "attrs":
        program.append("--hypothesis-seed=0")
    packages = PACKAGES[suite]
    folders = ",".join(f"{here}/src/{package}" for package in packages)
    command = tool.command(program, ",".join(packages), folder, folders)
    environment = {**tool.environment(folder), "HYPOTHESIS_STORAGE_DIRECTORY": f"{folder}/hypothesis"}
    return run(command, cwd=here, log=folder / "output.log", env=environment, check=False)


# ---- time


def timed(suite: str, python: str, names: list[str], options: Options) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds by tool, of the rounds that it takes part in; and for tools that cannot run the suite, why not."""
    tools = {name: Tool(name, python) for name in names}
    texts = {}
    bare = once(suite, tools[BARE], 0)
    if bare.cost.status != 0:
        raise SystemExit(f"bench: the suite of {suite} fails without being measured:\n{bare.cost.output[-2000:]}")
    for name in names[1:]:
        first = once(suite, tools[name], 0)
        if first.cost.status != bare.cost.status or first.summary != bare.summary:
            texts[name] = f"fails ({first.cost.status}): {first.summary or last_line(first.cost.output)}"
    able = {name: tool for name, tool in tools.items() if name not in texts}
    variants = {name: partial(round_of, suite, tool) for name, tool in able.items()}
    taken = interleaved(variants, options.pairs, f"suite of {suite}, {python}")
    for name, timings in taken.items():
        for timing in timings:
            if timing is not None and timing.summary != bare.summary:
                say(f"suite of {suite}, {name}: {timing.summary}, bare {bare.summary}")
    return {name: [t.cost.cpu for t in timings if t is not None] for name, timings in taken.items()}, texts


def round_of(suite: str, tool: Tool, number: int) -> Timing | None:
    return once(suite, tool, number) if takes_part(tool.name, number) else None


def once(suite: str, tool: Tool, number: int) -> Timing:
    with TemporaryDirectory() as temp:
        cost = pytest(suite, tool, Path(temp))
    found = re.findall(r"^(\d+ passed.*?|.*?\d+ failed.*?) in [\d.]+s", cost.output, re.MULTILINE)
    return Timing(cost, re.sub(r", \d+ warnings?", "", found[-1]) if found else "")


def last_line(output: str) -> str:
    """What went wrong, without what only this machine has: of an exception its name."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].partition(": ")[0] if lines else "no output"


# ---- outcomes


def differing_outcomes(suite: str, python: str) -> str | None:
    """What differs in the tests' outcomes between bare Python and covcore, or None."""
    bare, covcore = (outcomes(suite, Tool(name, python)) for name in (BARE, COVCORE))
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
