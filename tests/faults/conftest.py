"""Libraries that are preloaded into processes, in which calls fail then."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that builds the library of a source here, by its name."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")

    def build(name: str) -> Path:
        path = tmp_path_factory.mktemp("shim") / f"{name}.so"
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
        return path

    return build


@pytest.fixture(scope="session")
def shim(library: Callable[[str], Path]) -> Path:
    return library("shim")
