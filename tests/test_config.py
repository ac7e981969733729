"""Settings and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Place

from covcore.config import KEYS, Settings, read_settings
from covcore.errors import CovcoreError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVCORE_DATA", raising=False)


def test_defaults(tmp_path: Path) -> None:
    settings = read_settings(str(tmp_path))
    assert settings.data_path == f"{tmp_path}/.covcore"
    assert (settings.source, settings.include, settings.omit, settings.fail_under) == ((), (), (), None)
    assert all(hasattr(settings, key) for key in KEYS)


EVERYTHING = """
source = ["src", "package"]
include = "src/*"
omit = []
data = "data/coverage"
context = "nightly"
append = true
subprocess = false
show_missing = true
skip_covered = true
skip_empty = true
sort = "-cover"
precision = 2
format = "markdown"
fail_under = 87.5
dynamic_contexts = "phase"
report_include = ["src/a*"]
report_omit = "src/b"
exclude_lines = ["  raise ", "x$"]
exclude_also = "y"
partial_branches = []
partial_also = ["[[a]z"]
"""


@pytest.mark.parametrize(
    ("file", "head"), [("covcore.toml", ""), ("pyproject.toml", "[project]\nname = 'x'\n[tool.covcore]")]
)
def test_every_key(tmp_path: Path, file: str, head: str) -> None:
    (tmp_path / file).write_text(head + EVERYTHING)
    settings = read_settings(str(tmp_path))
    assert settings.source == ["src", "package"]
    assert settings.include == ["src/*"]
    assert settings.data_path == f"{tmp_path}/data/coverage"
    assert settings.context == "nightly"
    assert settings.append
    assert not settings.subprocess
    assert (settings.sort, settings.precision, settings.fail_under) == ("-cover", 2, 87.5)
    assert (settings.dynamic_contexts, settings.format) == ("phase", "markdown")
    assert (settings.of_report("include"), settings.of_report("omit")) == (["src/a*"], ["src/b"])
    assert (settings.exclude_lines, settings.exclude_also) == (["raise", "x$"], ["y"])
    assert (settings.partial_branches, settings.partial_also) == ([], ["[[a]z"])
    assert settings.show_missing
    assert settings.skip_covered
    assert settings.skip_empty


def test_what_reports_leave_out(tmp_path: Path) -> None:
    """Reports keep to what was to be measured, and narrow it further."""
    (tmp_path / "covcore.toml").write_text("include = ['a/*']\nomit = ['a/x']\nreport_omit = ['a/y']")
    settings = read_settings(str(tmp_path))
    assert (settings.of_report("include"), settings.of_report("omit")) == (["a/*"], ["a/x", "a/y"])
    assert settings.omit == ["a/x"]


def test_odd_regular_expressions_warn_nobody(place: Place) -> None:
    """Python has a FutureWarning for `[[`, once for each place; settings are not the place for it."""
    place.write("a.py", "x = 1")
    place.write("covcore.toml", "exclude_also = ['[[a]z']")
    assert place.covcore("run", "a.py").stderr == place.covcore("report").stderr == ""


def test_covcore_toml_wins_over_pyproject(tmp_path: Path) -> None:
    (tmp_path / "covcore.toml").write_text("precision = 1")
    (tmp_path / "pyproject.toml").write_text("[tool.covcore]\nprecision = 2\nomit = ['x']")
    settings = read_settings(str(tmp_path))
    assert settings.precision == 1
    assert settings.omit == ()


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "covcore.toml").write_text("data = 'a'")
    monkeypatch.setenv("COVCORE_DATA", "/b")
    assert read_settings(str(tmp_path)).data_path == "/b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sorce = ['x']", "unknown key 'sorce': did you mean source?"),
        ("show-missing = true", "unknown key 'show-missing': did you mean show_missing?"),
        ("qqqq = 1", "unknown key 'qqqq': known are source, include, omit"),
        ("source = 1", "source must be a list of folders or module names, not 1"),
        ("source = ['x', 2]", "source must be"),
        ("source = ['']", "source must be"),
        ("data = ''", "data must be a path, not ''"),
        ("append = 1", "append must be true or false, not 1"),
        ("append = 'yes'", "append must be true or false, not 'yes'"),
        ("sort = 'coverage'", "sort must be one of name, stmts"),
        ("precision = 10", "precision must be a number of decimals from 0 to 9, not 10"),
        ("precision = true", "precision must be"),
        ("precision = 1.5", "precision must be"),
        ("fail_under = 101", "fail_under must be a number from 0 to 100, or a table of such numbers"),
        ("fail_under = nan", "fail_under must be"),
        ("format = 'html'", "format must be one of text, markdown, total, badge, github, gitlab, not 'html'"),
        ("dynamic_contexts = 'tests'", "dynamic_contexts must be one of test, phase, task, none, not 'tests'"),
        ("exclude_line = ['x']", "unknown key 'exclude_line': did you mean exclude_lines?"),
        ("exclude_lines = [1]", "exclude_lines must be a list of regular expressions, not [1]"),
        ("exclude_also = ['x', ' ']", "exclude_also must be a list of regular expressions, not ['x', ' ']"),
        ("partial_also = ['x', '(a']", "partial_also: '(a' is not a regular expression: missing ), unterminated sub"),
        (
            "partial_branches = '*'",
            "partial_branches: '*' is not a regular expression: nothing to repeat at position 0",
        ),
        ("x = = 1", "covcore.toml is not valid TOML: Invalid value"),
        ("x = '\udcff'", "covcore.toml is not valid TOML"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "covcore.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CovcoreError) as caught:
        read_settings(str(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/covcore.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["[tool]\ncovcore = 1", "tool = 2 # covcore", "[tool.covcore.report]\nx = 1"])
def test_strange_tables(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if text.startswith("tool"):
        assert read_settings(str(tmp_path)).append is False
    else:
        with pytest.raises(CovcoreError):
            read_settings(str(tmp_path))


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "covcore.toml").mkdir()
    with pytest.raises(CovcoreError, match=r"cannot read .*covcore.toml: Is a directory"):
        read_settings(str(tmp_path))


def test_data_path_is_relative_to_the_folder() -> None:
    assert Settings("/a/b", {"data": "../x"}).data_path == "/a/x"


@pytest.mark.parametrize("command", ["run script.py", "report", "erase", "debug data"])
def test_every_command_reads_the_file(place: Place, command: str) -> None:
    place.write("script.py", "print('ran')")
    place.write("pyproject.toml", "[tool.covcore]\nomitt = []")
    outcome = place.covcore(*command.split())
    assert outcome.status == 1
    assert outcome.stdout == ""
    assert outcome.stderr == f"covcore: error: {place.folder}/pyproject.toml: unknown key 'omitt': did you mean omit?\n"
