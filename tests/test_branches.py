"""Statements and branches of each language construct, in programs that say what is expected of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest
import twin
from conftest import SANITIZER
from constructs import PROGRAMS, Expected, expected

from covcore.analysis.codes import recorded
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.project import analyse_all
from covcore.store.loading import load


def run(name: str, shape_of: Callable[[CodeType], twin.Shape]) -> FileResult:
    """Run a program under the twin of the tracer and analyse it."""
    program = PROGRAMS[name]
    code = compile(program, "program.py", "exec", dont_inherit=True)
    recorder = twin.Recorder("program.py")
    recorder.run(lambda: exec(code, {"__name__": "__main__"}))
    ran = [recorded(it.qualname, it.first_line, it.shape, it.bits) for it in recorder.measured("program.py", shape_of)]
    return analyse(program, ran, Rules())


def as_expected(result: FileResult) -> Expected:
    """A result in the words of the marks."""
    branches: dict[int, dict[str, bool]] = {}
    for line, targets in result.branches.items():
        n_exits = sum(to < 0 for to in targets)
        for to in targets:
            word = "exit" if to < 0 and n_exits == 1 else str(to)
            branches.setdefault(line, {})[word] = to not in result.missing_branches.get(line, ())
    return Expected(list(result.statements), list(result.missing), sorted(result.excluded), branches)


@pytest.mark.parametrize("shape_of", [twin.reader_shape, twin.shape], ids=["shapes by C", "shapes by dis"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_construct(name: str, shape_of: Callable[[CodeType], twin.Shape]) -> None:
    assert as_expected(run(name, shape_of)) == expected(PROGRAMS[name])


DRIVER = """\
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception:
        pass
"""


def test_constructs_from_the_tracer_to_the_report(tmp_path: Path) -> None:
    """The same programs measured by `covcore run`, all in one process, and read back from the database."""
    programs = {f"program_{number}": text for number, text in enumerate(PROGRAMS.values())}
    source = tmp_path / "source"
    source.mkdir()
    for name, text in programs.items():
        (source / f"{name}.py").write_text(text)
    (tmp_path / "driver.py").write_text(DRIVER)
    data = tmp_path / "data"
    command = [sys.executable, "-m", "covcore", "run", "--source=source", f"--data={data}", "driver.py", *programs]
    environment = {"PYTHONPATH": str(source), "PATH": ""} | SANITIZER
    subprocess.run(command, cwd=tmp_path, check=True, env=environment, capture_output=True)

    with load(str(data)) as database:
        results = {Path(it.path).stem: it.result for it in analyse_all(database, Rules(), lambda path: True)}

    found = {name: as_expected(result) for name, result in results.items() if result is not None}
    assert found == {name: expected(text) for name, text in programs.items()}


def test_code_that_never_ran_has_the_same_statements_and_branches() -> None:
    """Recorded or compiled: it makes no difference to what there is."""
    for name, program in PROGRAMS.items():
        ran, never = run(name, twin.reader_shape), analyse(program, [], Rules())
        assert (ran.statements, ran.excluded, ran.branches) == (never.statements, never.excluded, never.branches), name
        assert list(never.missing) == never.statements
