"""Hot functions, each timed after it was called often enough to have hit all that it will ever hit.

    steady.py OUT SCALE WARM_UP [NAME ..]

Writes {name: seconds of CPU time of the fastest of some calls} to OUT.  SCALE times as much is done as takes about a
fifth of a second.  WARM_UP is how much more is done before: where a loop stands when the JIT takes it up decides what
code it makes, by some 10 %, so this should differ between runs.  Each function is there twice: as NAME_never it has a
line that never runs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator


def nested_loops(n: int) -> int:
    total = 0
    for i in range(n):
        for j in range(100):
            if j & 3:
                total += j
            else:
                total -= i
    return total


def nested_loops_never(n: int) -> int:
    total = 0
    for i in range(n):
        for j in range(100):
            if j & 3:
                total += j
            elif j < 0:
                total = 0
            else:
                total -= i
    return total


def squares(n: int) -> Iterator[int]:
    i = 0
    while i < n:
        yield i * i
        i += 1


def generators(n: int) -> int:
    total = 0
    for _ in range(n):
        for value in squares(50):
            total += value
        total += sum(value for value in squares(50) if value & 1)
    return total


def squares_never(n: int) -> Iterator[int]:
    i = 0
    while i < n:
        if i < 0:
            return
        yield i * i
        i += 1


def generators_never(n: int) -> int:
    total = 0
    for _ in range(n):
        for value in squares_never(50):
            total += value
        total += sum(value for value in squares_never(50) if value & 1)
    return total


def comprehensions(n: int) -> int:
    total = 0
    for i in range(n):
        odd = [j for j in range(50) if j & 1]
        by_number = {j: j + i for j in odd}
        total += len({j & 7 for j in by_number.values() if j > 10})
    return total


def comprehensions_never(n: int) -> int:
    total = 0
    for i in range(n):
        odd = [j for j in range(50) if j & 1]
        if not odd:
            continue
        by_number = {j: j + i for j in odd}
        total += len({j & 7 for j in by_number.values() if j > 10})
    return total


def conditions(n: int) -> int:
    count = 0
    for i in range(n):
        if i & 1 and i & 2 or i & 4 and not i & 8:
            count += 1
        count += i & 3 and 2 or 1
        count += 1 if i & 16 else 2
    return count


def conditions_never(n: int) -> int:
    count = 0
    for i in range(n):
        if i & 1 and i & 2 or i & 4 and not i & 8:
            count += 1
        if i < 0 or count < 0:
            count = 0
        count += i & 3 and 2 or 1
        count += 1 if i & 16 else 2
    return count


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def plus(self, other: Point) -> Point:
        return Point(self.x + other.x, self.y + other.y)


def fib(n: int) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def calls(n: int) -> Point:
    point = Point(0, 0)
    step = Point(1, 2)
    for _ in range(n):
        for _ in range(20):
            point = point.plus(step)
        fib(7)
    return point


def fib_never(n: int) -> int:
    if n < 0:
        raise ValueError(n)
    if n < 2:
        return n
    return fib_never(n - 1) + fib_never(n - 2)


def calls_never(n: int) -> Point:
    point = Point(0, 0)
    step = Point(1, 2)
    for _ in range(n):
        for _ in range(20):
            point = point.plus(step)
        if fib_never(7) < 0:
            point = step
    return point


REPEATS = 5  # the fastest counts: whatever else the machine does only adds

SIZES: dict[Callable[[int], object], int] = {  # what takes about a fifth of a second
    nested_loops: 60_000,
    nested_loops_never: 60_000,
    generators: 40_000,
    generators_never: 40_000,
    comprehensions: 40_000,
    comprehensions_never: 40_000,
    conditions: 1_500_000,
    conditions_never: 1_500_000,
    calls: 40_000,
    calls_never: 40_000,
}


def main() -> None:
    out, scale, warm_up, *names = sys.argv[1:]
    seconds = {}
    for function, size in SIZES.items():
        name = function.__name__
        if names and name not in names:
            continue
        for _ in range(3):
            function(size // 100 + int(warm_up))
        size = int(size * float(scale)) // REPEATS
        taken = []
        for _ in range(REPEATS):
            started = time.process_time()
            function(size)
            taken.append(time.process_time() - started)
        seconds[name] = min(taken)
    with open(out, "w") as file:
        json.dump(seconds, file)


main()
