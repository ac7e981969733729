"""coverage.py's own tests, out of its source package, with covcore as the core under them: `make coveragepy`.

    python tests/coveragepy/suite.py [FILE ...] [-k EXPRESSION] [--no-own] [-n N]

runs them twice, with covcore and with coverage.py's C tracer, and says which tests pass only with the latter.  Both runs take the tests for
COVERAGE_CORE=ctrace, which leave nothing out: those for sysmon skip contexts, plugins and threads.  Tests that deselected.txt names
are of a core's name or of a trace function as such.  Exit status 1 if any other passes with coverage.py's core only.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from oracle_packages.sources import source_package  # noqa: E402 (it lies beside this folder)

SETTINGS = """[pytest]
python_classes = *Test
filterwarnings = error::pytest.PytestCollectionWarning
"""
FILES = [
    "test_arcs",
    "test_coverage",
    "test_context",
    "test_plugins",
    "test_concurrency",
    "test_process",
    "test_oddball",
    "test_api",
    "test_data",
]


def deselected() -> dict[str, str]:
    """The tests that are not run, and why: lines of `FILE.CLASS.TEST: reason`."""
    lines = (HERE / "deselected.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def working_folder() -> Path:
    """A copy of coverage.py's tests, apart from its package: they are to import the installed one.

    Raises Unavailable if PyPI does not hand out the source package.
    """
    package = source_package("coverage")
    folder = ROOT / "build" / "coveragepy" / f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may run samples
        if not (folder / "pytest.ini").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(package, folder)
            zip_modules = f"import runpy; runpy.run_path({str(package / 'tools' / 'igor.py')!r})['do_zip_mods']()"
            subprocess.run([sys.executable, "-c", zip_modules], cwd=folder, check=True)
            shutil.rmtree(folder / "coverage")
            (folder / "pytest.ini").write_text(SETTINGS)
    return folder


def run(folder: Path, files: list[str], *, ours: bool, workers: int, arguments: list[str]) -> dict[str, str]:
    """Run tests with one core.

    Returns what became of each: "" passed, "skipped", or what it says that is wrong.
    """
    results = folder / f"results-{'covcore' if ours else 'ctrace'}-{os.getpid()}.xml"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST", "PYTHON"))}
    environment |= {"COVERAGE_CORE": "ctrace", "COVERAGE_TESTING": "True", "COVCORE_SWAP": "yes" if ours else "no"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    paths = [f"tests/{name}.py" for name in files]
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "no:cacheprovider", "--dist=loadgroup"]
    command += ["-q", f"-n{workers}", f"--junitxml={results}", "-p", "no:legacypath", "--no-flaky-report", "--tb=short"]
    subprocess.run([*command, *arguments, *paths], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    outcome = {}
    for case in ElementTree.parse(results).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
        texts = [
            "skipped" if it.tag == "skipped" else (it.get("message") or it.tag)
            for it in case
            if it.tag in ("failure", "error", "skipped")
        ]
        outcome[name] = texts[0] if texts else ""
    results.unlink()
    return outcome


def describe(outcome: dict[str, str]) -> str:
    """Say in one line what became of the tests."""
    counts = Counter(
        "passed" if not text else "skipped" if text == "skipped" else "failed" for text in outcome.values()
    )
    return ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped"))


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=FILES)
    parser.add_argument("-k", default="")
    parser.add_argument("-n", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--no-own", action="store_true", help="do not run with coverage.py's core")
    options = parser.parse_args()
    folder = working_folder()
    left_out = deselected()
    arguments = ["-k", options.k] if options.k else []
    outcomes = {}
    for ours in (True, False) if not options.no_own else (True,):
        outcomes[ours] = run(folder, options.files, ours=ours, workers=options.n, arguments=arguments)
    failed = {name: text for name, text in outcomes[True].items() if text not in ("", "skipped")}
    own = outcomes.get(False, {})
    only_ours = {name for name in failed if not own.get(name, "")}
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version}, coverage.py's tests {' '.join(options.files)}")
    for ours, outcome in outcomes.items():
        print(f"  with {'covcore' if ours else 'ctrace '}: {describe(outcome)}")
    print(f"  of those failed with covcore: {len(only_ours & left_out.keys())} deselected (deselected.txt says why)")
    for name in sorted(only_ours - left_out.keys()):
        print(f"  FAILED {name}\n      {failed[name].splitlines()[0][:150]}")
    return 1 if only_ours - left_out.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
