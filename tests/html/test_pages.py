"""`covcore html`: the pages as they are without scripts, and which files are written anew."""

from __future__ import annotations

import os
from pathlib import Path

import lxml.html
import pytest
from conftest import Place

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
