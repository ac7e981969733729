"""coverage.py's configuration files in place of ours: beside what coverage.py itself reads from them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Place
from coverage.config import (
    DEFAULT_EXCLUDE,
    DEFAULT_PARTIAL,
    DEFAULT_PARTIAL_ALWAYS,
    CoverageConfig,
    read_coverage_config,
)

from covcore.config import Settings, read_settings
from covcore.errors import CovcoreError

VARIABLES = {"NAME": "value", "EMPTY": "", "N": "2", "ON": "true"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to be in, with no setting in the environment."""
    for name in [name for name in os.environ if name.startswith(("COVCORE", "COVERAGE"))]:
        monkeypatch.delenv(name)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_ours(theirs: CoverageConfig) -> dict[str, object]:
    """What coverage.py has read, for each setting that it has too."""
    source = [*(theirs.source or ()), *theirs.source_pkgs, *(f"./{folder}" for folder in theirs.source_dirs)]
    return {
        "source": source,
        "include": [] if source else theirs.run_include,
        "omit": theirs.run_omit,
        "context": theirs.context or "",
        "report_include": theirs.report_include or [],
        "report_omit": theirs.report_omit or [],
        "exclude": theirs.exclude_list,
        "partial": [*theirs.partial_list, *theirs.partial_always_list],
        "show_missing": theirs.show_missing,
        "skip_covered": theirs.skip_covered,
        "skip_empty": theirs.skip_empty,
        "sort": theirs.sort or "name",
        "precision": theirs.precision,
        "format": theirs.format or "text",
        "fail_under": theirs.fail_under,
        "paths": theirs.paths,
    }


def of_ours(ours: Settings) -> dict[str, object]:
    """The same of our settings."""
    exclude = DEFAULT_EXCLUDE if ours.exclude_lines is None else ours.exclude_lines
    partial = DEFAULT_PARTIAL if ours.partial_branches is None else ours.partial_branches
    always = [] if set(DEFAULT_PARTIAL_ALWAYS) & set(ours.partial_also) else DEFAULT_PARTIAL_ALWAYS
    lists = {key: [*getattr(ours, key)] for key in ("source", "include", "omit", "report_include", "report_omit")}
    keys = ("context", "show_missing", "skip_covered", "skip_empty", "sort", "precision", "format")
    return {
        **lists,
        **{key: getattr(ours, key) for key in keys},
        "exclude": [*exclude, *ours.exclude_also],
        "partial": [*partial, *ours.partial_also, *always],
        "fail_under": ours.fail_under or 0,
        "paths": ours.paths,
    }


