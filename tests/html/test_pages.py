"""`covcore html`: the pages as they are without scripts, and which files are written anew."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import lxml.html
import pytest
from conftest import Place
from pygments.lexers.python import PythonLexer

from covcore.analysis.figures import Figures
from covcore.html.data import as_script
from covcore.html.highlight import colours
from covcore.html.index import Entry, index_data
from covcore.html.lexer import PageLexer
from covcore.html.report import page_name

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """\
def sign(n):
    if n > 0:
        return 1
    for _ in range(n):
        pass
    return 0


def never():  # pragma: no cover
    return 2


print(sign(1) and sign(
    2))
"""
TESTS = """\
from program import sign

def test_one():
    assert sign(1) == 1

def test_zero():
    assert sign(0) == 0
"""


@pytest.fixture
def report(place: Place) -> Place:
    """A place with a report of PROGRAM in htmlcov."""
    place.write("program.py", PROGRAM)
    assert place.covcore("run", "program.py").status == 0
    outcome = place.covcore("html")
    assert (outcome.status, outcome.stdout) == (0, "htmlcov/index.html\n"), outcome.stderr
    return place


def pages(place: Place) -> dict[str, lxml.html.HtmlElement]:
    """The pages of files by their headings."""
    found = {}
    for path in (place.folder / "htmlcov" / "files").iterdir():
        page = lxml.html.fromstring(path.read_text())
        found[page.findtext(".//h1/bdi")] = page
    return found


def text(element: lxml.html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def test_a_page_has_the_source_and_the_state_of_each_line(report: Place) -> None:
    page = pages(report)["program.py"]
    rows = page.findall(".//table[@class='source']/tbody/tr")
    assert [row.findtext(".//code") is not None for row in rows] == [True] * 14
    assert "\n".join(row.find(".//code").text_content() for row in rows) == PROGRAM.rstrip("\n")
    states = {int(row.get("id")[1:]): row.get("class") for row in rows}
    assert states[1] == "run"
    assert states[2] == "part"
    assert states[3] == "run"
    assert states[4] == states[6] == "miss"
    assert states[7] is None
    assert states[9] == states[10] == "excl"
    assert (states[13], states[14]) == ("run", "run more")


def test_states_do_not_rest_on_colour_alone(report: Place) -> None:
    page = pages(report)["program.py"]
    signs = {
        row.get("class"): (row[1].text, row[1].get("aria-label")) for row in page.findall(".//tbody/tr") if row[1].text
    }
    assert signs == {
        "run": ("✓", "ran"),
        "part": ("◐", "ran in part"),
        "miss": ("✗", "never ran"),
        "excl": ("⊘", "excluded"),
    }


def test_a_branch_says_where_it_leads_and_why_it_was_not_taken(report: Place) -> None:
    page = pages(report)["program.py"]
    ways = [(way.get("href"), way.get("class"), text(way)) for way in page.findall(".//td/a[@class]")]
    assert ways == [
        ("#L3", "way", "→ 3"),
        ("#L4", "way no", "→ 4 never taken: n > 0 was never false"),
        ("#L5", "way no", "→ 5 never taken: the loop over range(n) was never entered"),
        ("#L6", "way no", "→ 6 never taken: the loop over range(n) never ran to its end"),
    ]


def test_an_excluded_line_names_its_rule(report: Place) -> None:
    page = pages(report)["program.py"]
    notes = [text(note) for note in page.findall(".//span[@class='note']")]
    assert len(notes) == 1
    assert notes[0].startswith("excluded by ") and "(?:pragma|PRAGMA)" in notes[0]


def test_an_operand_is_marked_where_it_stands(place: Place) -> None:
    place.write("program.py", "a, é = 1, 0\nif 'ü' and (a or é):\n    print(a)\nx = [n for n in 'ab' if n > 'a']\n")
    place.covcore("run", "program.py")
    place.covcore("html")
    page = pages(place)["program.py"]
    chips = {chip.get("data-c"): text(chip) for chip in page.findall(".//span[@data-c]")}
    marked: dict[str, str] = {}
    for span in page.findall(".//u[@data-c]"):
        marked[span.get("data-c")] = marked.get(span.get("data-c"), "") + span.text_content()
    assert set(marked.values()) == {"a", "é", "'ab'", "n > 'a'"}
    assert {marked[number]: chips[number] for number in chips} == {
        "a": "a never false",
        "é": "é never evaluated",
    }


def test_colours_are_those_of_pygments_in_few_elements(place: Place) -> None:
    """A word has its own, also within a template string; what only blanks part is one element, plain text is in none."""
    source = "'''Two\n\n  lines'''\ndef né(x):  # é\n    return x not in f\"{x} %s\" and match, None, 0x1f, len\n"
    place.write("program.py", source)
    place.covcore("run", "program.py")
    place.covcore("html")
    rows = pages(place)["program.py"].findall(".//table[@class='source']/tbody/tr")
    assert [[(it.get("class"), it.text) for it in row.iter("i")] for row in rows] == [
        [("c", "\'\'\'Two")],
        [],
        [("c", "  lines\'\'\'")],
        [("k", "def"), ("f", "né"), ("c", "# é")],
        [("k", "return"), ("k", "not in"), ("s", 'f"{'), ("s", '} %s"'), ("k", "and"), ("b", "None"), ("n", "0x1f"), ("b", "len")],
    ]  # fmt: skip
    assert "\n".join(row.find(".//code").text_content() for row in rows) == source.rstrip("\n")


def test_colours_are_those_of_pygments_own_lexer() -> None:
    """Ours only takes what has no colour in longer pieces: of this project's sources, and of what is read in more than one way."""
    sources = [path.read_text() for folder in ("covcore", "plugin") for path in (ROOT / folder).rglob("*.py")]
    for text in (HARD_TO_READ, *sources):
        found, expected = (list(colours(it.get_tokens_unprocessed(text))) for it in (PageLexer(), PythonLexer()))
        differing = [
            line for line, *spans in zip(text.split("\n"), found, expected, strict=True) if spans[0] != spans[1]
        ]
        assert not differing


