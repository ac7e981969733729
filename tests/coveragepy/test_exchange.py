"""`covcore export` to a data file of coverage.py, and `covcore import` of one, by coverage.py's own commands."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Outcome, Place, unless_sanitized

MODULE = """\
import os
def one(): return 1
def price(amount, member):
    if (amount > 100
            and member):
        return amount * 0.9
    if amount < 0:
        raise ValueError(
            amount)
    for n in range(2):
        if n: continue
        print(n)
    try:
        return [n for n in range(3) if n]
    finally:
        print(amount)
def never(): return 2
LAST = os
"""
SUITE = """\
import pytest
import module
def test_member():
    assert module.price(200, True) == 180
@pytest.mark.parametrize("text", ["a|b", "c"])
def test_small(text):
    assert module.price(10, False)
def test_one():
    assert module.one() == 1
"""
CONTEXTS = """\
import coverage, json, os, sys
data = coverage.CoverageData(sys.argv[1])
data.read()
found = {}
for context in data.measured_contexts():
    data.set_query_context(context)
    for name in data.measured_files():
        if arcs := data.arcs(name):
            found[f"{context} {os.path.basename(name)}"] = sorted(arcs)
print(json.dumps(found))
"""


def coverage(place: Place, *arguments: str) -> Outcome:
    return place.python("-m", "coverage", *arguments)


def measured(place: Place, *options: str) -> None:
    """Have .covcore hold the suite's run."""
    place.write("module.py", MODULE)
    place.write("test_it.py", SUITE)
    outcome = place.covcore("run", "--source=.", *options, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert outcome.status == 0, outcome.stdout + outcome.stderr


def covered(place: Place, core: str = "ctrace") -> None:
    """Have .coverage hold coverage.py's run of a program."""
    place.write("module.py", MODULE)
    place.data.parent.mkdir(exist_ok=True)
    place.write("program.py", "import module; module.price(200, 1); module.price(1, 0)")
    plugin = "plugins = covcore_coverage\n" if core == "covcore" else ""
    place.write(".coveragerc", f"[run]\nbranch = True\ncore = {core}\n{plugin}")
    outcome = coverage(place, "run", "program.py")
    assert outcome.status == 0, outcome.stderr


def refusal(place: Place, file: str | Path = ".coverage", **environment: str) -> str:
    """The one line that an import ends with, which changes nothing."""
    outcome = place.covcore("import", file, **environment)
    assert (outcome.status, outcome.stdout) == (1, "")
    (line,) = outcome.stderr.splitlines()
    assert not place.data.exists()
    return line.removeprefix("covcore: error: ")


def contexts(place: Place, data: str) -> dict[str, list[list[int]]]:
    outcome = place.python("-c", CONTEXTS, data)
    assert outcome.stderr == ""
    found: dict[str, list[list[int]]] = json.loads(outcome.stdout)
    return found


def test_there_and_back(place: Place) -> None:
    """Lines, branches and contexts come back as they were."""
    measured(place, "--dynamic-contexts=phase", "--context=unit")
    assert place.covcore("export", "-o", ".coverage").status == 0
    report, tests = place.covcore("report", "-m").stdout, place.covcore("tests", "module.py:6-13").stdout
    assert "test_small[a|b]" in tests
    rows = "SELECT static, test, phase FROM context"
    with closing(sqlite3.connect(place.data)) as database:
        before = set(database.execute(rows))
    assert place.covcore("erase").status == 0
    outcome = place.covcore("import", ".coverage")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert place.covcore("report", "-m").stdout == report
    assert place.covcore("tests", "module.py:6-13").stdout == tests
    assert place.covcore("html", "-q").status == 0
    with closing(sqlite3.connect(place.data)) as database:
        after = set(database.execute(rows))
    assert {context for context in before if context[2] == "run"} < after < before
    first = place.data.read_bytes()
    assert place.covcore("import", ".coverage").status == 0
    assert place.data.read_bytes() == first
    assert place.covcore("export", "-o", "again.coverage").status == 0
    assert contexts(place, "again.coverage") == contexts(place, ".coverage")


def test_a_folder_for_temporary_files_of_any_name(place: Place, tmp_path: Path) -> None:
    """SQLite opens the copy by a URI, in which `#` and `%41` mean something."""
    covered(place)
    odd = tmp_path / "100%41 #1?"
    odd.mkdir()
    outcome = place.covcore("import", ".coverage", TMPDIR=str(odd))
    assert (outcome.status, outcome.stderr) == (0, "")


@pytest.mark.parametrize("core", ["ctrace", "sysmon", "pytrace"])
def test_reports_are_those_of_coverage_py(place: Place, core: str) -> None:
    covered(place, core)
    assert coverage(place, "json", "-q", "-o", "theirs.json").status == 0
    outcome = place.covcore("import", ".coverage")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert place.covcore("json", "-q", "-o", "ours.json").status == 0
    theirs, ours = (json.loads((place.folder / f"{whose}.json").read_text())["files"] for whose in ("theirs", "ours"))
    assert ours.keys() == theirs.keys() == {"module.py", "program.py"}
    for name, file in theirs.items():
        for key in ("executed_lines", "missing_lines"):
            assert ours[name][key] == file[key]
        for key in ("executed_branches", "missing_branches"):
            assert sorted(ours[name][key]) == sorted(file[key])


def test_the_name_says_the_format(place: Place) -> None:
    measured(place)
    for name, options in {
        ".coverage": [],
        ".coverage.host": [],
        "unit.coverage": [],
        "x": ["--format=coverage"],
        "unit.covcore": [],
        ".coverage.own": ["--format=covcore"],
    }.items():
        assert place.covcore("export", "-o", name, *options).status == 0
        is_theirs = b"coverage_schema" in (place.folder / name).read_bytes()
        assert is_theirs == (name not in ("unit.covcore", ".coverage.own")), name


def test_lines_only(place: Place) -> None:
    covered(place)
    place.write(".coveragerc", "")
    (place.folder / ".coverage").unlink()
    assert coverage(place, "run", "program.py").status == 0
    outcome = place.covcore("import", ".coverage")
    assert outcome.status == 0
    assert "it has lines only, no branches" in outcome.stderr


def test_sources_that_are_not_those_that_ran(place: Place) -> None:
    """What cannot be mapped is named in a line, and the rest is added."""
    covered(place)
    place.write("module.py", "\n" * 8 + "x = 1\n")
    outcome = place.covcore("import", ".coverage")
    assert outcome.status == 0
    (line,) = outcome.stderr.splitlines()
    assert (
        line.startswith("covcore: warning: left out 1 file, lines ran where the source has no code")
        and "module.py" in line
    )
    assert "module.py" not in place.covcore("report").stdout
    assert place.covcore("erase").status == 0
    os.unlink(place.folder / "module.py")
    assert "cannot be read: No such file" in place.covcore("import", ".coverage").stderr
    assert place.covcore("erase").status == 0
    place.write("program.py", "def (")
    assert refusal(place).startswith(f"cannot read {place.folder}/.coverage: nothing of it can be added: left out")


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon", "covcore"])
def test_a_function_that_has_moved(place: Place, core: str) -> None:
    """Each line that ran still has code; but no function begins any more where one did."""
    covered(place, core)
    place.write("program.py", "import moved\n")
    place.write("moved.py", "a = 1\ndef f(x):\n    return x\nf(1)\n")
    assert coverage(place, "run", "program.py").status == 0
    place.write("moved.py", "a = 1\nb = 2\ndef f(x): return x\nf(1)\n")
    outcome = place.covcore("import", ".coverage")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("covcore: warning: left out 1 file, functions began on lines where the source has none")
    assert "moved.py" in line


def test_a_source_that_was_written_later(place: Place) -> None:
    covered(place)
    assert place.covcore("import", ".coverage").stderr == ""
    assert place.covcore("erase").status == 0
    place.write("module.py", MODULE.replace("print(n)", "print(2)"))
    later = os.stat(place.folder / ".coverage").st_mtime_ns + 1_000_000
    os.utime(place.folder / "module.py", ns=(later, later))
    outcome = place.covcore("import", ".coverage")
    assert outcome.status == 0
    (line,) = outcome.stderr.splitlines()
    assert line == (
        "covcore: warning: 1 file written after it, and it does not tell what was in them: if they have changed, run again: "
        f"{place.folder}/module.py"
    )


def test_conditions_of_imported_data(place: Place) -> None:
    said = "Not measured in 2 files, imported from coverage.py's data, which has no conditions: module.py, program.py\n"
    covered(place)
    assert place.covcore("import", ".coverage").status == 0
    assert place.covcore("report", "--conditions").stdout.endswith(said)
    assert place.covcore("report", "--conditions", "--include=module.py").stdout.endswith("no conditions: module.py\n")
    assert "Not measured" not in place.covcore("report").stdout
    assert place.covcore("export", "-o", "x.covcore").status == 0
    assert place.covcore("run", "program.py").status == 0
    assert "Not measured" not in place.covcore("report", "--conditions").stdout
    assert place.covcore("import", "x.covcore").status == 0
    assert place.covcore("report", "--conditions").stdout.endswith(said)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (".coveragerc", "[paths]\nsource =\n    .\n    /build/*/project\n"),
        ("pyproject.toml", "[tool.covcore.paths]\nsource = ['.', '/build/*/project']\n"),
    ],
)
def test_files_that_were_measured_elsewhere(place: Place, name: str, settings: str) -> None:
    covered(place)
    (place.folder / ".coveragerc").unlink()
    with closing(sqlite3.connect(place.folder / ".coverage")) as data, data:
        data.execute("UPDATE file SET path = replace(path, ?, '/build/7/project')", [str(place.folder)])
    assert "outside of the current folder" in refusal(place)
    place.write(name, settings)
    assert place.covcore("import", ".coverage").stderr == ""
    assert place.lines().keys() == {"module.py", "program.py"}


