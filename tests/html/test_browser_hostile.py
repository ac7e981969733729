"""Names of files and tests, and sources, that try to become markup, scripts, styles or paths: they stay text."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from browsing import SHOWN, address, ready, watched_page
from conftest import Place
from playwright.sync_api import Browser, Page, expect

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"><img src=x onerror=alert(4)>',
    "'><svg onload=alert(5)>",
    "<!--",
    "-->",
    "]]>",
    "<style>*{display:none}</style>",
    "</style><b>",
    "</title><script>alert(6)</script>",
    "</textarea><script>alert(7)</script>",
    "<base href=http:x>",
    "<meta http-equiv=refresh content=0>",
    "<iframe srcdoc=alert(8)>",
    "<a href=javascript:alert(9)>x</a>",
    "javascript:alert(10)",
    "data:text,x",
    "{{7*7}}",
    "{% raw %}",
    "{#",
    "${alert(11)}",
    "`alert(12)`",
    "'+alert(13)+'",
    '"+alert(14)+"',
    "\\u003cscript\\u003ealert(15)",
    "&lt;script&gt;alert(16)",
    "&#60;img src=x onerror=alert(17)&#62;",
    "%3Cscript%3Ealert(18)",
    '" onmouseover=alert(19) x="',
    "' onfocus=alert(20) autofocus x='",
    " onclick=alert(21) ",
    "\u2028alert(22)",
    "\u202egnp.exe",
    "\u2066rtl\u2069",
    "שלום עולם",
    "مرحبا",
    "\u0000",
    "\u0001\u001b[31m",
    "\ufeff",
    "\U0001f600" * 20,
    "x" * 180,
    "a b\tc",
    "#L1&tests=x",
    "?q=1",
    "__proto__",
    "constructor",
    "[]*?!",
    "$&$1$`",
    "\\",
]
assert len(PAYLOADS) == len(set(PAYLOADS)) == 50

# Everything that a page may have.
ELEMENTS = (
    "html head meta title link style script body header "
    "nav h1 h2 main footer section div span p ul li bdi a b i u q code table caption colgroup "
    "col thead tbody tr th td meter button input select option label fieldset legend dialog dl dt dd kbd canvas svg path"
)
ATTRIBUTES = (
    "lang charset http-equiv content name rel href src class id title role scope tabindex type min max value placeholder hidden width "
    "height d style data-page data-root data-nav data-figure data-b data-c data-d data-theme data-ready data-href data-by data-single"
)
ADDRESSES = r"^(#|(\.\./)?(index\.html|all\.html|(files|static|data)/[\w.-]+|[0-9a-f]{16}\.html)(#|$))"

UNESCAPED = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support"
TEST = """
import pathlib, pytest, runpy
from payloads import PAYLOADS

PATHS = sorted(str(path) for path in pathlib.Path.cwd().iterdir() if path.suffix == ".py")  # whole ones: "<x>" is no file to covcore


@pytest.mark.parametrize("path", PATHS)
def test_file(path):
    runpy.run_path(path)


@pytest.mark.parametrize("x", PAYLOADS, ids=PAYLOADS)
def test_id(x):
    assert x