FILES = {
    "nothing": {},
    "rc": {
        ".coveragerc": """
            [run]
            branch = True
            source = src, lib
            omit =
                src/vendored/*
                */migrations/*
            context = nightly
            [report]
            fail_under = 87.5
            precision = 2
            show_missing = on
            skip_covered = Yes
            skip_empty = 1
            sort = -cover
            format = markdown
        """
    },
    "rc with prefixes": {".coveragerc": "[coverage:run]\nsource = a\n[run]\nsource = b\n[coverage:report]\nprecision = 1\n"},
    "rc in TOML": {".coveragerc.toml": "[run]\nsource = ['a', 'b']\n[tool.coverage.report]\nprecision = 3\n[report]\nprecision = 1"},
    "pyproject": {
        "pyproject.toml": """
            [project]
            name = "x"
            [tool.coverage.run]
            source_pkgs = ["package"]
            source_dirs = ["scripts"]
            omit = ["*/conftest.py"]
            [tool.coverage.report]
            exclude_also = ["raise AssertionError", '^\\s*@overload', "if (a|b):  # $"]
            partial_also = ["while running"]
            fail_under = 100
            show_missing = true
            skip_covered = "true"
            precision = "1"
            omit = ["tests/*"]
        """
    },
    "pyproject in one line": {"pyproject.toml": "tool.coverage.run.source = ['a']\n"},
    "pyproject with tables in tables": {"pyproject.toml": "[tool]\ncoverage = {report = {precision = 1}}\n"},
    "pyproject with quotes": {"pyproject.toml": "[tool]\n'coverage'.report.precision = 1\n"},
    "setup.cfg": {"setup.cfg": "[coverage:run]\nsource = a\n  b\n[coverage:report]\nexclude_lines =\n  x, y\n\n  z\n"},
    "tox.ini": {"tox.ini": "[tox]\nenvlist = py\n[coverage:report]\nomit = a,b ,\n  c\ninclude = *.py\n"},
    "rc before others": {
        ".coveragerc": "[run]\n",
        "setup.cfg": "[coverage:run]\nsource = a\n", ".coveragerc.toml": "[run]\nsource = ['b']",
    },
    "TOML before others": {".coveragerc.toml": "[report]\nprecision = 1", "setup.cfg": "[coverage:run]\nsource = a\n"},
    "setup.cfg before tox.ini": {"tox.ini": "[coverage:run]\nsource = a\n", "setup.cfg": "[coverage:run]\nsource = b\n"},
    "tox.ini before pyproject": {"tox.ini": "[coverage:run]\nsource = a\n", "pyproject.toml": "[tool.coverage.run]\nsource = ['b']"},
    "a format is enough": {"setup.cfg": "[coverage:html]\ntitle = x\n", "pyproject.toml": "[tool.coverage.run]\nsource = ['b']"},
    "others without settings": {
        "setup.cfg": "[run]\nsource = a\n",
        "tox.ini": "[report]\nprecision = 1\n",
        "pyproject.toml": "[tool.x]\ny = 'coverage'",
    },
    "variables": {
        ".coveragerc": "[run]\ncontext = %(x)s 100%\nsource = $NAME, ${NAME}x, a$NOT, ${NOT-default}, ${NOT-}, $$NAME, ${N?}, ${}, $-\n"
        "[report]\nprecision = ${N}\nshow_missing = $ON\nexclude_also = a$\n  $NAME$\n  (x|$)\n"
    },
    "variables in TOML": {
        ".coveragerc.toml": "[run]\nsource = ['$NAME', '${NOT-default}']\n[report]\nprecision = '$N'\nexclude_also = ['a$', '^$$']"
    },
    "replaced rules": {
        ".coveragerc": "[report]\nexclude_lines = only this\nexclude_also = and this\n"
        "partial_branches = partial\npartial_also =\n   also\n   more, more\n"
    },
    "include and source": {".coveragerc": "[run]\nsource = a\ninclude = */b.py\n"},
    "include": {".coveragerc": "[run]\ninclude = */b.py,\n  c/*\nomit = */d*.py\n"},
    "other keys": {
        ".coveragerc": "[run]\nplugins = a\nparallel = yes\nconcurrency = multiprocessing\ndata_file = here\nrelative_files = yes\n"
        "[a]\nb = c\n[paths]\nsource = a\n   b\n[html]\ndirectory = x\n"
    },
    "paths": {
        ".coveragerc": "[paths]\nsource =\n   src\n   /ci/*/src\n   $HOME/x, c:\\\\build\nOther = a\n"
    },
    "paths in TOML": {
        "pyproject.toml": "[tool.coverage.paths]\nsource = ['src', '*/site-packages/*']\nother = ['$HOME', '/y']\n"
    },
    "spaces and comments": {".coveragerc": "# c\n[run]\n; c\nsource =\n   # not this\n   a  \n\n   b\n[report]\nsort: Miss\n"},
    "no values": {".coveragerc": "[run]\nsource =\nomit =\ncontext =\n[report]\nsort =\nexclude_also =\n"},
}  # fmt: skip


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        lines = text.split("\n")
        margin = "            " if len(lines) > 1 and lines[1].startswith("            ") else ""
        (folder / name).write_text("\n".join(line.removeprefix(margin) for line in lines))


