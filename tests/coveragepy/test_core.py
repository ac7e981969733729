"""covcore as coverage.py's core, by its own commands and its own analysis."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import Outcome, Place
from programs import PROGRAMS
from pytest_runs import with_plugins

BY_CONTEXT = Path(__file__).parent / "by_context.py"
PLUGIN = "[run]\nbranch = True\nplugins = covcore_coverage\n"
WARNING = "Can't use covcore as core: "


def coverage(place: Place, *arguments: str | Path, **environment: str) -> Outcome:
    return place.python("-m", "coverage", *arguments, **environment)


def run(place: Place, settings: str, program: str, *arguments: str, **environment: str) -> Outcome:
    """Have coverage.py run a program with these settings besides the plugin."""
    place.write(".coveragerc", PLUGIN + settings)
    place.write("program.py", program)
    return coverage(place, "run", *arguments, "program.py", **environment)


def check_silent(outcome: Outcome, stdout: str = "") -> None:
    """It succeeded, and said this and no more."""
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, stdout, "")


def lines(place: Place, data: str = ".coverage") -> dict[str, dict[str, list[int]]]:
    """{context: {file name: lines}} of a data file."""
    script = """
import coverage, json, os, sys
data = coverage.CoverageData(sys.argv[1])
data.read()
found = {}
for context in data.measured_contexts():
    data.set_query_context(context)
    found[context] = {os.path.basename(name): sorted(data.lines(name) or ()) for name in data.measured_files()}
print(json.dumps({context: {name: its for name, its in files.items() if its} for context, files in found.items()}))
"""
    outcome = place.python("-c", script, data)
    assert outcome.stderr == ""
    found: dict[str, dict[str, list[int]]] = json.loads(outcome.stdout)
    return found


def by_context(place: Place, core: str, programs: dict[str, str]) -> dict[str, dict[str, list[list[int]]]]:
    outcome = place.run(sys.executable, BY_CONTEXT, core, stdin=json.dumps(programs))
    assert outcome.status == 0, outcome.stderr
    found: dict[str, dict[str, list[list[int]]]] = json.loads(outcome.stdout)
    return found


def test_contexts_have_the_lines_and_branches_that_ctrace_gives_them(place: Place) -> None:
    """Beyond these ctrace counts a line that was under way at the switch for the next context: where its next arc comes from."""
    ours, theirs = (by_context(place, core, PROGRAMS) for core in ("covcore", "ctrace"))
    assert ours.keys() == theirs.keys()
    n = 0
    for name, contexts in theirs.items():
        assert ours[name].keys() == contexts.keys()
        for context, (its_lines, branches, under_way) in contexts.items():
            assert ours[name][context][1] == branches, (name, context)
            assert set(ours[name][context][0]) == set(its_lines) - (set(under_way) - set(ours[name][context][0])), (
                name,
                context,
            )
            n += len(branches)
    assert n > 130


LONG = """\
def f(x, y):
    if (
        x and
        y
    ):
        return [
            x,
            y,
        ]
    for i in (
        x, y
    ):
        str(
            i)
    while (
        x
    ):
        x -= 1
    return (
        x
    )
f(1, 1)
switch("A")
f(2, 0)
"""


def test_statements_of_several_lines(place: Place) -> None:
    """The first of which may have no code."""
    ours, theirs = (by_context(place, core, {"long": LONG})["long"]["A"][:2] for core in ("covcore", "ctrace"))
    assert ours[1] == theirs[1] != []
    assert set(theirs[0]) - set(ours[0]) <= {LONG.count("\n") - 1}  # the line under way


def test_no_line_is_inferred(place: Place) -> None:
    """coverage.py's own core on sys.monitoring has lines 3 and 10 as run."""
    program = "def f(x):\n    assert x > 4\n    print('never')\n    return 1\ntry: f(1)\nexcept AssertionError: pass\n"
    program += "def g(x):\n    if x == 0:\n        y = x or int('z')\n        return y\n    return 2\n"
    program += "try: g(0)\nexcept ValueError: pass\n"
    assert run(place, "", program).status == 0
    assert lines(place) == {"": {"program.py": [1, 2, 5, 6, 7, 8, 9, 12, 13]}}


def test_lines_alone(place: Place) -> None:
    program = "def f(x):\n    if x:\n        return 1\n    return 0\nf(1)\n"
    assert run(place, "branch = False\n".replace("branch", "[report]\nprecision = 1\n#"), program).status == 0
    place.write(".coveragerc", "[run]\nplugins = covcore_coverage\n")
    assert coverage(place, "run", "program.py").status == 0
    assert lines(place) == {"": {"program.py": [1, 2, 3, 5]}}


# ---- who is the core, and where covcore stands back


