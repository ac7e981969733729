"""Running a program under coverage.py, by covcore as its core and by its own C tracer, to lay the two data files side by side."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from conftest import Outcome, Place

ENGINES = Path(sys.prefix) / "engines"  # where `make build` puts them: see pyproject.toml

LOCKS_OF_COVERAGE = "RLock(s) were not greened"  # what eventlet says of them, whatever the core
CORES = ("covcore", "ctrace")

type Arcs = dict[str, dict[str, set[tuple[int, int]]]]  # {context: {file name: arcs}}
type Files = dict[str, dict[str, list[object]]]  # of coverage.py's JSON report: {file name: {key: lines or branches}}

ARCS = """
import coverage, json, os, sys
data = coverage.CoverageData(sys.argv[1])
data.read()
found = {}
for context in data.measured_contexts():
    data.set_query_context(context)
    found[context] = {os.path.basename(name): data.arcs(name) for name in data.measured_files() if data.arcs(name)}
print(json.dumps(found))
"""
# A file tracer. A template's code is no file of its own: it has the template's name, and lines that the template object can tell.
JINJA_TRACER = """
import coverage, jinja2
class Tracer(coverage.FileTracer):
    def __init__(self, path): self.path = path
    def source_filename(self): return self.path
    def line_number_range(self, frame):
        template = frame.f_globals.get("__jinja_template__")
        if template is None:    # it is being made, or a traceback is made up
            return -1, -1
        line = template.get_corresponding_lineno(frame.f_lineno)
        return line, line
class Reporter(coverage.FileReporter):
    def lines(self):
        with open(self.filename) as file:
            code = jinja2.Environment().compile(file.read(), raw=True)
        info = [line for line in code.splitlines() if line.startswith("debug_info = ")][0]
        return {int(pair.split("=")[0]) for pair in info.split(" = ")[1].strip("'").split("&")}
class Plugin(coverage.CoveragePlugin):
    def file_tracer(self, filename): return Tracer(filename) if filename.endswith(".html") else None
    def file_reporter(self, filename): return Reporter(filename)
def coverage_init(registry, options): registry.add_file_tracer(Plugin())
"""
KEYS = ("executed_lines", "missing_lines", "executed_branches", "missing_branches")


def settings(place: Place, text: str, plugins: str = "") -> None:
    """Write the settings of a run.

    Args:
        place: where.
        text: lines of [run], and sections after it.
        plugins: further ones, each with a comma before it.
    """
    place.write(
        ".coveragerc",
        f"[run]\nbranch = True\nplugins = covcore_coverage{plugins}\ndisable_warnings = no-covcore\n{text}",
    )


def coverage(place: Place, core: str, *arguments: str) -> Outcome:
    """Run coverage.py's command with one of CORES, the engines importable; it must succeed and say no more than the program."""
    path = os.pathsep.join([str(ENGINES), str(place.folder)])
    environment = {"COVERAGE_CORE": core} if core != "covcore" else {}
    outcome = place.python("-m", "coverage", *arguments, PYTHONPATH=path, PYTHONWARNINGS="ignore", **environment)
    said = [line for line in outcome.stderr.splitlines() if LOCKS_OF_COVERAGE not in line]
    assert (outcome.status, said) == (0, []), (core, outcome)
    return outcome


def arcs(place: Place) -> Arcs:
    """What the data file has."""
    outcome = place.python("-c", ARCS, ".coverage")
    assert outcome.stderr == ""
    return {
        context: {name: set(map(tuple, its)) for name, its in files.items()}
        for context, files in json.loads(outcome.stdout).items()
    }


def report(place: Place) -> Files:
    """What coverage.py reports of each file; whoever reports, the core has no part in it."""
    coverage(place, "covcore", "json", "-q", "-o", "report.json")
    files = json.loads((place.folder / "report.json").read_text())["files"]
    return {os.path.basename(name): {key: file[key] for key in KEYS} for name, file in files.items()}