@pytest.mark.parametrize("name", FILES)
def test_as_coverage_reads_it(name: str, folder: Path) -> None:
    write(folder, FILES[name])
    warnings: list[str] = []
    theirs = read_coverage_config(True, warnings.append)
    ours = read_settings()

    wanted, found = as_ours(theirs), of_ours(ours)
    if isinstance(wanted["sort"], str):
        wanted["sort"] = wanted["sort"].lower()
    assert found == wanted
    assert (ours.file or None) == theirs.config_file
    assert [text for kind, text in ours.remarks if kind == "warning"] == warnings == []


def test_a_file_of_ours_wins_even_if_it_is_empty(folder: Path) -> None:
    write(
        folder,
        {".coveragerc": "[run]\nsource = a\n", "pyproject.toml": "[tool.coverage.run]\nsource = ['b']\n[tool.covcore]"},
    )
    assert read_settings().source == ()
    (folder / "covcore.toml").touch()
    (folder / "pyproject.toml").unlink()
    assert read_settings().source == ()
    assert not read_settings().remarks


def test_a_named_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        folder,
        {"cov.cfg": "[run]\nsource = a\n", ".coveragerc": "[run]\nsource = b\n", "cov.toml": "[run]\nsource = ['c']"},
    )
    for name, source in ("cov.cfg", "a"), ("cov.toml", "c"), (str(folder / "cov.cfg"), "a"):
        monkeypatch.setenv("COVERAGE_RCFILE", name)
        assert read_settings().source == [source] == read_coverage_config(True, print).source

    monkeypatch.setenv("COVERAGE_RCFILE", "gone.cfg")
    assert read_settings().remarks == [
        ("warning", f"COVERAGE_RCFILE names a file that is not there: {folder}/gone.cfg")
    ]


def test_names_of_files_without_a_folder() -> None:
    """There, such a pattern means files of that name wherever they are."""
    Path(".coveragerc").write_text("[run]\nomit = setup.py, conftest?.py, tests, ./setup.py, *.pyx\n")
    assert read_settings().omit == ["**/setup.py", "**/conftest?.py", "tests", "./setup.py", "*.pyx"]


def test_what_is_always_partial_adds_to_what_is_partial() -> None:
    Path(".coveragerc").write_text("[report]\npartial_also = a\npartial_branches_always =\n  ^b\n  c\n")
    settings = read_settings()
    assert (settings.partial_branches, settings.partial_also) == (None, ["a", "^b", "c"])


def test_where_values_come_from() -> None:
    Path("setup.cfg").write_text("[coverage:run]\nsource = a\nsource_pkgs = b\n[coverage:report]\nprecision = 1\n")
    origins = read_settings().origins
    assert origins == {
        "source": "setup.cfg [coverage:run] source, [coverage:run] source_pkgs",
        "precision": "setup.cfg [coverage:report] precision",
    }


# ---- what has no use, and what is wrong


