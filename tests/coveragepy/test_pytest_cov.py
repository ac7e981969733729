"""pytest-cov with covcore as the core: options, workers of pytest-xdist and started processes, each beside the C tracer."""

from __future__ import annotations

import json
import re

import pytest
from conftest import Place
from coveragepy_cores import CORES, settings
from pytest_runs import with_plugins

pytestmark = pytest.mark.once  # what differs between versions of Python is in test_core.py

MODULE = """\
def work(n):
    if n == 1: return 1
    if n == 2: return 2
    if n == 3: return 3
    if n == 4: return 4
    return 0
def again(f):
    while True:
        try:
            return f()
        except ValueError:
            pass
"""
SUITE = """\
import os, subprocess, sys, threading
import pytest, module
@pytest.fixture
def four():
    yield module.work(4)
    module.work(3)
@pytest.mark.parametrize("n", range(3))
def test_n(n): assert module.work(n) == n
def test_four(four): assert four == 4
@pytest.mark.no_cover
def test_none(): module.work(3)
def test_off(no_cover): module.work(3)
class TestIt:
    def setup_method(self): module.work(0)
    def test_in_class(self): module.again(lambda: module.work(1))
def test_flaky(tmp_path_factory):
    numbers = iter([ValueError, 1])
    def fail():
        if next(numbers) is ValueError: raise ValueError
    module.again(fail)
def test_thread():
    thread = threading.Thread(target=module.work, args=[3])
    thread.start()
    thread.join()
def test_process():
    subprocess.run([sys.executable, "-c", "import module; module.work(2)"], check=True)
def test_fork():
    if not os.fork():
        module.work(1)
        os._exit(0)
    os.wait()
@pytest.mark.xfail
def test_fails():
    raise ValueError(module.work(1))
"""
CONTEXTS = """
import coverage, json, os
data = coverage.CoverageData(".coverage")
data.read()
found = {}
for context in data.measured_contexts():
    data.set_query_context(context)
    its = {os.path.basename(name): sorted(data.lines(name)) for name in data.measured_files() if data.lines(name)}
    if its: found[context] = its
print(json.dumps(found))
"""
COV = ("--cov=module", "--cov-branch")
RUNS: dict[str, tuple[str, list[tuple[str, ...]]]] = {  # settings of [run], and arguments of each run
    "plain": ("", [(*COV, "--cov-report=term-missing")]),
    "contexts": ("", [(*COV, "--cov-context=test")]),
    "workers": ("", [(*COV, "--cov-context=test", "-n2")]),
    "by file": ("", [(*COV, "--cov-context=test", "-n2", "--dist=loadfile")]),
    "stealing": ("", [(*COV, "--cov-context=test", "-n3", "--dist=worksteal")]),
    "append": ("", [(*COV, "-k", "test_n"), (*COV, "--cov-append", "-k", "four")]),
    "under": ("", [(*COV, "--cov-fail-under=100", "-k", "test_n")]),
    "off": ("", [(*COV, "--no-cov")]),
    "processes": ("patch = subprocess, fork, _exit\n", [(*COV, "--cov-context=test")]),
    "processes of workers": ("patch = subprocess, fork, _exit\n", [(*COV, "-n2")]),
    "no settings of branches": ("branch = False\n", [("--cov=module", "--cov-context=test")]),
    "test_function": ("dynamic_context = test_function\n", [COV]),
    "static": ("context = s\n", [(*COV, "--cov-context=test")]),
    "all": ("", [("--cov", "--cov-branch", "--cov-context=test")]),
    "reports": (
        "",
        [(*COV, "--cov-report=json", "--cov-report=lcov", "--cov-report=xml", "--cov-report=term:skip-covered")],
    ),
}


def plain(text: str) -> str:
    """Without times, and without the order in which workers get done."""
    text = re.sub(r"in [\d.]+s( |$)", "", text)
    return "\n".join(
        line for line in text.splitlines() if re.search(r"module\.py|TOTAL|warning|Warning|FAIL|Required", line)
    )


def play(place: Place, core: str, runs: list[tuple[str, ...]]) -> list[object]:
    environment = {"COVERAGE_CORE": core} if core != "covcore" else {}
    environment["PYTHONWARNINGS"] = "ignore::DeprecationWarning"
    found: list[object] = []
    for arguments in runs:
        outcome = with_plugins(place, "-p", "no:covcore", "-q", *arguments, **environment)
        found += [outcome.status, plain(outcome.stdout), outcome.stderr]
    if not (place.folder / ".coverage").exists():
        return [*found, "no data"]
    report = place.python("-m", "coverage", "json", "-q", "-o", "-", "--include=module.py")
    lines = json.loads(place.python("-c", CONTEXTS).stdout)
    (file,) = json.loads(report.stdout)["files"].values()
    found += [{key: file.get(key) for key in ("summary", "missing_lines", "executed_branches", "missing_branches")}]
    return [*found, {context: files["module.py"] for context, files in lines.items() if "module.py" in files}]


@pytest.mark.parametrize("run", RUNS)
def test_runs_end_as_they_end_with_ctrace(place: Place, run: str) -> None:
    text, runs = RUNS[run]
    place.write("module.py", MODULE)
    place.write("test_it.py", SUITE)
    found = []
    for core in CORES:
        settings(place, text)
        if "branch = False" in text:
            rc = place.folder / ".coveragerc"
            rc.write_text(rc.read_text().replace("branch = True\n", ""))
        found.append(play(place, core, runs))
        (place.folder / ".coverage").unlink(missing_ok=True)
    ours, theirs = found
    assert ours == theirs
