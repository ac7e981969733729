"""A context for each task of asyncio: its own lines and branches, as if it ran alone, beside sys.settrace that asks a ContextVar."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from conftest import Place
from pytest_runs import lines_by_test, with_plugins
from test_plugin import shop
from tracing import Observation, observe

__all__ = ["shop"]  # a fixture

START = """
import asyncio, contextvars, sys, threading
def labelled(name):
    context = contextvars.copy_context()
    context.run(LABEL.set, name)
    return context
def spawn(work, name):
    return asyncio.get_running_loop().create_task(work, name=name, context=labelled(name))
def run(work, **settings):
    with asyncio.Runner(**settings) as runner:
        async def begin():
            await spawn(work, "main")
        runner.run(begin(), context=labelled("Task-1"))
"""
PROGRAMS = {
    "shared_code": """
async def work(n):
    for i in range(n):
        if i % 2: await asyncio.sleep(0)
        elif i > 2: x = i
        else:
            x = -i
    while n > 3:
        n -= 1
        await asyncio.sleep(0)
    return [i for i in range(n) if i & 1]
async def main():
    await asyncio.gather(*(spawn(work(n), f"worker {n}") for n in range(7)))
run(main())
""",
    "one_liners": """
def f(x): return x if x else -x
def numbers(n):
    while True: yield n if n else 0
g = lambda x: [y for y in range(x) if y]
async def h(x): return f(x) and await asyncio.sleep(0, g(x))
kept = numbers(1)
async def work(n):
    for i in range(3): await h(n); next(kept); await asyncio.sleep(0)
    return sum(x for x in g(n) if x > 1)
async def main():
    for task in [spawn(work(n), f"w{n}") for n in (0, 1, 4, 0)]: await task
run(main())
""",
    "generators": """
async def source(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)
    else:
        yield -1
class Guard:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self
    async def __aexit__(self, kind, error, trace):
        if kind: return True
        await asyncio.sleep(0)
async def work(n):
    async for i in source(n):
        async with Guard():
            if i == 2: raise ValueError
    return [i async for i in source(n) if i > 0]
def steps(n):
    while n:
        n -= 1
        yield n
shared = steps(12)
async def take(n):
    for i in shared:
        if i < n: break
        await asyncio.sleep(0)
async def main():
    async with asyncio.TaskGroup() as group:
        tasks = [spawn(work(n), f"work {n}") for n in (0, 1, 4)] + [spawn(take(n), f"take {n}") for n in (3, 1)]
        for task in tasks: await task
run(main())
""",
    "ends": """
async def forever(n):
    try:
        while True:
            n += 1
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        if n % 2: n = 0
        raise
    finally:
        n = -1
async def fails(n):
    await asyncio.sleep(0)
    return 1 / n
async def slow(n):
    try:
        async with asyncio.timeout(0.01): await asyncio.sleep(n)
    except TimeoutError: return -1
    return n
async def main():
    tasks = [spawn(forever(n), f"forever {n}") for n in range(2)]
    failing = [spawn(fails(n), f"fails {n}") for n in (0, 1)]
    waiting = [spawn(slow(n), f"slow {n}") for n in (0, 10)]
    for _ in range(3): await asyncio.sleep(0)
    for task in tasks: task.cancel()
    for task in [*tasks, *failing, *waiting]:
        try: await task
        except (asyncio.CancelledError, ZeroDivisionError): pass
run(main())
""",
    "callbacks_and_threads": """
def inner(n):
    if n > 1: return n
    return -n
def callback(n):
    if n: inner(n)
def in_thread(n):
    for i in range(n): inner(i)
async def work(n):
    asyncio.get_running_loop().call_soon(callback, n)
    await asyncio.sleep(0)
    await asyncio.to_thread(in_thread, n)
    context = contextvars.copy_context()
    context.run(callback, n)
async def parent(n):
    children = [spawn(work(n + i), f"child {n + i}") for i in range(2)]
    await work(n)
    for child in children: await child
async def main():
    await asyncio.gather(*(spawn(parent(n), f"parent {n}") for n in (0, 10)))
run(main())
callback(5)
in_thread(3)
""",
    "eager": """
def eager(work, name):  # not by create_task(): before 3.14 it gives a task of eager_task_factory's its name after its first step
    return asyncio.Task(work, name=name, context=labelled(name), eager_start=True, loop=asyncio.get_running_loop())
async def cached(n):
    if n % 2: return n
    await asyncio.sleep(0)
    return -n
async def work(n):
    return [await cached(i) for i in range(n)]
async def main():
    tasks = [eager(work(n), f"work {n}") for n in (1, 2, 3)]
    for task in tasks: await task
    await eager(cached(1), "odd")
run(main())
""",
    "threads_with_loops": """
async def work(n):
    for i in range(n):
        if i % 3 == n % 3: await asyncio.sleep(0)
        else: x = i
    return n
async def main(k):
    for task in [spawn(work(k + n), f"work {k} {n}") for n in range(4)]: await task
def one(k):
    LABEL.set("")
    with asyncio.Runner() as runner:
        async def begin(): await spawn(main(k), f"main {k}")
        runner.run(begin(), context=labelled("Task-0"))
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=one, args=(k,)) for k in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
}
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
