"""covcore's figures beside coverage.py's: each difference is of a class that docs/differences.md names.

What takes longer is in tests/oracle_packages: `make oracle-packages`.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import coverage
import pytest
import twin
from constructs import PROGRAMS
from exercises import EXERCISES
from oracle_packages.comparing import (
    EXAMPLES,
    Figures,
    Pair,
    differences,
    of_covcore,
    of_coverage,
    of_parser,
    unexplained,
)
from oracle_packages.measuring import Measured, Suite, measure
from oracle_packages.sources import Unavailable
from oracle_packages.suites import PACKAGES, module, modules, package

from covcore.analysis.codes import recorded
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse

# ---- both tools on the same program


def run_under_coverage(paths: Iterable[Path], execute: Callable[[], object], folder: Path) -> dict[Path, Figures]:
    """Run something under coverage.py's C tracer, and get its figures of some files."""
    tool = coverage.Coverage(data_file=None, branch=True, config_file=False, include=[f"{folder}/*"])
    tool.set_option("run:core", "ctrace")
    tool.start()
    try:
        execute()
    except Exception:
        pass
    finally:
        tool.stop()
    data = tool.get_data()
    arcs = {path: frozenset(data.arcs(str(path)) or ()) for path in paths}
    return {path: of_coverage(tool._analyze(str(path)), path.read_text(), arcs[path]) for path in paths}


def run_under_twin(paths: Iterable[Path], execute: Callable[[], object], folder: Path) -> dict[Path, FileResult]:
    """The same with covcore's analysis, and the twin of its tracer."""
    recorder = twin.Recorder(str(folder))
    recorder.run(execute)
    results = {}
    for path in paths:
        measured = recorder.measured(str(path), twin.reader_shape)
        ran = [recorded(it.qualname, it.first_line, it.shape, it.bits) for it in measured]
        results[path] = analyse(path.read_text(), ran, Rules())
    return results


# ---- the constructs