HARD_TO_READ = '''\
"""Doc"""
import os.path as p, x ; from . import (y as in_)
class C(metaclass=type):
   \t
    r"""A docstring
    in two""" ; 'no' """docstring"""
    @property
    async def match(self, case: int = -1, *args, _=None) -> list[str]:
        match = case .real if case!=0xff else 1.e5 + .5 + 1_0 + 0o17 + 1if x else(2 or 3.25j)
        match match:
            case [_, *_] | C(_=_) if not match in _: return lambda x, /: x @ y
            case {"a": None, **rest}: raise ValueError from None
        x.format.print.in_ = __name__ , super().__init__, ...
        return f"{x!r:>{width}} {{ {x=}" rb'\\x00' '%s %(a)d {0}' Rb"", fr'{x}''x', u'', bu, type.type
    type X[T] = dict[T, not_]; print (é, né, in·, a·in, ªa) ; self.cls = cls . self
    async with a as b, c: yield from d; await(e); x = yield; nonlocal isx, notx; del(x)
\tlazy = lazy.lazy ; defx = classx = fromx = importx = a\\
    .if_ ; "a \\
    b"; x:=1; x**=-1; x<<=~1;  \x0c  pass #!/x # y

lazy import z
if __debug__:exit  # "quote'
'''


def test_the_index_lists_each_file_with_its_figures(report: Place) -> None:
    index = lxml.html.fromstring((report.folder / "htmlcov/index.html").read_text())
    [row] = index.findall(".//tbody/tr")
    cells = [text(cell) for cell in row]
    assert cells == ["program.py", "7", "3", "4", "3", "4", "2", "45%"]
    href = row.find(".//a").get("href")
    assert (report.folder / "htmlcov" / href).is_file()


def test_only_what_has_changed_is_written(report: Place) -> None:
    folder = report.folder / "htmlcov"
    old = folder / "static" / "report.css"

    def times() -> dict[Path, int]:
        return {path: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}

    before = times()
    report.covcore("html")
    assert times() == before
    report.write("other.py", "import program\n")
    report.covcore("run", "--append", "other.py")
    report.covcore("html")
    after = times()
    assert after[old] == before[old]
    changed = {path.name for path in after if before.get(path) != after[path]}
    assert {"index.html", "index.js", "status.json"} <= changed
    assert len(list((folder / "files").iterdir())) == 2
    report.covcore("html", "--omit=other.py")
    assert len(list((folder / "files").iterdir())) == 1
    assert len([path for path in (folder / "data").iterdir() if len(path.stem) == 16]) == 1


def test_a_status_file_names_no_other_file(report: Place) -> None:
    """What it lists is removed if it is no longer in the report: but nothing outside of the folder."""
    victim = report.write("victim.html", "")
    status = report.folder / "htmlcov" / "status.json"
    status.write_text('{"format": 1, "pages": {"../../victim": "x", "0123456789abcdef": "y", "../../../x": 3}}')
    assert report.covcore("html").status == 0
    assert victim.exists()


def test_a_folder_that_cannot_be_written_is_said(report: Place) -> None:
    report.write("file", "")
    outcome = report.covcore("html", "-d", "file")
    assert outcome.status == 1
    assert outcome.stderr.startswith("covcore: error: cannot write ")
    assert "-d names another folder" in outcome.stderr


def test_thresholds_hold(report: Place) -> None:
    assert report.covcore("html", "--fail-under=80").status == 2


@pytest.mark.parametrize("name", ["a<b>.py", 'q"uote.py', "{{x}}.py", "\u202e.py", "new\nline.py"])
def test_no_name_becomes_markup(place: Place, name: str) -> None:
    place.write(name, "'</script><script>alert(1)</script>'\nx = '<img src=x onerror=alert(1)>' # \u202e \x01\n")
    assert place.covcore("run", f"./{name}").status == 0
    assert place.covcore("html").status == 0
    for path in (place.folder / "htmlcov").rglob("*.html"):
        page = lxml.html.fromstring(path.read_text())
        assert {script.get("src") is not None for script in page.findall(".//script")} == {True}
        assert not page.findall(".//img")
        assert "\u202e" not in path.read_text() and "\x01" not in path.read_text()
        assert os.path.commonpath([path, place.folder])


