"""The report in one file: it is what the folder is, and the page of each file has an address in it."""

from __future__ import annotations

import re

import pytest
from browsing import (
    NAMES,
    SHOWN,
    address,
    assert_lists,
    assert_shows,
    at,
    axe_problems,
    counter,
    of_summary,
    page_of,
    ready,
    report_of,
    totals,
    watched_page,
)
from conftest import Place
from playwright.sync_api import Browser, expect


def single(place: Place, state: str = "") -> str:
    return (place.folder / "coverage.html").as_uri() + state


@pytest.mark.parametrize("glob", ["", "*both?[013]*", "*test_parcel.py::*"])
def test_one_file_has_the_whole_report(glob: str, parcels: Place, browser: Browser) -> None:
    report = report_of(parcels, *[f"--contexts={glob}"] * bool(glob))
    with watched_page(browser, single(parcels, f"#by=flat&glob={glob}")) as page:
        assert totals(ready(page)) == of_summary(report["totals"])
        assert_lists(page, report["files"])
        for name in NAMES[1:]:
            page.click(f"{SHOWN} tbody a:has(bdi:text-is('{name}'))")
            expect(page.locator(f"{SHOWN} h1")).to_have_text(name)
            expect(page.locator(f"{SHOWN} .tools > .counter")).not_to_be_empty()
            assert_shows(page, report["files"][name])
            page.go_back()
            expect(page.locator(f"{SHOWN} h1")).to_have_text("Coverage report")


def test_addresses_and_keys(parcels: Place, browser: Browser) -> None:
    name = re.findall(r"[0-9a-f]{16}", page_of(parcels, "parcels/price.py"))[-1]
    with watched_page(browser, single(parcels, f"#L22&file={name}")) as page:
        assert at(ready(page)) == "L22"
        page.keyboard.press("j")
        assert (at(page), counter(page)) == ("L25", "1/3 uncovered")
        page.keyboard.press("[")
        expect(page.locator(f"{SHOWN} h1")).to_have_text("parcels/parcel.py")
        expect(page.locator(f"{SHOWN} .tools > .counter")).not_to_be_empty()
        page.keyboard.press("b")
        here, url = at(page), address(page)
        assert here == "L24"
        page.go_back()
        expect(page.locator(f"{SHOWN} h1")).to_have_text("parcels/price.py")
    with watched_page(browser, url) as page:
        assert at(ready(page)) == here
        assert page.inner_text(f"{SHOWN} h1") == "parcels/parcel.py"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, parcels: Place, browser: Browser) -> None:
    """On the index of a single file, on a page in it, and with the panel open."""
    with watched_page(browser, single(parcels), color_scheme=scheme) as page:
        assert axe_problems(ready(page)) == []
        page.click(f"{SHOWN} tbody a:has(bdi:text-is('price.py'))")
        expect(page.locator(f"{SHOWN} .tools > .counter")).not_to_be_empty()
        assert axe_problems(page) == []
        page.keyboard.press("t")
        assert page.is_visible(".panel") and axe_problems(page) == []


def test_one_file_without_scripts(parcels: Place, browser: Browser) -> None:
    with watched_page(browser, single(parcels), java_script_enabled=False) as page:
        assert page.locator("h1").all_inner_texts()[1:] == NAMES
        page.click("tbody a:has(bdi:text-is('parcels/price.py'))")
        assert page.locator("section:target h1").inner_text() == "parcels/price.py"
        assert page.is_visible("section:target tr.miss code")
