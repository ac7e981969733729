"""The tracer among many threads: nothing that ran is lost, nothing else is told, nobody hangs.  See programs.py."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest
from free_threading.programs import PROGRAMS
from tracing import Observation, observe

HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")
ROUNDS = os.environ.get("ROUNDS", "6" if HAS_GIL else "20")
# Threads that end at random moments of a run are not expected to be whole; all others run the same whatever their number is.
IS_WHOLE = {"discovery", "union", "switching", "births", "starts", "forks"}


def union(observed: Observation) -> dict[str, set[object]]:
    """What ran of each code object, in whatever context."""
    ran: dict[str, set[object]] = {}
    for codes in observed.values():
        for code, items in codes.items():
            ran.setdefault(code, set()).update(tuple(item) if isinstance(item, list) else item for item in items)
    return ran


def only(ran: dict[str, set[object]], *names: str) -> dict[str, set[object]]:
    return {code: items for code, items in ran.items() if code.partition(":")[0] in names}


def test_the_gil_stays_off() -> None:
    from covcore import _launch, _reader, _tracer  # each of which would switch it on if it needed it

    assert (_launch, _reader, _tracer)
    assert HAS_GIL or not sys._is_gil_enabled()


WORK = ("arms", "arms.<locals>.<listcomp>", "steps", "one_way", "work", "f")


@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_run_what_one_runs(name: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[name])
    environment = {"ROUNDS": ROUNDS, "PYTHON_GIL": "0"} if not HAS_GIL else {"ROUNDS": ROUNDS}
    got = observe("covcore", path, env=environment)
    assert (got["error"], got["unknown"]) == (None, 0)
    one = {**environment, "THREADS": "2" if name == "forks" else "1", "ROUNDS": "2"}
    for kind in ("lines", "arcs"):
        expected = only(union(observe(kind, path, env=one)), *WORK)
        assert expected
        assert only(union(got[kind]), *WORK) == expected, kind
