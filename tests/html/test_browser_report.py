"""The report in a browser: keys, filters, links, and the choice of tests, of which all figures are held against the other reports."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import (
    NAMES,
    address,
    assert_lists,
    assert_shows,
    at,
    axe_problems,
    counter,
    of_summary,
    opened,
    page_of,
    ready,
    report_of,
    totals,
    url_of,
    watched_page,
)
from conftest import Place
from playwright.sync_api import Browser, Page, expect

from covcore.analysis.figures import Figures, display
from covcore.html.data import as_script
from covcore.html.index import Entry, index_data


@pytest.fixture
def index(parcels: Place, browser: Browser) -> Iterator[Page]:
    with watched_page(browser, url_of(parcels)) as page:
        yield ready(page)


def rows(page: Page) -> list[str]:
    """The first column of the index."""
    return page.eval_on_selector_all("tbody th .name", "cells => cells.map(it => it.querySelector('bdi').textContent)")


# ---- the page of a file


def test_from_one_uncovered_place_to_the_next(parcels: Place, index: Page) -> None:
    """Each stretch of missing lines, and each line with a branch that was never taken, is met once on the way there and back."""
    file = report_of(parcels)["files"]["parcels/price.py"]
    missing = file["missing_lines"]
    stretches = [25, 37, 51]
    partial = [line for line in dict.fromkeys(start for start, _ in file["missing_branches"]) if line not in missing]
    assert set(stretches) <= set(missing)
    page = opened(index, "parcels/price.py")

    for stops, there, back, word in (stretches, "j", "k", "uncovered"), (partial, "b", "B", "partial"):
        page.evaluate(
            "new Promise(met => { addEventListener('hashchange', met, {once: true}); location.hash = '#L1'; })"
        )
        for keys, met in ((there, stops), (back, stops[-2::-1])):
            for line in met:
                page.keyboard.press(keys)
                assert (at(page), counter(page)) == (f"L{line}", f"{stops.index(line) + 1}/{len(stops)} {word}")
                assert address(page).endswith(f"#L{line}")
                assert page.is_visible(f"#L{line} code")


def test_keys_of_a_page(parcels: Place, index: Page) -> None:
    page = opened(index, "parcels/parcel.py")
    assert page.inner_text("h1") == "parcels/parcel.py"

    page.keyboard.press("]")
    expect(page.locator("h1")).to_have_text("parcels/price.py")
    ready(page).keyboard.press("[")
    expect(page.locator("h1")).to_have_text("parcels/parcel.py")
    ready(page).keyboard.press("/")
    page.keyboard.type("girth")
    page.keyboard.press("Enter")
    found = [
        int(row.removeprefix("L")) for row in page.eval_on_selector_all("tr.found", "rows => rows.map(it => it.id)")
    ]
    source = (parcels.folder / "parcels" / "parcel.py").read_text().split("\n")
    assert found == [number for number, line in enumerate(source, 1) if "girth" in line]
    assert at(page) == f"L{found[0]}"
    page.keyboard.press("Escape")
    assert page.query_selector("tr.found") is None

    page.keyboard.press("?")
    assert page.is_visible("dialog[open]")
    told = dict(zip(page.locator("dt").all_inner_texts(), page.locator("dd").all_inner_texts(), strict=True))
    assert {"j", "k", "b", "B", "[", "]", "u", "/", "?", "t"} <= told.keys() and all(told.values())
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()

    page.keyboard.press("u")
    page.wait_for_url("**/index.html*")


def test_a_branch_leads_to_its_line(index: Page) -> None:
    page = opened(index, "parcels/price.py")
    way = page.locator("#L22 .way.no")
    assert way.inner_text().startswith("→ 25 never taken: the loop over STEPS never ran to its end")

    way.hover()
    assert page.get_attribute("tr.to", "id") == "L25" and page.locator("svg.arrows path").count() == 2
    way.click()

    assert at(page) == "L25" and address(page).endswith("#B22-25")


# ---- the index


def test_the_tree_by_keys(index: Page) -> None:
    page = index
    assert rows(page) == ["parcels/", *(name.removeprefix("parcels/") for name in NAMES)]
    page.focus("tbody tr[tabindex='0']")
    page.keyboard.press("ArrowLeft")
    assert rows(page) == ["parcels/"]
    assert page.get_attribute("tr.folder", "aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_url("**/files/*")
    assert ready(page).inner_text("h1") == "parcels/price.py"


def test_filters_and_orders(parcels: Place, index: Page) -> None:
    page = index
    files = report_of(parcels)["files"]
    page.keyboard.press("f")
    assert rows(page) == NAMES

    page.keyboard.press("w")
    worst = sorted(
        files, key=lambda name: -sum(files[name]["summary"][f"missing_{what}"] for what in ("lines", "branches"))
    )
    assert rows(page) == worst
    assert "sort=worst" in address(page) and "by=flat" in address(page)

    page.keyboard.press("/")
    page.keyboard.type("PAR")
    page.keyboard.press("Escape")
    page.fill("input[type=search]", "price")
    assert rows(page) == ["parcels/price.py"]
    page.fill("input[type=search]", "")

    page.select_option("select", label="with anything missing")
    assert rows(page) == [name for name in worst if name != "parcels/__init__.py"]
    page.fill("input[type=search]", "__init__")
    assert rows(page) == [] and page.is_visible(".empty")


def test_a_tall_window_is_filled_at_once(parcels: Place, browser: Browser) -> None:
    """With rows of the index, of which only those in sight are there."""
    with watched_page(browser, url_of(parcels, "#by=functions"), viewport={"width": 1280, "height": 2000}) as page:
        functions = [part for file in report_of(parcels)["files"].values() for part in file["functions"].values()]
        assert len(rows(ready(page))) == sum(part["summary"]["num_statements"] > 0 for part in functions) > 22


def test_functions_and_classes(parcels: Place, index: Page) -> None:
    page = index
    files = report_of(parcels)["files"]
    for kind in "functions", "classes":
        page.click(f"text='{kind.capitalize()}'")
        expected = {
            (name or "(module)", path): (part["summary"]["missing_lines"], part["summary"]["missing_branches"])
            for path, file in files.items()
            for name, part in file[kind].items()
            if part["summary"]["num_statements"]
        }
        expect(page.locator("thead th >> nth=1")).to_have_text("File")
        expect(page.locator("tbody tr:not([aria-hidden])")).to_have_count(len(expected))
        found = page.eval_on_selector_all(
            "tbody tr:not([aria-hidden])", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        assert {(cells[0], cells[1]): (int(cells[3]), int(cells[5])) for cells in found} == expected


# ---- the choice of tests

GLOBS = [
    "*::test_price*",
    "*test_parcel.py::*",
    "*zone?FR-1*",
    "*::test_main",
    "*",
    "*nothing*",
    "*odd.py::test_[!b]*",
    "*both?[013]*",
    "*leave_stuck",
    "*leave_through",
    "*unpacked",
]


@pytest.mark.parametrize("glob", GLOBS)
def test_chosen_tests_make_the_figures_of_a_report_on_them(glob: str, parcels: Place, browser: Browser) -> None:
    """Totals, each file, and each line, branch and condition are those of `--contexts`."""
    report = report_of(parcels, f"--contexts={glob}")

    with watched_page(browser, url_of(parcels, f"#by=flat&glob={glob}")) as page:
        assert totals(ready(page)) == of_summary(report["totals"])
        assert_lists(page, report["files"])
        for name in NAMES[1:]:
            page.goto(url_of(parcels, f"#by=flat&glob={glob}"))
            ready(page).click(f"tbody a:has(bdi:text-is('{name}'))")
            page.wait_for_url("**/files/*")
            assert_shows(ready(page), report["files"][name])


def test_choosing_tests(parcels: Place, index: Page) -> None:
    """By the panel: a pattern, single ones, and back to all; a line's tests are listed, and are those of `covcore tests`."""
    page = index
    everything = totals(page)
    page.keyboard.press("t")
    page.fill(".panel input[type=search]", "zone")
    boxes = page.locator(".panel label:has(input[type=checkbox])")
    assert boxes.all_inner_texts() == ["tests/test_price.py::test_zone[DE-0]", "tests/test_price.py::test_zone[FR-1]"]
    boxes.nth(1).locator("input").check()
    expect(page.locator(".count >> nth=0")).not_to_have_text(
        "/".join(map(str, everything["lines"])).replace("/", "\u2009/\u2009")
    )
    assert totals(page) == of_summary(report_of(parcels, "--contexts=*zone[[]FR-1]")["totals"])
    assert page.inner_text(".chosen") == "tests/test_price.py::test_zone[FR-1]"
    page.keyboard.press("Escape")
    assert not page.is_visible(".panel")

    page = opened(page, "parcels/price.py")
    assert "tests=" in address(page)
    page.click("#L17 td:nth-child(4) button")
    shown = page.locator(".panel label:has(input[type=checkbox])").all_inner_texts()
    assert sorted(shown) == sorted(parcels.covcore("tests", "parcels/price.py:17").stdout.split("\n")[:-1])
    page.click("text='All tests again'")
    expect(page.locator(".chosen")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.wait_for_url("**/index.html*")
    assert totals(ready(page)) == everything


def test_what_no_other_test_ran(parcels: Place, browser: Browser) -> None:
    """The marked lines are those that `covcore report --unique` has."""
    page_name = page_of(parcels, "parcels/price.py")
    runners = {
        line: set(parcels.covcore("tests", f"parcels/price.py:{line}").stdout.split("\n")[:-1])
        for line in (17, 18, 31, 53)
    }
    test = "tests/test_price.py::test_price_too_long"
    for state, is_lit in (
        (f"view=alone&tests={test}", lambda tests: tests == {test}),
        ("view=one", lambda tests: len(tests) == 1),
    ):
        with watched_page(browser, f"{page_name}#{state}") as page:
            lit = ready(page).eval_on_selector_all("tr.lit", "rows => rows.map(it => Number(it.id.slice(1)))")
            for line, tests in runners.items():
                assert (line in lit) == is_lit(tests), line
            page.keyboard.press("j")
            assert at(page) == f"L{lit[0]}" and counter(page).endswith("marked")


@pytest.mark.parametrize("glob", GLOBS[1:3])
def test_functions_and_classes_of_chosen_tests(glob: str, parcels: Place, browser: Browser) -> None:
    """Their figures are those of a report on these tests, and again those of all tests after it."""

    def shown(page: Page) -> dict[tuple[str, str], list[int]]:
        rows = page.eval_on_selector_all(
            "tbody tr:not([aria-hidden])", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        return {(cells[0], cells[1]): [int(cells[column]) for column in (3, 5, 7)] for cells in rows}

    def expected(kind: str, *options: str) -> dict[tuple[str, str], list[int]]:
        keys = "missing_lines", "missing_branches", "missing_condition_outcomes"
        return {
            (name or "(module)", path): [part["summary"].get(key, 0) for key in keys]
            for path, file in report_of(parcels, *options)["files"].items()
            for name, part in file[kind].items()
            if part["summary"]["num_statements"]
        }

    for kind in "functions", "classes":
        with watched_page(browser, url_of(parcels, f"#by={kind}&glob={glob}")) as page:
            assert shown(ready(page)) == expected(kind, f"--contexts={glob}")
            page.evaluate("covcore.change({ glob: '' })")
            expect(page.locator(".chosen")).to_be_hidden()
            page.wait_for_function("document.querySelector('.count').textContent !== ''")
            expect(page.locator("tbody tr:not([aria-hidden])")).to_have_count(len(expected(kind)))
            assert shown(page) == expected(kind)


def test_a_branch_that_a_rule_names_is_shown_as_excluded(parcels: Place, index: Page) -> None:
    """With the rule; where tests are chosen, it is taken if they took it and excluded if not: missing never."""
    page = opened(index, "parcels/odd.py")
    out, into = page.locator("#L3 .way").all()
    rule = "never taken, excluded by "
    assert "off" not in (into.get_attribute("class") or "") and into.inner_text() == "→ 4"
    assert out.get_attribute("class") == "way off" and rule in out.inner_text() and "branch" in out.inner_text()
    assert page.get_attribute("#L3", "class") == "run"
    for glob, states in ("*test_first*", ["way off", "way"]), ("*test_both*", ["way off", "way off"]):
        page.evaluate("glob => covcore.change({ glob })", glob)
        expect(page.locator(".chosen")).to_have_text(glob)
        page.wait_for_function(f"document.querySelector('#L3 .way:last-of-type').className === {states[1]!r}")
        assert [way.get_attribute("class") for way in page.locator("#L3 .way").all()] == states


def test_what_the_search_finds_is_what_is_chosen(parcels: Place, index: Page) -> None:
    """Whether it is a pattern, or a part of names as they are: with a star in them, or in other letters than they have."""
    page = index
    page.keyboard.press("t")
    names = "star[a*b]", "star[axb]", "star[(a?]"
    for text, found in (
        ("a*b", names[:1]),
        ("star[a*b]", names[:1]),
        ("*star?a?b?", names[:2]),
        ("STAR[A", names[:2]),
        ("(a?", names[2:]),
    ):
        page.click("text='All tests again'")
        page.fill(".panel input[type=search]", text)
        expected = [f"tests/test_odd.py::test_{name}" for name in found]
        assert page.locator(".panel label:has(input[type=checkbox])").all_inner_texts() == expected, text
        page.click("text='Choose all of these'")
        page.wait_for_selector(".chosen:visible")
        chosen = page.evaluate("tests.chosen().then(it => [...it].flatMap((is, n) => is ? [tests.name(n)] : []))")
        assert chosen == expected, text


@pytest.mark.parametrize("precision", [0, 1, 3])
def test_percentages_are_rounded_as_everywhere(precision: int, index: Page) -> None:
    pairs = [
        (part, total)
        for total in (*range(1, 41), 200, 1000, 1600, 99_999)
        for part in {*range(41), total - 1}
        if part <= total
    ]
    index.evaluate("digits => covcore.setPrecision(digits)", precision)
    found = index.evaluate("pairs => pairs.map(([part, total]) => covcore.percent(part, total))", pairs)
    assert found == [f"{display(100.0 * part / total, precision)}%" for part, total in pairs]


# ---- links


def view_of(page: Page) -> tuple[str, str, dict[str, list[int]]]:
    """What the reader sees: where, what text, which figures."""
    return at(page), page.inner_text("main"), totals(page)


def test_a_link_shows_the_same_view(parcels: Place, browser: Browser, index: Page) -> None:
    page = index
    page.keyboard.press("f")
    page.keyboard.press("w")
    page.select_option("select", label="with missing branches")
    page.fill("input[type=search]", "p")
    page.keyboard.press("Escape")
    page.fill("input[type=search]", "r")
    page.wait_for_url("**q=r*")
    with watched_page(browser, address(page)) as other:
        assert view_of(ready(other)) == view_of(page)

    page.goto(f"{page_of(parcels, 'parcels/price.py')}#glob=*zone*")
    ready(page).keyboard.press("j")
    page.keyboard.press("j")
    with watched_page(browser, address(page)) as other:
        ready(other)
        assert view_of(other) == view_of(page) and at(page)
        assert other.locator(".here").is_visible()


def test_the_way_back_leads_to_the_index_as_it_was(parcels: Place, browser: Browser) -> None:
    with watched_page(browser, url_of(parcels, "#by=flat&sort=worst&q=p&show=lines")) as page:
        before = view_of(ready(page)), rows(page)
        page.click("tbody a:has(bdi:text-is('parcels/price.py'))")
        page.wait_for_url("**/files/*")
        ready(page).keyboard.press("j")
        page.keyboard.press("u")
        page.wait_for_url("**/index.html*")
        assert (view_of(ready(page)), rows(page)) == before


@pytest.mark.parametrize(
    "state",
    [
        "#L99999", "#B1-2", "#B22--25", "#tests=no%20such%20test", "#glob=[", "#glob=%5B%21", "#glob=(a%2B)%2B%24", "#%E0%A4%A",
        "#sort=nothing&by=x&show=y&view=z", "#q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&at=x", "#__proto__=x&constructor=y", "#base=x",
    ],
)  # fmt: skip
def test_a_damaged_link_is_no_error(state: str, parcels: Place, browser: Browser) -> None:
    for url in url_of(parcels), page_of(parcels, "parcels/price.py"):
        with watched_page(browser, url + state) as page:
            assert totals(ready(page))


# ---- themes, print, no scripts


def test_themes(parcels: Place, browser: Browser) -> None:
    """The system's, until the reader chooses another one, which stays."""

    def back(page: Page) -> int:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    with watched_page(browser, url_of(parcels), color_scheme="dark") as page:
        assert back(ready(page)) < 150
        page.click("button[title='Dark or light']")
        assert back(page) > 600
        page = opened(page, "parcels/price.py")
        assert back(page) > 600
    with watched_page(browser, url_of(parcels), color_scheme="light") as page:
        assert back(ready(page)) > 600


def test_without_scripts(parcels: Place, browser: Browser) -> None:
    file = report_of(parcels)["files"]["parcels/price.py"]
    with watched_page(browser, url_of(parcels), java_script_enabled=False) as page:
        assert page.locator("tbody tr").count() == len(NAMES)
        page.click("tbody a:has(bdi:text-is('parcels/price.py'))")
        page.wait_for_url("**/files/*")
        assert page.locator("tr.miss:not(.more)").count() == len(file["missing_lines"])
        assert "never taken: the loop over STEPS never ran to its end" in page.inner_text("#L22")
        assert page.is_visible("#L25 code") and not page.is_visible("#L17 .way .why")
        page.click("#L22 .way.no")
        assert address(page).endswith("#L25")
        page.click("text=Index")
        page.wait_for_url("**/index.html")


def test_print(parcels: Place, browser: Browser, tmp_path: Path) -> None:
    """All lines, no tools, and dark on white also where the screen is dark."""
    with watched_page(browser, page_of(parcels, "parcels/price.py"), color_scheme="dark") as page:
        ready(page).emulate_media(media="print")
        assert not page.is_visible(".tools") and not page.is_visible("nav") and not page.is_visible("canvas")
        assert page.evaluate("getComputedStyle(document.querySelector('header')).position") == "static"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 34, 41)"
        page.goto(url_of(parcels))
        ready(page)
        assert page.evaluate(
            "document.querySelector('.grid').scrollHeight <= document.querySelector('.grid').clientHeight + 1"
        )


def test_what_is_printed_of_a_long_index(parcels: Place, browser: Browser, tmp_path: Path) -> None:
    """Rows that are out of sight, too; of very many the first, and how many more there are."""
    shutil.copytree(parcels.folder / "htmlcov", tmp_path, dirs_exist_ok=True)
    entries = [Entry("", f"file{number:04}.py", f"{number:016x}", Figures(9, 3)) for number in range(3000)]
    (tmp_path / "data" / "index.js").write_text(as_script("index", index_data(entries, "title", 0, 0, [], {})))
    with watched_page(browser, (tmp_path / "index.html").as_uri() + "#by=flat") as page:
        shown = rows(ready(page))
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert rows(page) == [entry.name for entry in entries[:1000]]
        assert page.inner_text("tbody tr:last-child") == "and 2000 more"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert rows(page) == shown != []
        assert page.inner_text("tbody tr:last-child") == ""


# ---- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, parcels: Place, browser: Browser) -> None:
    """On each view of the index, on a page, with the panel and with the help open."""
    with watched_page(browser, url_of(parcels), color_scheme=scheme) as page:
        for view in "", "#by=flat&sort=worst", "#by=functions", "#by=classes", "#glob=*zone*":
            page.goto(url_of(parcels, view))
            assert axe_problems(ready(page)) == [], view
        page.goto(f"{page_of(parcels, 'parcels/price.py')}#L22&glob=*zone*&view=one")
        assert axe_problems(ready(page)) == []
        page.keyboard.press("t")
        assert page.is_visible(".panel") and axe_problems(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert axe_problems(page) == []
