"""covcore's figures beside coverage.py's: each difference is of a class that docs/differences.md names."""

from __future__ import annotations

import importlib.util
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import coverage
import explanation
import pytest
import twin
from constructs import PROGRAMS
from coverage.config import DEFAULT_EXCLUDE
from coverage.parser import PythonParser
from coverage.results import Analysis
from exercises import EXERCISES

from covcore.analysis.codes import recorded
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse

NAMES = re.findall(r"^### (\S+)$", (Path(__file__).parent.parent / "docs" / "differences.md").read_text(), re.MULTILINE)

type Branches = set[tuple[int, int]]


class Figures(NamedTuple):
    """What two tools can be asked alike."""

    statements: set[int]
    missing: set[int]
    branches: Branches
    missing_branches: Branches


# ---- both tools on the same program


def measure(paths: Iterable[Path], execute: Callable[[], object], folder: Path) -> dict[Path, Figures]:
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
    return {path: figures_of_coverage(tool._analyze(str(path))) for path in paths}


def figures_of_coverage(analysis: Analysis) -> Figures:
    missed = {(line, to) for line, targets in analysis.missing_branch_arcs().items() for to in targets}
    branches = {
        (line, to)
        for line, to in analysis.arc_possibilities
        if analysis.exit_counts.get(line, 0) > 1 and to not in analysis.excluded
    }
    return Figures(analysis.statements, analysis.missing, branches, missed)


def record(paths: Iterable[Path], execute: Callable[[], object], folder: Path) -> dict[Path, FileResult]:
    """The same with covcore's analysis."""
    recorder = twin.Recorder(str(folder))
    recorder.run(execute)
    results = {}
    for path in paths:
        measured = recorder.measured(str(path), twin.reader_shape)
        ran = [recorded(it.qualname, it.first_line, it.shape, it.bits) for it in measured]
        results[path] = analyse(path.read_text(), ran, Rules())
    return results


def figures_of(result: FileResult) -> Figures:
    missed = {(line, to) for line, targets in result.missing_branches.items() for to in targets}
    branches = {(line, to) for line, targets in result.branches.items() for to in targets}
    return Figures(set(result.statements), set(result.missing), branches, missed)


# ---- what differs, and why


def differences(text: str, theirs: Figures, ours: Figures) -> dict[str, str | None]:
    """What differs -> the class of the difference; None: nobody knows why."""
    found: dict[str, str | None] = {}
    for line in theirs.statements ^ ours.statements:
        found[f"statement {line}"] = explanation.of_statement(text, line)
    for line in (theirs.missing ^ ours.missing) & theirs.statements & ours.statements:
        found[f"missing {line}"] = None
    odd = {line for line, _ in theirs.branches ^ ours.branches}
    for line in odd:
        found[f"branches of {line}"] = explanation.of_branches(text, line)
    for line, to in theirs.missing_branches ^ ours.missing_branches:
        if line not in odd:
            found[f"taken {line}->{to}"] = explanation.of_taken(text, line)
    return found


def unexplained(found: dict[str, str | None]) -> dict[str, str | None]:
    return {what: name for what, name in found.items() if name not in NAMES}


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
    "type parameters and aliases": {"end-of-generic-class"},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_construct(name: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[name])
    code = compile(PROGRAMS[name], str(path), "exec", dont_inherit=True)

    def execute() -> None:
        exec(code, {"__name__": "__main__"})

    theirs, ours = measure([path], execute, tmp_path)[path], record([path], execute, tmp_path)[path]

    found = differences(PROGRAMS[name], theirs, figures_of(ours))
    assert not unexplained(found)
    assert set(found.values()) == DIFFERENT.get(name, set())


# ---- real code that runs

LIBRARY = Path(sysconfig.get_path("stdlib"))


def test_modules_of_the_standard_library_that_run(tmp_path: Path) -> None:
    """Copies of modules, loaded and exercised under both tools."""
    paths = {}
    for name in EXERCISES:
        paths[name] = tmp_path / f"copy_of_{name.replace('/', '_')}.py"
        paths[name].write_text((LIBRARY / f"{name}.py").read_text())

    def execute() -> None:
        for name, exercise in EXERCISES.items():
            exercise(load(paths[name]))

    execute()  # both then find what this has filled: caches, tables
    theirs = measure(paths.values(), execute, tmp_path)
    ours = record(paths.values(), execute, tmp_path)

    found = {name: differences(path.read_text(), theirs[path], figures_of(ours[path])) for name, path in paths.items()}
    assert {name: unexplained(its) for name, its in found.items() if unexplained(its)} == {}
    assert sum(len(result.statements) - len(result.missing) for result in ours.values()) > 4000


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


# ---- real code that does not

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
        theirs, excluded = parse(text)
        result = analyse(text, [], Rules())
        n_branches += result.figures.branches
        unknown += ((path, it) for it in unexplained(differences(text, theirs, figures_of(result))).items())
        assert result.excluded.keys() == excluded, path

    assert unknown == []
    assert n_branches > 8_000


def parse(text: str) -> tuple[Figures, set[int]]:
    """What coverage.py's parser finds: figures as of code that never ran, and the excluded statements."""
    parser = PythonParser(text=text, exclude="|".join(f"(?:{pattern})" for pattern in DEFAULT_EXCLUDE))
    parser.parse_source()
    arcs = {(line, to) for line, to in parser.arcs() if line not in parser.excluded and to not in parser.excluded}
    deciding = {line for line, count in parser.exit_counts().items() if count > 1}
    branches = {(line, to) for line, to in arcs if line in deciding}
    with_code = parser.first_lines(parser.raw_statements - parser.raw_docstrings)
    return Figures(parser.statements, parser.statements, branches, branches), parser.excluded & with_code
