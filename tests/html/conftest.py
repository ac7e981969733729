"""A real browser, and pages in it that keep count of what goes wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import SANITIZER, Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if sys.version_info >= (3, 15):  # the pages are the same, and so is the browser: pyproject.toml has it for one version
    collect_ignore_glob = ["test_browser*.py"]

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = ROOT / "tests" / "tools" / "chromium.sh"
EXAMPLES = ROOT / "examples"


@cache
def chromium() -> str:
    """The path of the browser, or a test that is skipped."""
    done = subprocess.run([CHROMIUM], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.splitlines()[-1])
    return done.stdout.strip()


@pytest.fixture(scope="module")  # not for longer: while it lasts, a loop of asyncio runs in this thread
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    if SANITIZER:
        pytest.skip("Chromium does not come up with a preloaded AddressSanitizer")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        yield browser
        browser.close()


ODD = """\
class Odd:
    def first(self, items, wanted):
        for item in items:  # pragma: no branch
            if item == wanted:
                return item

    def both(self, a, b):
        if (
            a
            and b
        ):
            a += 1
        with self:
            while a < 5:
                if a > 3: break
                a += 1
            else:
                return 2
        try:
            return [x for x in range(a) if x % b] or (lambda: a if b else 0)()
        except ZeroDivisionError:
            return 3

    def __enter__(self):
        match self:
            case Odd(): pass

    def __exit__(self, *exception):
        return False


def excluded():  # pragma: no cover
    return 1


def short(x): return x if x else 1
"""
TEST_ODD = """\
import pytest
from parcels.odd import Odd, short

def test_first():
    assert Odd().first([1, 2], 1) == 1

@pytest.mark.parametrize("a, b", [(0, 0), (1, 0), (3, 1), (9, 2), (4, 0)])
def test_both(a, b):
    Odd().both(a, b)

def test_short():
    assert short(0)

@pytest.mark.parametrize("name", ["a*b", "axb", "(a?"])
def test_star(name):
    assert name
"""


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The example project, measured, with a report in htmlcov and one in coverage.html."""
    folder = tmp_path_factory.mktemp("parcels")
    shutil.copytree(EXAMPLES, folder / "project", ignore=shutil.ignore_patterns(".*", "htmlcov", "__pycache__"))
    place = Place(folder / "project", folder / "data")
    place.write("parcels/odd.py", ODD)
    place.write("tests/test_odd.py", TEST_ODD)
    assert place.covcore("run", "--source=parcels", "-m", "pytest", "-q", "-p", "no:cacheprovider").status == 0
    assert place.covcore("html").status == 0
    assert place.covcore("html", "--single-file", "coverage.html").status == 0
    return place