DIFFERENT = {
    "finally after return": {"exits-through-finally"},
    "finally after nothing but return": {"exits-through-finally"},
    "finally after break and continue": {"exits-through-finally"},
    "one-line return through finally": {"leaving-one-line-through-finally"},
    "finally in a loop": {"leaving-one-line-through-finally"},
    "with, return and loops": {"leaving-one-line-through-with"},
    "one-line definitions with a docstring": {"docstring-on-header-line"},
    "partly constant tests": {"partly-constant-test"},
    "while 1 with else": {"else-of-endless-loop"},
    "except group in a loop": {"after-except-star"},
    "annotated classes that end in a branch": {"end-of-class-with-annotations"},
    "type parameters and aliases": {"end-of-class-with-annotations", "one-line-generic-function"},
}
# Classes have an `__annotate__` at their end since then, and a call that fails for want of stack an end of its own.
SINCE_3_14 = {"end-of-class-with-annotations", "out-of-stack"}
if sys.version_info < (3, 14):
    DIFFERENT = {name: differences - SINCE_3_14 for name, differences in DIFFERENT.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_construct(name: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[name])
    code = compile(PROGRAMS[name], str(path), "exec", dont_inherit=True)

    def execute() -> None:
        exec(code, {"__name__": "__main__"})

    theirs = run_under_coverage([path], execute, tmp_path)[path]
    ours = of_covcore(run_under_twin([path], execute, tmp_path)[path])

    pair = Pair(PROGRAMS[name], theirs, ours)
    assert unexplained(pair) == []
    assert set(differences(pair).values()) == DIFFERENT.get(name, set())


def test_constructs_under_O() -> None:
    """The same in an interpreter without assert, where `__debug__` is false."""
    command = [sys.executable, "-O", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::test_construct"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert f"{len(PROGRAMS)} passed" in done.stdout


# ---- suites of real code: the tracer itself, at the same time as coverage.py's


@pytest.mark.parametrize("name", ["marshmallow", "mako"])
def test_package_with_its_suite(name: str, tmp_path: Path) -> None:
    measured = check_suite(lambda: package(name), tmp_path)
    assert measured.status == 0, measured.output[-1000:]


@pytest.mark.parametrize(
    "name",
    ["bisect", "contextlib", "copy", "graphlib", "mailbox", "modulefinder", "shlex", "tomllib", "wsgiref", "xml/dom"],
)
def test_module_of_the_standard_library_with_its_tests(name: str, tmp_path: Path) -> None:
    check_suite(lambda: module(name, tmp_path), tmp_path)


def check_suite(find: Callable[[], Suite], folder: Path) -> Measured:
    try:
        suite = find()
    except Unavailable as error:
        pytest.skip(str(error))
    data = folder / "data"
    data.mkdir()
    measured = measure(suite, data)

    assert {path: unexplained(pair) for path, pair in measured.files.items() if unexplained(pair)} == {}
    n_statements = sum(len(pair.ours.statements) for pair in measured.files.values())
    n_missing = sum(len(pair.ours.missing) for pair in measured.files.values())
    assert n_missing < n_statements / 2, measured.output[-1000:]
    return measured


def test_there_are_enough_of_them() -> None:
    """`make oracle-packages` has them all; what it is told by name is here."""
    assert len(PACKAGES) >= 5
    assert len(modules()) >= 60


def test_all_suites_in_a_table(tmp_path: Path) -> None:
    """What `make oracle-packages` runs, of one module."""
    command = [sys.executable, "-m", "oracle_packages", "graphlib"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    if "cannot be had" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith("| graphlib | 1 | ")


# ---- modules without their tests


def test_modules_of_the_standard_library_that_run(tmp_path: Path) -> None:
    """Copies of modules, loaded and exercised: what runs at import is here, too."""
    paths = {}
    for name in EXERCISES:
        paths[name] = tmp_path / f"copy_of_{name.replace('/', '_')}.py"
        paths[name].write_text((LIBRARY / f"{name}.py").read_text())

    def execute() -> None:
        for name, exercise in EXERCISES.items():
            exercise(load(paths[name]))

    execute()  # both then find what this has filled: caches, tables
    theirs = run_under_coverage(paths.values(), execute, tmp_path)
    ours = run_under_twin(paths.values(), execute, tmp_path)

    pairs = {name: Pair(path.read_text(), theirs[path], of_covcore(ours[path])) for name, path in paths.items()}
    assert {name: unexplained(pair) for name, pair in pairs.items() if unexplained(pair)} == {}
    assert sum(len(result.statements) - len(result.missing) for result in ours.values()) > 4000


LIBRARY = Path(sysconfig.get_path("stdlib"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


MODULES = """
    abc ast base64 bdb calendar cmd code codecs codeop compileall configparser contextlib copy csv dataclasses difflib dis
    enum filecmp fileinput fractions ftplib functools gettext glob gzip heapq imaplib inspect json/decoder json/encoder
    linecache mimetypes modulefinder netrc optparse pkgutil platform plistlib poplib posixpath pprint profile queue quopri
    random reprlib sched selectors shelve shutil smtplib socket socketserver string/__init__ subprocess symtable tabnanny
    tempfile threading timeit tokenize trace types uuid warnings wave weakref zipapp asyncio/base_events asyncio/locks
    asyncio/runners asyncio/tasks concurrent/futures/thread email/message http/client multiprocessing/connection unittest/case
    xml/etree/ElementTree
"""


def test_modules_of_the_standard_library_as_they_stand() -> None:
    """Statements, exclusions and possible branches of whatever version has the module."""
    paths = [path for name in MODULES.split() if (path := LIBRARY / f"{name}.py").exists()]
    assert len(paths) > 75
    unknown = []
    n_branches = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        ours = of_covcore(analyse(text, [], Rules()))
        n_branches += len(ours.branches)
        unknown += [f"{path}: {what}" for what in unexplained(Pair(text, of_parser(text), ours))]

    assert unknown == []
    assert n_branches > 8_000


# ---- the names


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_of_a_difference(name: str, tmp_path: Path) -> None:
    """What docs/differences.md shows under a name is that difference, and no other."""
    if name in SINCE_3_14 and sys.version_info < (3, 14):
        pytest.skip("there is this difference since 3.14")
    text = EXAMPLES[name]
    path = tmp_path / "example.py"
    path.write_text(text)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = compile(text, str(path), "exec", dont_inherit=True)

    def execute() -> None:
        exec(code, namespace)

    if "def main" in text:
        execute()
        execute = namespace["main"]

    theirs = run_under_coverage([path], execute, tmp_path)[path]
    ours = of_covcore(run_under_twin([path], execute, tmp_path)[path])
    assert set(differences(Pair(text, theirs, ours)).values()) == {name}


def test_every_name_has_an_example() -> None:
    text = (Path(__file__).parent / "explanation.py").read_text()

    assert set(re.findall(r'return "([a-z-]+)"', text)) == EXAMPLES.keys()
