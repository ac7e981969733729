"""--fail-under and [tool.covcore.fail_under]: in every format, exactly, and by path."""

from __future__ import annotations

import pytest
from conftest import Place

REPORTS = [
    ["report"],
    ["report", "--format=markdown"],
    ["report", "--format=total"],
    ["json", "-q"],
    ["xml", "-q"],
    ["lcov", "-q"],
]


@pytest.fixture(scope="module")
def nearly(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A program of 10,000 statements of which one never ran: 99.99 %."""
    folder = tmp_path_factory.mktemp("nearly")
    place = Place(folder / "project", folder / "data")
    place.folder.mkdir()
    place.write("m.py", "x = 1\n" * 9998 + "def f():\n    return 1\n")
    assert place.covcore("run", "m.py").status == 0
    return place


@pytest.mark.parametrize("report", REPORTS, ids=" ".join)
def test_99_99_is_not_100(nearly: Place, report: list[str]) -> None:
    done = nearly.covcore(*report, "--fail-under=100")

    assert (done.status, done.stderr) == (2, "covcore: error: the total of 99% is under --fail-under=100\n")
    if report[-1] == "--format=total":
        assert done.stdout == "99\n"
    for threshold in ("99.99", "99.9", "99", "0"):
        assert nearly.covcore(*report, f"--fail-under={threshold}").status == 0, threshold
    done = nearly.covcore(*report, "--fail-under=99.991")
    assert (done.status, done.stderr) == (2, "covcore: error: the total of 99.990% is under --fail-under=99.991\n")


@pytest.mark.parametrize("precision", [0, 1, 2, 3])
def test_precision_does_not_round_to_100_either(nearly: Place, precision: int) -> None:
    done = nearly.covcore("report", "--format=total", f"--precision={precision}", "--fail-under=100")

    assert (done.status, done.stdout) == (2, ["99\n", "99.9\n", "99.99\n", "99.990\n"][precision])


@pytest.fixture
def project(place: Place) -> Place:
    """src/core: 2 of 4 statements; src/web: 4 of 5; tool.py: 3 of 3; 9 of 12 in all."""
    place.write("src/core/a.py", "def f():\n    x = 1\n    return x\nf\n")
    place.write("src/web/b.py", "x = 1\nx = 2\nx = 3\ndef f():\n    return 1\n")
    place.write("tool.py", "import runpy\nrunpy.run_path('src/core/a.py')\nrunpy.run_path('src/web/b.py')\n")
    assert place.covcore("run", "tool.py").status == 0
    return place


def configure(place: Place, text: str) -> None:
    place.write("pyproject.toml", f"[tool.covcore.fail_under]\n{text}\n")


@pytest.mark.parametrize("report", REPORTS, ids=" ".join)
def test_thresholds_by_path(project: Place, report: list[str]) -> None:
    configure(project, 'total = 75\n"src/core/**" = 95\n"src/web" = 80\n"*/b.py" = 80.5\n"nowhere/**" = 1')

    done = project.covcore(*report)

    assert done.status == 2
    assert done.stderr.splitlines() == [
        "covcore: error: src/core/** has 50%, which is under its threshold of 95",
        "covcore: error: */b.py has 80.0%, which is under its threshold of 80.5",
        "covcore: warning: fail_under: nowhere/** matches no file of this report",
    ]


def test_a_total_in_the_table(project: Place) -> None:
    configure(project, "total = 75.1")

    done = project.covcore("report")

    assert (done.status, done.stderr) == (2, "covcore: error: the total of 75.0% is under --fail-under=75.1\n")


def test_what_is_met_says_nothing(project: Place) -> None:
    configure(project, 'total = 75\n"src/core" = 50\n"src/**" = 66')

    done = project.covcore("report")

    assert (done.status, done.stderr) == (0, "")


def test_a_pattern_without_files_alone_is_no_failure(project: Place) -> None:
    configure(project, '"nowhere" = 100')

    assert project.covcore("report").status == 0


def test_patterns_are_relative_to_the_current_folder(project: Place) -> None:
    configure(project, '"core/a.py" = 1\n"b.py" = 1\n"**/a.py" = 50')

    done = project.covcore("report")

    assert done.status == 0
    assert done.stderr.splitlines() == [
        "covcore: warning: fail_under: core/a.py matches no file of this report",
        "covcore: warning: fail_under: b.py matches no file of this report",
    ]


def test_the_option_takes_the_place_of_the_table(project: Place) -> None:
    configure(project, '"src/core/**" = 95')

    assert project.covcore("report", "--fail-under=75").status == 0
    assert project.covcore("report", "--fail-under=76").status == 2


def test_skipped_files_count(project: Place) -> None:
    """Of a total, and of a pattern that matches nothing but them."""
    configure(project, 'total = 76\n"tool.py" = 100')

    done = project.covcore("report", "--skip-covered")

    assert "tool.py" not in done.stdout
    assert done.stderr == "covcore: error: the total of 75% is under --fail-under=76\n"


def test_filters_narrow_what_patterns_see(project: Place) -> None:
    configure(project, '"src/**" = 75')

    assert project.covcore("report").status == 2  # 6 of 9
    assert project.covcore("report", "--omit=src/core").status == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('"src" = 101', "'src': 101"),
        ('"src" = "90%"', "'src': '90%'"),
        ('"" = 90', "'': 90"),
        ('"src" = true', "'src': True"),
        ("a = { b = 90 }", "'a': {'b': 90}"),
    ],
)
def test_a_threshold_that_is_none(project: Place, text: str, problem: str) -> None:
    configure(project, text)

    done = project.covcore("report")

    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("covcore: error: ") and len(done.stderr.splitlines()) == 1
    assert "fail_under must be a number from 0 to 100, or a table of such numbers" in done.stderr
    assert problem in done.stderr
