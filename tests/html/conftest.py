"""A real browser, and pages in it that keep count of what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if sys.version_info >= (3, 15):  # the pages are the same, and so is the browser: pyproject.toml has it for one version
    collect_ignore_glob = ["test_browser*.py"]

CHROMIUM = Path(__file__).parent.parent / "tools" / "chromium.sh"


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

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        yield browser
        browser.close()
