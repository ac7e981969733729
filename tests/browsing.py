"""Pages that keep count of what goes wrong in them, and what pages of reports say."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Place
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

    def failed(request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # else the page was left before it had all that it asked for
            problems.append(f"failed: {request.url}")

    def refuse(dialog: Any) -> None:
        problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("requestfailed", failed)
    page.on("dialog", refuse)
    return problems


def axe_problems(page: Page) -> list[str]:
    """What axe-core finds to be in the way of somebody, seriously."""
    import axe_playwright_python

    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
    found = page.evaluate(axe + "; axe.run({ preload: false })")  # it would ask for the style sheet by a request
    assert len(found["passes"]) > 15
    return [
        f"{it['id']}: {it['help']}: {[node['html'][:200] for node in it['nodes'][:3]]}"
        for it in found["violations"]
        if it["impact"] in ("serious", "critical")
    ]


# ---- reports

SHOWN = (
    ":is(body:not([data-single]), body > section:not([hidden]))"  # the page, or what a single file shows of its pages
)
NAMES = ["parcels/__init__.py", "parcels/__main__.py", "parcels/odd.py", "parcels/parcel.py", "parcels/price.py"]


def url_of(place: Place, state: str = "") -> str:
    return (place.folder / "htmlcov" / "index.html").as_uri() + state


def ready(page: Page) -> Page:
    page.wait_for_selector("body[data-ready]")
    return page


def opened(page: Page, name: str) -> Page:
    """Go from the index to a file's page."""
    page.click(f"tbody a:has(bdi:text-is('{name.rpartition('/')[2]}'))")
    page.wait_for_url("**/files/*")
    return ready(page)


def report_of(place: Place, *options: str) -> Any:
    """What `covcore json` says."""
    done = place.covcore("json", "-o", "-", *options)
    assert done.status == 0, done.stderr
    return json.loads(done.stdout)


def address(page: Page) -> str:
    """The link to what is shown, as the page itself has it: Playwright hears of a change a moment later."""
    return str(page.evaluate("location.href"))


def at(page: Page) -> str:
    """The line that the page is at."""
    return page.evaluate(f"document.querySelector('{SHOWN} tr.here')?.id.replace(/^.*-/, '') ?? ''")


def counter(page: Page) -> str:
    return page.inner_text(f"{SHOWN} .tools > .counter")


def page_of(place: Place, name: str) -> str:
    for path in (place.folder / "htmlcov" / "files").iterdir():
        if f"<h1><bdi>{name}</bdi></h1>" in path.read_text():
            return path.as_uri()
    raise AssertionError(name)


def totals(page: Page) -> dict[str, list[int]]:
    """What the head says: [covered, total] of each figure."""
    return page.eval_on_selector_all(
        f"{SHOWN} .figures .figure",
        """figures => Object.fromEntries(figures.map(
            it => [it.dataset.figure, it.querySelector('.count').textContent.split('/').map(Number)]))""",
    )


def of_summary(summary: Any) -> dict[str, list[int]]:
    seen = summary["num_condition_outcomes"] - summary["missing_condition_outcomes"]
    return {
        "lines": [summary["covered_lines"], summary["num_statements"]],
        "branches": [summary["covered_branches"], summary["num_branches"]],
        "conditions": [seen, summary["num_condition_outcomes"]],
    }


def never(outcomes: dict[str, bool | None]) -> str:
    missing = [word for word, hit in outcomes.items() if hit is False]
    if len(missing) == 2:
        return "never evaluated"
    return f"never {missing[0]}" if missing else ""


def assert_shows(page: Page, file: Any) -> None:
    """The page of a file says what `covcore json` says of it: totals, lines, branches and conditions."""
    found = page.evaluate(
        """(shown) => {
            const all = (selector, value) => [...document.querySelectorAll(`${shown} ${selector}`)].map(value);
            const numberOf = row => Number(row.id.match(/\\d+$/)[0]);
            return {
                ...Object.fromEntries(["run", "part", "miss"].map(state => [state, all(`tr.${state}:not(.more)`, numberOf)])),
                ways: all(".way.no", way => `${numberOf(way.closest("tr"))} ${way.firstChild.textContent}`),
                taken: all(".way:not(.no, .off)", way => `${numberOf(way.closest("tr"))} ${way.firstChild.textContent}`),
                conditions: all(".cond", it => [Number(it.dataset.c), it.lastElementChild.textContent]),
                decisions: all(".mcdc", it => [Number(it.dataset.d), [...it.querySelectorAll("q")].map(q => q.textContent)]),
            };
        }""",
        SHOWN,
    )
    assert totals(page) == of_summary(file["summary"])
    assert found["miss"] == file["missing_lines"]
    assert sorted(found["run"] + found["part"]) == file["executed_lines"]
    assert set(found["part"]) == {line for line, _ in file["missing_branches"]} - set(file["missing_lines"])
    for key, branches in ("ways", file["missing_branches"]), ("taken", file["executed_branches"]):
        assert sorted(found[key]) == sorted(f"{line} → {to if to > 0 else 'exit'}" for line, to in branches)
    for number, text in found["conditions"]:
        assert text == never(file["conditions"][number]["outcomes"])
    assert dict(found["decisions"]) == dict(enumerate(map(partial(not_shown, file), file["decisions"])))


def not_shown(file: Any, decision: Any) -> list[str]:
    """The operands of a decision for which MC/DC is not shown."""
    operands = zip(decision["conditions"], decision["mcdc"], strict=True)
    return [file["conditions"][number]["text"] for number, is_shown in operands if not is_shown]


def assert_lists(page: Page, files: dict[str, Any]) -> None:
    """The index as a list of files says what `covcore json` says is missing of them."""
    found = page.eval_on_selector_all(
        f"{SHOWN} tbody tr:not([aria-hidden])", "rows => rows.map(it => [2, 4, 6].map(n => +it.cells[n].textContent))"
    )
    keys = ("missing_lines", "missing_branches", "missing_condition_outcomes")
    assert found == [[files[name]["summary"][key] for key in keys] for name in NAMES]