def test_debug_sys_names_the_core(place: Place) -> None:
    place.write(".coveragerc", PLUGIN)
    assert "core is covcore" in coverage(place, "debug", "sys").stdout
    assert (
        "covcore is not the core: core=ctrace is set" in coverage(place, "debug", "sys", COVERAGE_CORE="ctrace").stdout
    )
    assert " core: CovcoreTracer\n" in run(place, "debug = sys\n", "").stderr


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("timid = True\n", "timid asks for a trace function"),
        ("core = ctrace\n", "core=ctrace is set"),
        ("core = sysmon\n", "core=sysmon is set"),
    ],
)
def test_stands_back_where_the_settings_say_so(place: Place, settings: str, reason: str) -> None:
    outcome = run(place, settings, "print(1)\n")
    assert (outcome.status, outcome.stdout) == (0, "1\n")
    assert outcome.stderr.count(WARNING + reason) == 1
    assert lines(place)[""] == {"program.py": [1]}
    quiet = run(
        place, settings + "disable_warnings = no-covcore, no-sysmon\n", "print(1)\n"
    )  # which has no branches before 3.14
    assert (quiet.stdout, quiet.stderr) == ("1\n", "")


BEFORE = """
import sys, coverage, coverage.control
{what}
measuring = coverage.Coverage(config_file="rc", include=["*/module.py"])
measuring.start()
import module
measuring.stop()
measuring.save()
"""
OTHER_CORE = """
class Core(coverage.control.Core):
    def __init__(self, warn, debug, config, dynamic_contexts, more=1):
        super().__init__(warn=warn, debug=debug, config=config, dynamic_contexts=dynamic_contexts)
coverage.control.Core = Core
"""


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (
            "for tool in range(6): sys.monitoring.use_tool_id(tool, f'tool {tool}')",
            "all tool ids of sys.monitoring are taken, by tool 0",
        ),
        (OTHER_CORE, "has another way to choose its core"),
        ("import covcore.measure.session as s; s.current = lambda: 1", "covcore itself is measuring this process"),
    ],
)
def test_stands_back_where_it_cannot_measure(place: Place, what: str, reason: str) -> None:
    place.write("rc", PLUGIN)
    place.write("module.py", "a = 1\nif a:\n    a = 2\n")
    outcome = place.python("-c", BEFORE.format(what=what))
    assert outcome.stderr.count(reason) == 1
    assert WARNING in outcome.stderr
    if "tool ids" not in reason:  # without which its own core fails too
        assert lines(place)[""] == {"module.py": [1, 2, 3]}


def test_core_may_be_named_covcore(place: Place) -> None:
    check_silent(run(place, "core = covcore\n", "print(1)\n"), "1\n")
    assert run(place, "core = covcore\ntimid = True\n", "print(1)\n").status == 0


# ---- contexts

TESTS = """
import module
def helper(): return module.work(0)
def test_first(): return module.work(1)
def test_raises():
    module.work(2)
    raise ValueError
class TestIt:
    def test_in_class(self): return module.work(1) + helper()
    def runTest(self): return module.work(3)
helper()
test_first()
try: test_raises()
except ValueError: module.work(4)
TestIt().test_in_class()
TestIt().runTest()
test_first()
"""
MODULE = "def work(n):\n    if n == 1: return 1\n    if n == 2: return 2\n    if n == 3: return 3\n    return 0\n"


def test_dynamic_context_of_test_functions(place: Place) -> None:
    place.write("module.py", MODULE)
    assert run(place, "dynamic_context = test_function\nomit = program.py\n", TESTS).status == 0
    assert {context: files["module.py"] for context, files in lines(place).items()} == {
        "": [1, 2, 3, 4, 5],
        "__main__.test_first": [2],
        "__main__.test_raises": [2, 3],
        "__main__.TestIt.test_in_class": [2, 3, 4, 5],
        "__main__.TestIt.runTest": [2, 3, 4],
    }


def test_a_test_function_within_another_begins_no_context(place: Place) -> None:
    place.write("module.py", MODULE)
    program = (
        "import module\ndef test_inner(): module.work(1)\ndef test_outer():\n    test_inner()\n    module.work(2)\n"
    )
    program += "test_outer()\nmodule.work(3)\n"
    assert run(place, "dynamic_context = test_function\nomit = program.py\n", program).status == 0
    assert lines(place) == {
        "": {"module.py": [1, 2, 3, 4]},
        "__main__.test_outer": {"module.py": [2, 3]},
    }


CONTEXT_PLUGIN = """
from coverage import CoveragePlugin
class Plugin(CoveragePlugin):
    def dynamic_context(self, frame):
        return frame.f_code.co_qualname if frame.f_code.co_name in ("helper", "test_raises") else None
def coverage_init(registry, options):
    registry.add_dynamic_context(Plugin())
"""


def test_dynamic_context_of_a_plugin(place: Place) -> None:
    place.write("module.py", MODULE)
    place.write("asked.py", CONTEXT_PLUGIN)
    place.write(".coveragerc", PLUGIN.replace("plugins =", "omit = program.py\nplugins = asked,"))
    place.write("program.py", TESTS)
    check_silent(coverage(place, "run", "program.py"))
    found = lines(place)
    assert {context: files["module.py"] for context, files in found.items()} == {
        "": [1, 2, 3, 4, 5],
        "helper": [2, 3, 4, 5],
        "test_raises": [2, 3],
    }


SUITE = """
import pytest, module
@pytest.fixture
def four(): return module.work(4)
@pytest.mark.parametrize("n", [1, 2])
def test_n(n): assert module.work(n) == n
def test_four(four): assert four == 0
"""


