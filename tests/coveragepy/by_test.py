"""The suites of real packages under pytest-cov: what each test ran, by covcore as the core and by coverage.py's C tracer.

    make coveragepy-suites ARGS="[NAME ..]"     NAME: a package of matrix.PACKAGES

Each suite runs three times with --cov-context=test: with covcore, and twice with ctrace, since what two runs of the same core give two
answers to says nothing of the core (steady.py sees to it that there is next to nothing of the kind).  Lines and branches of each context
are compared; CPython itself is asked about exceptions (tests/witness.py), and what is explained has its name in docs/differences.md.  The
exit status is 1 if anything is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import coverage
import explanation
from matrix import NAMES, PLUGINS, contexts_of_arcs, lines_of_coverage, translated
from oracle_packages.suites import package

from covcore.analysis.source import read

PACKAGES = ["attrs", "click", "jinja2", "marshmallow"]
SETTINGS = "[run]\nbranch = True\nplugins = covcore_coverage\ndisable_warnings = no-covcore\n"
WITNESS = Path(__file__).resolve().parent.parent / "witness.py"

type Fact = tuple[str, str, int, int | None]  # context, path, line, and where to; None: the line ran


class Run:
    """A suite, measured once.

    facts: what each context ran
    contexts: their names
    left, thrown: what tests/witness.py saw
    """

    def __init__(self, name: str, core: str) -> None:
        suite = package(name)
        sources = sorted({file.parent for file in suite.files if (file.parent / "__init__.py").exists()})
        tops = [folder for folder in sources if folder.parent not in sources]
        with TemporaryDirectory() as temp:
            data = Path(temp)
            (data / "settings").write_text(SETTINGS)
            blocked = ["cacheprovider", "randomly", "asyncio", "anyio", "timeout", "rerunfailures", "covcore"]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "witness", "-p", "steady"]
            command += [f"-pno:{name}" for name in blocked]
            command += [f"--cov={top}" for top in tops]
            command += ["--cov-context=test", f"--cov-config={data}/settings", "--cov-report=", *suite.command[1:]]
            environment = os.environ | {
                "WITNESS_SOURCES": os.pathsep.join(map(str, tops)),
                "WITNESS_OUT": f"{data}/witnessed",
                "COVERAGE_FILE": f"{data}/coverage",
                "HYPOTHESIS_STORAGE_DIRECTORY": f"{data}/hypothesis",
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": os.pathsep.join(map(str, [*suite.path, PLUGINS, WITNESS.parent, Path(__file__).parent])),
            }
            if core != "covcore":
                environment["COVERAGE_CORE"] = core
            done = subprocess.run(command, cwd=suite.folder, env=environment, capture_output=True, text=True)
            if done.returncode > 1:
                raise SystemExit(f"pytest ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
            witnessed = json.loads((data / "witnessed").read_text())
            self.left, self.thrown = (set(map(tuple, witnessed[key])) for key in ("left", "thrown"))
            self.facts = set(facts(data / "coverage"))
            self.contexts = {context for context, *_ in self.facts}


def facts(data: Path) -> Iterator[Fact]:
    """What a data file says: lines that ran, and branches taken, of coverage.py's own analysis."""
    for context, files in lines_of_coverage(data).items():
        for path, lines in files.items():
            for line in lines:
                yield context, path, line, None
    tool = coverage.Coverage(str(data), branch=True, config_file=False)
    tool.load()
    for path, arcs in contexts_of_arcs(data).items():
        analysis = tool._analyze(path)
        possible = {arc for arc in analysis.arc_possibilities_set if analysis.exit_counts.get(arc[0], 0) > 1}
        for (line, to), contexts in translated(tool._get_file_reporter(path), arcs).items():
            if (line, to) in possible:
                for context in contexts:
                    yield context, path, line, to


def name_of(fact: Fact, ours: bool, left: set[tuple[object, ...]], thrown: set[tuple[object, ...]]) -> str | None:
    """Why one of the two alone has it: a name of docs/differences.md."""
    context, path, line, to = fact
    if to is None:
        return "thrown-into-generator" if not ours and (context, path, line) in thrown else None
    if not ours and (context, path, -to) in left:
        return "left-by-exception"
    explain = explanation.of_taken if ours else explanation.of_not_taken
    name = explain(read(path).text, line, to)
    return name if name in NAMES else None


def compare(name: str) -> bool:
    """Compare a suite, and print what differs.  Returns whether all of it has a name."""
    ours, theirs, again = Run(name, "covcore"), Run(name, "ctrace"), Run(name, "ctrace")
    common = ours.contexts & theirs.contexts & again.contexts  # some tests have the time of day in their names
    unsteady = {fact for fact in theirs.facts ^ again.facts if fact[0] in common}
    differing = {fact for fact in ours.facts ^ theirs.facts if fact[0] in common} - unsteady
    left, thrown = ours.left | theirs.left, ours.thrown | theirs.thrown
    names = {fact: name_of(fact, fact in ours.facts, left, thrown) for fact in differing}
    lines = sum(to is None for *_, to in ours.facts)
    print(
        f"{name}: {len(common):,} of {len(ours.contexts):,} contexts, {lines:,} lines and {len(ours.facts) - lines:,} branches in them; "
        f"{len(unsteady)} differ between two runs of ctrace; by name {dict(Counter(filter(None, names.values())))}, "
        f"without {list(names.values()).count(None)}",
        flush=True,
    )
    where = Counter(
        (f"{path}:{line}" + ("" if to is None else f"->{to}"), fact in ours.facts)
        for fact, found in names.items()
        if found is None
        for _, path, line, to in [fact]
    )
    for (place, is_ours), n in where.most_common(25):
        print(f"  {place}, for {'covcore' if is_ours else 'ctrace'} alone in {n} contexts")
    return None not in names.values()


def main() -> int:
    """See the module."""
    explained = [compare(name) for name in sys.argv[1:] or PACKAGES]
    return 0 if all(explained) else 1


if __name__ == "__main__":
    sys.exit(main())
