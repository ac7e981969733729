"""coverage.py's own tests on covcore as the core under them: a sample of what `make coveragepy` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import unless_sanitized

HERE = Path(__file__).parent
TESTS = HERE.parent
PYTHON = TESTS.parent / ".venv" / f"coveragepy-{sys.version_info[0]}.{sys.version_info[1]}" / "bin" / "python"

sys.path.insert(0, str(HERE))
from suite import deselected  # noqa: E402 (it lies beside this file)


def test_the_list_of_what_is_left_out_is_short() -> None:
    assert len(deselected()) <= 15


@unless_sanitized  # its environment has extensions of its own, built without
@pytest.mark.parametrize(
    ("files", "expression"),
    [
        (["test_arcs"], ""),
        (["test_context", "test_plugins", "test_oddball"], ""),
        (["test_api"], "Context or Test_api"),
    ],
)
def test_sample(files: list[str], expression: str) -> None:
    if not PYTHON.exists():
        pytest.fail("`make test-py` brings the environment of coverage.py's tests")
    command = [PYTHON, HERE / "suite.py", *files, "--no-own", "-n0", *(["-k", expression] if expression else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    if done.returncode and "Unavailable" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