@pytest.mark.parametrize("workers", ["", "-n2"])
def test_pytest_cov(place: Place, workers: str) -> None:
    place.write("module.py", MODULE)
    place.write("test_it.py", SUITE)
    place.write(".coveragerc", PLUGIN)
    arguments = [
        "-p",
        "no:covcore",
        "--cov=.",
        "--cov-context=test",
        "--cov-report=",
        "-q",
        *([workers] if workers else []),
    ]
    outcome = with_plugins(place, *arguments)
    assert outcome.status == 0, outcome.stdout + outcome.stderr
    assert "CoverageWarning" not in outcome.stdout + outcome.stderr
    found = {context: files["module.py"] for context, files in lines(place).items() if "module.py" in files}
    assert found.pop("") == [1]
    assert found == {
        "test_it.py::test_n[1]|run": [2],
        "test_it.py::test_n[2]|run": [2, 3],
        "test_it.py::test_four|setup": [2, 3, 4, 5],
    }


# ---- processes, threads, several measurements


def test_processes(place: Place) -> None:
    """Forked, started, and left by os._exit; then put together with what other cores have measured."""
    place.write("module.py", MODULE)
    program = """
import os, subprocess, sys, module
module.work(1)
if os.fork() == 0:
    module.work(2)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "import module; module.work(3)"])
"""
    outcome = run(place, "patch = fork, subprocess, _exit\nparallel = True\n", program)
    check_silent(outcome)
    place.write("other.py", "import module\nmodule.work(4)\n")
    for core in ("ctrace", "sysmon", "pytrace"):
        assert (
            coverage(place, "run", "--rcfile=/dev/null", "--branch", "-p", "other.py", COVERAGE_CORE=core).status == 0
        )
    assert coverage(place, "combine", "-q").status == 0
    assert lines(place)[""]["module.py"] == [1, 2, 3, 4, 5]
    report = coverage(place, "report", "-m", "--include=module.py").stdout
    assert "100%" in report


def test_multiprocessing(place: Place) -> None:
    place.write("module.py", MODULE)
    program = """
import multiprocessing, module
if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(2) as pool:
            pool.map(module.work, [1, 2, 3])
            pool.close()
            pool.join()
"""
    # The second worker of a pool may have had nothing to do.
    settings = "concurrency = multiprocessing, thread\ndisable_warnings = no-data-collected\n"
    outcome = run(place, settings, program)
    check_silent(outcome)
    assert coverage(place, "combine", "-q").status == 0
    assert set(lines(place)[""]["module.py"]) >= {1, 2, 3, 4}


SEVERAL = """
import json, coverage
def make():
    return coverage.Coverage(data_file=None, config_file="rc", include=["*/module.py"])
def ran(measuring):
    data = measuring.get_data()
    return sorted({line for name in data.measured_files() for line in data.lines(name)})
first = make()
first.start()
import module
module.work(1)
inner = make()
with inner.collect():
    module.work(2)
module.work(1)
first.stop()
found = [ran(first), ran(inner)]
module.work(3)
with first.collect():
    module.work(1)
found.append(ran(first))
first.erase()
with first.collect():
    module.work(1)
found.append(ran(first))
second = make()
with second.collect():
    module.work(2)
found.append(ran(second))
print(json.dumps(found))
"""


def test_several_measurements(place: Place) -> None:
    """One inside of another, one after another, and again after an erase."""
    place.write("module.py", MODULE)
    place.write("rc", PLUGIN)
    ours = place.python("-c", SEVERAL)
    assert ours.stderr == ""
    assert json.loads(ours.stdout) == [[1, 2], [2, 3], [1, 2], [2], [2, 3]]
    place.write("rc", "[run]\nbranch = True\ncore = ctrace\n")
    assert place.python("-c", SEVERAL).stdout == ours.stdout


def test_export_as_data_of_coverage_py(place: Place) -> None:
    """Contexts, lines and branches are those that coverage.py has with covcore as its core."""
    place.write("module.py", MODULE)
    place.write("test_it.py", SUITE)
    outcome = place.covcore(
        "run", "--source=.", "--dynamic-contexts=phase", "-m", "pytest", "-q", "-p", "no:cacheprovider"
    )
    assert outcome.status == 0, outcome.stdout + outcome.stderr
    assert place.covcore("export", "--format=coverage", "-o", ".coverage").status == 0
    found = {context: files["module.py"] for context, files in lines(place).items() if "module.py" in files}
    assert {context.replace("call", "run"): its for context, its in found.items()} == {
        "": [1],
        "test_it.py::test_n[1]|run": [2],
        "test_it.py::test_n[2]|run": [2, 3],
        "test_it.py::test_four|setup": [2, 3, 4, 5],
    }
    report = coverage(place, "report", "-m", "--include=module.py").stdout
    place.write(".coveragerc", PLUGIN)
    assert coverage(place, "run", "-m", "pytest", "-q", "-p", "no:cacheprovider").status == 0
    assert coverage(place, "report", "-m", "--include=module.py").stdout == report
    assert "module.py" in report
