"""`covcore json`, `xml` and `lcov`: each read back, held against its description, and against coverage.py's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Outcome, Place
from lxml import etree
from oracle_packages.comparing import Figures, Pair, differences, of_parser, unexplained

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples"
N_RUN, N_LINES = (
    (75, 90) if sys.version_info >= (3, 14) else (78, 93)
)  # its three annotations in a class ran, before 3.14
PARCELS = ["__init__", "__main__", "parcel", "price"]

type Json = Any  # what json.loads returns


# ---- reading them back


def read_json(text: str) -> Json:
    """Parsed, and valid by docs/report.schema.json."""
    report = json.loads(text)
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)
    return report


def read_xml(text: str) -> etree._Element:
    """Parsed, and valid by Cobertura's DTD 04 but for one attribute, which is coverage.py's."""
    report = etree.fromstring(text.encode())
    for line in report.iter("line"):
        for attribute in {*line.attrib} & {"missing-branches"}:
            del line.attrib[attribute]
    dtd = etree.DTD(ROOT / "tests" / "data" / "cobertura-04.dtd")
    assert dtd.validate(report), dtd.error_log
    return etree.fromstring(text.encode())


GRAMMAR = {  # of tracefiles: man geninfo
    "TN": "",
    "SF": ".+",
    "FN": r"\d+,\d+,[^,]+",
    "FNDA": r"\d+,[^,]+",
    "FNF": r"\d+",
    "FNH": r"\d+",
    "BRDA": r"\d+,e?\d+,\d+,(?:-|\d+)",
    "BRF": r"\d+",
    "BRH": r"\d+",
    "DA": r"\d+,\d+",
    "LF": r"\d+",
    "LH": r"\d+",
}


def read_lcov(text: str) -> dict[str, dict[str, list[str]]]:
    """By file: by kind of record, the records."""
    files: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in text.removesuffix("\n").split("\n"):
        if line == "end_of_record":
            (name,) = current["SF"]
            assert name not in files
            files[name], current = current, {}
        else:
            kind, _, value = line.partition(":")
            assert re.fullmatch(GRAMMAR[kind], value), line
            current.setdefault(kind, []).append(value)
    assert not current
    return files


@cache
def genhtml() -> Path:
    """The command of version 2, or a test that is skipped."""
    done = subprocess.run([ROOT / "tests" / "tools" / "lcov.sh"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.splitlines()[-1])
    return Path(done.stdout.strip()) / "genhtml"


def run_genhtml(place: Place, *options: str) -> dict[str, tuple[int, int]]:
    """Run it with all checks on; returns its totals of lines, functions and branches: (hit, all)."""
    done = place.run(genhtml(), "--branch-coverage", "--output-directory", "html", *options, "coverage.lcov")
    assert done.status == 0, done.stderr + done.stdout
    assert "no messages were reported" in done.stdout or options
    found = re.findall(r"^  (\w+)\.+: .*\((\d+) of (\d+) ", done.stdout, re.MULTILINE)
    return {what: (int(hit), int(total)) for what, hit, total in found}


# ---- a project of which much is known


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The example project, measured; tests only add files."""
    folder = tmp_path_factory.mktemp("parcels")
    place = Place(folder / "project", folder / "data")
    for path in EXAMPLE.rglob("*.py"):
        place.write(str(path.relative_to(EXAMPLE)), path.read_bytes())
    place.write("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["."]\n')
    done = place.covcore("run", "--source=parcels", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.status == 0, done.stdout + done.stderr
    return place


def test_json(parcels: Place) -> None:
    done = parcels.covcore("json")

    assert (done.status, done.stdout, done.stderr) == (0, "", "covcore: note: wrote JSON report to coverage.json\n")
    report = read_json((parcels.folder / "coverage.json").read_text())
    assert list(report["files"]) == [f"parcels/{name}.py" for name in PARCELS]
    assert report["totals"]["percent_covered_display"] == "80"
    main = report["files"]["parcels/__main__.py"]
    assert main["missing_branches"] == [[17, 18], [22, 23]]
    assert main["functions"]["main"]["missing_lines"] == [12, 13, 14, 18]
    assert main["functions"][""]["missing_lines"] == [23]


def test_sums_of_functions_and_classes_are_those_of_the_file(parcels: Place) -> None:
    parcels.covcore("json")
    report = json.loads((parcels.folder / "coverage.json").read_text())

    for file in report["files"].values():
        for kind in ("functions", "classes"):
            for key in ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches"):
                assert sorted(item for part in file[kind].values() for item in part[key]) == file[key]
            indices = [index for part in file[kind].values() for index in part["conditions"]]
            assert sorted(indices) == list(range(len(file["conditions"])))
            for key in ("num_statements", "num_branches", "num_partial_branches", "num_condition_outcomes"):
                assert sum(part["summary"][key] for part in file[kind].values()) == file["summary"][key]


def test_conditions_in_json(place: Place) -> None:
    place.write(
        "m.py", "def f(x, y):\n    if x and y:\n        return [i for i in x if i]\n    return 0\nf(1 < 2 < 3, 0)\n"
    )
    place.covcore("run", "m.py")
    place.covcore("json")

    file = read_json((place.folder / "coverage.json").read_text())["files"]["m.py"]

    said = {it["text"]: it["outcomes"] for it in file["conditions"] if it["line"] == 2}
    assert said == {"x": {"true": True, "false": False}, "y": {"true": False, "false": True}}
    assert [(it["text"], it["mcdc"]) for it in file["decisions"]] == [("x and y", [False, False])]
    assert [file["conditions"][i]["text"] for i in file["decisions"][0]["conditions"]] == ["x", "y"]
    assert file["summary"]["missing_condition_outcomes"] == sum(
        outcome is False for it in file["conditions"] for outcome in it["outcomes"].values()
    )


def test_rules_that_exclude_in_json(place: Place) -> None:
    place.write("m.py", "x = 1\nif x > 1:  # pragma: no cover\n    x = 2\n    x = 3\ndef f():\n    ...\n")
    place.covcore("run", "m.py")
    place.covcore("json")

    file = read_json((place.folder / "coverage.json").read_text())["files"]["m.py"]

    assert {line: "pragma" in pattern for pattern, lines in file["excluded_by"].items() for line in lines} == {
        2: True,
        3: True,
        4: True,
        5: False,
        6: False,
    }
    assert file["excluded_lines"] == [2, 3, 4, 5, 6]


def test_contexts_in_json(place: Place) -> None:
    place.write("m.py", "import sys\nif sys.argv[1:]:\n    x = [\n        len(sys.argv),\n    ]\nelse:\n    x = 0\n")
    for context, arguments in [("bare", []), ("one", ["1"]), ("two", ["1", "2"])]:
        assert place.covcore("run", "--append", f"--context={context}", "m.py", *arguments).status == 0
    assert "contexts" not in json.loads(place.covcore("json", "-o", "-").stdout)

    report = read_json(place.covcore("json", "-o", "-", "--show-contexts").stdout)
    named = [it["static"] for it in report["contexts"]]
    assert {*named} == {"", "bare", "one", "two"}
    lines = report["files"]["m.py"]["contexts"]
    assert {int(line): {named[index] for index in its} for line, its in lines.items()} == {
        1: {"bare", "one", "two"},
        2: {"bare", "one", "two"},
        3: {"one", "two"},
        7: {"bare"},
    }

    report = read_json(place.covcore("json", "-o", "-", "--show-contexts", "--contexts=?*o*").stdout)
    assert [it["static"] for it in report["contexts"]] == ["two"]
    assert report["files"]["m.py"]["contexts"] == {"1": [0], "2": [0], "3": [0]}
    assert report["files"]["m.py"]["missing_lines"] == [7]


def test_pretty_json_says_the_same(parcels: Place) -> None:
    plain = parcels.covcore("json", "-o", "-", "--show-contexts").stdout
    pretty = parcels.covcore("json", "-o", "-", "--show-contexts", "--pretty-print").stdout

    assert plain.count("\n") == 1
    report = json.loads(pretty)
    assert pretty == json.dumps(report, indent=4) + "\n"
    untimed = re.compile('"timestamp": ?"[^"]+"')
    assert json.loads(untimed.sub('"timestamp":""', plain)) == json.loads(untimed.sub('"timestamp":""', pretty))


def test_xml(parcels: Place) -> None:
    done = parcels.covcore("xml")

    assert (done.status, done.stderr) == (0, "covcore: note: wrote XML report to coverage.xml\n")
    report = read_xml((parcels.folder / "coverage.xml").read_text())
    assert [it.text for it in report.iter("source")] == [str(parcels.folder / "parcels")]
    assert [it.get("filename") for it in report.iter("class")] == [f"{name}.py" for name in PARCELS]
    assert report.get("line-rate") == f"{N_RUN / N_LINES:.4f}"
    lines = {int(it.get("number")): it for it in report.iterfind(".//class[@name='__main__.py']//line")}
    assert lines[17].get("condition-coverage") == "50% (1/2)"
    assert lines[17].get("missing-branches") == "18"
    assert lines[18].get("hits") == "0"
    assert [it.get("coverage") for it in lines[17].iter("condition")] == ["50%"]


def test_xml_names_files_below_the_source_or_the_current_folder(place: Place) -> None:
    place.write("src/a/m.py", "x = 1\n")
    place.write("tool.py", "import sys\nsys.path.append('src/a')\nimport m\n")
    place.covcore("run", "tool.py")
    place.covcore("xml", "-o", "-")
    found = read_xml(place.covcore("xml", "-o", "-").stdout)
    assert [it.text for it in found.iter("source")] == [str(place.folder)]
    assert [(it.get("name"), [c.get("filename") for c in it.iter("class")]) for it in found.iter("package")] == [
        (".", ["tool.py"]),
        ("src.a", ["src/a/m.py"]),
    ]


def test_lcov(parcels: Place) -> None:
    done = parcels.covcore("lcov")

    assert (done.status, done.stderr) == (0, "covcore: note: wrote LCOV report to coverage.lcov\n")
    files = read_lcov((parcels.folder / "coverage.lcov").read_text())
    main = files["parcels/__main__.py"]
    assert main["FN"] == ["10,19,main"]
    assert main["FNDA"] == ["1,main"]
    assert main["BRDA"] == ["15,0,0,1", "15,0,1,1", "17,0,0,0", "17,0,1,1", "22,0,0,0", "22,0,1,1"]
    assert (main["BRF"], main["BRH"], main["LF"], main["LH"]) == (["6"], ["4"], ["16"], ["11"])


@pytest.mark.once
def test_genhtml_takes_the_example_with_checks_on(parcels: Place) -> None:
    parcels.covcore("lcov")

    assert run_genhtml(parcels) == {"lines": (N_RUN, N_LINES), "functions": (10, 10), "branches": (29, 40)}


ODD = """\
def never(x):
    if x:
        return 1

def raises(x):
    if int(x):
        return 1
    return 2

def one(): return 1

class A:
    def method(self):
        def inner(): pass
        class B:
            def method(self): return 2
        return B

    @staticmethod
    def method(): return 3  # again
    def unused(self):
        "doc"
        for i in self:
            print(i)

def generator():
    while (yield):
        pass
next(generator())
A.method()
try:
    raises("no number")
except ValueError:
    pass
"""


@pytest.mark.once
def test_genhtml_takes_what_lcov_finds_odd_with_checks_on(place: Place) -> None:
    """Functions that were defined and never called; a line left by an exception before it had decided."""
    place.write("odd.py", ODD)
    place.covcore("run", "odd.py")
    place.covcore("lcov")

    file = read_lcov((place.folder / "coverage.lcov").read_text())["odd.py"]
    assert file["BRDA"][:2] == ["2,0,0,-", "2,0,1,-"]
    assert [it for it in file["BRDA"] if it.startswith("6,")] == ["6,0,0,0", "6,0,1,0", "6,e0,2,1"]
    totals = run_genhtml(place)
    assert totals["branches"] == (int(file["BRH"][0]), int(file["BRF"][0]))
    assert totals["functions"] == (int(file["FNH"][0]), int(file["FNF"][0]))


@pytest.mark.once
def test_genhtml_takes_a_single_context(place: Place) -> None:
    """What ran under it may be an inner function alone."""
    program = "import covcore\ndef outer():\n    def inner():\n        return 1\n    return inner\nf = outer()\n"
    place.write("m.py", program + "covcore.current().switch_context('inner')\nf()\n")
    place.covcore("run", "m.py")
    place.covcore("lcov", "--contexts=inner")

    assert run_genhtml(place)["functions"] == (2, 2)


# ---- hostile names

HOSTILE = [
    b'quote".py',
    b"it's.py",
    b"x<b>&amp;.py",
    b"]]>.py",
    b"-->.py",
    b"line\nbreak.py",
    b"x\nend_of_record\nSF:forged.py",
    b"x\nTOTAL 0 0 100%.py",
    b"return\r.py",
    b"tab\t.py",
    b"red\x1b[31m.py",
    b"title\x1b]0;x\x07.py",
    b"control\x01\x7f.py",
    "c1\x9b31m.py".encode(),
    b"latin\xff.py",
    "rtl\u202etxt.py".encode(),
    "isolate\u2066.py".encode(),
    "separator\u2028.py".encode(),
    "nonchar\uffff.py".encode(),
    "é漢😀.py".encode(),
    b"::error file=x,line=1::forged.py",
    b" ::warning::forged.py",
    b"##[error]forged.py",
    b"x##vso[task.setvariable variable=x]1.py",
    b"| pipe | `code` | <script> | [link](http:x).py",
    b"**bold** _it_ ~~no~~ \\.py",
    b"a,b.py",
    b"percent%0A%d{x}.py",
    b"# comment.py",
    b" lead and trail .py",
    b'","x":{"y":1},".py',
]
NAMES_OF_THEM = [os.fsdecode(name) for name in HOSTILE]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder of such files, all of which ran."""
    folder = tmp_path_factory.mktemp("hostile")
    place = Place(folder / "project", folder / "data")
    place.folder.mkdir()
    for name in HOSTILE:
        with open(os.fsencode(place.folder) + b"/" + name, "wb") as file:
            file.write(b"x = 1\nif x:\n    y = 2\n")
    program = "import os, runpy\nfor name in sorted(os.listdir(b'.')):\n    runpy.run_path(os.fsdecode(name))\n"
    done = place.covcore("run", "--source=.", "-c", program)
    assert (done.status, done.stderr) == (0, "")
    return place


def is_one_printable_line(text: str) -> bool:
    return text.removesuffix("\n").isprintable()


def test_hostile_names_in_json(hostile: Place) -> None:
    text = hostile.covcore("json", "-o", "-").stdout

    assert is_one_printable_line(text) and text.isascii()
    assert "##" not in text
    report = read_json(text)
    assert sorted(report["files"]) == sorted(NAMES_OF_THEM)
    assert {file["summary"]["num_branches"] for file in report["files"].values()} == {2}


def test_hostile_names_in_xml(hostile: Place) -> None:
    text = hostile.covcore("xml", "-o", "-").stdout

    assert all(line.lstrip("\t").isprintable() and line.isascii() for line in text.split("\n"))
    assert "##" not in text
    found = [it.get("filename") for it in read_xml(text).iter("class")]
    assert len(found) == len(HOSTILE)
    exactly = {name for name in NAMES_OF_THEM if not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\udc80-\udcff\uffff]", name)}
    assert exactly <= set(found)
    assert sorted(set(found) - exactly) == sorted(
        [
            r"control\x01" + "\x7f.py",
            r"latin\udcff.py",
            r"nonchar\uffff.py",
            r"red\x1b[31m.py",
            r"title\x1b]0;x\x07.py",
        ]
    )


def test_hostile_names_in_lcov(hostile: Place) -> None:
    done = hostile.covcore("lcov")
    assert done.status == 0
    text = (hostile.folder / "coverage.lcov").read_bytes().decode()

    assert all(line.isprintable() for line in text.split("\n"))
    files = read_lcov(text)
    assert len(files) == len(HOSTILE)
    assert all(file["DA"] == ["1,1", "2,1", "3,1"] for file in files.values())
    kept = {name for name in NAMES_OF_THEM if name.isprintable() and "##" not in name and "::" not in name}
    assert kept <= set(files)


def test_genhtml_takes_hostile_names(hostile: Place) -> None:
    """Those that the format cannot hold are escaped, and so name no file: genhtml is told to do without."""
    hostile.covcore("lcov", "-q")

    totals = run_genhtml(hostile, "--synthesize-missing", "--ignore-errors=source,path")

    assert totals["lines"] == (3 * len(HOSTILE),) * 2


def test_hostile_names_in_text(hostile: Place) -> None:
    lines = hostile.covcore("report", "-m").stdout.splitlines()

    assert len(lines) == len(HOSTILE) + 4
    assert all(line.isprintable() for line in lines)
    assert not any(line.lstrip().startswith("::") or re.search(r"##(\[|vso)", line) for line in lines)
    assert sum(line.startswith("TOTAL") for line in lines) == 1


def test_hostile_names_in_markdown(hostile: Place) -> None:
    from markdown_it import MarkdownIt

    text = hostile.covcore("report", "--format=markdown").stdout
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)

    assert sum(token.type == "tr_open" for token in tokens) == len(HOSTILE) + 2
    cells = [token for token in tokens if token.type == "inline"]
    kinds = Counter(child.type for cell in cells for child in cell.children or ())
    assert set(kinds) <= {"text", "text_special", "strong_open", "strong_close"}
    names = ["".join(child.content for child in cell.children or ()) for cell in cells[6:-6:6]]
    assert {name.strip() for name in names} >= {"**bold** _it_ ~~no~~ \\.py", "x<b>&amp;.py", 'quote".py', "a,b.py"}


def test_hostile_names_on_a_terminal(hostile: Place) -> None:
    from test_report import on_a_terminal

    shown = on_a_terminal(["report"], hostile.folder, {"COVCORE_DATA": str(hostile.data), "COLUMNS": "200"})

    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "\x1b[" in shown
    text = re.sub(r"\rcovcore: [^\r\n]*, \d+ s|\r +\r", "", text)  # what a slow machine is shown meanwhile
    assert all(line.isprintable() for line in text.replace("\r\n", "\n").split("\n"))
    assert r"red\x1b[31m.py" in text


# ---- beside coverage.py

LIBRARY = Path(sysconfig.get_path("stdlib"))
COUNTS_OF_EXCLUDED = {"excluded_lines"}  # docs/differences.md: lines-without-code


def coverage_json(place: Place, *program: str) -> Json:
    """coverage.py's own report of a program: its C tracer's, for what its default core on 3.14 takes for run is not exact."""
    coverage = [sys.executable, "-m", "coverage"]
    environment = {"COVERAGE_CORE": "ctrace", "COVERAGE_FILE": str(place.data.with_name("coverage"))}
    done = place.run(*coverage, "run", "--branch", *program, **environment)
    assert done.status == 0, done.stderr
    done = place.run(*coverage, "json", "-q", "-o", "theirs.json", **environment)
    assert done.status == 0, done.stderr
    return json.loads((place.folder / "theirs.json").read_text())


def unlike(theirs: Json, ours: Json, at: str = "") -> Iterator[str]:
    """Where a report of ours lacks a key of theirs, or has another value."""
    if isinstance(theirs, dict):
        for key, value in theirs.items():
            if key not in ours:
                yield f"{at}/{key}: missing"
            elif key not in COUNTS_OF_EXCLUDED:
                yield from unlike(value, ours[key], f"{at}/{key}")
    elif theirs != ours:
        yield f"{at}: {theirs} is {ours}"


def figures_of_json(file: Json, excluded: set[int]) -> Figures:
    """Args:
    file: of a report.
    excluded: statements; coverage.py's lists of them hold other lines too.
    """
    taken, missed = ({tuple(it) for it in file[f"{which}_branches"]} for which in ("executed", "missing"))
    missing = set(file["missing_lines"])
    return Figures({*file["executed_lines"]} | missing, excluded, missing, taken | missed, missed)


def test_json_beside_coverage_py_on_the_example(parcels: Place) -> None:
    theirs = coverage_json(parcels, "--source=parcels", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    parcels.covcore("run", "--source=parcels", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    ours = read_json(parcels.covcore("json", "-o", "-").stdout)

    assert theirs["meta"].keys() <= ours["meta"].keys()
    assert theirs["meta"]["format"] == ours["meta"]["format"]
    assert list(unlike({**theirs, "meta": {}}, ours)) == []


def test_json_beside_coverage_py_on_modules_of_the_standard_library(place: Place) -> None:
    """Files of which all lines and branches are alike have all else alike; the rest differ by known classes."""
    # What coverage.py itself imports some of the modules ask for in sys.modules.
    program = (
        "import sys, typing\nsys.path.insert(0, sys.argv[1])\nfrom exercises import EXERCISES\nimport importlib\n"
        + (
            "for name, exercise in EXERCISES.items():\n"
            "    exercise(importlib.import_module('copy_of_' + name.replace('/', '_')))\n"
        )
    )
    from exercises import EXERCISES

    for name in EXERCISES:
        place.write(f"copy_of_{name.replace('/', '_')}.py", (LIBRARY / f"{name}.py").read_bytes())
    place.write("program.py", program)
    theirs = coverage_json(place, "--source=.", "program.py", str(ROOT / "tests"))
    assert place.covcore("run", "--source=.", "program.py", str(ROOT / "tests")).status == 0
    ours = read_json(place.covcore("json", "-o", "-").stdout)

    assert theirs["files"].keys() == ours["files"].keys()
    n_alike = 0
    for name, file in theirs["files"].items():
        text = (place.folder / name).read_text()
        its = ours["files"][name]
        excluded = set(of_parser(text).excluded)
        pair = Pair(text, figures_of_json(file, excluded), figures_of_json(its, set(its["excluded_lines"])))
        assert unexplained(pair) == [], name
        if not differences(pair):
            assert list(unlike(file, ours["files"][name])) == [], name
            n_alike += 1
        else:
            assert not [it for it in unlike(file, ours["files"][name]) if it.endswith("missing")]
    assert n_alike > len(theirs["files"]) / 2
    assert len(theirs["files"]) == len(EXERCISES) + 1


REGIONS = """\
import sys
def twice(): return 1
def twice():
    if len(sys.argv) > 5:
        return 3
    return 2
class A:
    x = 1
    def method(self):
        def inner():
            return 1
        class B:
            y = 2
            def deep(self): return self.y
        if self.x:  # pragma: no branch
            return B().deep()
    @staticmethod
    def other(): pass
    class C:
        def method(self):
            return [i for i in range(3) if i > 1]
        if x_is_not_here if False else True:
            def conditional(self): ...
def unused():  # pragma: no cover
    return 1
class A:
    def method(self):
        return lambda: 4
twice()
A().method()
A.method(1)
class A: pass
class D: z = 1; w = 2
for name in ():
    def in_loop():
        return 1
try:
    def in_try(): return 1
finally:
    async def in_finally():
        async for x in y:
            pass
"""


def test_functions_and_classes_beside_coverage_py(place: Place) -> None:
    place.write("m.py", REGIONS)
    theirs = coverage_json(place, "m.py")["files"]["m.py"]
    place.covcore("run", "m.py")
    ours = read_json(place.covcore("json", "-o", "-").stdout)["files"]["m.py"]

    assert theirs["functions"].keys() == ours["functions"].keys()
    assert theirs["classes"].keys() == ours["classes"].keys()
    assert list(unlike(theirs, ours)) == []


# ---- the file


@pytest.mark.parametrize("name", ["json", "xml", "lcov"])
class TestWriting:
    def test_a_report_that_fails_leaves_the_old_one(self, parcels: Place, name: str) -> None:
        old = parcels.write("kept", "old")
        damaged = parcels.write("damaged", parcels.data.read_bytes()[:5000])

        done = parcels.covcore(name, f"--data={damaged}", "-o", "kept")

        assert done.status == 1 and done.stderr.startswith("covcore: error: ")
        assert old.read_text() == "old"

    def test_a_report_that_is_interrupted_leaves_the_old_one(self, parcels: Place, name: str) -> None:
        old = parcels.write("kept", "old")
        interrupt = "import signal\nfrom covcore.report import output\nwrite = output.write_pieces\n"
        interrupt += (
            "def half(file, pieces):\n    write(file, [next(iter(pieces))])\n    signal.raise_signal(signal.SIGINT)\n"
        )
        program = f"{interrupt}output.write_pieces = half\nfrom covcore.cli import main\nmain(['{name}', '-o', 'kept'])"

        parcels.python("-c", program)

        assert old.read_text() == "old"
        assert not list(parcels.folder.glob("*.tmp"))

    def test_permissions_and_links_stay(self, parcels: Place, name: str) -> None:
        old = parcels.write("kept", "old")
        old.chmod(0o640)
        (parcels.folder / "link").unlink(missing_ok=True)
        (parcels.folder / "link").symlink_to("kept")

        assert parcels.covcore(name, "-q", "-o", "link").stderr == ""

        assert (parcels.folder / "link").is_symlink()
        assert old.stat().st_mode & 0o777 == 0o640
        assert len(old.read_text()) > 1000

    def test_devices_are_written_and_not_replaced(self, parcels: Place, name: str) -> None:
        pipe = parcels.folder / f"pipe.{name}"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)

        assert parcels.covcore(name, "-o", pipe).status == 0

        text, _ = reader.communicate(timeout=30)
        assert len(text) > 1000
        assert pipe.is_fifo()

    def test_folders_are_made(self, parcels: Place, name: str) -> None:
        assert parcels.covcore(name, "-o", f"a/{name}/c").status == 0
        assert (parcels.folder / "a" / name / "c").stat().st_size > 1000

    def test_a_place_that_cannot_be_written(self, parcels: Place, name: str) -> None:
        done = parcels.covcore(name, "-o", "parcels/price.py/x")

        assert done.status == 1
        assert re.fullmatch(r"covcore: error: cannot write \S+/price.py/x: .+: -o names another file\n", done.stderr)

    def test_filters(self, parcels: Place, name: str) -> None:
        text = parcels.covcore(name, "-o", "-", "--include=parcels/p*", "--omit=*/price.py").stdout
        assert "parcel.py" in text and "price.py" not in text and "__main__" not in text
        assert "__init__" in parcels.covcore(name, "-o", "-").stdout
        assert "__init__" not in parcels.covcore(name, "-o", "-", "--skip-empty").stdout
        assert "__init__" not in parcels.covcore(name, "-o", "-", "--skip-covered").stdout

    def test_a_reader_that_has_seen_enough(self, parcels: Place, name: str) -> None:
        command = f"'{sys.executable}' -m covcore {name} -o - | head -c 10"
        done = parcels.run("sh", "-c", command)

        assert (done.status, done.stderr, len(done.stdout)) == (0, "", 10)


# ---- for build servers

ANNOTATION = re.compile(r"::(warning|notice) file=([^,:\r\n]+),line=(\d+),endLine=(\d+),title=([^,:\r\n]+)::([^\r\n]+)")
LIMITS = {  # that small programs do not reach
    "MOST": "covcore.report.github",
    "SUMMARY_BYTES": "covcore.report.github",
    "PART_BYTES": "covcore.report.gitlab",
}


def with_limit(place: Place, name: str, value: int, *arguments: str, **environment: str) -> Outcome:
    """Run the command with another limit."""
    program = f"import {LIMITS[name]} as it, sys; it.{name} = {value}; from covcore.cli import main; sys.exit(main())"
    return place.python("-c", program, *arguments, **environment)


def read_github(text: str) -> tuple[str, list[re.Match[str]]]:
    """What the total's notice says, and the annotations."""
    notice, *lines = text.removesuffix("\n").split("\n")
    found = [match for line in lines if (match := ANNOTATION.fullmatch(line))]
    assert len(found) == len(lines), text
    assert notice.startswith("::notice title=Coverage::")
    return notice.rpartition("::")[2], found


def test_github(parcels: Place) -> None:
    done = parcels.covcore("report", "--format=github", "--show-excluded")

    total, found = read_github(done.stdout)
    assert total == "80%25 of statements and branches ran"
    assert [it.group(1, 2, 3, 4, 5) for it in found[:3]] == [
        ("warning", "parcels/parcel.py", "37", "40", "Never ran"),
        ("warning", "parcels/__main__.py", "12", "14", "Never ran"),
        ("warning", "parcels/price.py", "51", "54", "Never ran"),
    ]
    assert [it.group(1, 6) for it in found if it[2] == "parcels/__main__.py"] == [
        ("warning", "lines 12 to 14 never ran"),
        ("warning", "line 18 never ran"),
        ("warning", "line 23 never ran"),
        ("notice", "line 17 never led to line 18"),
        ("notice", "line 22 never led to line 23"),
    ]


def test_github_shows_the_worst_of_many(parcels: Place) -> None:
    _, all_of_them = read_github(parcels.covcore("report", "--format=github").stdout)
    total, found = read_github(with_limit(parcels, "MOST", 2, "report", "--format=github").stdout)

    assert [it[1] for it in found] == ["warning", "warning", "notice"]  # and the total's
    assert [it[6] for it in found[:2]] == [it[6] for it in all_of_them[:2]]
    assert total == f"80%25 of statements and branches ran; {len(all_of_them) - 3} more places are not annotated"


def test_the_summary_of_a_job(parcels: Place) -> None:
    """It is added to what the step has said, the worst file first; what has none of its lines missing is left out."""
    path = parcels.write("summary.md", "before\n")
    parcels.covcore("report", "--format=github", GITHUB_STEP_SUMMARY=str(path))

    before, title, _, head, _, *rows, total, _, _ = path.read_text().split("\n")
    assert (before, title) == ("before", "### Coverage: 80%")
    assert head == "| Name | Stmts | Miss | Branch | BrPart | Cover | Missing |"
    assert [row.split(" | ")[0] for row in rows] == [
        "| parcels/price.py",
        "| parcels/parcel.py",
        r"| parcels/\_\_main\_\_.py",
    ]
    assert total.startswith(f"| **TOTAL** | **{N_LINES}** | **15** | ")


def test_a_summary_that_would_be_too_long(parcels: Place) -> None:
    path = parcels.folder / "short.md"
    path.unlink(missing_ok=True)
    done = with_limit(parcels, "SUMMARY_BYTES", 320, "report", "--format=github", GITHUB_STEP_SUMMARY=str(path))

    assert done.status == 0 and path.stat().st_size <= 320
    assert "price.py" in path.read_text() and "parcel.py" not in path.read_text()
    assert "| **TOTAL** | " in path.read_text() and path.read_text().endswith("\nAnd 2 more files.\n\n")


def test_a_summary_that_cannot_be_written(parcels: Place) -> None:
    done = parcels.covcore("report", "--format=github", GITHUB_STEP_SUMMARY=str(parcels.folder))

    assert done.status == 0 and read_github(done.stdout)[1]
    assert done.stderr.startswith(f"covcore: warning: no summary: cannot write {parcels.folder}")


def test_hostile_names_in_annotations(hostile: Place) -> None:
    """Each has one: `if x` never led out of the module; what GitHub decodes is the name, or what of it prints."""
    _, found = read_github(with_limit(hostile, "MOST", 100, "report", "--format=github").stdout)

    names = [it[2] for it in found]
    for code, character in ("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%"):
        names = [name.replace(code, character) for name in names]
    assert len(names) == len(HOSTILE)
    assert {name for name in NAMES_OF_THEM if name.replace("\n", "").replace("\r", "").isprintable()} <= set(names)
    assert {it[6] for it in found} == {"line 2 never led out of its function or module"}


def of_gitlab(place: Place, stem: str) -> tuple[dict[str, int], list[Path]]:
    """File -> how many of its lines ran, of all parts; and their paths."""
    paths = sorted(place.folder.glob(f"{stem}-*.xml"))
    hits: dict[str, int] = {}
    for path in paths:
        report = read_xml(path.read_text())
        assert [source.text for source in report.iter("source")] == [str(place.folder)]
        for one in report.iter("class"):
            assert one.attrib["filename"] not in hits
            hits[one.attrib["filename"]] = sum(line.attrib["hits"] == "1" for line in one.iter("line"))
        assert int(report.attrib["lines-covered"]) == sum(line.attrib["hits"] == "1" for line in report.iter("line"))
    return hits, paths


def test_gitlab(parcels: Place) -> None:
    done = parcels.covcore("report", "--format=gitlab", CI_PROJECT_DIR=str(parcels.folder))

    assert (done.status, done.stdout) == (0, "TOTAL 80%\n")
    whole, paths = of_gitlab(parcels, "coverage-gitlab")
    assert [path.name for path in paths] == ["coverage-gitlab-1.xml"]
    files = read_json(parcels.covcore("json", "-o", "-").stdout)["files"]
    assert whole == {name: len(file["executed_lines"]) for name, file in files.items()}

    limit = paths[0].stat().st_size // 2
    with_limit(parcels, "PART_BYTES", limit, "report", "--format=gitlab", "-o", "parts/x.xml")
    found, paths = of_gitlab(parcels, "parts/x")
    assert found == whole and [path.name for path in paths] == ["x-1.xml", "x-2.xml", "x-3.xml"]
    assert max(path.stat().st_size for path in paths) <= limit

    paths[2].write_text("<mine/>")  # the second part is ours, and a report in one part has none
    parcels.covcore("report", "--format=gitlab", "-o", "parts/x.xml")
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["x-1.xml", "x-3.xml"]


def test_gitlab_below_the_folder_of_the_project(place: Place) -> None:
    place.write("project/a.py", "x = 1\n")
    inner = Place(place.folder / "project", place.data)
    inner.covcore("run", "a.py")
    inner.covcore("report", "--format=gitlab", CI_PROJECT_DIR=str(place.folder))

    report = read_xml((inner.folder / "coverage-gitlab-1.xml").read_text())
    assert [one.attrib["filename"] for one in report.iter("class")] == ["project/a.py"]
    assert [source.text for source in report.iter("source")] == [str(place.folder)]


@pytest.mark.parametrize(("precision", "text"), [("0", "80%"), ("2", r"80\.\d\d%")])
def test_badge(precision: str, text: str, parcels: Place) -> None:
    parcels.covcore("report", "--format=badge", "-o", "badge.svg", f"--precision={precision}")

    image = etree.fromstring((parcels.folder / "badge.svg").read_bytes())
    said = [it.text for it in image.iter("{*}title", "{*}text")]
    assert re.fullmatch(f"coverage: {text}", said[0]) and said[1:] == ["coverage", said[0].removeprefix("coverage: ")]
    assert image.attrib["role"] == "img" and image.attrib["aria-label"] == said[0]
    assert "http" not in etree.tostring(image, encoding="unicode").replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_a_report_in_a_file(parcels: Place) -> None:
    for name in "text", "github":
        shown = parcels.covcore("report", f"--format={name}").stdout
        done = parcels.covcore("report", f"--format={name}", "-o", "out/report")
        assert (done.status, done.stdout, (parcels.folder / "out/report").read_text()) == (0, "", shown)
