"""Memory that is refused, and memory that is kept: the program meets neither (T41, T42)."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Outcome, Place, unless_sanitized
from faults.victims import SEEDS, rng

FULL = SEEDS >= 100
NEVER = 10**9
NO_MEMORY = re.compile("memory|cannot create shared object descriptor", re.IGNORECASE)  # as dlopen says it

# Counts allocations from where all modules are imported and all code is compiled, to the end of what is measured.  How the program ends
# is told by what it prints: 7 is a child that saw no error, 9 one that did.
VICTIM = """\
import ctypes, os, sys
sys.path.append(sys.argv[3])
import covcore
def switch(label, session=covcore.current()):
    try:
        session.switch_context(label)
    except MemoryError:
        pass  # who asks for something is told so
shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
shim.allocations.restype = ctypes.c_long
def even(n):
    if n % 2:
        return n
    return -n
def loop(n):
    for i in range(n):
        even(i)
def generate():
    yield 1
    yield 2
LABELS = [f"test {i}" for i in range(40)]
text = "".join(f"def f{i}(x):\\n    if x: pass\\n" for i in range(30)) + "for f in [*globals().values()]: callable(f) and f(1)\\n"
NEW = compile(text, os.path.abspath("new.py"), "exec")
def scenario():
    for label in LABELS:
        switch(label)
        loop(3)
        if label == "test 7":
            exec(NEW, {})
    list(generate())
    child = os.fork()
    if child == 0:
        try:
            switch("child")
            even(4)
            exec(NEW, {})
        except MemoryError:
            os._exit(9)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
shim.starve(int(sys.argv[1]), int(sys.argv[2]))
try:
    ended = scenario()
except MemoryError as error:
    ended = error
n = shim.allocations()
shim.starve(0, 0)
if isinstance(ended, MemoryError):
    import traceback
    traceback.print_exception(ended)
print(type(ended).__name__ if ended not in (7, 9) else ended, n)
sys.exit(3)
"""

# Counts allocations from the very beginning, before covcore itself is imported.
WHOLE = """\
import ctypes, os, sys
sys.path.append(sys.argv[3])
shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
shim.allocations.restype = ctypes.c_long
first, last = map(int, sys.argv[1:3])
del sys.argv[1:4]
if first == 0:
    import atexit
    atexit.register(lambda: os.write(2, b"%d allocations" % shim.allocations()))
shim.starve(first or 10**9, last)
from covcore.cli import main
sys.exit(main())
"""
PLAIN = """\
import os, sys
def even(n):
    if n % 2:
        return n
    return -n
def child():
    pid = os.fork()
    if pid == 0:
        even(4)
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.write(1, b"began ")
try:
    even(3)
    os.write(1, b"%d" % child())
except MemoryError:
    os.write(1, b"MemoryError")
os._exit(5) if len(sys.argv) > 1 else None
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def starving(library: Callable[[str], Path]) -> dict[str, str]:
    """The environment of processes whose allocations can be made to fail."""
    return {"LD_PRELOAD": str(library("starve")), "PYTHONMALLOC": "malloc"}


@dataclass(frozen=True)
class Failure:
    """What became of a process of which one allocation failed.

    by_tracer: it was the tracer that asked, in each process where that number was reached
    of_function: it was for a function object
    """

    number: int
    by_tracer: bool
    of_function: bool
    outcome: Outcome


def fail_each(place: Place, starving: dict[str, str], numbers: Iterable[int], *words: str) -> list[Failure]:
    """Run Python once for each number, with the allocation of that number failing.

    words: what it runs; its first argument is the number of the first allocation that fails, its second that of the last
    """

    def run(number: int) -> Failure:
        data, told = place.folder / f"data-{number}", place.folder / f"told-{number}"
        arguments = [word.replace("NUMBER", str(number)) for word in words]
        outcome = place.python(*arguments, **starving, COVCORE_DATA=str(data), STARVED=str(told))
        by = told.read_text() if told.exists() else ""
        for path in data, told:
            path.unlink(missing_ok=True)
        shutil.rmtree(f"{data}.d", ignore_errors=True)
        return Failure(number, set(by) == {"t"}, "f" in by, outcome)  # a child counts on by itself, and then fails too

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, numbers))


def is_said_well(stderr: str) -> bool:
    """Whether what a process says is a warning, or of CPython: that hooks of its own at a fork got no memory, say."""
    ours = [line for line in stderr.splitlines() if "covcore: " in line or f'File "{ROOT}/covcore/' in line]
    return all(line.startswith("covcore: warning: ") for line in ours)


