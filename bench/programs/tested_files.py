"""A project and what very many tests ran of it, recorded by either tool.

    tested_files.py covcore|coverage DATABASE FOLDER FILES CONTEXTS EACH

FILES modules of 200 lines in FOLDER; each of the CONTEXTS runs parts of EACH of them.
"""

import importlib
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from bench.report import generate

type Recorder = tuple[Callable[[], object], Callable[[str], object], Callable[[], None]]


def main() -> None:
    tool, database, folder = sys.argv[1:4]
    n_files, n_contexts, each = map(int, sys.argv[4:])
    source = os.path.join(folder, "project")
    if not os.path.isdir(source):
        generate(Path(source), n_files)
    sys.path.insert(0, source)
    start, switch, stop = RECORDERS[tool](database, source)
    start()
    modules = [importlib.import_module(f"module_{number:04}") for number in range(n_files)]
    functions = [[function for name, function in vars(module).items() if name[:5] == "work_"] for module in modules]
    chance = random.Random(1)
    for number in range(n_contexts):
        switch(f"tests/test_module{number // 50}.py::TestClass::test_number_{number}")
        for module in chance.sample(functions, each):
            for function in chance.sample(module, 2):
                function(range(-2, chance.randrange(10)), chance.randrange(6))
    stop()


def with_covcore(database: str, source: str) -> Recorder:
    from covcore import _tracer
    from covcore.store.publish import publish_run

    recording = f"{database}.recording"
    os.mkdir(recording)
    tracer = _tracer.Tracer(lambda name: name if name.startswith(source) else None)

    def stop() -> None:
        tracer.stop()
        assert tracer.error is None, tracer.error
        publish_run(database, [recording], "0")

    return lambda: tracer.start([recording], "0"), lambda test: tracer.switch_context("", test, ""), stop


def with_coverage(database: str, source: str) -> Recorder:
    from coverage import Coverage

    os.environ["COVERAGE_CORE"] = "ctrace"  # sysmon has no contexts
    coverage = Coverage(data_file=database, branch=True, source=[source], config_file=False)

    def stop() -> None:
        coverage.stop()
        coverage.save()

    return coverage.start, coverage.switch_context, stop


RECORDERS = {"covcore": with_covcore, "coverage": with_coverage}

main()