def test_files_of_plugins_and_of_elsewhere(place: Place) -> None:
    covered(place)
    with closing(sqlite3.connect(place.folder / ".coverage")) as data, data:
        data.execute("INSERT INTO tracer SELECT id, 'jinja' FROM file WHERE path LIKE '%module.py'")
        data.execute("UPDATE file SET path = '/etc/hostname' WHERE path LIKE '%program.py'")
    line = refusal(place)
    assert "outside of the current folder" in line
    assert "measured by the plugin jinja" in line


FAULTS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "its schema is coverage.py's 6, and": lambda data: data.execute("UPDATE coverage_schema SET version = 6"),
    "its schema is coverage.py's 8, and": lambda data: data.execute("UPDATE coverage_schema SET version = 8"),
    "its schema is coverage.py's none": lambda data: data.execute("DELETE FROM coverage_schema"),
    "its tables are not coverage.py's": lambda data: data.executescript("DROP TABLE arc; CREATE VIEW arc AS SELECT 1"),
    "table arc": lambda data: data.execute("UPDATE arc SET tono = (1 << 40) + rowid"),
    "table line_bits": lambda data: data.execute("INSERT INTO line_bits VALUES (1, 1, zeroblob(1 << 20))"),
    "table file": lambda data: data.execute("UPDATE file SET path = x'ff' WHERE id = 1"),
    "table context": lambda data: data.execute("UPDATE context SET context = NULL"),
    "table tracer": lambda data: data.execute("INSERT INTO tracer VALUES (99, 'x')"),
    "it has too many tables": lambda data: data.executescript(
        "PRAGMA writable_schema = ON; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        " INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n"
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_forged_files(place: Place, message: str) -> None:
    covered(place)
    with closing(sqlite3.connect(place.folder / ".coverage")) as data, data:
        FAULTS[message](data)
    assert message in refusal(place)


@unless_sanitized  # its limit is on memory
def test_a_long_context_in_which_many_files_ran(place: Place) -> None:
    """It is in memory once."""
    covered(place)
    with closing(sqlite3.connect(place.folder / ".coverage")) as data, data:
        data.execute("INSERT INTO context SELECT 1000, hex(randomblob(30000))")
        data.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
            " INSERT INTO file SELECT i, '/' || i FROM n"
        )
        data.execute("INSERT INTO line_bits SELECT id, 1000, x'02' FROM file WHERE id >= 1000")
    place.write(
        "limited.py",
        """\
import resource
from covcore_coverage.datafile import check
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(len(check(".coverage")) > 39000)
""",
    )
    assert place.python("limited.py").stdout == "True\n"


