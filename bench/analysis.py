"""Analysis of source, conditions included, beside coverage.py's parser: the standard library's modules, one process each."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Cost, Estimate, estimate, interleaved, ratios, run
from bench.results import Options, Result, Row
from bench.tools import COVCORE, SYSMON, Tool

# What both have to do: find what there is in a text.  The first argument is how many of the files to take: one in N.
COMMON = """\
import glob, os, sys, sysconfig
folder = sysconfig.get_paths()["stdlib"]
paths = sorted(glob.glob(folder + "/*.py") + glob.glob(folder + "/[a-z]*/*.py"))
paths = [path for path in paths if "/test" not in path and "-packages" not in path and os.path.isfile(path)][:: int(sys.argv[1])]
texts = [text for path in paths if (text := open(path, encoding="utf-8", errors="replace").read())]
print("LINES", sum(text.count("\\n") for text in texts))
"""
NOTHING = "\n"
OURS = """
import gc
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import analyse
gc.disable()  # as the commands do
for text in texts:
    analyse(text, [], Rules())
"""
THEIRS = """
from coverage.parser import PythonParser
for text in texts:
    parser = PythonParser(text=text)
    parser.parse_source()
    parser.arcs()
    parser.exit_counts()
"""


def measure(options: Options) -> Result:
    rows = []
    step = 10 if options.quick else 1
    for python in options.pythons:
        tools = {name: Tool(name, python) for name in (COVCORE, SYSMON)}
        with TemporaryDirectory() as temp:
            folder = Path(temp)
            programs = {COVCORE: OURS, SYSMON: THEIRS}
            variants = {
                f"{name}{suffix}": partial(analyse, tool, folder, COMMON + text, step)
                for name, tool in tools.items()
                for suffix, text in (("", programs[name]), (" idle", NOTHING))
            }
            taken = interleaved(variants, options.pairs, f"analysis, {python}")
        n_lines = int(taken[COVCORE][0].output.partition("LINES ")[2].split()[0])
        cpu = {name: [cost.cpu for cost in costs] for name, costs in taken.items()}
        net = {name: [a - b for a, b in zip(cpu[name], cpu[f"{name} idle"], strict=True)] for name in tools}
        speed: dict[str, Estimate | str] = {
            name: estimate([1e6 * it / n_lines for it in values]) for name, values in net.items()
        }
        what = f"analysis of {n_lines:,} lines of the standard library, per line and core"
        rows.append(Row(f"{what}, {python}", "µs", speed, detail=True))
        share: dict[str, Estimate | str] = {COVCORE: ratios(net[COVCORE], net[SYSMON]), SYSMON: estimate([1.0])}
        rows.append(Row(f"{what}, over coverage.py's parser, {python}", "x", share, 1 / 1.5))
    return Result("analysis", options, rows)


def analyse(tool: Tool, folder: Path, program: str, step: int, number: int) -> Cost:
    return run([tool.folder / "bin/python", "-W", "ignore", "-c", program, str(step)], cwd=folder)
