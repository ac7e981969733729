"""Imported by each interpreter of the environment that coverage.py's own tests run in: puts covcore under coverage.py.

Their tests make Coverage objects in all kinds of ways, and read no setting of ours; so covcore becomes the core when coverage.control
has been imported, whatever core is named.  COVCORE_SWAP=no leaves coverage.py as it is.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class Finder:
    """Finds coverage.control, and has covcore installed once it is loaded."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "coverage.control":
            return None
        sys.meta_path.remove(cls)  # type: ignore[arg-type]
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            from covcore_coverage.core import install

            install(respects_choice=False)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if os.environ.get("COVCORE_SWAP") != "no":
    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
