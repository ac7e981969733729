"""Oracle 1: of generated programs covcore and CPython's own sys.settrace tell the same (docs/oracles.md)."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SANITIZER
from oracle.check import JIT, NO_JIT, Oracle
from oracle.differences import differences
from oracle.measured import NO_RULES, figures
from oracle.peers import texts
from oracle.search import search

from covcore.analysis.project import analyse_all
from covcore.store.loading import load

SHARDS = 12
PROGRAMS = 3000 // SHARDS  # of each version of Python; `make oracle N=200000` runs any number
SEED = 20261121 + 1000 * sys.version_info.minor  # other programs for each version
HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_generated_programs(shard: int) -> None:
    """Lines and arms per context and code object, what a report makes of them, and what the program prints."""
    jit = JIT if HAS_JIT and shard == 0 else NO_JIT
    failure = search(PROGRAMS, SEED + shard, jit)
    assert failure is None, f"seed {SEED + shard}, environment {jit}: {failure}"


# ---- by way of the command and the database

DRIVER = """
import gc, sys, warnings
from pathlib import Path
from oracle.support import Support, execute
gc.disable()
warnings.simplefilter("ignore")
sys.unraisablehook = lambda unraisable: None
kept = []
for path in sorted(Path(sys.argv[1]).glob("*.py")):
    kept.append(Support(int(path.stem.partition("_")[2])))
    execute(path.read_text(), str(path), kept[-1])
"""


def test_from_the_command_to_the_report(tmp_path: Path) -> None:
    """Programs measured by `covcore run`, all in one process; the report is made from the database."""
    programs = {f"program{number:03}_{run[1]}": run for number, run in enumerate(texts(80, SEED))}
    source = tmp_path / "source"
    source.mkdir()
    for name, (text, _) in programs.items():
        (source / f"{name}.py").write_text(text)
    (tmp_path / "driver.py").write_text(DRIVER)
    data = tmp_path / "data"
    command = [sys.executable, "-m", "covcore", "run", f"--source={source}", f"--data={data}", "driver.py", str(source)]
    tests = Path(__file__).parent
    environment = {"PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}", "PATH": ""} | SANITIZER
    subprocess.run(command, cwd=tmp_path, check=True, env=environment, capture_output=True)

    with load(str(data)) as database:
        results = {
            Path(each.path).stem: each.result
            for each in analyse_all(database, NO_RULES, lambda path: path.endswith(".py"))
        }

    with Oracle() as oracle:
        for name, run in programs.items():
            truth, said = oracle.observe(*run)
            result = results[name]
            assert differences(truth, said) == []
            assert result is not None
            assert {key: value for key, value in said.items() if key in figures(result)} == figures(result), run[0]
    assert results.keys() == programs.keys()


# ---- defects planted into what covcore says: each must be seen

PROGRAM = """
def f(a, b):
    if a and b:
        return 1
    for i in (1, 2):
        b = i
    return b
f(1, 0)
mark("A")
f(0, 1)
"""
WHERE = "f:2"


@pytest.fixture(scope="module")
def observed() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    with Oracle() as oracle:
        yield oracle.observe(PROGRAM, 1)


def forget_line(said: dict[str, Any]) -> None:
    said["lines"]["A"][WHERE].remove(5)


def invent_line(said: dict[str, Any]) -> None:
    said["lines"]["A"][WHERE].append(4)


def forget_arm(said: dict[str, Any]) -> None:
    said["arms"]["A"][WHERE].pop()


def swap_arm(said: dict[str, Any]) -> None:
    source, arm = said["arms"][""][WHERE].pop(0)
    said["arms"][""][WHERE].append([source, 1 - arm])


def shift_arm(said: dict[str, Any]) -> None:
    said["arms"]["A"][WHERE][0][0] += 2


def confuse_contexts(said: dict[str, Any]) -> None:
    said["lines"]["B"] = said["lines"].pop("A")


def move_site(said: dict[str, Any]) -> None:
    said["sites"][WHERE][0] -= 2


def report_line_as_run(said: dict[str, Any]) -> None:
    said["run"].append(4)


def report_line_as_missing(said: dict[str, Any]) -> None:
    said["run"].remove(6)


def report_branch_as_taken(said: dict[str, Any]) -> None:
    said["taken"].append([3, 4])


def report_branch_as_missing(said: dict[str, Any]) -> None:
    said["taken"].remove([5, 7])


def print_otherwise(said: dict[str, Any]) -> None:
    said["measured"] += "!"


DEFECTS = {
    forget_line: "line 5 of f:2 in context A ran: covcore did not record it",
    invent_line: "line 4 of f:2 in context A did not run: covcore recorded it",
    forget_arm: "covcore did not record it",
    swap_arm: "covcore recorded it",
    shift_arm: "covcore recorded it",
    confuse_contexts: "in context B did not run: covcore recorded it",
    move_site: "f:2 has its sites at",
    report_line_as_run: "line 4 never ran: the report has it as run",
    report_line_as_missing: "line 6 ran: the report has it as missing",
    report_branch_as_taken: "branch 3 -> 4 was never taken: the report has it as taken",
    report_branch_as_missing: "branch 5 -> 7 was taken: the report has it as missing",
    print_otherwise: "the program is not the same measured",
}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_planted_defect_is_seen(
    defect: Callable[[dict[str, Any]], None], observed: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    truth, said = observed
    assert differences(truth, said) == []
    spoilt = copy.deepcopy(said)
    defect(spoilt)

    assert any(DEFECTS[defect] in difference for difference in differences(truth, spoilt))


def test_a_failing_program_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that has lost every loop's end: the shortest program with a loop is found."""

    def lose(oracle: Oracle, text: str, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        truth, said = observe(oracle, text, seed)
        for codes in said.get("arms", {}).values():
            for arms in codes.values():
                arms[:] = [arm for arm in arms if arm[1] == 0]
        return truth, said

    observe = Oracle.observe
    monkeypatch.setattr(Oracle, "observe", lose)
    failure = search(50, SEED)

    assert failure is not None
    assert failure.text.count("\n") < 20, failure
    assert "RIGHT" in str(failure)
