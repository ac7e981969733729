"""Code objects that no compiler makes, and many threads in ordinary ones (T44, L3)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from conftest import Place
from faults.victims import SEEDS

# Analyses mutated code in a process of its own: a crash is to be a failure and not the end of the tests.
MUTATE = """\
import dis, inspect, random, sys
from types import CodeType
from covcore._reader import decode_shape, describe
import argparse, asyncio.tasks, dataclasses, json.decoder, typing
sys.path.append(sys.argv[3])
def nested(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)
codes = [code for module in (argparse, asyncio.tasks, dataclasses, json.decoder, typing)
         for code in nested(compile(inspect.getsource(module), module.__file__, "exec"))]
chance = random.Random(sys.argv[1])
# What CPython itself writes into running code, and reads tables for that such code has not.
INTERNAL = {number for name, number in dis.opmap.items() if name.startswith(("INSTRUMENTED", "ENTER_EXECUTOR"))}
def mutated(text):
    text = bytearray(text)
    way = chance.randrange(6)
    for _ in range(chance.choice([1, 1, 2, 20])):
        at = chance.randrange(len(text) + 1)
        if way <= 2 and at < len(text):
            text[at] = chance.choice([0, 0xFF, 0x80, 0x7F, chance.randrange(256)])
        elif way == 3:
            text[at:] = b""
        elif way == 4:
            text[at:at] = chance.randbytes(chance.randrange(40))
    return chance.randbytes(chance.randrange(200)) if way == 5 else bytes(text)
described = refused = impossible = 0
for number in range(int(sys.argv[2])):
    code = chance.choice(codes)
    changes = {}
    if chance.random() < 0.6:
        text = bytearray(mutated(code.co_code))
        text[::2] = (dis.opmap["NOP"] if op in INTERNAL else op for op in text[::2])
        # Some NOPs behind it: CPython writes caches of its own behind each instruction, even the last.
        changes["co_code"] = bytes(text[: len(text) & ~1]) + bytes([dis.opmap["NOP"], 0]) * 16
    if chance.random() < 0.6 or not changes:
        changes["co_linetable"] = mutated(code.co_linetable)
    if chance.random() < 0.3:
        changes["co_exceptiontable"] = mutated(code.co_exceptiontable)
    if chance.random() < 0.2:
        changes["co_firstlineno"] = chance.choice([0, 1, -1, -(2**31), 2**31 - 1, 2**30])
    try:
        code = code.replace(**changes)
    except (ValueError, OverflowError, SystemError):
        impossible += 1
        continue
    try:
        shape = describe(code)
    except ValueError:
        refused += 1
        continue
    lines, sites, blocks = decode_shape(shape)
    assert list(lines) == sorted(set(lines)) and all(len(site) == 10 for site in sites)
    described += 1
print(described, refused, impossible)
"""


def test_mutated_code_is_analysed_or_refused(place: Place, figure: Callable[[str], None]) -> None:
    """T44: bytecode, line tables, exception tables and first lines of any bytes."""
    place.write("main.py", MUTATE)
    n = 100_000 if SEEDS >= 100 else 3_000
    done = subprocess.run(
        [sys.executable, "main.py", "1", str(n), str(place.folder)],
        cwd=place.folder,
        env=place.environment | {"PYTHONMALLOC": "debug"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    described, refused, impossible = map(int, done.stdout.split())
    assert described > n / 10 and refused > n / 10
    figure(f"{n} mutated code objects: {described} described, {refused} refused, {impossible} not to be made; no crash")


THREADS = """\
import sys, threading, time
def work(n):
    total = 0
    for i in range(n):
        if i % 3 == 0:
            total += i
        elif i % 7 == 6:
            total -= 1
        else:
            total ^= i
    return total
def only(number):
    if number % 2:
        return 1
    return 0
def run(number):
    only(number)
    work(20_000)
    only(number + 1)
began = time.process_time()
threads = [threading.Thread(target=run, args=(number,)) for number in range(64)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(time.process_time() - began)
"""


def test_many_threads_in_the_same_code(place: Place, figure: Callable[[str], None]) -> None:
    """L3: 64 threads, 20,000 rounds each; what they ran together is all there, each time."""
    place.write("main.py", THREADS)
    n_rounds = 100 if SEEDS >= 100 else 3
    ratios = []
    for _ in range(n_rounds):
        bare = float(place.python("main.py").stdout)
        outcome = place.covcore("run", "main.py")
        ratios.append(float(outcome.stdout) / bare)
        assert place.lines()["main.py"] == set(range(1, 27)) - {9}
    ratios.sort()
    figure(f"{n_rounds} runs of 64 threads: all lines each time, {ratios[len(ratios) // 2]:.2f}x of bare (median)")
    assert ratios[0] < 1.3
