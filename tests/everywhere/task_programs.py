"""Programs of which each task is told apart.

`LABEL` says to a twin what covcore finds out by itself; a task called `Task-` is one whose name asyncio makes up, and is not compared.
"""

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
    "many_threads_with_loops": """
barrier = threading.Barrier(16)
def inner(n, k):
    if n % 4 == k % 4: return n
    for i in range(n):
        if i > k: return i
    return -n
async def step(n, k):
    for i in range(n):
        if i & 1: await asyncio.sleep(0)
        elif k > 7: inner(i, k)
        else: x = [y for y in range(i) if y > k]
async def main(k):
    async with asyncio.TaskGroup() as group:
        for n in range(4): group.create_task(step(n + k % 3, k), name=f"step {k} {n}", context=labelled(f"step {k} {n}"))
        group.create_task(step(2, k), name="of any", context=labelled("of any"))
def one(k):
    barrier.wait()
    with asyncio.Runner() as runner:
        for _ in range(3):
            async def begin(): await spawn(main(k), f"main {k}")
            runner.run(begin(), context=labelled("Task-0"))
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=one, args=(k,)) for k in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    "threads_in_step": """
barrier = threading.Barrier(2)
def path(n, i):
    for k in range(20):
        if n: x = k
        elif k == i: x = -k
async def work(n):
    for i in range(3):
        barrier.wait()  # both have switched as often
        path(n, i)
        barrier.wait()
        await asyncio.sleep(0)
def one(k):
    with asyncio.Runner() as runner:
        async def begin():
            for i in range(2): await spawn(work(k), f"work {k} {i}")
        runner.run(begin(), context=labelled("Task-0"))
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=one, args=(k,)) for k in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    "executors": """
from concurrent.futures import ThreadPoolExecutor
def crunch(n):
    for i in range(n):
        if i % 3 == 2: deep(i)
    return n
def deep(n):
    if n > 4: return n
    return -n
async def work(n):
    loop = asyncio.get_running_loop()
    for pool in pools[n % 2:]:
        if n > 5: await asyncio.to_thread(crunch, n)
        else: await loop.run_in_executor(pool, contextvars.copy_context().run, crunch, n + 1)
        deep(n)
        await asyncio.gather(*(loop.run_in_executor(pool, contextvars.copy_context().run, deep, i) for i in (n, 9)))
    await loop.run_in_executor(pools[0], crunch, 3)
async def main():
    await asyncio.gather(*(spawn(work(n), f"work {n}") for n in range(8)))
with ThreadPoolExecutor(3) as one, ThreadPoolExecutor(1) as other:
    pools = (one, other, None)
    run(main())
""",
    "groups_that_fail": """
async def sibling(n):
    try:
        for i in range(50):
            if i > n: n += 1
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        try: await asyncio.sleep(0)
        finally: n = 0
        raise
    finally:
        if n: n = -n
async def fails(n):
    for i in range(n): await asyncio.sleep(0)
    if n % 2: raise KeyError(n)
    raise ValueError(n)
async def group(n):
    try:
        async with asyncio.TaskGroup() as tasks:
            for i in range(2): tasks.create_task(sibling(i), name=f"sibling {n} {i}", context=labelled(f"sibling {n} {i}"))
            tasks.create_task(fails(n), name=f"fails {n}", context=labelled(f"fails {n}"))
            if n > 2: await asyncio.sleep(10)
    except* KeyError: n = -1
    except* ValueError: n = -2
    return n
async def patient(n):
    try: await asyncio.shield(spawn(sibling(n), f"shielded {n}"))
    except asyncio.CancelledError:
        if asyncio.current_task().uncancel(): raise
        await asyncio.sleep(0)
    return n
async def main():
    for n in range(4): await spawn(group(n), f"group {n}")
    task = spawn(patient(3), "patient")
    for _ in range(3): await asyncio.sleep(0)
    task.cancel()
    await task
    for _ in range(60): await asyncio.sleep(0)
run(main())
""",
    "closing": """
import contextlib
async def numbers(n):
    try:
        for i in range(n):
            try: yield i
            except KeyError: i = -1
            await asyncio.sleep(0)
    finally:
        if n % 2: await asyncio.sleep(0)
        else: n = 0
async def leaves(n):
    async with contextlib.aclosing(numbers(n)) as source:
        async for i in source:
            if i == n - 2: break
async def hands_over(n):
    source = numbers(n)
    await anext(source)
    await spawn(closes(source), f"closes {n}")
async def closes(source):
    try: await source.athrow(KeyError)
    except StopAsyncIteration: return
    await source.aclose()
async def main():
    await asyncio.gather(*(spawn(work(n), f"{work.__name__} {n}") for work in (leaves, hands_over) for n in (1, 2, 3, 4)))
run(main())
""",
    "loops_within_loops": """
def helper(n):
    if n > 1: return n
    return -n
async def inner(n):
    helper(n)
    await asyncio.sleep(0)
    for i in range(n): helper(i)
def nested(n):
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    helper(n)
    try: run(inner(n))
    finally:
        asyncio._set_running_loop(loop)
        asyncio.tasks._enter_task(loop, task)
    helper(-n)
def run(work):
    with asyncio.Runner() as runner:
        async def begin(): await spawn(work, f"inner {work.cr_frame.f_locals['n']}")
        runner.run(begin(), context=labelled("Task-0"))
async def outer(n):
    await asyncio.sleep(0)
    if n % 2: nested(n)
    else: await asyncio.to_thread(run, inner(n))
    await asyncio.sleep(0)
    return n
async def main():
    for task in [spawn(outer(n), f"outer {n}") for n in range(4)]: await task
with asyncio.Runner() as runner:
    async def begin(): await spawn(main(), "main")
    runner.run(begin(), context=labelled("Task-1"))
""",
    "eager_in_threads": """
barrier = threading.Barrier(8)
def eager(work, name):
    return asyncio.Task(work, name=name, context=labelled(name), eager_start=True, loop=asyncio.get_running_loop())
async def leaf(n):
    if n % 3: return n
    await asyncio.sleep(0)
    return -n
async def work(n, k):
    for i in range(n):
        await (eager if i % 2 else spawn)(leaf(i + k), f"leaf {k} {n} {i}")
    return n
def one(k):
    barrier.wait()
    with asyncio.Runner() as runner:
        async def begin():
            for task in [eager(work(n, k), f"work {k} {n}") for n in range(4)]: await task
        async def first(): await spawn(begin(), f"begin {k}")
        runner.run(first(), context=labelled("Task-0"))
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=one, args=(k,)) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
}
