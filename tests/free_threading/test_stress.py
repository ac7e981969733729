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


@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_run_what_one_runs(name: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[name])
    got = observe("covcore", path, env={"ROUNDS": ROUNDS})
    assert (got["error"], got["unknown"]) == (None, 0)
    one = {"THREADS": "2" if name == "forks" else "1", "ROUNDS": "2"}
    for kind in ("lines", "arcs"):
        expected = only(union(observe(kind, path, env=one)), *WORK)
        assert expected
        assert only(union(got[kind]), *WORK) == expected, kind