@unless_sanitized
def test_each_allocation_of_a_measured_program_fails(
    place: Place, starving: dict[str, str], figure: Callable[[str], None]
) -> None:
    """T42: where it is the tracer that gets no memory, the program sees nothing of it."""
    place.write("main.py", VICTIM)
    words = ["-m", "covcore", "run", "main.py", "NUMBER", "NUMBER", str(ROOT)]
    (undisturbed,) = fail_each(place, starving, [NEVER], *words)
    numbers = range(1, int(undisturbed.outcome.stdout.split()[1]) + 1)
    failures = fail_each(place, starving, numbers if FULL else rng("program").sample(numbers, SEEDS), *words)
    n_by_tracer = 0
    for failure in failures:
        outcome = failure.outcome
        if failure.of_function and sys.version_info < (3, 14):
            continue  # 3.13.0 frees the code twice where it has no memory for the function, and may then crash, bare too
        assert outcome.status in (3, 1) if "starve(0" in outcome.stderr else (3,), failure
        if failure.by_tracer:
            n_by_tracer += 1
            assert outcome.status == 3 and outcome.stdout.startswith("7 "), failure
            assert is_said_well(outcome.stderr), failure
    assert n_by_tracer
    figure(
        f"{len(failures)} of {len(numbers)} allocations of a measured program, {n_by_tracer} of them the tracer's: "
        "0 crashes, 0 MemoryErrors leaked"
    )


@unless_sanitized
def test_any_allocation_of_a_run_fails(place: Place, starving: dict[str, str], figure: Callable[[str], None]) -> None:
    """T42, the start and the end of the run included: the program runs as ever, or does not begin."""
    place.write("whole.py", WHOLE)
    place.write("main.py", PLAIN)
    words = ["whole.py", "NUMBER", "NUMBER", str(ROOT), "run", "main.py"]
    (whole,) = fail_each(place, starving, [0], *words)
    n_allocations = int(re.findall(r"(\d+) allocations", whole.outcome.stderr)[0])
    failures = fail_each(place, starving, rng("whole").sample(range(1, n_allocations), SEEDS), *words)
    kinds: Counter[str] = Counter()
    for failure in failures:
        outcome = failure.outcome
        if outcome.status < 0 and not failure.by_tracer and not outcome.stdout:
            kinds["crash"] += 1  # of CPython, which could not import something and fell over that
        elif not outcome.stdout:
            kinds["before"] += 1
            assert outcome.status == 1 and NO_MEMORY.search(outcome.stderr), failure
        else:
            assert outcome.status == 0, failure
            assert outcome.stdout == "began 7" or (outcome.stdout == "began MemoryError" and not failure.by_tracer)
            assert is_said_well(outcome.stderr), failure
            kinds["ran"] += 1
    assert kinds["ran"] > kinds["before"] and kinds["crash"] <= 1 + len(failures) // 100
    figure(
        f"{len(failures)} of the {n_allocations} allocations of a whole run: {kinds['ran']} times the program saw nothing, "
        f"{kinds['before']} times it did not begin; 0 crashes of covcore, {kinds['crash']} of CPython importing modules"
    )


STEADY = """\
import gc, os, sys
sys.path.append(sys.argv[1])
import covcore
TEXT = "def f(x):\\n    if x:\\n        return 1\\n    return 2\\nf(0)\\n"
def work(n):
    for i in range(n):
        covcore.start(data=sys.argv[2])
        for label in "ab":
            covcore.current().switch_context(label)
            exec(compile(TEXT, os.path.abspath("made.py"), "exec"), {})
        covcore.stop()
def state():
    gc.collect()
    maps = open("/proc/self/maps").read().count("\\n")
    return sys.getallocatedblocks(), len(os.listdir("/proc/self/fd")), maps
work(2 * int(sys.argv[3]))  # CPython keeps something for each code object that was ever instrumented
before = state()
work(int(sys.argv[3]))
print(*(after - was for after, was in zip(state(), before)))
"""


def test_nothing_is_kept(place: Place, figure: Callable[[str], None]) -> None:
    """T41: memory blocks, descriptors and mappings are as many after many rounds of measuring as after a few."""
    n = 300 if FULL else 20
    place.write("main.py", STEADY)
    outcome = place.python("main.py", str(ROOT), str(place.data), str(n))
    assert outcome.status == 0, outcome.stderr
    blocks, files, maps = map(int, outcome.stdout.split())
    figure(f"{n} times start, two contexts, stop: {blocks:+} blocks, {files:+} descriptors, {maps:+} mappings")
    assert (files, maps <= 2) == (0, True)
    assert blocks <= (n if FULL else 15 * n)  # a session that is kept has 70
