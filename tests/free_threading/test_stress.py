"""The tracer among many threads: nothing that ran is lost, nothing else is told, nobody hangs.  See programs.py."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tracing import Observation, observe

from free_threading.programs import PROGRAMS

WORK = ("arms", "steps", "one_way", "work", "f")  # what each thread does in full
HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")
ROUNDS = os.environ.get("ROUNDS", "6" if HAS_GIL else "20")


def union(observed: Observation) -> dict[str, set[object]]:
    """What ran of each code object, in whatever context."""
    ran: dict[str, set[object]] = {}
    for codes in observed.values():
        for code, items in codes.items():
            ran.setdefault(code, set()).update(tuple(item) if isinstance(item, list) else item for item in items)
    return ran


def only(ran: dict[str, set[object]], *names: str) -> dict[str, set[object]]:
    return {code: items for code, items in ran.items() if code.partition(":")[0] in names}


@pytest.mark.skipif(HAS_GIL, reason="there is one")
def test_the_gil_stays_off() -> None:
    """A module that does not say that it needs none switches it on."""
    script = "import sys; from covcore import _launch, _reader, _tracer; print(sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def by_line(ran: dict[str, set[object]]) -> dict[str, set[object]]:
    """The same of code that is told by its line alone, as a tally has it."""
    return {code.rpartition(":")[2]: items for code, items in ran.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_run_what_one_runs(name: str, tmp_path: Path) -> None:
    """Both where they go to a recording, and where coverage.py asks for them."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[name])
    one = {"THREADS": "2" if name == "forks" else "1", "ROUNDS": "2"}
    true = {kind: only(union(observe(kind, path, env=one)), *WORK) for kind in ("lines", "arcs")}
    assert all(true.values())
    tasks = {"BY_TASK": "yes"} if name == "loops" else {}
    for core in ("covcore", "tally"):
        if core == "tally" and tasks:
            continue  # it has no contexts of tasks
        got = observe(core, path, env={"ROUNDS": ROUNDS} | tasks)
        assert (got["error"], got["unknown"]) == (None, 0)
        for kind, expected in true.items():
            found = union(got[kind])
            if core == "covcore":
                assert only(found, *WORK) == expected, kind
            else:
                lines = {code.rpartition(":")[2] for code in expected}
                assert {code: it for code, it in by_line(found).items() if code in lines} == by_line(expected), kind


@pytest.mark.parametrize("core", ["covcore", "tally"])
def test_each_context_has_what_its_threads_ran(core: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS["contexts"])
    got = observe(core, path, env={"ROUNDS": ROUNDS})
    assert (got["error"], got["unknown"]) == (None, 0)
    for kind in ("lines", "arcs"):
        true = observe(kind, path, env={"ROUNDS": ROUNDS, "THREADS": "1"})
        assert len(true) > 9 * int(ROUNDS) // 2
        for context, codes in true.items():
            expected = by_line(only(union({context: codes}), *WORK, "part"))
            found = by_line(union({context: got[kind].get(context, {})}))
            assert {code: items for code, items in found.items() if code in expected} == expected, (kind, context)
            others = {code.rpartition(":")[2] for code in only(union(true), *WORK, "part")} - expected.keys()
            assert not others & found.keys(), (kind, context)
