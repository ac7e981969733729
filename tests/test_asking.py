"""`covcore tests` and `covcore report --unique`: which test ran what."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """\
def kind(n):
    if n < 0:
        return "negative"
    for i in range(n):
        if i == 2:
            break
    else:
        n = (0 +
             n)
    return "small" if n < 2 else "large"


def never(x): return x
"""

TESTS = """\
import covcore

session = covcore.start(source=["."], data=".covcore", context="unit")
with session.context("test_import"):
    import module
with session.context("test_negative"):
    module.kind(-1)
with session.context("test_small", "setup"):
    module.kind(1)
with session.context("test_small", "run"):
    module.kind(1)
with session.context("test_large"):
    module.kind(3)
module.kind(0)
covcore.stop()
"""


def covcore(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "covcore", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "module.py").write_text(MODULE)
    (folder / "program.py").write_text(TESTS)
    (folder / "deep").mkdir()
    subprocess.run([sys.executable, "program.py"], cwd=folder, check=True, timeout=60)
    return folder


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("module.py", "import negative small large -"),
        ("module.py:1", "import"),
        ("module.py:2", "negative small large -"),
        ("module.py:3", "negative"),
        ("module.py:6", "large"),
        ("module.py:3-6", "negative small large -"),
        ("module.py:8", "small -"),
        ("module.py:9", "small -"),  # line 8 goes on
        ("module.py:13", "import"),
        ("module.py:11", ""),
        ("module.py:999", ""),
        ("module.py:2->3", "negative"),
        ("module.py:2->4", "small large -"),
        ("module.py:4->5", "small large"),
        ("module.py:4->8", "small -"),
        ("module.py:5->4", "small large"),
        ("module.py:5->6", "large"),
        ("module.py:3->exit", ""),  # no decision
        ("module.py:13->exit", "import"),  # out of the module; nobody went out of the function
        ("module.py:2->5", ""),
    ],
)
def test_which_tests(project: Path, target: str, expected: str) -> None:
    found = covcore(project, "tests", target)

    names = [f"unit|test_{name}" if name != "-" else "unit|(outside of any test)" for name in expected.split()]
    assert found.returncode == 0
    assert sorted(found.stdout.splitlines()) == sorted(names)
    assert found.stderr == ("" if names else f"covcore: note: no test ran {target}\n")


def test_order_is_by_name(project: Path) -> None:
    names = covcore(project, "tests", "module.py").stdout.splitlines()
    assert names == sorted(names)
    assert len(names) == 5


@pytest.mark.parametrize("target", ["../module.py:3", "./../module.py:3", "module.py:3"])
def test_files_are_named_by_path_or_its_end(project: Path, target: str) -> None:
    assert covcore(project / "deep", "tests", "--data=../.covcore", target).stdout == "unit|test_negative\n"


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("nothing.py", "nothing of nothing.py was measured: `covcore report` lists the files that were"),
        ("odule.py:3", "nothing of odule.py was measured: `covcore report` lists the files that were"),
        ("module.py:0", "module.py:0: lines count from 1, and the first of a range is not after its last"),
        ("module.py:5-4", "module.py:5-4: lines count from 1, and the first of a range is not after its last"),
        ("module.py:x", "nothing of module.py:x was measured: `covcore report` lists the files that were"),
    ],
)
def test_questions_without_sense(project: Path, target: str, error: str) -> None:
    found = covcore(project, "tests", target)
    assert (found.returncode, found.stdout, found.stderr) == (1, "", f"covcore: error: {error}\n")


def test_several_files_of_that_name(tmp_path: Path) -> None:
    for package in ("a", "b"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "same.py").write_text("x = 1\n")
    (tmp_path / "program.py").write_text("import a.same, b.same\n")
    assert covcore(tmp_path, "run", "program.py").returncode == 0

    found = covcore(tmp_path, "tests", "same.py")
    assert found.returncode == 1
    assert found.stderr == "covcore: error: same.py may be any of a/same.py, b/same.py: name more of the path\n"
    assert covcore(tmp_path, "tests", "b/same.py:1").stdout == "(outside of any test)\n"


def test_file_that_has_changed(project: Path) -> None:
    (project / "module.py").write_text("\n\n" + MODULE)
    try:
        found = covcore(project, "tests", "module.py:3")
    finally:
        (project / "module.py").write_text(MODULE)
    assert found.stdout == "unit|test_negative\n"
    assert (
        found.stderr == "covcore: warning: module.py has changed since it was measured: lines are as they were then\n"
    )


def test_unique(project: Path) -> None:
    report = covcore(project, "report", "--unique", "--include=module.py")
    assert report.stdout.partition("\n\n")[2] == (
        "Run by one test alone:\n"
        "unit|test_import\n"
        "    module.py: 1, 13\n"
        "unit|test_large\n"
        "    module.py: 6\n"
        "unit|test_negative\n"
        "    module.py: 3\n"
    )


def test_unique_among_the_chosen_contexts(project: Path) -> None:
    chosen = "--contexts=test_negative,test_large"
    report = covcore(project, "report", "--unique", chosen, "--include=module.py")
    assert report.stdout.partition("\n\n")[2] == (
        "Run by one test alone:\nunit|test_large\n    module.py: 4-6, 10\nunit|test_negative\n    module.py: 3\n"
    )


def test_nothing_unique(project: Path) -> None:
    report = covcore(project, "report", "--unique", "--contexts=unit|", "--include=module.py")
    assert report.stdout.endswith("\n\nNo line or branch is run by one test alone.\n")


def test_contexts_of_a_report(project: Path) -> None:
    report = covcore(project, "report", "-m", "--contexts=*negative*", "--include=module.py")
    assert report.stdout.splitlines()[2].split("%")[1].strip() == "1, 4-13"