"""


def hostile_project(place: Place) -> None:
    """A file, a test and a source for each payload."""
    for number, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "\u2215").replace("\0", "\1").encode()[:200].decode(errors="ignore")
        literal = payload.encode("unicode_escape").decode().replace("'", "\\'") if "\0" in payload else None
        text = literal or payload.replace("\\", "\\\\").replace("'", "\\'").replace("\u2028", "\\u2028")
        source = (
            f"def f{number}(x):\n    if x == '{text}' and x:  # {text}\n        return x\n    return '''{text}'''\n"
        )
        place.write(f"{name}.py", f"{source}f{number}(1)\n")
    place.write("tests/payloads.py", f"PAYLOADS = {PAYLOADS!r}\n")
    place.write("tests/test_all.py", TEST)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("hostile")
    place = Place(folder / "project", folder / "data")
    hostile_project(place)
    place.write("pytest.ini", f"[pytest]\n{UNESCAPED} = true\n")
    done = place.covcore("run", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.status == 0, done.stdout[-3000:]
    for options in (), ("--single-file", "coverage.html"):
        done = place.covcore("html", *options, "--title", PAYLOADS[1] + PAYLOADS[3])
        assert done.status == 0, done.stderr
    return place


def strange(page: Page) -> list[str]:
    """Elements and attributes that are in no template, and addresses that lead out of the report."""
    found: list[str] = page.evaluate(
        """([elements, attributes, addresses]) => [...document.querySelectorAll("*")].flatMap(it => [
            ...[it.localName].filter(name => !elements.includes(name)),
            ...it.getAttributeNames().filter(name => !attributes.includes(name) && !name.startsWith("aria-")),
            ...["href", "src"].map(name => it.getAttribute(name)).filter(text => text && !RegExp(addresses).test(text)),
        ])""",
        [ELEMENTS.split(), ATTRIBUTES.split(), ADDRESSES],
    )
    return found


def test_no_payload_becomes_markup(hostile: Place, browser: Browser) -> None:
    """On the index in all its views, and on the page of each file; no script but ours runs, nothing is asked of anybody."""
    folder = hostile.folder / "htmlcov"
    with watched_page(browser, (folder / "index.html").as_uri()) as page:
        for view in "flat", "functions", "classes", "":
            page.evaluate(f"location.hash = 'by={view}'")
            ready(page)
            assert strange(page) == []
        page.keyboard.press("t")
        page.wait_for_selector(".panel label input")
        assert strange(page) == []
        pages = sorted((folder / "files").iterdir())
        assert len(pages) >= len(PAYLOADS)
        for path in pages:
            page.goto(path.as_uri())
            assert strange(ready(page)) == [], path


def test_no_payload_becomes_markup_in_one_file(hostile: Place, browser: Browser) -> None:
    url = (hostile.folder / "coverage.html").as_uri()
    with watched_page(browser, f"{url}#by=flat&glob=*test_id*") as page:
        ready(page)
        for _ in range(8):  # the key ] goes on to the next file
            assert strange(page) == []
            page.keyboard.press("]") if page.is_hidden("#index") else page.click(f"{SHOWN} tbody a >> nth=3")
            expect(page.locator(f"{SHOWN} .source")).to_be_visible()
        assert page.locator("body > section").count() > len(PAYLOADS)


def test_payloads_are_shown_as_they_are(hostile: Place, browser: Browser) -> None:
    """Names of files and tests in the lists; only what does not print is escaped."""
    with watched_page(browser, (hostile.folder / "htmlcov/index.html").as_uri() + "#by=flat") as page:
        ready(page)
        for payload in PAYLOADS:
            if payload.isprintable() and len(payload) < 150 and "/" not in payload:
                page.fill("input[type=search]", f"{payload}.py")
                assert page.eval_on_selector_all("tbody th bdi", "cells => cells.map(it => it.textContent)") == [
                    f"{payload}.py"
                ]
        page.fill("input[type=search]", "")
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("t")
        for payload in "<img src=x onerror=alert(3)>", "${alert(11)}", "שלום עולם":
            page.fill(".panel input[type=search]", f"test_id[{payload}]")
            expect(page.locator(".panel label input[type=checkbox]")).to_have_count(1)
            page.check(".panel label input[type=checkbox]")
        assert strange(page) == []
        url = address(page)
    with watched_page(browser, url) as page:
        assert ready(page).inner_text(".chosen") == "3 tests"
        assert "<img src=x onerror=alert(3)>" in (page.get_attribute(".chosen", "title") or "")


def test_names_hold_their_place(hostile: Place, browser: Browser) -> None:
    """A long name, or one from right to left, moves nothing: no page is wider than the window, and no row is higher."""
    folder = hostile.folder / "htmlcov"
    for width in 400, 1280:
        with watched_page(
            browser, (folder / "index.html").as_uri() + "#by=flat", viewport={"width": width, "height": 700}
        ) as page:
            ready(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            heights = page.eval_on_selector_all(
                "tbody tr:not([aria-hidden])", "rows => rows.map(it => it.offsetHeight)"
            )
            assert set(heights) == {27}
            for path in sorted((folder / "files").iterdir())[::10]:
                page.goto(path.as_uri())
                ready(page)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


# ---- over HTTP


class Handler(http.server.SimpleHTTPRequestHandler):
    policy = ""

    def end_headers(self) -> None:
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(hostile: Place) -> Iterator[tuple[type[Handler], str]]:
    """A web server of the report: its handler's class, and its address."""
    handler = type("Handler", (Handler,), {})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(hostile.folder / "htmlcov"))
    ) as it:
        thread = threading.Thread(target=it.serve_forever)
        thread.start()
        yield handler, f"http://127.0.0.1:{it.server_port}/"
        it.shutdown()
        thread.join()


def test_over_http(server: tuple[type[Handler], str], browser: Browser) -> None:
    _, address = server
    with watched_page(browser, f"{address}index.html#by=flat&glob=*test_id*", allowed=address) as page:
        assert strange(ready(page)) == []
        page.click("tbody a >> nth=5")
        page.wait_for_url("**/files/*")
        assert strange(ready(page)) == []


JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"


def test_where_scripts_are_forbidden(server: tuple[type[Handler], str], browser: Browser) -> None:
    """As Jenkins serves what builds leave: the list of files, and each source, can be read."""
    handler, address = server
    handler.policy = JENKINS
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}index.html")
        assert page.locator("tbody tr").count() >= len(PAYLOADS)
        page.click("tbody a:has(bdi:text-is('{{7*7}}.py'))")
        page.wait_for_url("**/files/*")
        assert page.inner_text("h1") == "{{7*7}}.py"
        assert page.inner_text("#L2 code").strip().startswith("if x == '{{7*7}}' and x:")
        assert (
            page.evaluate("getComputedStyle(document.querySelector('tr.run td:nth-child(3)')).borderLeftStyle")
            == "solid"
        )
