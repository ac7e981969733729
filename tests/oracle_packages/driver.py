"""Runs a suite of tests under coverage.py's C tracer and under covcore's at once, so that both see the same run.

    python driver.py DATA FILES pytest|unittest ARGUMENT ..

DATA: an empty folder; `DATA/coverage` and `DATA/recordings` are made in it.
FILES: a text file with the absolute path of each source file that is measured, one a line.

coverage.py's core is settrace's, which CPython keeps apart from the tools of sys.monitoring.  Both begin before the suite
is imported, and end after it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import coverage

from covcore._tracer import Tracer


def main(data: str, files: str, kind: str, *arguments: str) -> None:
    paths = frozenset(Path(files).read_text().splitlines())
    recordings = os.path.join(data, "recordings")
    os.mkdir(recordings)
    theirs = coverage.Coverage(f"{data}/coverage", branch=True, config_file=False, include=sorted(paths))
    theirs.set_option("run:core", "ctrace")
    ours = Tracer(lambda filename: filename if filename in paths else None)
    sys.path.insert(0, os.getcwd())
    sys.argv = [kind, *arguments]
    run = run_pytest if kind == "pytest" else run_unittest
    process = os.getpid()

    theirs.start()
    ours.start([recordings], "1")
    status = run(list(arguments))
    ours.stop()
    theirs.stop()
    if os.getpid() == process:
        theirs.save()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads and exit handlers that the suite left behind are nobody's business


def run_pytest(arguments: list[str]) -> int:
    import pytest

    return int(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]))


def run_unittest(arguments: list[str]) -> int:
    import unittest

    program = unittest.main(module=None, argv=["unittest", *arguments], exit=False)
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    main(*sys.argv[1:])
