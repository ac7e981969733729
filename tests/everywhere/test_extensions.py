"""Extensions in the measured process, as Cython, mypyc and pybind11 make them: what they call and what calls them is measured as ever."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import Place
from extensions import built

CPP = """\
#include <pybind11/pybind11.h>
namespace py = pybind11;
struct Base { virtual ~Base() = default; virtual int size() { return 1; } };
struct Trampoline : Base { int size() override { PYBIND11_OVERRIDE(int, Base, size); } };
PYBIND11_MODULE(made, m) {
    m.def("each", [](py::function call, int n) {
        int sum = 0;
        for (int i = 0; i < n; i++) sum += call(i).cast<int>();
        return sum;
    });
    m.def("caught", [](py::function call) {
        try { call(-1); return false; } catch (py::error_already_set &) { return true; }
    });
    m.def("fail", [] { throw py::value_error("no"); });
    py::class_<Base, Trampoline>(m, "Base").def(py::init<>());
    m.def("size", [](Base &base) { return base.size(); });
}
"""
BUILD_CPP = """
import os, pybind11, subprocess, sysconfig
headers = [f"-I{sysconfig.get_path('include')}", f"-I{pybind11.get_include()}"]
compiler = os.environ.get("CXX", "c++")
subprocess.run([compiler, "-O0", "-std=c++17", "-shared", "-fPIC", *headers, "made.cpp", "-o", "made.so"], check=True)
"""
TYPED = """\
from typing import Callable
def each(call: Callable[[int], int], n: int) -> int:
    total = 0
    for i in range(n):
        total += call(i)
    return total
def caught(call: Callable[[int], int]) -> bool:
    try:
        call(-1)
    except ValueError:
        return True
    return False
def fail() -> None:
    raise ValueError("no")
class Base:
    def size(self) -> int:
        return 1
def size(base: Base) -> int:
    return base.size()
"""
# mypyc lets nobody derive from its classes unless it is told so.
BUILD_MYPYC = """
from setuptools import setup
from mypyc.build import mypycify
setup(name="made", ext_modules=mypycify(["made.py"], opt_level="0"), script_args=["-q", "build_ext", "--inplace"])
import os
os.remove("made.py")
"""
DERIVABLE = TYPED.replace(
    "class Base:", "from mypy_extensions import mypyc_attr\n@mypyc_attr(allow_interpreted_subclasses=True)\nclass Base:"
)
BUILD_CYTHON = """
from setuptools import Extension, setup
from Cython.Build import cythonize
made = Extension("made", ["made.pyx"], define_macros=MACROS)
setup(ext_modules=cythonize([made], language_level=3, compiler_directives=DIRECTIVES), script_args=["-q", "build_ext", "--inplace"])
"""
PLAIN = BUILD_CYTHON.replace("MACROS", "[]").replace("DIRECTIVES", "{}")
TRACED = BUILD_CYTHON.replace("MACROS", "[('CYTHON_TRACE_NOGIL', '1')]").replace(
    "DIRECTIVES", "dict(profile=True, linetrace=True, binding=True)"
)
LINETRACE = "Cython with linetrace"
MADE = {
    "pybind11": ({"made.cpp": CPP}, BUILD_CPP),
    "mypyc": ({"made.py": DERIVABLE}, BUILD_MYPYC),
    "Cython": ({"made.pyx": TYPED}, PLAIN),
    LINETRACE: ({"made.pyx": TYPED}, TRACED),
}
WORK = """\
import made
def one(i):
    if i > 5:
        return 100
    if i < 0:
        raise ValueError(i)
    return i if i else 7
class Derived(made.Base):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def size(self):
        if self.n > 1:
            return self.n
        return -1
def numbers():
    for i in range(3):
        yield made.each(one, i)
def run():
    print(made.each(one, 3), list(numbers()), made.caught(one), made.size(Derived(2)), made.size(made.Base()))
    try:
        made.fail()
    except ValueError as error:
        print(error)
