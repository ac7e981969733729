"""`covcore report`: its table, what it says about files that it cannot report, and its exit status."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from covcore.analysis.file import FileResult
from covcore.analysis.project import Analysed
from covcore.report.lines import missing_text, ranges
from covcore.report.markdown import markdown_lines
from covcore.report.table import Table, build
from covcore.report.text import text_lines


def file(name: str, statements: int, missing: int = 0, branches: int = 0, missing_branches: int = 0) -> Analysed:
    """A file with so many of each; branches are from line 1."""
    lines = range(1, statements + 1)
    targets = list(range(2, branches + 2))
    result = FileResult(
        list(lines),
        list(lines[statements - missing :]),
        {},
        {1: targets} if targets else {},
        {1: targets[:missing_branches]} if missing_branches else {},
    )
    return Analysed(os.path.abspath(name), result)


FILES = [
    file("m10.py", 10, 3, 4, 1),
    file("m2.py", 200, 0, 0),
    file("empty.py", 0),
    file("m1.py", 7, 7),
    Analysed(os.path.abspath("old.py"), None, "stale", "has changed since it was measured"),
]


def table(files: list[Analysed] = FILES, show_missing: bool = False, **options: object) -> Table:
    defaults = {"sort": "name", "skip_covered": False, "skip_empty": False}
    return build(files, show_missing=show_missing, **(defaults | options))  # type: ignore[arg-type]


# ---- the table


def test_text() -> None:
    assert text_lines(table(show_missing=True), 0, True) == [
        "Name       Stmts   Miss Branch BrPart  Cover   Missing",
        "------------------------------------------------------",
        "empty.py       0      0      0      0   100%",
        "m1.py          7      7      0      0     0%   1-7",
        "m2.py        200      0      0      0   100%",
        "m10.py        10      3      4      1    71%   1->2, 8-10",
        "old.py                                 stale",
        "------------------------------------------------------",
        "TOTAL        217     10      4      1    95%",
    ]


def test_markdown() -> None:
    files = [file("a_b|<c>.py", 10, 3, 4, 1), file("d.py", 1)]
    assert markdown_lines(table(files, show_missing=True), 1, True) == [
        "| Name | Stmts | Miss | Branch | BrPart | Cover | Missing |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        r"| a\_b\|\<c>.py | 10 | 3 | 4 | 1 | 71.4% | 1->2, 8-10 |",
        "| d.py | 1 | 0 | 0 | 0 | 100.0% |  |",
        "| **TOTAL** | **11** | **3** | **4** | **1** | **73.3%** |  |",
    ]
    assert markdown_lines(table([]), 0, False)[-1] == "| **TOTAL** | **0** | **0** | **0** | **0** | **100%** |"


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["empty", "m1", "m2", "m10", "old"]),
        ("-name", ["m10", "m2", "m1", "empty", "old"]),
        ("stmts", ["empty", "m1", "m10", "m2", "old"]),
        ("-stmts", ["m2", "m10", "m1", "empty", "old"]),
        ("miss", ["empty", "m2", "m10", "m1", "old"]),
        ("branch", ["empty", "m1", "m2", "m10", "old"]),
        ("-brpart", ["m10", "m2", "m1", "empty", "old"]),
        ("cover", ["m1", "m10", "empty", "m2", "old"]),
    ],
)
def test_sort(sort: str, names: list[str]) -> None:
    assert [row.name.removesuffix(".py") for row in table(sort=sort).rows] == names


def test_skipped_files_count_in_the_total() -> None:
    skipping = table(skip_covered=True, skip_empty=True)

    assert [row.name for row in skipping.rows] == ["m1.py", "m10.py", "old.py"]
    assert skipping.total == table().total
    assert text_lines(skipping, 0, False)[-2:] == ["", "2 files skipped due to complete coverage."]
    assert text_lines(table(skip_empty=True), 0, False)[-2:] == ["", "1 empty file skipped."]


def test_names_forge_nothing() -> None:
    hostile = 'a\n\x1b[31m\u202etxt\u2028"<&|\udcff\x00.py'

    for lines in (text_lines(table([file(hostile, 1)]), 0, False), markdown_lines(table([file(hostile, 1)]), 0, False)):
        assert all(line.isprintable() for line in lines)
        assert sum("txt" in line for line in lines) == 1
    assert text_lines(table([file(hostile, 1)]), 0, False)[2].startswith(
        r'a\n\x1b[31m\u202etxt\u2028"<&|\udcff\x00.py  '
    )


def test_ranges_go_over_what_is_no_statement() -> None:
    assert ranges([1, 2, 5, 6, 9, 10], {1, 2, 5, 9, 10}) == [(1, 5), (9, 10)]
    assert ranges([1, 2, 3], set()) == []
    assert ranges([1, 2, 3], {2}) == [(2, 2)]


def test_branches_between_statements_that_ran() -> None:
    result = FileResult([1, 2, 3, 4, 9, 12], [3, 4], {}, {}, {1: [2, 3, -1], 3: [4, 9], 9: [12, -1], 12: [1]})

    assert missing_text(result) == "1->2, 1->exit, 3-4, 9->12, 9->exit, 12->1"


# ---- the command


PROGRAM = """\
import sys
def f(x):
    if x:
        return 1
    for i in range(x):
        print(i)
    return 2
