"""What has changed since a baseline, in a browser: the index and pages filter by it, the newest and worst first."""

from __future__ import annotations

import pytest
from browsing import SHOWN, address, at, axe_problems, counter, opened, ready, totals, url_of, watched_page
from conftest import Place
from playwright.sync_api import Browser, Page

SAME = "def f(x):\n    if x:\n        return 1\n    return 2\n\n\nf(1)\n"


def turned(n_lines: int) -> str:
    """A module whose first arm has so many lines, of which either runs."""
    return f"import sys\n\nif len(sys.argv) > 1:\n{'    x = 1\n' * n_lines}else:\n    x = 2\n"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Lost arms in a (1 line) and b (5), a gained one in both, c that is new (1 line never runs), d (3 never run), e as it was."""
    folder = tmp_path_factory.mktemp("changed")
    place = Place(folder / "project", folder / "data")
    place.write("pack/__init__.py", "")
    place.write("pack/a.py", turned(1))
    place.write("pack/b.py", turned(5))
    place.write("pack/e.py", SAME)
    place.write("main.py", "import pack.a, pack.b, pack.e\n")
    assert place.covcore("run", "--source=pack", "--data=before", "main.py", "x").status == 0
    place.write("pack/c.py", "def f():\n    return 1\n")
    place.write("pack/d.py", "def f():\n    x = 1\n    x = 2\n    return x\n")
    place.write("main.py", "import pack.a, pack.b, pack.c, pack.d, pack.e\n")
    assert place.covcore("run", "--source=pack", "main.py").status == 0
    assert place.covcore("html", "--baseline=before").status == 0
    assert place.covcore("html", "--baseline=before", "--single-file=coverage.html").status == 0
    return place


FOLDER = "htmlcov/index.html"
FILE = "coverage.html"


def listed(page: Page) -> dict[str, list[str]]:
    """What the index lists, in its order: name -> new and missing, lost, gained."""
    rows = page.eval_on_selector_all(
        f"{SHOWN} tbody tr:not([aria-hidden])",
        "rows => rows.map(row => [row.querySelector('bdi'), ...row.cells].map(it => it.textContent))",
    )
    return {cells[0]: cells[8:11] for cells in rows}


def choose(page: Page, label: str) -> None:
    page.select_option(f"{SHOWN} select[aria-label='Since the baseline']", label=label)


@pytest.mark.parametrize("report", [FOLDER, FILE])
def test_the_index_says_what_has_changed(report: str, changed: Place, browser: Browser) -> None:
    """By file, the sums by folder, and by each state those that have it, the worst first."""
    with watched_page(browser, (changed.folder / report).as_uri() + "#by=flat") as page:
        expected = {
            "pack/__init__.py": ["0", "0", "0"],
            "pack/a.py": ["0", "2", "2"],  # the arm's line, and the branch to it
            "pack/b.py": ["0", "6", "2"],
            "pack/c.py": ["1", "0", "0"],
            "pack/d.py": ["3", "0", "0"],
            "pack/e.py": ["0", "0", "0"],
        }
        everything = totals(ready(page))
        assert listed(page) == expected
        for label, names in (
            ("lost", ["b", "a"]),
            ("gained", ["b", "a"]),
            ("new, never ran", ["d", "c"]),
            ("new, ran", ["d", "c"]),
            ("unchanged", ["__init__", "e"]),
        ):
            choose(page, label)
            assert listed(page) == {f"pack/{name}.py": expected[f"pack/{name}.py"] for name in names}, label
            assert list(listed(page)) == [f"pack/{name}.py" for name in names], label
        choose(page, "new, never ran")
        assert totals(page)["lines"] == [2, 6] and "base=new-uncovered" in address(page)
        choose(page, "changed or not")
        assert totals(page) == everything
        page.click(f"{SHOWN} [data-by=tree]")
        assert listed(page)["pack/"] == ["4", "8", "4"]
        page.click(f"{SHOWN} thead button:text-is('lost')")
        assert list(listed(page))[:3] == ["pack/", "b.py", "a.py"]


def test_a_page_says_what_has_changed(changed: Place, browser: Browser) -> None:
    """Marked are the lines of the state, and j and k go from one stretch of them to the next; a link keeps the choice."""
    with watched_page(browser, url_of(changed)) as page:
        choose(ready(page), "lost")
        page = opened(page, "pack/b.py")

        def lit() -> list[int]:
            return page.eval_on_selector_all("tr.lit", "rows => rows.map(it => Number(it.id.slice(1)))")

        assert lit() == [3, 4, 5, 6, 7, 8]  # the `if`: its branch to line 4
        assert page.inner_text("#L3 .way >> nth=0") == "→ 4 never taken: len(sys.argv) > 1 was never true lost"
        assert page.inner_text("#L4 .state") == "lost" and page.locator(".state").count() == 2
        page.keyboard.press("j")
        assert (at(page), counter(page)) == ("L3", "1/1 marked")
        choose(page, "gained")
        assert lit() == [3, 10] and counter(page) == "1/2 marked"
        page.keyboard.press("j")
        assert (at(page), counter(page)) == ("L10", "2/2 marked")
        choose(page, "unchanged")
        assert lit() == [1]
        url = address(page)
    with watched_page(browser, url) as page:
        assert ready(page).locator("tr.lit").count() == 1 and at(page) == "L10"


def test_unchanged_are_no_lines_that_have_changed(changed: Place, browser: Browser) -> None:
    with watched_page(browser, url_of(changed, "#base=same")) as page:
        page = opened(ready(page), "pack/e.py")
        assert page.eval_on_selector_all("tr.lit", "rows => rows.map(it => it.id)") == ["L1", "L2", "L3", "L4", "L7"]
        assert page.locator("[data-change]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, changed: Place, browser: Browser) -> None:
    with watched_page(browser, url_of(changed, "#base=lost"), color_scheme=scheme) as page:
        assert axe_problems(ready(page)) == []
        assert axe_problems(opened(page, "pack/b.py")) == []