@pytest.mark.parametrize(
    ("text", "unused"),
    [
        ("[run]\nbranch = true\nparallel = true\nconcurrency = gevent\npatch = subprocess\nsigterm = yes\n", None),
        ("[run]\nrelative_files = off\ncover_pylib = no\ntimid = 0\n[report]\nignore_errors = true\n", None),
        ("[html]\ntitle = x\n[xml]\noutput = x\n[json]\noutput = x\n[lcov]\noutput = x\n[plugin]\nx = y\n", None),
        ("[run]\ndynamic_context = test_function\n", None),
        ("[run]\ndynamic_context = my_plugin\nbranch = no\n", "[run] branch, dynamic_context"),
        ("[run]\nplugins = a\n", "[run] plugins"),
        ("[run]\ndata_file = .coverage\n[paths]\nsource = a\n", "[run] data_file"),
        ("[run]\nsource = a\ninclude = b\n", "[run] include"),
        (
            "[run]\ncore = sysmon\nrelative_files = true\n[report]\nsrot = name\n",
            "[run] core, relative_files; [report] srot",
        ),
    ],
)
def test_what_covcore_does_without_is_named_once(text: str, unused: str | None, folder: Path) -> None:
    Path(".coveragerc").write_text(text)
    remarks = read_settings().remarks
    said = f"{folder}/.coveragerc: covcore does without {unused}"
    assert remarks == ([("note", said)] if unused else [])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (".coveragerc", "source = a\n", "is not valid: File contains no section headers."),
        (".coveragerc", "[run\n", "is not valid: File contains no section headers."),
        (".coveragerc", "[run]\nsource = a\nsource = b\n", "option 'source' in section 'run' already exists"),
        (".coveragerc", b"[run]\nsource = \xff\n", "is not valid: 'utf-8' codec can't decode"),
        ("setup.cfg", "[coverage:run]\nsource = a\n[coverage:run]\n", "section 'coverage:run' already exists"),
        ("pyproject.toml", "[tool.coverage.run\n", "is not valid: Expected ']'"),
        (".coveragerc", "[report]\nprecision = ten\n", "[report]: precision must be a number of decimals from 0 to 9, not 'ten'"),
        (".coveragerc", "[report]\nfail_under = 101\n", "[report]: fail_under must be a number from 0 to 100"),
        (".coveragerc", "[report]\nshow_missing = perhaps\n", "[report]: show_missing must be true or false, not 'perhaps'"),
        (".coveragerc", "[report]\nexclude_also = (\n", "[report]: exclude_also: '(' is not a regular expression: missing )"),
        (".coveragerc", "[run]\nsource = ${NOT?}\n", "[run]: source: the variable NOT is not set"),
        (".coveragerc", "[report]\nsort = size\n", "[report]: sort must be one of name, stmts"),
        ("pyproject.toml", "[tool.coverage.run]\nsource = 1\nsource_pkgs = ['a']\n", "[tool.coverage.run]: source must be a list"),
        ("pyproject.toml", "[tool.coverage.run]\nsource = ['a']\nsource_pkgs = 2\n", "[tool.coverage.run]: source must be a list"),
        ("pyproject.toml", "[tool.coverage.run]\nomit = ['a', 2]\n", "[tool.coverage.run]: omit must be a list"),
    ],
)  # fmt: skip
def test_mistakes_are_warnings(name: str, text: str | bytes, said: str, folder: Path) -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    settings = read_settings()
    [(kind, remark)] = settings.remarks
    assert kind == "warning"
    assert remark.startswith(f"{folder}/{name} ")
    assert said in remark
    assert "\n" not in remark
    assert not settings.origins


def test_the_rest_of_a_file_with_a_mistake_is_read() -> None:
    Path(".coveragerc").write_text("[run]\nsource = a\n[report]\nprecision = x\nsort = y\nshow_missing = 1\n")
    settings = read_settings()
    assert (settings.source, settings.show_missing, settings.precision) == (["a"], True, 0)
    assert len(settings.remarks) == 2


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / ".coveragerc").mkdir()
    (folder / "setup.cfg").write_text("[coverage:run]\nsource = a\n")
    settings = read_settings()
    assert settings.remarks == [("warning", f"cannot read {folder}/.coveragerc: Is a directory")]
    assert settings.source == ["a"]


# ---- commands


def test_reports_obey_and_say_so_once(place: Place) -> None:
    place.write("a.py", "import b\nif not b:\n    x = 1  # SKIP\n    y = 1\n")
    place.write("b.py", "x = 1\n")
    place.write(
        ".coveragerc",
        "[run]\nplugins = x\nsource = .\n[report]\nexclude_also = SKIP\nomit = b.py\nformat = total\nprecision = 1\n",
    )

    ran = place.covcore("run", "a.py")
    reported = place.covcore("report")
    table = place.covcore("report", "--format=text", "--include=b.py,a.py", "--omit=a.py")

    assert (ran.status, ran.stderr) == (0, "")
    assert reported.stdout == "66.7\n"
    assert reported.stderr == f"covcore: note: {place.folder}/.coveragerc: covcore does without [run] plugins\n"
    assert [line.split()[0] for line in table.stdout.splitlines() if ".py" in line] == ["b.py"]


