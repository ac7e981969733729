"""A context for each task of asyncio: its own lines and branches, as if it ran alone, beside sys.settrace that asks a ContextVar."""

from __future__ import annotations

import sqlite3
import sysconfig
from pathlib import Path

import pytest
from conftest import Place
from everywhere.task_programs import PROGRAMS, START
from pytest_runs import lines_by_test, with_plugins
from test_plugin import shop
from tracing import Observation, observe

__all__ = ["shop"]  # a fixture

type What = dict[str, dict[str, set[tuple[int, int] | int]]]


def by_task(observation: Observation) -> What:
    """What each task ran; none whose name asyncio makes up, since threads get these in any order."""
    return {
        context: {
            code: {tuple(item) if isinstance(item, list) else item for item in items} for code, items in codes.items()
        }
        for context, codes in observation.items()
        if not context.startswith("Task-")
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_task_has_what_it_ran(tmp_path: Path, name: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(START + PROGRAMS[name])
    found = observe("covcore", path, env={"BY_TASK": "yes"})
    assert found["error"] is None
    for kind in ("lines", "arcs"):
        expected = by_task(observe(kind, path))
        assert by_task(found[kind]) == expected
        assert len(expected) > 3


# ---- by the command, and under pytest


PROGRAM = """
import asyncio
def choose(n):
    if n > 1: return "many"
    return "few"
async def ask(n):
    await asyncio.sleep(0)
    return choose(n)
async def main():
    await asyncio.gather(asyncio.create_task(ask(1), name="few"), asyncio.create_task(ask(2), name="many"))
asyncio.run(main())
"""


def line_contexts(place: Place, line: int) -> set[tuple[str, str, str]]:
    with sqlite3.connect(place.data) as connection:
        query = "SELECT static, test, phase FROM line_hit WHERE path NOT LIKE '%test_it.py' AND line = ?"
        found = set(connection.execute(query, (line,)))
    connection.close()
    return found


@pytest.mark.parametrize("where", ["option", "file"])
def test_the_option(place: Place, where: str) -> None:
    place.write("program.py", PROGRAM)
    if where == "file":
        place.write("covcore.toml", 'dynamic_contexts = "task"')
    option = ["--dynamic-contexts=task"] if where == "option" else []
    assert place.covcore("run", *option, "--context=nightly", "program.py") == place.python("program.py")
    assert line_contexts(place, 4) == {("nightly", "few", ""), ("nightly", "many", "")}
    assert [line_contexts(place, line) for line in (5, 10)] == [{("nightly", "few", "")}, {("nightly", "Task-1", "")}]
    assert place.covcore("tests", "program.py:4").stdout == "nightly|few\nnightly|many\n"


def test_tasks_have_none_unless_asked_for(place: Place) -> None:
    place.write("program.py", PROGRAM)
    assert place.covcore("run", "program.py").status == 0
    assert line_contexts(place, 4) == {("", "", "")}


def test_a_task_within_a_phase_of_a_test(place: Place) -> None:
    begin = "import covcore\nfrom covcore.measure.session import current\ncovcore.start(dynamic_contexts='task')\n"
    switch = "current().switch_context('test_it', 'setup')\n"
    place.write("program.py", f"{begin}{switch}{PROGRAM}covcore.stop()\n")
    assert place.python("program.py").status == 0
    last = PROGRAM.count("\n", 0, PROGRAM.index("few")) + 5  # where `few` is returned
    assert line_contexts(place, last) == {("", "test_it", "setup few")}


def test_names_that_are_objects_of_the_program(place: Place) -> None:
    """A task may say anything as its name: it is asked once for text, and what the program makes of comparing it is never run."""
    place.write(
        "program.py",
        """
import asyncio
class Text(str):
    def __hash__(self): raise ValueError
    def __eq__(self, other): raise ValueError
class Named:
    def __str__(self): return Text("object")
class Task(asyncio.Task):
    def get_name(self): return self.told
async def work():
    pass
async def main():
    for told in Text("subclass"), Named(), "plain":
        task = Task(work(), loop=asyncio.get_running_loop())
        task.told = told
        await task
asyncio.run(main())
""",
    )
    outcome = place.covcore("run", "--dynamic-contexts=task", "program.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert line_contexts(place, 11) == {("", name, "") for name in ("subclass", "object", "plain")}


def test_forked_children_and_started_ones(place: Place) -> None:
    """A child of a task is of that task."""
    place.write("work.py", "def forked(): pass\ndef started(): pass\n")
    place.write(
        "program.py",
        """
import asyncio, os, sys, work
async def fork():
    await asyncio.sleep(0)
    if (pid := os.fork()) == 0:
        work.forked()
        os._exit(0)
    os.waitpid(pid, 0)
async def start():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import work; work.started()")
    await process.wait()
async def main():
    for work in fork, start: await asyncio.create_task(work(), name=work.__name__)
asyncio.run(main())
""",
    )
    outcome = place.covcore("run", "--dynamic-contexts=task", "--source=.", "program.py")
    assert (outcome.status, outcome.stdout) == (0, ""), outcome.stderr
    assert place.covcore("report").status == 0
    with sqlite3.connect(place.data) as connection:
        found = set(connection.execute("SELECT line, test FROM line_hit WHERE path LIKE '%work.py'"))
    connection.close()
    assert found == {(1, ""), (2, ""), (1, "fork"), (1, "start"), (2, "start")}


SUITE = """
import asyncio, pytest, shop
{imports}
async def price(n):
    await asyncio.sleep(0)
    return shop.price(n, True)
@{mark}
async def test_together():
    await asyncio.gather(*(asyncio.create_task(price(n), name=f"price {{n}}") for n in (10, 200)))
@{mark}
async def test_alone():
    await price(10)
"""


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="`make test-ft` brings no plugins")
@pytest.mark.parametrize(
    "words",
    [
        {"imports": "", "mark": "pytest.mark.asyncio"},
        {"imports": "@pytest.fixture\ndef anyio_backend(): return 'asyncio'", "mark": "pytest.mark.anyio"},
    ],
    ids=["asyncio", "anyio"],
)
def test_under_pytest(shop: Place, words: dict[str, str]) -> None:
    """A test's tasks are the test's; where they are asked for, each is one of its phases."""
    shop.write("test_shop.py", SUITE.format(**words))
    assert with_plugins(shop, "--covcore=shop").status == 0
    of_test = lines_by_test(shop, "shop.py")
    assert of_test["test_shop.py::test_together"] == {2, 3, 4, 6}
    assert of_test["test_shop.py::test_alone"] == {2, 4, 6}
    assert with_plugins(shop, "--covcore=shop", "--covcore-contexts=task").status == 0
    of_task = lines_by_test(shop, "shop.py")
    assert of_task["test_shop.py::test_together|price 10"] == {2, 4, 6}
    assert of_task["test_shop.py::test_together|price 200"] == {2, 3}
    [alone] = [lines for context, lines in of_task.items() if context.startswith("test_shop.py::test_alone|Task-")]
    assert alone == {2, 4, 6}
