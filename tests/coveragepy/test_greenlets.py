"""Greenlets, threads and processes under coverage.py: lines and branches of each way, by covcore as the core and by the C tracer."""

from __future__ import annotations

import pytest
from conftest import Place
from coveragepy_cores import CORES, JINJA_TRACER, Files, arcs, coverage, report, settings

MODULE = """# how it was done
def count(n, pause):
    for i in range(n):
        if i % 2:
            pause()
        else:
            yield i
    else:
        pause()

def decide(n, pause):
    if n > 1:
        pause()
        x = 1 if n > 2 else 2
    elif n:
        pause()
        x = 3
    try:
        if n == 2:
            raise ValueError
    except ValueError:
        pause()
        x = 4
    while n > 2:
        n -= 1
        pause()
    return n

def killed(pause):
    try:
        while True:
            pause()
    finally:
        pause
"""

GREENLET = """
import greenlet, module
main = greenlet.getcurrent()
def pause(): main.switch()
def test_one():
    waiting = [greenlet.greenlet(lambda n=n: (list(module.count(n, pause)), module.decide(n, pause))) for n in range(4)]
    while waiting:
        for each in waiting: each.switch()
        waiting = [each for each in waiting if not each.dead]
def test_two():
    each = greenlet.greenlet(module.killed)
    each.switch(pause)
    module.decide(1, int)
    each.throw()
test_one(); test_two(); test_one()
"""

GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, gevent.pool, gevent.threadpool, queue, threading, module
def pause(): gevent.sleep(0)
def work(n): return list(module.count(n, pause)), module.decide(n, pause)
def test_pool(): gevent.pool.Pool(3).map(work, range(4))
def test_killed():
    each = gevent.spawn(module.killed, pause)
    gevent.sleep(0)
    each.kill()
def test_threads():  # which are greenlets
    threads = [threading.Thread(target=work, args=[n]) for n in (0, 3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def test_real_thread(): gevent.threadpool.ThreadPool(1).apply(module.decide, (1, int))
test_pool(); test_killed(); test_threads(); test_real_thread()
"""

EVENTLET = """
import eventlet
eventlet.monkey_patch()
import module, threading
def pause(): eventlet.sleep(0)
def work(n): return list(module.count(n, pause)), module.decide(n, pause)
def test_pool(): list(eventlet.GreenPool(3).imap(work, range(4)))
def test_killed():
    each = eventlet.spawn(module.killed, pause)
    eventlet.sleep(0)
    each.kill()
def test_threads():
    threads = [threading.Thread(target=work, args=[n]) for n in (0, 3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
test_pool(); test_killed(); test_threads()
"""

THREAD = """
import threading, time, module
def pause(): time.sleep(0)
def work(n): return list(module.count(n, pause)), module.decide(n, pause)
def test_threads():
    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
test_threads()
"""

PROGRAMS = {"greenlet": GREENLET, "gevent": GEVENT, "eventlet": EVENTLET, "thread": THREAD}
IN_TEMPLATE = """
import greenlet, jinja2
main = greenlet.getcurrent()
template = jinja2.Environment(loader=jinja2.FileSystemLoader("templates")).get_template("page.html")
each = [greenlet.greenlet(lambda n=n: template.render(n=n, pause=main.switch)) for n in range(3)]
while each:
    for one in each: one.switch()
    each = [one for one in each if not one.dead]
"""


def reports(place: Place, program: str, combine: bool = False) -> list[Files]:
    """What coverage.py reports of a program by each of the cores."""
    place.write("module.py", MODULE)
    place.write("program.py", program)
    found = []
    for core in CORES:
        coverage(place, core, "run", "program.py")
        if combine:
            coverage(place, core, "combine", "-q")
        found.append(report(place))
    return found


@pytest.mark.parametrize("concurrency", PROGRAMS)
def test_lines_and_branches_are_those_of_ctrace(place: Place, concurrency: str) -> None:
    settings(place, f"concurrency = {concurrency}\nomit = program.py\n")
    ours, theirs = reports(place, PROGRAMS[concurrency])
    assert ours == theirs
    assert ours["module.py"]["executed_branches"]
    assert ours["module.py"]["missing_lines"] == (
        [] if concurrency in ("greenlet", "gevent", "eventlet") else [30, 31, 32, 34]
    )


@pytest.mark.parametrize("concurrency", ["greenlet", "gevent", "eventlet"])
def test_contexts_with_greenlets(place: Place, concurrency: str) -> None:
    """What a context ran is what it ran, whoever else waits meanwhile."""
    settings(place, f"concurrency = {concurrency}\ndynamic_context = test_function\ninclude = module.py\n")
    place.write("module.py", MODULE)
    place.write("program.py", PROGRAMS[concurrency])
    coverage(place, "covcore", "run", "program.py")
    found = {
        context.rpartition(".")[2]: {line for arc in files["module.py"] for line in arc if line > 0}
        for context, files in arcs(place).items()
        if "module.py" in files
    }
    first = "test_one" if concurrency == "greenlet" else "test_pool"
    second = "test_two" if concurrency == "greenlet" else "test_killed"
    assert found.pop("") == {2, 11, 29}
    assert found[first] == {3, 4, 5, 7, 9, *range(12, 28)}
    assert found[second] >= {30, 31, 32, 34}
    assert not found[second] & set(range(3, 10))


def test_templates_in_greenlets(place: Place) -> None:
    """Frames of a file tracer that take turns."""
    settings(place, "concurrency = greenlet\n", ", jinja_tracer")
    place.write("jinja_tracer.py", JINJA_TRACER)
    place.write("program.py", IN_TEMPLATE)
    place.write(
        "templates/page.html", "{% if n %}\n  {{ pause() }}\n  {{ n }}\n{% else %}\n  {{ pause() }}\n{% endif %}\nend\n"
    )
    found = []
    for core in CORES:
        coverage(place, core, "run", "program.py")
        found.append(arcs(place))
    assert found[0][""]["page.html"] == found[1][""]["page.html"]


MULTIPROCESSING = """
import module
def pause(): pass
def work(n): return list(module.count(n, pause)), module.decide(n, pause)
if __name__ == "__main__":
    {patch}
    import multiprocessing
    for way in {ways}:
        with multiprocessing.get_context(way).Pool(1) as pool:
            pool.map(work, [1, 2, 3])
            pool.close()
            pool.join()
"""


@pytest.mark.parametrize(
    ("concurrency", "ways"),
    [("multiprocessing, thread", ("fork", "spawn")), ("multiprocessing, greenlet", ("fork",))],
)
def test_processes(place: Place, concurrency: str, ways: tuple[str, ...]) -> None:
    settings(place, f"concurrency = {concurrency}\nparallel = True\n")
    ours, theirs = reports(place, MULTIPROCESSING.format(patch="", ways=ways), combine=True)
    assert ours == theirs
    assert 19 in ours["module.py"]["executed_lines"]  # type: ignore[operator]


SIGTERM = """
import os, signal, subprocess, sys, time, module
if len(sys.argv) > 1:
    module.decide(int(sys.argv[1]), int)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
for n in range(4):
    assert subprocess.run([sys.executable, __file__, str(n)]).returncode == -signal.SIGTERM
"""


def test_processes_ended_by_sigterm(place: Place) -> None:
    settings(place, "patch = subprocess\nsigterm = True\n")
    ours, theirs = reports(place, SIGTERM, combine=True)
    assert ours == theirs
    assert 26 in ours["module.py"]["executed_lines"]  # type: ignore[operator]