def test_a_broken_file_warns_and_the_program_runs(place: Place) -> None:
    place.write("a.py", "print('ran')\n")
    place.write(".coveragerc", "rubbish\n")
    ran = place.covcore("run", "a.py")
    assert (ran.status, ran.stdout) == (0, "ran\n")
    assert ran.stderr.startswith(f"covcore: warning: {place.folder}/.coveragerc is not valid: ")
    assert ran.stderr.count("\n") == 1
    assert place.lines() == {"a.py": {1}}


def test_coverage_data_is_never_touched(place: Place) -> None:
    place.environment.pop("COVCORE_DATA")
    place.write("a.py", "x = 1\n")
    place.write(".coveragerc", "[run]\ndata_file = theirs\n")
    place.write("theirs", "data of coverage.py's")
    assert place.covcore("run", "a.py").status == place.covcore("report").status == place.covcore("erase").status == 0
    assert (place.folder / "theirs").read_text() == "data of coverage.py's"
    assert place.covcore("debug", "config").stdout.count("data_file") == 1


def test_debug_config_names_the_file_and_the_key(place: Place) -> None:
    place.write(
        "tox.ini", "[coverage:report]\nexclude_also =\n  a\n  b\nprecision = x\n[coverage:run]\ncore = ctrace\n"
    )
    said = place.covcore("debug", "config").stdout
    assert "configuration file:     tox.ini\n" in said
    assert "['a', 'b'] (tox.ini [coverage:report] exclude_also)\n" in said
    assert f"note:                   {place.folder}/tox.ini: covcore does without [coverage:run] core\n" in said
    assert "precision:              0 (default)\n" in said


SAY_MODULES = "import sys; print(*sorted(sys.modules), sep='\\n')"


@pytest.mark.parametrize("name", [None, "setup.cfg", "pyproject.toml", ".coveragerc", ".coveragerc.toml"])
def test_the_program_finds_the_modules_of_a_bare_run(name: str | None, place: Place) -> None:
    """And a folder without settings costs no import at all."""
    place.write("a.py", SAY_MODULES)
    if name is not None:
        place.write(
            name,
            "[tool.coverage.report]\nexclude_also = ['x']\n"
            if "toml" in name
            else "[coverage:report]\nexclude_also = x\n",
        )
    bare = place.python("a.py").stdout.split()
    measured = place.covcore("run", "a.py").stdout.split()
    assert [module for module in measured if not module.startswith("covcore")] == bare
    assert ("covcore.coveragerc" in measured) == (name is not None)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"setup.cfg": "[metadata]\nname = coverage\n[tool:pytest]\naddopts = --cov\n"},
        {"tox.ini": "[testenv]\ndeps = coverage\ncommands = coverage run -m pytest\n"},
        {"pyproject.toml": "[dependency-groups]\ntest = [\n  'coverage[toml]',\n  'pytest-cov',\n]\n"},
    ],
)
def test_a_folder_without_settings_costs_no_import(files: dict[str, str], place: Place) -> None:
    write(place.folder, files)
    place.write("a.py", "import sys; print('STARTED', file=sys.stderr, flush=True)")
    outcome = place.python("-X", "importtime", "-m", "covcore", "run", "a.py")
    before, _, _ = outcome.stderr.partition("STARTED")
    imported = {line.rpartition("|")[2].strip() for line in before.splitlines()}
    assert "covcore.config" in imported
    assert not imported & {"configparser", "tomllib", "re", "covcore.coveragerc"}


def test_a_bad_file_of_ours_is_an_error(place: Place) -> None:
    place.write("a.py", "x = 1\n")
    place.write("covcore.toml", "exclude_also = ['ok', '(?P<x']\n")
    for command in ("run", "a.py"), ("report",), ("debug", "config"):
        outcome = place.covcore(*command)
        assert outcome.status == 1
        assert outcome.stderr == (
            f"covcore: error: {place.folder}/covcore.toml: exclude_also: '(?P<x' is not a regular expression: "
            "missing >, unterminated name at position 4\n"
        )
    with pytest.raises(CovcoreError):
        read_settings(str(place.folder))
