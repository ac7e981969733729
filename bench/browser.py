"""Pages in a headless browser: when the first of them is seen, and how long a choice of tests takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tools import ROOT, output_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = ROOT / "tests" / "tools" / "chromium.sh"
WIDTH, HEIGHT = 1280, 900
PAINT = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
        for (const it of list.getEntriesByName("first-contentful-paint")) resolve(it.startTime);
    }).observe({ type: "paint", buffered: true });
})"""  # when it was, in ms; it may be still to come
CHOOSE = """async (number) => {
    await tests.load();
    const figure = document.querySelector(".figures .count");
    const started = performance.now();
    const changed = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
            observer.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - started)));
        }).observe(figure, { childList: true });
    });
    covcore.change({ tests: tests.name(number), glob: "" });
    return changed;
}"""  # what it returns is the time until the page is painted with other figures, in ms


READING = 1000  # ms that a reader looks at the list of tests before the first choice


def first_paints(page: Path, rounds: int) -> list[float]:
    """When anything of a page is seen for the first time, in ms from when it was asked for; in a new window each time."""
    found = []
    with browser() as opened:
        for _ in range(rounds):
            with opened.new_context(viewport={"width": WIDTH, "height": HEIGHT}) as context:
                window = context.new_page()
                window.goto(page.as_uri())
                found.append(float(window.evaluate(PAINT)))
    return found


def choices(page: Path, rounds: int) -> list[float]:
    """How long it takes, in ms, from the choice of a test in the list of tests until the page shows what it ran."""
    with browser() as opened:
        window = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        window.goto(page.as_uri())
        window.wait_for_selector("body[data-ready]")
        window.keyboard.press("t")
        window.wait_for_timeout(READING)
        return [float(window.evaluate(CHOOSE, 7 * number)) for number in range(1, rounds + 1)]


@contextmanager
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=output_of([CHROMIUM]))
        yield browser
        browser.close()
