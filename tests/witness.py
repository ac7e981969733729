"""A pytest plugin for tests/matrix.py: notes what CPython says of exceptions that coverage.py takes for something else.

Under which test which code objects were left by an exception (PY_UNWIND), and at which lines of sleeping generators one arrived
(PY_THROW): as JSON in the file that WITNESS_OUT names, for files below the folders in WITNESS_SOURCES.
"""

from __future__ import annotations

import json
import os
import sys
from types import CodeType

PHASES = {"(setup)": "setup", "(call)": "run", "(teardown)": "teardown"}
TOOL = sys.monitoring.PROFILER_ID

left: set[tuple[str, str, int]] = set()  # context, path, first line of the code object
thrown: set[tuple[str, str, int]] = set()  # context, path, line
sources = tuple(f"{folder}/" for folder in os.environ.get("WITNESS_SOURCES", "").split(os.pathsep) if folder)


def pytest_configure() -> None:
    os.environ.pop("COVCORE_RUN", None)  # started processes would be measured by covcore alone
    sys.monitoring.use_tool_id(TOOL, "witness")
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.PY_UNWIND, on_unwind)
    sys.monitoring.register_callback(TOOL, sys.monitoring.events.PY_THROW, on_throw)
    sys.monitoring.set_events(TOOL, sys.monitoring.events.PY_UNWIND | sys.monitoring.events.PY_THROW)


def pytest_unconfigure() -> None:
    sys.monitoring.free_tool_id(TOOL)
    with open(os.environ["WITNESS_OUT"], "w") as file:
        json.dump({"left": sorted(left), "thrown": sorted(thrown)}, file)


def on_unwind(code: CodeType, offset: int, exception: BaseException) -> None:
    if code.co_filename.startswith(sources):
        left.add((context(), code.co_filename, code.co_firstlineno))


def on_throw(code: CodeType, offset: int, exception: BaseException) -> None:
    if code.co_filename.startswith(sources):
        for start, end, line in code.co_lines():
            if start <= offset < end and line is not None:
                thrown.add((context(), code.co_filename, line))


def context() -> str:
    """As pytest-cov names it."""
    test, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    return f"{test}|{PHASES[phase]}" if test else ""
