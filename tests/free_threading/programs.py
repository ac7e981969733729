"""Programs in which many threads meet at once: each says what is to be found of them.

`N` threads run the same `work`, so whatever the number is, the union of what they run is what one thread runs.  With a GIL they only take
turns; without one they are in the tracer together, and ThreadSanitizer watches (`make sanitize-ft`).
"""

HEAD = """
import gc, os, random, sys, threading
N = int(os.environ.get("THREADS", "16"))
ROUNDS = int(os.environ.get("ROUNDS", "20"))
sys.setswitchinterval(1e-5)
def together(function, n=N):
    barrier = threading.Barrier(n)
    def run(number):
        barrier.wait()
        function(number)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def arms(n):
    total = 0
    for i in range(n):
        if i % 3: total += 1
        elif i % 5 and i % 7: total -= 1
        else: total = i if total > i else -i
        while total > 50: total //= 2
    return [x for x in range(n) if x & 1 or x % 4], total
def steps(n):
    try:
        for i in range(n):
            if i == 5: continue
            yield i
    finally:
        n = 0
def one_way(n):
    for i in range(n):
        if i >= 0: continue
        n = i
def work(number):
    arms(60 + number % 2)
    list(steps(8))
    one_way(300)
def amid_switches(run):
    over = threading.Event()
    def switches():
        n = 0
        while not over.is_set():
            n += 1
            switch(f"context {n % 40}")
    switcher = threading.Thread(target=switches)
    switcher.start()
    run()
    over.set()
    switcher.join()
"""

# One code object after the other that all threads start at the same time.
DISCOVERY = """
SOURCE = 1000 * "\\n" + "def f(x):\\n    if x:\\n        return 1\\n    for y in (1, 2): x += y\\n    return x\\n"
for round in range(ROUNDS):
    namespace = {}
    exec(compile(SOURCE, PROGRAM, "exec"), namespace)
    together(lambda number: (namespace["f"](number % 2), namespace["f"](1 - number % 2)))
"""

UNION = """
for round in range(ROUNDS):
    together(work)
"""

# One thread switches while the others run.
SWITCHING = """
def rounds(number):
    for _ in range(ROUNDS): work(number)
amid_switches(lambda: together(rounds))
switch("last")
work(0); work(1)
"""

# Threads that live for one call.
BIRTHS = """
def parent(number):
    for _ in range(ROUNDS):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        switch(f"thread {number}")
        thread.join()
together(parent)
"""

# Code that goes while it is armed again.
DYING = """
SOURCE = 1000 * "\\n" + "def f(x):\\n    if x: return 1\\n    return 2\\n"
def short(number):
    for n in range(ROUNDS):
        namespace = {}
        exec(compile(SOURCE, PROGRAM, "exec"), namespace)
        namespace["f"](number % 2)
        switch(f"{number} {n}")
        namespace["f"](1 - number % 2)
        if n % 4 == 0: gc.collect()
together(short)
"""

# Measuring starts and stops while the others run.
STARTS = """
over = threading.Event()
def starts():
    for n in range(ROUNDS):
        stop()
        start()
    over.set()
def until(number):
    while not over.is_set(): work(number)
starter = threading.Thread(target=starts)
starter.start()
together(until)
starter.join()
work(0); work(1)
"""

# Forks while others run and switch; the child must find no lock that is held, and records its own.  Without a GIL it hangs where another
# thread was about to stop the world, as in a process without covcore (3.13.5): such a child is let go.
FORKS = """
import sysconfig, time
HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")
def status(child):
    end = time.monotonic() + (60 if HAS_GIL else 8)
    while time.monotonic() < end:
        pid, found = os.waitpid(child, os.WNOHANG)
        if pid: return os.waitstatus_to_exitcode(found)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"
over = threading.Event()
def busy(number):
    n = 0
    while not over.is_set():
        n += 1
        if number == 1: switch(f"context {n % 10}")
        work(number)
def forks():
    for n in range(ROUNDS):
        child = os.fork()
        if child == 0:
            work(n)
            os._exit(n % 100)
        found = status(child)
        assert found == n % 100 or (found == "hangs" and not HAS_GIL), found
def either(number):
    if number == 0:
        try: forks()
        finally: over.set()
    else: busy(number)
together(either)
"""

# All threads run the same part, and then comes the next context: what each has is exact.
CONTEXTS = """
def part(k):
    arms(k % 9)
    list(steps(k % 7))
    if k % 2: one_way(k)
for k in range(9 * ROUNDS // 2):
    if k % 5 == 4:  # what a start goes on with is heard of like anything
        stop()
        start()
    switch(str(k))
    together(lambda number: part(k))
switch("last")
"""

# An event loop in each thread, of which each step has a context of its own, while another thread switches.
LOOPS = """
import asyncio
async def step(number):
    await asyncio.sleep(0)
    work(number)
async def main(number):
    for n in range(2): await asyncio.gather(*(step(number + n + i) for i in range(2)))
amid_switches(lambda: together(lambda number: asyncio.run(main(number))))
"""

PROGRAMS = {
    name: HEAD + text
    for name, text in {
        "discovery": DISCOVERY,
        "union": UNION,
        "switching": SWITCHING,
        "births": BIRTHS,
        "dying": DYING,
        "starts": STARTS,
        "forks": FORKS,
        "contexts": CONTEXTS,
        "loops": LOOPS,
    }.items()
}
