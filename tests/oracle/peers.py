"""What coverage.py's two cores make of generated programs, beside settrace and beside covcore.

As a script (`python peers.py CORE FOLDER`) it runs the programs of a folder under one core, in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from oracle.support import Support, execute

CORES = ["ctrace", "sysmon"]


def texts(number: int, base: int) -> list[tuple[str, int]]:
    """Programs with the seeds of their streams."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from strategies import runs

    found = []

    @seed(base)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(runs())
    def keep(run: tuple[str, int]) -> None:
        found.append(run)

    keep()
    return found


def measure(core: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Run the programs of a folder under one of coverage.py's cores.

    Returns for each the statements that it has as run, its branches and those that were taken.
    """
    import coverage

    tool = coverage.Coverage(data_file=None, branch=True, config_file=False, include=[f"{folder}/*"])
    tool.set_option("run:core", core)
    tool.set_option("report:exclude_lines", [])
    tool.set_option("report:partial_branches", [])
    paths = sorted(folder.glob("*.py"))
    supports = []
    tool.start()
    for path in paths:
        supports.append(Support(int(path.stem.partition("_")[2])))
        execute(path.read_text(), str(path), supports[-1])
    tool.stop()
    found = {}
    for path in paths:
        with contextlib.suppress(AssertionError):  # of its own, where a `with` leads on to two lines
            found[path.name] = figures(tool._analyze(str(path)))
    return found


def figures(analysis: Any) -> dict[str, Any]:
    """Of coverage.py's analysis of one file."""
    missed = {(line, to) for line, targets in analysis.missing_branch_arcs().items() for to in targets}
    branches = {(line, to) for line, to in analysis.arc_possibilities if analysis.exit_counts.get(line, 0) > 1}
    return {
        "run": sorted(analysis.statements - analysis.missing),
        "statements": sorted(analysis.statements),
        "taken": sorted(branches - missed),
    }


class Count:
    """Of one tool, over all programs."""

    def __init__(self) -> None:
        self.programs = self.lines = self.missing = 0

    def add(self, said: set[int], ran: set[int], statements: set[int]) -> None:
        """said: statements reported as run; ran: those that did run, as the tool numbers them."""
        self.programs += bool(said - ran)
        self.lines += len(said - ran)
        self.missing += bool(ran & statements - said)


def compare(number: int, base: int) -> int:
    """Print how often each tool has a line as run that never ran, and how often coverage.py's two cores differ."""
    from coverage.parser import PythonParser

    from oracle.check import Oracle

    warnings.simplefilter("ignore")
    counts = {tool: Count() for tool in [*CORES, "covcore"]}
    apart = failed = 0
    with tempfile.TemporaryDirectory(prefix="oracle-") as name, Oracle() as oracle:
        folder = Path(name)
        programs = {f"program{index:06}_{run[1]}.py": run for index, run in enumerate(texts(number, base))}
        for file, (text, _) in programs.items():
            (folder / file).write_text(text)
        said = {core: _in_a_process(core, folder) for core in CORES}
        for file, run in programs.items():
            truth, ours = oracle.observe(*run)
            counts["covcore"].add(set(ours["run"]), set(truth["run"]), set(ours["statements"]))
            if any(file not in said[core] for core in CORES):
                failed += 1
                continue
            parser = PythonParser(text=run[0])
            parser.parse_source()
            ran = parser.translate_lines(
                {n for codes in truth["lines"].values() for its in codes.values() for n in its}
            )
            for core in CORES:
                counts[core].add(set(said[core][file]["run"]), ran, set(said[core][file]["statements"]))
            apart += said["ctrace"][file]["taken"] != said["sysmon"][file]["taken"]
    print(f"of {len(programs)} programs, coverage.py cannot analyse {failed}: an assertion of its own fails")
    for tool, count in counts.items():
        print(f"{tool}: in {count.programs} a line is reported as run that never ran ({count.lines} lines), ", end="")
        print(f"in {count.missing} a line that ran is reported as missing")
    print(f"in {apart} coverage.py's two cores have different branches taken")
    return 0


def _in_a_process(core: str, folder: Path) -> dict[str, dict[str, Any]]:
    command = [sys.executable, __file__, core, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    answer: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda unraisable: None
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
