"""The browser and the watch over its pages, on which the other tests here rely."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

POLICY = """<!doctype html><html lang="en"><title>t</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' file:">
"""


def test_a_good_page(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "good.js").write_text("document.getElementById('p').textContent = 'it runs'")
    (tmp_path / "good.html").write_text(f"{POLICY}<p id=p></p><script src=good.js></script>")
    with watched_page(browser, (tmp_path / "good.html").as_uri()) as page:
        assert page.inner_text("#p") == "it runs"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (POLICY + "<script>alert(1)</script>", "Content Security Policy"),
        (POLICY + "<p style='color: red'>", "Content Security Policy"),
        ("<script>alert(1)</script>", "dialog: 1"),
        ("<script>undefined.x</script>", "exception: "),
        ("<script>console.error('oh')</script>", "error: oh"),
        ("<img src='http://127.0.0.1:9/x.png'>", "asked: http://127.0.0.1:9/x.png"),
        ("<script src='none.js'></script>", "failed: file://"),
    ],
)
def test_a_bad_page_is_noticed(text: str, problem: str, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!doctype html>" + text)
    with pytest.raises(AssertionError) as caught, watched_page(browser, (tmp_path / "bad.html").as_uri()):
        pass
    assert problem in str(caught.value)