"""


@pytest.mark.parametrize("maker", MADE)
def test_what_they_call_and_what_calls_them(place: Place, maker: str) -> None:
    """The lines and branches are those of coverage.py's C tracer, with a switch of context in between."""
    path = f"{built(*MADE[maker])}:{Path(sys.prefix) / 'compilers'}"
    place.write("work.py", WORK)
    place.write("program.py", "import work\nfor _ in range(3):\n    work.run()\nraise SystemExit(3)\n")
    bare = place.python("program.py", PYTHONPATH=path)
    assert bare.status == 3, bare.stderr
    done = place.covcore("run", "--source=.", "program.py", PYTHONPATH=path)
    assert done == bare
    options = ("-m", "coverage", "run", "--branch", "--source=.", "program.py")
    # With linetrace settrace is told of the extension's lines as if they were those of the Python function that called it.
    traced = path if maker != LINETRACE else f"{built(*MADE['Cython'])}:{Path(sys.prefix) / 'compilers'}"
    theirs = place.python(*options, PYTHONPATH=traced, COVERAGE_CORE="ctrace")
    assert theirs == bare
    assert place.python("-m", "coverage", "json", "-q", "-o", "theirs.json").status == 0
    report = place.covcore("json", "-o", "-")
    assert (report.status, report.stderr) == (0, "")
    ours, expected = json.loads(report.stdout)["files"], json.loads((place.folder / "theirs.json").read_text())["files"]
    assert ours.keys() == expected.keys()
    for name in expected:
        for key in ("executed_lines", "missing_lines", "executed_branches", "missing_branches"):
            assert ours[name][key] == expected[name][key], (name, key)


@pytest.mark.parametrize("maker", MADE)
def test_in_the_tests_that_run_them(place: Place, maker: str) -> None:
    """Each context is told of what ran in it, however often the extension ran before."""
    path = f"{built(*MADE[maker])}:{Path(sys.prefix) / 'compilers'}"
    place.write("work.py", WORK)
    tests = "import made, work\ndef test_a(): assert made.each(work.one, 2) == 8\ndef test_b(): assert made.each(work.one, 8) == 222\n"
    place.write("test_it.py", tests + "def test_c(): assert made.each(work.one, 2) == 8\n")
    done = place.covcore(
        "run", "--source=.", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", PYTHONPATH=path
    )
    assert done.status == 0, done.stdout
    for line, tests in (4, {"b"}), (7, {"a", "b", "c"}), (9, set()):
        shown = place.covcore("tests", f"work.py:{line}").stdout.split()
        assert {name[-1] for name in shown if "::" in name} == tests


TOLD = """\
def plain(n,
          m=1):
    n += m
    n += m
    return n
def numbers(n):
    yield n
    yield n
async def awaited(n):
    n += 1
    return n
cdef class Kept:
    pass




def never():
    return 1
"""
EVENTS = """\
import json, sys
monitoring, events = sys.monitoring, sys.monitoring.events
told, tables, answer = [], {}, None
def start(code, offset):
    if code.co_filename == "told.pyx":
        tables[code.co_name] = sorted({line for *_, line in code.co_lines()})
def line(code, line):
    if code.co_filename != "told.pyx":
        return monitoring.DISABLE
    told.append((code.co_name, line))
    return answer
def lines_of(work):
    told.clear()
    work()
    return [line for name, line in told]
monitoring.use_tool_id(3, "told")
monitoring.register_callback(3, events.PY_START, start)
monitoring.register_callback(3, events.LINE, line)
monitoring.set_events(3, events.PY_START | events.LINE)
def imported():
    global told_module
    import told_module
def wait():
    try:
        told_module.awaited(1).send(None)
    except StopIteration: pass
found = {"imported": lines_of(imported), "plain": lines_of(lambda: told_module.plain(1))}
found |= {"numbers": lines_of(lambda: list(told_module.numbers(1))), "awaited": lines_of(wait)}
answer = monitoring.DISABLE
found["silenced"] = [lines_of(lambda: told_module.plain(1)) for _ in range(2)]
monitoring.set_events(3, 0)
print(json.dumps({"found": found, "tables": tables}))
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="there is no such API")
def test_why_lines_of_cython_are_left_alone(place: Place) -> None:
    """What docs/code-objects.md says stands in the way: where this fails, Cython or CPython has changed, and it can be tried anew."""
    build = TRACED.replace('"made"', '"told_module"').replace("made.pyx", "told.pyx")
    path = built({"told.pyx": TOLD}, build)
    place.write("events.py", EVENTS)
    done = place.python("events.py", PYTHONPATH=str(path))
    assert done.status == 0, done.stderr
    answers = json.loads(done.stdout)
    found, tables = answers["found"], answers["tables"]
    assert (found["plain"], tables["plain"]) == ([3, 4, 5], [1, 2, 3, 4, 5])
    assert (found["numbers"], tables["numbers"]) == ([7, 8], [6])
    assert (found["awaited"], tables["awaited"]) == ([10, 11], [9])
    assert found["silenced"] == [[3], [3]]
    assert 17 in found["imported"]  # which is blank: Cython's own text has that number
