"""Pages that keep count of what goes wrong in them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@contextmanager
def watched_page(browser: Browser, url: str, allowed: str = "file:", **options: Any) -> Iterator[Page]:
    """Open a page in a window of its own, and find at the end that nothing went wrong: see `problems_of`.

    allowed: how addresses begin that may be asked.
    options: those of `browser.new_context`, as color_scheme="dark" or java_script_enabled=False.
    """
    with browser.new_context(**options) as context:
        context.set_default_timeout(10_000)
        page = context.new_page()
        problems = problems_of(page, allowed)
        page.goto(url)
        yield page
        page.wait_for_load_state()
    assert not problems, problems


def problems_of(page: Page, allowed: str) -> list[str]:
    """A list that takes up what goes wrong from now on: errors and warnings of the console, which reports each violation of the
    page's Content-Security-Policy there, exceptions, dialogs, and requests that are not allowed."""
    problems: list[str] = []
    page.on("console", lambda it: problems.append(f"{it.type}: {it.text}") if it.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
    page.on(
        "request", lambda it: None if it.url.startswith((allowed, "data:")) else problems.append(f"asked: {it.url}")
    )
    page.on("requestfailed", lambda it: problems.append(f"failed: {it.url}"))

    def refuse(dialog: Any) -> None:
        problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    return problems
