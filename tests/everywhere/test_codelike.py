"""Events that an extension fires by itself, through CPython's C API of monitoring, for objects that may be no code at all."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import Place

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="there is no such API")
PROGRAM = """import os, firing
class Strange:
    co_filename = "strange.py"
    def __hash__(self): raise ValueError
    def __eq__(self, other): raise ValueError
def real(a):
    if a:
        return 1
    return 2
empty = [firing.empty_code(name, "f", 3) for name in ("wrapped.pyx", os.path.abspath("program.py"))]
heard = 0
for _ in range(3):
    for one in [object(), Strange(), None, 7, "text", firing, type, *empty, real.__code__]:
        heard = firing.fire(one) or heard
real(0)
assert heard
"""


@pytest.fixture(scope="module")
def firing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the extension, built by this Python's compiler."""
    folder = tmp_path_factory.mktemp("firing")
    compiler = os.environ.get("CC", "cc")
    include = f"-I{sysconfig.get_path('include')}"
    source = Path(__file__).with_name("firing.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", include, source, "-o", folder / "firing.so"],
        check=True,
    )
    return folder


@pytest.mark.parametrize("context", [(), ("--context=some",)])
def test_events_for_what_cannot_be_armed(place: Place, firing: Path, context: tuple[str, ...]) -> None:
    """They are heard, as the assertion in the program says, and change nothing: neither its lines nor the count of them."""
    place.write("program.py", PROGRAM)
    done = place.covcore("run", *context, "program.py", PYTHONPATH=str(firing))
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert place.lines() == {"program.py": set(range(1, 17)) - {8}}
