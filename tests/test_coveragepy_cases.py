"""coverage.py's own tests of lines and branches, out of its source package, with covcore in coverage.py's place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from oracle_packages.sources import Unavailable, source_package

FILES = ["test_arcs", "test_coverage"]

# Tests that say nothing of a line or a branch: of these covcore has no part.
NOT_ASKED = {
    "test_arcs.MiscArcTest.test_failing_open": "whether coverage.py's own parser survives a source it cannot open",
    "test_coverage.ModuleTest.test_not_singleton": "the API: two coverage.Coverage side by side",
    "test_coverage.ModuleTest.test_old_name_and_new_name": "the API: an old name of coverage.Coverage",
    "test_coverage.ReportingTest.test_no_data_to_report_on_annotate": "coverage.py's command line: `annotate`",
    "test_coverage.ReportingTest.test_no_data_to_report_on_html": "coverage.py's command line: `html`",
    "test_coverage.ReportingTest.test_no_data_to_report_on_xml": "coverage.py's command line: `xml`",
}

# Tests whose lines and branches are right, and which then ask for the sentence by which coverage.py's HTML report
# tells an arc that was not taken: "line 3 didn't jump to line 5 because ...".  It is made of arcs in coverage.py's format.
SENTENCE = "'Coverage' object has no attribute '_get_file_reporter'"
ASKED_FOR_A_SENTENCE = {
    "test_arcs.WithTest.test_raise_through_with",
    "test_arcs.WithTest.test_untaken_if_through_with",
    "test_arcs.WithTest.test_untaken_raise_through_with",
    "test_arcs.WithTest.test_leaving_module",
}


def test_the_list_is_short() -> None:
    assert len(NOT_ASKED) + len(ASKED_FOR_A_SENTENCE) <= 15


def test_branch_tests_of_coverage_py(tmp_path: Path) -> None:
    """Each passes, or is listed above."""
    try:
        package = source_package("coverage")
    except Unavailable as error:
        pytest.skip(str(error))
    problems = run(package, tmp_path / "results.xml")

    sentence = {name for name, problem in problems.items() if SENTENCE in problem}
    wrong = {name: text for name, text in problems.items() if text and name not in sentence | NOT_ASKED.keys()}
    assert wrong == {}
    assert sentence == ASKED_FOR_A_SENTENCE
    assert problems.keys() >= NOT_ASKED.keys()
    assert len(problems) >= 200


def run(package: Path, results: Path) -> dict[str, str]:
    """Run the tests; give for each what it says that is wrong ("": nothing)."""
    root = Path(__file__).parent.parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST", "PYTHON"))}
    environment |= {"PYTHONPATH": os.pathsep.join([f"{root}", f"{root}/tests"]), "PYTHONDONTWRITEBYTECODE": "1"}
    settings = ["-c", os.devnull, "--rootdir=.", "-o", "python_classes=*Test", "-p", "no:cacheprovider"]
    paths = [f"tests/{name}.py" for name in FILES]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *settings,
        "-p",
        "coveragepy_adapter",
        f"--junitxml={results}",
        *paths,
    ]
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=600)
    assert results.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    found = {}
    for case in ElementTree.parse(results).iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}.{case.get('name')}"
        texts = [it.get("message", "") or it.tag for it in case if it.tag in ("failure", "error")]
        found[name] = " ".join(texts)
    return found
