"""Asynchronous loops in the reports: a statement is a branch, a comprehension a condition, of which 3.14 has no event for "entered"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Place
from instructions import HAS_EVENT_PER_ARM

PROGRAM = """\
import asyncio
async def items(n):
    for i in range(n): yield i
async def through(): return [x async for x in items(3)]
async def empty(): return {x async for x in items(0)}
async def never(): return {x: x async for x in items(9)}
async def cut():
    return [await anext(aiter(x async for x in items(5)))]
async def leaves():
    async for x in items(2):
        if x: break
async def ends():
    async for x in items(2):
        x += 1
    return x
async def main():
    for work in through, empty, leaves, ends, cut: await work()
asyncio.run(main())
"""


@pytest.fixture
def ran(place: Place) -> Place:
    place.write("program.py", PROGRAM)
    outcome = place.covcore("run", "program.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    return place


def test_the_report_says_what_it_knows(ran: Place) -> None:
    report = ran.covcore("report", "-m", "--conditions")
    said = [line.removeprefix("program.py:") for line in report.stdout.splitlines() if line.startswith("program.py:")]
    entered = [] if HAS_EVENT_PER_ARM else ["5:45: the loop over 'items(0)' was never entered"]
    of_never = "finished" if HAS_EVENT_PER_ARM else "evaluated"  # neither of two outcomes
    assert said == [
        *entered,
        f"6:48: the loop over 'items(9)' was never {of_never}",
        "8:48: the loop over 'items(5)' was never finished",
    ]


def test_json_tells_what_nobody_can_know(ran: Place) -> None:
    report: dict[str, Any] = json.loads(ran.covcore("json", "-o", "-").stdout)["files"]["program.py"]
    loops = {each["line"]: each["outcomes"] for each in report["conditions"] if each["kind"] == "loop"}
    known = None if HAS_EVENT_PER_ARM else True
    assert loops == {
        4: {"entered": known, "finished": True},
        5: {"entered": None if HAS_EVENT_PER_ARM else False, "finished": True},
        6: {"entered": None if HAS_EVENT_PER_ARM else False, "finished": False},
        8: {"entered": known, "finished": False},
    }
    assert {(10, 11), (13, 14), (13, 15)} <= {tuple(each) for each in report["executed_branches"]}
    assert [10, -9] in report["missing_branches"]
    n_known = sum(value is not None for each in report["conditions"] for value in each["outcomes"].values())
    assert report["summary"]["num_condition_outcomes"] == n_known


def test_the_page_says_the_same(ran: Place) -> None:
    assert ran.covcore("html", "-d", "html").status == 0
    text = "".join(path.read_text() for path in (ran.folder / "html").rglob("*.*") if path.suffix in (".html", ".js"))
    assert "never finished" in text
    assert ("never entered" in text) is not HAS_EVENT_PER_ARM