def test_one_file_has_it_all(report: Place) -> None:
    report.write("other.py", "import program\n")
    report.covcore("run", "--append", "other.py")
    outcome = report.covcore("html", "--single-file", "out/one.html")
    assert (outcome.status, outcome.stdout) == (0, "out/one.html\n")
    page = lxml.html.fromstring((report.folder / "out/one.html").read_text())
    assert [section.findtext(".//h1/bdi") for section in page.findall(".//section[@class='file']")] == [
        "other.py",
        "program.py",
    ]
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = {a.get("href")[1:] for a in page.iter("a")}
    assert links <= set(ids)


def test_the_policy_of_one_file_names_each_script(report: Place) -> None:
    """And nothing else: no data is a script."""
    report.covcore("html", "--single-file", "one.html")
    page = lxml.html.fromstring((report.folder / "one.html").read_text())
    policy = page.find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    scripts = [script for script in page.iter("script") if script.get("type") != "application/json"]
    texts = [script.text for script in scripts] + [style.text for style in page.iter("style")]
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
    assert set(re.findall("'sha256-([^']+)'", policy)) == hashes
    assert "unsafe" not in policy and "'self'" not in policy


def test_a_report_on_standard_output_is_nothing_else(report: Place) -> None:
    outcome = report.covcore("html", "--single-file=-")
    assert outcome.stdout.startswith("<!DOCTYPE html>") and outcome.stdout.rstrip().endswith("</html>")


def test_a_baseline_marks_what_has_changed(place: Place) -> None:
    place.write("program.py", "import sys\nif len(sys.argv) > 1:\n    print('more')\nelse:\n    print('less')\n")
    place.covcore("run", "--data=before", "program.py", "x")
    place.covcore("run", "program.py")
    assert place.covcore("html", "--baseline=before").status == 0
    page = pages(place)["program.py"]
    rows = {int(row.get("id")[1:]): row.get("data-change") for row in page.findall(".//tbody/tr")}
    assert rows == {1: None, 2: None, 3: "lost", 4: None, 5: "gained"}
    assert [text(it) for it in page.findall(".//em[@class='state']")] == ["lost", "gained"]
    ways = {way.get("href"): way.get("data-change") for way in page.findall(".//td/a[@class]")}
    assert ways == {"#L3": "lost", "#L5": "gained"}
    data = (place.folder / "htmlcov/data/index.js").read_text()
    assert '"counts":{"new-uncovered":[0],"lost":[2],"gained":[2],"new":[0]}' in data


def test_a_baseline_that_is_not_there_is_said(report: Place) -> None:
    outcome = report.covcore("html", "--baseline=nowhere")
    assert outcome.status == 1
    assert outcome.stderr.startswith("covcore: error: no data at ")


def test_the_plugin_writes_pages(place: Place) -> None:
    place.write("program.py", PROGRAM)
    place.write("test_program.py", TESTS)
    outcome = place.python("-m", "pytest", "-q", "--covcore=program", "--covcore-report=html:out/pages")
    assert outcome.status == 0, outcome.stdout
    assert "wrote HTML report to out/pages/index.html" in outcome.stdout
    [page] = (place.folder / "out/pages/files").iterdir()
    rows = lxml.html.fromstring(page.read_text()).findall(".//tbody/tr")
    n_tests = {int(row.get("id")[1:]): row.findtext(".//button") for row in rows}
    assert (n_tests[1], n_tests[2], n_tests[3], n_tests[4]) == ("1", "3", "2", "1")


def test_progress_counts_the_pages_of_all_processes(place: Place) -> None:
    """On a terminal, up to the last page."""
    names = [f"module{number}" for number in range(9)]
    for name in names:
        place.write(f"{name}.py", "x = 1\n")
    place.write("program.py", f"import {', '.join(names)}\n")
    assert place.covcore("run", "program.py").status == 0
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "covcore", "html", f"--data={place.data}"]
    subprocess.run(
        command,
        cwd=place.folder,
        stderr=theirs,
        env={**place.environment, "TERM": "xterm", "COLUMNS": "80"},
        check=True,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert b"10/10" in shown


def test_ten_thousand_files_need_little() -> None:
    """Of data for the index."""
    figures = Figures(400, 123, 10, 120, 45, 30, 240, 67)
    names = [
        f"src/package{number % 37:02}/part{number % 411:03}/some_module_{number:05}.py" for number in range(10_000)
    ]
    entries = [Entry(f"/{name}", name, page_name(name), figures) for name in sorted(names)]
    assert len(as_script("index", index_data(entries, "title", 0, 0, [], {}))) < 2_000_000


def test_nothing_of_it_is_shown_where_nobody_looks(report: Place) -> None:
    outcome = report.covcore("html", "--quiet")
    assert (outcome.stdout, outcome.stderr) == ("", "")