def test_what_is_no_data_file(place: Place) -> None:
    covered(place)
    folder = place.folder
    whole = (folder / ".coverage").read_bytes()
    (folder / "short").write_bytes(whole[: len(whole) // 4096 // 2 * 4096])
    (folder / "torn").write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    (folder / "text").write_text("hello")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(".coverage")
    os.mkfifo(folder / "fifo")
    with closing(sqlite3.connect(folder / "other")) as other:
        other.execute("CREATE TABLE x (coverage_schema)")
    for name, reason in {
        "missing": "No such file or directory",
        "short": "",
        "torn": "",
        "text": "is not a database of covcore",
        "folder": "folder is a folder",
        "link": "a symbolic link is not followed",
        "fifo": "Not a regular file",
        "other": "it is another program's SQLite database",
    }.items():
        assert reason in refusal(place, name), name
    assert (folder / ".coverage").read_bytes() == whole


def test_without_coverage_py(place: Place) -> None:
    covered(place)
    place.write("without/coverage.py", "raise ImportError('not here')\n")
    line = refusal(place, PYTHONPATH=str(place.folder / "without"))
    assert "pip install covcore[coverage]" in line
    measured(place)
    outcome = place.covcore("export", "-o", "new.coverage", PYTHONPATH=str(place.folder / "without"))
    assert outcome.status == 1
    assert len(outcome.stderr.splitlines()) == 1
    assert "pip install covcore[coverage]" in outcome.stderr
