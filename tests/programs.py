"""Small programs for the tracer's tests, one shape of control flow each; `switch(label)` begins a context."""

PROGRAMS = {
    "joined": """
from itertools import permutations
TEXT = '''
def within(x, y, w, deeper=None):
    if 0 <= x < w and 0 <= y < w and (deeper is None or deeper):
        return x
    raise IndexError
def either(x, y, w, deeper=None):
    if x < 0 or x >= w or y < 0 or y >= w:
        return None
    if deeper: deeper()
    return x
def until(x, y, w, deeper=None):
    n = x
    while n < w:
        n += 1
        if n > y + 900: break
    else:
        return n
    if deeper: deeper()
def steps(x, y, w, deeper=None):
    while x >= 0 and y >= 0 and x < w:
        yield x
        if y >= w: break
        x += 1
    else:
        return
    if deeper: deeper()
'''
class Odd:
    def __init__(self, call): self.call = call
    def __bool__(self): return self.call() is None
def run(function, *args):
    try:
        result = function(*args)
        return result if result is None or isinstance(result, int) else list(zip(result, range(3)))
    except IndexError: pass
ENDS = [(-1, 1), (1, -1), (999, 1), (1, 999)]
for number, order in enumerate(permutations(ENDS, 2)):
    space = {}
    exec(compile("\\n" * 100 * number + TEXT, run.__code__.co_filename, "exec"), space)
    for function in [space[name] for name in ("within", "either", "until", "steps")]:
        def deeper():
            for x, y in order[::-1]: run(function, x, y, 9)
        for i in range(150): run(function, 1 + i % 5, i % 5, 9)
        for x, y in order:
            run(function, x, y, 9)
            for i in range(3): run(function, 1, i, 9, Odd(deeper) if number % 2 and function.__name__ == "within" else deeper)
    if number % 5 == 3:
        switch(f"{number}")
        for name in ("within", "either", "until", "steps"):
            for i in range(150): run(space[name], 1 + i % 5, i % 5, 9)
            run(space[name], *order[1], 9)
        switch("")
""",
    "one_sided": """
def own(n, at):
    for i in range(n):
        if i == at:
            x = 1
        else:
            x = 0
    return x
def shared(n, at):
    for i in range(n):
        if i != at:
            x = 1
        x = 2
    return x
def chain(n, at, x=0):
    for i in range(n):
        if i < 0 or i == at or x is None: raise ValueError
        x = i if i != at else None
def until(n, at):
    while n:
        n -= 1
        if n == at: break
    else: return 0
    x = 1
for label, at in ("A", -1), ("B", 900), ("A", 999), ("C", -1), ("D", 500), ("A", 5), ("B", -1):
    switch(label)
    own(1000, at); shared(1000, at); until(1000, at)
    try: chain(1000, at)
    except ValueError: pass
""",
    "if_and": """
def f(a, b):
    if a and b:
        return 1
    return 0
switch("A"); f(1, 1)
switch("B"); f(1, 0)
switch("A"); f(0, 0)
switch("C"); f(1, 1)
""",
    "if_for": """
def f(a, items):
    if a:
        for item in items:
            a += item
    return a
switch("A"); f(1, [])
switch("B"); f(0, [1])
switch("A"); f(1, [1, 2])
""",
    "one_liners": """
def f(x): return x
g = lambda x: x if x else -x
def h(n): yield from range(n)
def k(n):
    while n: n -= 1
for label in "ABAC":
    switch(label)
    f(1); g(0); g(1); list(h(2)); k(3)
""",
    "generator_expression": """
def f(items):
    return sum(item * 2 for item in items if item)
for label in "ABAC":
    switch(label)
    f([0, 1]); f([])
""",
    "suspended_generator": """
def numbers(n):
    while True: yield n
def steps(n):
    for i in range(n):
        if i % 2:
            yield i
        else:
            yield -i
    return
g = numbers(3)
s = steps(20)
for label in "ABACAB":
    switch(label)
    next(g)
    next(s)
    next(s)
""",
    "thrown_generator": """
def f():
    try:
        yield 1
    except ValueError:
        yield 2
    finally:
        x = 1
    yield 3
switch("A"); g = f(); next(g)
switch("B"); g.throw(ValueError)
switch("C"); next(g)
switch("D"); g.close()
switch("E"); h = f(); next(h); h.close()
""",
    "coroutines": """
import asyncio
class Steps:
    def __init__(self, n):
        self.n = n
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        await asyncio.sleep(0)
        return self.n
async def total(n):
    result = 0
    async for step in Steps(n):
        if step:
            result += step
    else:
        result += 1
    return result + len([s async for s in Steps(n) if s])
class Context:
    async def __aenter__(self):
        return self
    async def __aexit__(self, *args):
        return True
async def main():
    async with Context():
        raise ValueError
    return await total(3)
for label in "AB":
    switch(label)
    asyncio.run(main())
""",
    "recursion": """
def f(n):
    if n == 0:
        switch("B")
        return 0
    r = f(n - 1)
    return r + n
switch("A"); f(5)
switch("C"); f(0)
""",
    "match": """
def f(x):
    match x:
        case 0 | 1:
            return "few"
        case [a, *rest] if rest:
            return a
        case {"k": v}:
            return v
        case str() as s:
            return s
        case _:
            return None
switch("A"); f(0); f([1]); f([1, 2])
switch("B"); f({"k": 1}); f("s")
switch("C"); f(None); f(1)
""",
    "try_finally": """
def f(x):
    for i in range(3):
        try:
            if i == x:
                continue
            if x == 7:
                raise KeyError(x)
        except KeyError:
            break
        else:
            y = 1
        finally:
            z = 1
    else:
        return 1
    return 2
switch("A"); f(1)
switch("B"); f(7)
switch("C"); f(9)
""",
    "with_suppress": """
from contextlib import suppress
def f(x):
    with suppress(ValueError), suppress(KeyError):
        if x:
            raise ValueError
        return 0
    return 1
switch("A"); f(0)
switch("B"); f(1)
""",
    "comprehensions": """
def f(items):
    a = [i for i in items if i > 1]
    b = {i: j for i in items for j in items if i and j}
    c = any(i > 3 for i in items)
    d = all(i > 3 for i in items)
    e = tuple(
        i
        for i in items
    )
    return a, b, c, d, e
for label, items in zip("ABC", ([], [1, 2], [4, 5])):
    switch(label)
    f(items)
""",
    "chained": """
def f(a, b, c):
    x = a < b < c
    y = a if b else c
    z = not (a and b) or c
    if (a
            and b
            or c):
        w = 1
    assert x or y or z or True
    return x, y
switch("A"); f(1, 2, 3)
switch("B"); f(0, 0, 0)
switch("C"); f(1, 0, 1)
""",
    "while_else": """
def f(n):
    while n > 0:
        n -= 1
        if n == 5:
            break
    else:
        n = 100
    while True:
        n -= 1
        if n < 3: break
    return n
switch("A"); f(9)
switch("B"); f(2)
switch("C"); f(0)
""",
    "none_tests": """
def f(x, y):
    if x is None:
        return 1
    if y is not None:
        return 2
    return 3 if x is not None and y is None else 4
switch("A"); f(None, 1)
switch("B"); f(1, None)
switch("C"); f(1, 1)
""",
    "classes": """
def make():
    class C[T]:
        x = 1
        def method(self):
            def inner():
                return self.x
            return inner()
    return C
switch("A"); C = make()
switch("B"); C().method()
switch("C"); make()().method(); exec(compile("y = 1\\nif y:\\n    y = 2\\n", PROGRAM, "exec"))
""",
    "threads": """
import threading
def work(n):
    total = 0
    for i in range(n):
        if i % 2:
            total += i
    return total
switch("A")
t = threading.Thread(target=work, args=(10,)); t.start(); t.join()
switch("B")
t = threading.Thread(target=work, args=(0,)); t.start(); t.join()
switch("C")
t = threading.Thread(target=work, args=(1,)); t.start(); t.join()
""",
    "same_line_callee": """
def callee(label):
    switch(label)
    return label
def f(): return [callee(label) for label in "ABC"]
def g():
    for label in "DEF": callee(label)
f(); g()
""",
    "hot": """
def f(n, never):
    total = 0
    for i in range(n):
        total += i if i % 3 else 1
        if never:
            total = -1
        if i > 2 and total > 5 or i == 1:
            total -= 1
    return [x for x in range(n) if x], total
switch("A"); f(400, 0)
switch("B"); f(1, 0)
switch("C"); f(0, 1); f(400, 1)
""",
    "away_and_back": """
def f(x):
    if x:
        return 1
    return 2
def g(): return [i for i in range(3)]
for label in "ABAC":
    switch(label)
    if label != "B": f(0); g()
""",
}