f(len(sys.argv) - 1)
"""


def covcore(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "covcore", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def on_a_terminal(
    arguments: list[str], folder: Path, environment: dict[str, str] | None = None, prelude: str = ""
) -> str:
    """What a command writes if its output and its errors go to a terminal.

    Args:
        arguments: of the command.
        folder: to run it in.
        environment: what is else than in that of the tests.
        prelude: Python code that runs before the command.
    """
    ours = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    whole = ours | {"TERM": "xterm-256color", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"} | (environment or {})
    code = f"import sys\n{prelude}\nfrom covcore.cli import main\nsys.exit(main({arguments!r}))"
    outside, inside = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=inside, stderr=inside, env=whole)
    os.close(inside)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while block := os.read(outside, 1 << 16):
            shown += block
    os.close(outside)
    process.wait(timeout=60)
    return shown.decode()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a program that was measured, and a package of which nothing ran."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "unused.py").write_text("def g():\n    return 1\n")
    assert covcore("run", "--source=.", "program.py", folder=tmp_path).returncode == 0
    return tmp_path


def test_report(project: Path) -> None:
    done = covcore("report", "-m", folder=project)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Name                  Stmts   Miss Branch BrPart  Cover   Missing\n"
        "-----------------------------------------------------------------\n"
        "package/__init__.py       0      0      0      0   100%\n"
        "package/unused.py         2      2      0      0     0%   1-2\n"
        "program.py                8      2      4      2    67%   4, 6\n"
        "-----------------------------------------------------------------\n"
        "TOTAL                    10      4      4      2    57%\n"
    )


def test_include_and_omit(project: Path) -> None:
    shown = {}
    for option in ("--include=package", "--include=*.py,nothing", "--omit=package/*", "--omit=package,program.py"):
        done = covcore("report", option, folder=project)
        shown[option] = re.findall(r"^\S+\.py", done.stdout, re.MULTILINE)
        if not shown[option]:
            assert done.returncode == 1
            assert done.stderr.startswith("covcore: error: no measured file matches --include and --omit: ")

    assert shown == {
        "--include=package": ["package/__init__.py", "package/unused.py"],
        "--include=*.py,nothing": ["package/__init__.py", "package/unused.py", "program.py"],
        "--omit=package/*": ["program.py"],
        "--omit=package,program.py": [],
    }


def test_fail_under(project: Path) -> None:
    assert covcore("report", "--fail-under=57", folder=project).returncode == 0

    done = covcore("report", "--fail-under=57.2", folder=project)

    assert done.returncode == 2
    assert done.stderr == "covcore: error: the total of 57.1% is under --fail-under=57.2\n"
    assert done.stdout.endswith("57%\n")


def test_files_that_cannot_be_reported(project: Path) -> None:
    """Each has one line on standard error and a mark in the table; the total is of the others."""
    (project / "program.py").write_text(PROGRAM + "\n")
    (project / "package" / "bad.py").write_text("def\n")
    (project / "package" / "latin.py").write_bytes(b"a = '\xe9'\n")

    done = covcore("report", folder=project)

    assert done.returncode == 0
    assert done.stderr == (
        "covcore: warning: package/bad.py is not Python: invalid syntax at line 1: it is left out of the total\n"
        "covcore: warning: package/latin.py cannot be decoded: 'utf-8' codec can't decode byte 0xe9 in position 5: invalid "
        "continuation byte: it is left out of the total\n"
        "covcore: warning: program.py has changed since it was measured: it is left out of the total\n"
    )
    assert re.findall(r"^(\S+\.py) .*?((?:not )?\S+)$", done.stdout, re.MULTILINE) == [
        ("package/__init__.py", "100%"),
        ("package/unused.py", "0%"),
        ("package/bad.py", "not Python"),
        ("package/latin.py", "not Python"),
        ("program.py", "stale"),
    ]
    assert re.search(r"^TOTAL +2 +2 +0 +0 +0%$", done.stdout, re.MULTILINE)


def test_a_file_that_is_gone(project: Path) -> None:
    (project / "program.py").unlink()

    done = covcore("report", folder=project)

    assert "program.py cannot be read: No such file or directory: it is left out of the total\n" in done.stderr
    assert re.search(r"^program.py +no source$", done.stdout, re.MULTILINE)


def test_nothing_to_report(project: Path) -> None:
    for path in project.rglob("*.py"):
        path.write_text("# other\n")
    (project / "package" / "__init__.py").unlink()

    done = covcore("report", folder=project)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "covcore: error: no file is as it was measured: run again"


def test_a_terminal_that_knows_ascii_alone(tmp_path: Path) -> None:
    (tmp_path / "é.py").write_text("x = 1\n")
    covcore("run", "é.py", folder=tmp_path)

    command = [sys.executable, "-m", "covcore", "report"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\xe9.py" in done.stdout


def test_code_without_a_file(tmp_path: Path) -> None:
    text = "exec('x = 1')\nexec(compile('if 1:\\n  y = 2', 'template.html', 'exec'))\neval('1 + 1')\n"
    (tmp_path / "program.py").write_text(text)
    covcore("run", "program.py", folder=tmp_path)

    done = covcore("report", folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^\S+", done.stdout, re.MULTILINE)[2:3] == ["program.py"]


# ---- a terminal


HIDE_RICH = "sys.modules['rich'] = None"


def test_colours_on_a_terminal(project: Path) -> None:
    shown = on_a_terminal(["report", "-m", "--skip-covered"], project)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(r"\x1b\[31m0%\x1b\[0m", shown)  # red
    assert re.findall(r"^ *(\S+\.py|TOTAL) .*?([0-9]+%)", plain, re.MULTILINE) == [
        ("package/unused.py", "0%"),
        ("program.py", "67%"),
        ("TOTAL", "57%"),
    ]
    assert "4, 6" in plain
    assert "1 file skipped due to complete coverage." in plain


@pytest.mark.parametrize(
    ("environment", "prelude"),
    [({"NO_COLOR": "1"}, ""), ({"TERM": "dumb"}, ""), ({}, HIDE_RICH)],
    ids=["NO_COLOR", "dumb", "no rich"],
)
def test_a_terminal_without_colours(project: Path, environment: dict[str, str], prelude: str) -> None:
    shown = on_a_terminal(["report", "-m"], project, environment, prelude)

    assert shown.replace("\r\n", "\n") == covcore("report", "-m", folder=project).stdout


def test_a_pipe_gets_plain_text(project: Path) -> None:
    command = [sys.executable, "-m", "covcore", "report"]
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run(command, cwd=project, capture_output=True, env=environment)

    assert b"\x1b" not in done.stdout


SLOW = """
import time
from covcore.report import results
analyse_all = results.analyse_all
def slowly(*arguments, **options):
    end = time.monotonic() + 1.8
    while time.monotonic() < end:
        time.sleep(0.1)
    return analyse_all(*arguments, **options)
results.analyse_all = slowly
"""


def test_a_sign_of_life_on_a_terminal(project: Path) -> None:
    shown = on_a_terminal(["report"], project, {"NO_COLOR": "1"}, SLOW)

    signs = re.findall(r"\r(covcore: analysing, [0-9]+ s)", shown)
    assert signs and signs[0] in ("covcore: analysing, 1 s", "covcore: analysing, 2 s")  # of a busy machine
    assert shown.rpartition("\r" + " " * len(signs[-1]) + "\r")[2].startswith("Name")  # it is gone when the table comes
    assert "analysing" not in on_a_terminal(["report"], project, {"NO_COLOR": "1"})
