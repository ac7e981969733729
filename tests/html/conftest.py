"""A real browser, and pages in it that keep count of what goes wrong."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ONCE, SANITIZER, Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if not ONCE:  # the pages are the same, and so is the browser: pyproject.toml has it for one version
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


def wait(items, wanted):
    while items and items.pop() != wanted:  # pragma: no branch
        pass


class Door:
    def __init__(self, sticks):
        self.sticks = sticks

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        if self.sticks:
            raise OSError


def leave(door, steps):
    with door:
        if steps:
            steps -= 1
    return steps


def unpacked(pairs):
    for one, other in pairs:
        return other
"""
TEST_ODD = """\
import pytest
from parcels.odd import Door, Odd, leave, short, unpacked, wait

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

def test_wait():
    wait([1, 2], 2)

def test_leave_stuck():  # it sets out for `return steps`, and never gets there
    with pytest.raises(OSError):
        leave(Door(True), 0)

def test_leave_through():  # it gets there by another way
    leave(Door(False), 1)

def test_unpacked():  # nobody gets to where the loop leads
    with pytest.raises(TypeError):
        unpacked([1])
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
