"""The tracer against CPython's own settrace and against BRANCH events that nobody disables; and what is known to break such a tracer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from instructions import HAS_EVENT_PER_ARM, branches
from programs import PROGRAMS
from tracing import Observation, observe

HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()
JIT = pytest.param({"PYTHON_JIT": "1"}, id="jit", marks=pytest.mark.skipif(not HAS_JIT, reason="this build has no JIT"))
NO_JIT = pytest.param({"PYTHON_JIT": "0"}, id="interpreter")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "program.py"
    path.write_text(text)
    return path


def as_sets(observation: Observation) -> dict[tuple[str, str], set[Any]]:
    """{(context, code object): items}, without the empty ones."""
    return {
        (context, code): {tuple(item) if isinstance(item, list) else item for item in items}
        for context, codes in observation.items()
        for code, items in codes.items()
        if items
    }


def assert_same(got: Observation, expected: Observation) -> None:
    assert as_sets(got) == as_sets(expected)


@pytest.mark.parametrize("env", [NO_JIT, JIT])
@pytest.mark.parametrize("name", PROGRAMS)
def test_lines_and_arcs_per_context(name: str, env: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path, PROGRAMS[name])
    assert_exact(name, path, observe("covcore", path, env=env))


def assert_exact(name: str, path: Path, got: Any) -> None:
    """What covcore observed equals the twins' lines and arcs."""
    arcs = observe("arcs", path)
    if name == "comprehensions":
        arcs = known_arcs(path, arcs)
    else:
        assert got["unknown"] == 0
    assert got["error"] is None
    assert_same(got["lines"], observe("lines", path))
    assert_same(got["arcs"], arcs)


def known_arcs(path: Path, observation: Observation) -> Observation:
    """Without what no table of CPython knows: the jump onto POP_ITER of an inlined any() or all()."""
    known: dict[str, set[tuple[int, int]]] = {}

    def walk(code: Any) -> None:
        arcs = known.setdefault(f"{code.co_qualname}:{code.co_firstlineno}", set())
        for source, left, right in branches(code):
            arcs |= {(source, left), (source, right)}
        for constant in code.co_consts:
            if hasattr(constant, "co_code"):
                walk(constant)

    walk(compile(path.read_text(), str(path), "exec"))
    return {
        context: {
            code: [arc for arc in arcs if code not in known or tuple(arc) in known[code]]
            for code, arcs in codes.items()
        }
        for context, codes in observation.items()
    }


@pytest.mark.parametrize("option", ["instruction", "opcodes", "busy"])
@pytest.mark.parametrize(
    "name", ["if_and", "if_for", "try_finally", "comprehensions", "coroutines", "one_liners", "chained", "hot"]
)
def test_beside_other_tools(name: str, option: str, tmp_path: Path) -> None:
    """Stale sources: INSTRUCTION events and settrace's opcodes shift them (tracer-cases 8); one tool id only."""
    path = write(tmp_path, PROGRAMS[name])
    assert_exact(name, path, observe("covcore", path, option))


@pytest.mark.parametrize(
    "name", ["comprehensions", "coroutines", "one_liners", "hot", "suspended_generator", "away_and_back"]
)
def test_what_is_silenced_at_once_is_armed_with_all_that_it_needs(name: str, tmp_path: Path) -> None:
    """Without events to spare all code is armed again at each switch, with the events that its shape asks for."""
    path = write(tmp_path, PROGRAMS[name])
    assert_exact(name, path, observe("covcore", path, env={"SPARE": "0"}))


UNDER_WAY = """
def callee(label):
    switch(label)
    return label
def h():
    result = []
    for value in (callee(label) for label in "ABCD"):
        result.append(value)
    return result
h()
"""


def test_an_arc_that_is_under_way_at_a_switch(tmp_path: Path) -> None:
    """A generator switches the context while the measured loop around it waits for its next item.  What runs that seldom
    is not silenced, so the loop's FOR_ITER, which began in the last context, tells of its arc in the new one."""
    path = write(tmp_path, UNDER_WAY)
    got = observe("covcore", path)
    assert_same(got["lines"], observe("lines", path))
    assert_same(got["arcs"], observe("arcs", path))


@pytest.mark.xfail(
    HAS_EVENT_PER_ARM,
    reason="the jump that is being decided during a switch was silenced in the last context",
    strict=True,
)
def test_an_arc_of_hot_code_that_is_under_way_at_a_switch(tmp_path: Path) -> None:
    """The same in code that is silenced: FOR_ITER began before it was armed again.  Lines are exact."""
    path = write(tmp_path, UNDER_WAY.replace("result.append(value)", "for _ in range(300): result.append(value)"))
    got = observe("covcore", path)
    assert_same(got["lines"], observe("lines", path))
    assert_same(got["arcs"], observe("arcs", path))


SELDOM = """
import json, sys
from covcore import _tracer

def once(n):
    if n:
        return [1, n, 2, n]
    return [2, n, 3, n]

def looping(n):
    total = 0
    for i in range(n):
        total += i
    return total

tracer = _tracer.Tracer(lambda name: name if name == __file__ else None)
tracer.start([sys.argv[1]], "0")
rearmed = []
for number in range(40):
    tracer.switch_context("", f"test {number}", "")
    before = tracer.counts()["rearmed"]
    once(number % 2)
    looping(100 if number < 10 else 1)
    tracer.switch_context("", "", "")
    rearmed.append(tracer.counts()["rearmed"] - before)
tracer.stop()
print(json.dumps({"rearmed": rearmed, "error": tracer.error}))
"""


def test_what_a_context_runs_seldom_is_not_armed_again(tmp_path: Path) -> None:
    path = write(tmp_path, SELDOM)
    (tmp_path / "recordings").mkdir()
    command = [sys.executable, path, tmp_path / "recordings"]
    got = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert got["error"] is None
    assert got["rearmed"][0] == 2  # nothing is known of either yet
    assert got["rearmed"][1:15] == [1] * 14  # `looping`, which was found to be hot for 4 contexts, and then for 8
    assert got["rearmed"][15:] == [0] * 25  # it was tried out again, and loops no more


LAST_TO_SPARE = """
def f(n, longer=False):
    if longer:
        n = n + n - n + n - n + n - n + n - n + n - n
    while n:
        n -= 1 if n else 0  # a jump within the line
    return n
for n in range(1, 12):
    for calls in range(5):
        for longer in range(calls + 1):
            fresh = type(f)(f.__code__.replace(), globals(), None, (False,))
            switch("new")
            fresh(1, True)
            switch(f"{n}, {calls} and {longer}")
            for number in range(calls):
                fresh(0, number < longer)
            fresh(n)
            switch(f"after {n}, {calls} and {longer}")
            fresh(2)
"""


def test_the_last_event_to_spare_may_be_any(tmp_path: Path) -> None:
    """With it code begins to be silenced, and gives up LINE: the next context must hear it all the same, whatever it was
    and though it was the last that came."""
    path = write(tmp_path, LAST_TO_SPARE)
    assert_exact("last_to_spare", path, observe("covcore", path))


EXISTING = """
import threading, time
def never_started():
    yield 1
    yield 2
def thrown():
    try:
        yield 1
    except ValueError:
        yield 2
    yield 3
def sent():
    while True:
        x = yield
        if x:
            y = x
class Awaitable:
    def __await__(self):
        yield
async def coroutine():
    await Awaitable()
    z = 1
def loop():
    entered.set()
    n = 0
    while not leave.is_set():
        n += 1
        looped.set()
    return n
def rounds():
    for _ in range(3):
        looped.clear(); looped.wait()
def inner(flag):
    start()
    if flag:
        a = 1
    return 2
def outer():
    for i in range(2):
        if i == 1:
            break
        inner(i)
    return 3
entered, leave, looped = threading.Event(), threading.Event(), threading.Event()
thread = threading.Thread(target=loop)
thread.start(); entered.wait()
unstarted = never_started()
t = thrown(); next(t)
s = sent(); next(s)
c = coroutine(); c.send(None)
outer()
rounds()
switch("after")
x = 4
next(unstarted)
t.throw(ValueError)
s.send(0)
s.send(1)
try:
    c.send(None)
except StopIteration:
    pass
rounds()
leave.set(); thread.join()
"""


@pytest.mark.parametrize("env", [NO_JIT, JIT])
def test_start_from_a_nested_call(env: dict[str, str], tmp_path: Path) -> None:
    """What runs or is suspended when measuring starts is measured (tracer-cases 5)."""
    path = write(tmp_path, EXISTING)
    got = observe("covcore", path, "late", env=env)
    assert got["error"] is None
    expected = observe("lines", path, "late")
    assert ("after", "thrown:6") in as_sets(expected)
    assert_same(got["lines"], expected)
    assert_same(got["arcs"], observe("arcs", path, "late"))


INTERRUPTED = """
import ctypes, operator, os, signal, sys
class Alarm(Exception): pass
def handler(number, frame):
    interrupted_in.append(frame.f_code.co_name)
    raise Alarm
signal.signal(signal.SIGUSR1, handler)
interrupted_in = []
kill = ctypes.CDLL(None)["raise"]  # unlike Python's own functions it leaves the signal to whoever runs next
def f(x): return x
def g():
    yield 1; yield 2; yield 3
def in_start(code, offset):
    os.kill(os.getpid(), signal.SIGUSR1)
def interrupted(code, function, argument):
    if HOW == "resume":
        calls = map(operator.call, (kill, function), (signal.SIGUSR1, argument))
    else:
        monitoring, events = sys.monitoring, sys.monitoring.events
        monitoring.use_tool_id(0, "theirs")
        for event in events.PY_START, events.PY_RESUME:
            monitoring.register_callback(0, event, in_start)
        monitoring.set_local_events(0, code, events.PY_START | events.PY_RESUME)
        calls = map(function, (argument,))
    try:
        list(calls)
    except Alarm:
        pass
    assert interrupted_in.pop() == ("in_start" if HOW == "start" else code.co_name)
    if HOW == "start":
        monitoring.set_local_events(0, code, 0)  # before 3.14 they outlive the tool
        monitoring.free_tool_id(0)
f(0)
steps = g(); next(steps)
switch("A"); interrupted(f.__code__, f, 1)
switch("B"); f(0)
switch("C"); steps = g(); next(steps); f(0)
switch("D"); interrupted(g.__code__, next, steps)
switch("E"); steps = g(); next(steps); next(steps)
"""


@pytest.mark.parametrize("spare", [{}, {"SPARE": "0"}], ids=["spare", "silenced"])
@pytest.mark.parametrize("how", ["resume", "start"])
def test_a_signal_as_code_of_one_line_starts(how: str, spare: dict[str, str], tmp_path: Path) -> None:
    """It is raised in a RESUME, before our callback; or within the callback of a tool with a lower id, which CPython calls
    after ours, when the start is silenced and LINE has not come (tracer-cases 4).  The contexts after hear the line."""
    path = write(tmp_path, INTERRUPTED.replace("HOW", repr(how)))
    got = observe("covcore", path, env=spare)
    assert got["error"] is None
    lines = as_sets(got["lines"])
    of_f = {context: lines.get((context, "f:10"), set()) for context in "ABCDE"}
    of_g = {context: lines.get((context, "g:11"), set()) for context in "ABCDE"}
    assert of_f == {"A": set(), "B": {10}, "C": {10}, "D": set(), "E": set()}
    assert of_g["A"] == of_g["B"] == set() and of_g["C"] == of_g["E"] == {12}


SECOND_START = """
def f(x):
    if x:
        return 1
    return 2
def g(): return 3
f(0); g()
stop()
f(1)
start()
switch("second")
f(1); g()
stop()
accept()
start()
switch("refused")
f(0); g()
stop()
accept(PROGRAM)
start()
switch("third")
f(0); g()
"""


def test_stop_and_start(tmp_path: Path) -> None:
    """A second start measures code that discovery will not hear of again, and by the filter of that start (tracer-cases 6)."""
    got = observe("covcore", write(tmp_path, SECOND_START))
    assert got["error"] is None
    calls = {key: lines for key, lines in as_sets(got["lines"]).items() if key[1] != "<module>:1"}
    assert calls == {
        ("", "f:2"): {3, 5},
        ("", "g:6"): {6},
        ("second", "f:2"): {3, 4},
        ("second", "g:6"): {6},
        ("third", "f:2"): {3, 5},
        ("third", "g:6"): {6},
    }


THIEF = """
import sys
heard = []
def f(x):
    if x:
        return 1
    return 2
f(0)
ours = [i for i in range(6) if sys.monitoring.get_tool(i) == "covcore"]
for i in ours:
    sys.monitoring.free_tool_id(i)
    if STOLEN:
        sys.monitoring.use_tool_id(i, "thief")
        sys.monitoring.register_callback(i, sys.monitoring.events.LINE, lambda code, line: heard.append(line))
switch("A")
f(1)
switch("B")
f(0)
assert not heard or sys.version_info < (3, 14), heard  # before, what a tool has armed stays when it is freed
"""


@pytest.mark.parametrize("stolen", [False, True])
def test_ids_freed_and_taken(stolen: bool, tmp_path: Path) -> None:
    """Another tool frees our ids, and may take them: the next switch finds others and never arms the thief."""
    got = observe("covcore", write(tmp_path, THIEF.replace("STOLEN", str(stolen))))
    assert got["error"] is None
    lines = as_sets(got["lines"])
    assert (lines["", "f:4"], lines["A", "f:4"], lines["B", "f:4"]) == ({5, 7}, {5, 6}, {5, 7})


LATE_EXITS = """
def exits(n, k):
    for i in range(n):
        if i == k:
            break
        try:
            if i == k + 1:
                raise KeyError
        except KeyError:
            pass
    else:
        return 0
    return 1
def while_exit(n):
    while n:
        n -= 1
        if n == -1:
            continue
    return n
def tuples(items):
    for a, b in items:
        if a > b:
            return a
switch("hot")
exits(5000, -5); while_exit(5000); tuples(((1, 2),) * 5000)
switch("late")
exits(5000, 4999); exits(0, 0); while_exit(0); tuples(()); tuples(((2, 1),)); exits(3, 1)
exits(9, -1)
"""


@pytest.mark.parametrize("env", [NO_JIT, JIT])
def test_late_exits(env: dict[str, str], tmp_path: Path) -> None:
    """Loop exits, breaks and handlers that come after the code is hot (tracer-cases 9)."""
    path = write(tmp_path, LATE_EXITS)
    got = observe("covcore", path, env=env)
    assert (got["error"], got["unknown"]) == (None, 0)
    assert_same(got["lines"], observe("lines", path))
    assert_same(got["arcs"], observe("arcs", path))


DISCOVERY = """
import threading
source = "def f(x):\\n    if x:\\n        return 1\\n    return 2\\n"
barrier = threading.Barrier(16)
def run(f):
    barrier.wait()
    f(0)
for _ in range(20):
    namespace = {}
    exec(compile(source, PROGRAM, "exec"), namespace)
    threads = [threading.Thread(target=run, args=(namespace["f"],)) for _ in range(16)]
    for t in threads: t.start()
    for t in threads: t.join()
"""


def test_sixteen_threads_discover_one_code_object(tmp_path: Path) -> None:
    """A decision that lets another thread run registers the code object once (tracer-cases 11)."""
    path = write(tmp_path, DISCOVERY)
    script = f"""
import os, sys, tempfile, time
sys.setswitchinterval(1e-6)
from covcore import _tracer
def decide(filename):
    time.sleep(0)  # lets another thread run
    return filename if filename == {str(path)!r} else None
tracer = _tracer.Tracer(decide)
tracer.start([tempfile.mkdtemp()], "0")
PROGRAM = {str(path)!r}
exec(compile(open(PROGRAM).read(), PROGRAM, "exec"))
tracer.stop()
assert tracer.error is None, tracer.error
print(tracer.counts()["codes"])
"""
    # 20 modules and their f, run() and the program itself
    assert run(script).split() == ["42"]


def run(script: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


PRELUDE = """
import gc, os, sys, tempfile
from covcore import _tracer
folder = tempfile.mkdtemp()
tracer = _tracer.Tracer(lambda filename: "/here/" + filename if filename == "made" else None)
"""


def test_code_freed_in_mid_context() -> None:
    """Code objects come and go; the next switch meets none that is gone (tracer-cases 12)."""
    script = (
        PRELUDE
        + """
tracer.start([folder], "0")
for round in range(300):
    namespace = {}
    exec(compile("def f(x):\\n    if x:\\n        return 1\\n    return [i for i in range(x)]\\n" * 3, "made", "exec"), namespace)
    namespace["f"](round % 2)
    if round % 3 == 0:
        tracer.switch_context("", str(round), "")
    del namespace
    if round % 50 == 0:
        gc.collect()
tracer.restart()
tracer.stop()
assert tracer.error is None
print(tracer.counts()["codes"] >= 600)
"""
    )
    assert run(script) == "True\n"


@pytest.mark.parametrize("ending", ["pass", "tracer.stop()", "del tracer", "sys.modules.clear()", "os._exit(0)"])
def test_finalisation(ending: str) -> None:
    """The interpreter ends with measuring on, off, or half torn down."""
    script = (
        PRELUDE
        + f"""
LATE = '''
def f(x):
    return x
class Late:
    def __del__(self):
        f(1)
late = Late()
late.me = late
f(0)
'''
tracer.start([folder], "0")
exec(compile(LATE, "made", "exec"))
print("done", flush=True)
{ending}
"""
    )
    assert run(script) == "done\n"


def test_second_user_of_co_extra() -> None:
    """Our free function is called with NULL for code on which only another tool has set something."""
    script = (
        """
import ctypes, gc, sys
request = ctypes.pythonapi.PyUnstable_Eval_RequestCodeExtraIndex
request.argtypes, request.restype = [ctypes.c_void_p], ctypes.c_ssize_t
set_extra = ctypes.pythonapi.PyUnstable_Code_SetExtra
set_extra.argtypes, set_extra.restype = [ctypes.py_object, ctypes.c_ssize_t, ctypes.c_void_p], ctypes.c_int
"""
        + PRELUDE
        + """
theirs = request(None)
tracer.start([folder], "0")
for _ in range(100):
    code = compile("x = 1", "made", "exec")
    assert set_extra(code, theirs, 8) == 0
    if _ % 2:
        exec(code)
    del code
gc.collect()
tracer.stop()
print(tracer.counts()["codes"], tracer.error)
"""
    )
    assert run(script) == "50 None\n"


def test_no_tool_id_is_free() -> None:
    script = (
        PRELUDE
        + """
for tool in range(6):
    sys.monitoring.use_tool_id(tool, f"tool {tool} of theirs")
try:
    tracer.start([folder], "0")
except RuntimeError as error:
    print(error)
print(os.listdir(folder), tracer.started)
"""
    )
    message, rest = run(script).splitlines()
    assert all(f"{tool}: tool {tool} of theirs" in message for tool in range(6))
    assert rest == "[] False"


def test_a_switch_disturbs_no_other_tool() -> None:
    """Their disabled LINE events stay disabled over our switches and restarts; only our first arming of a code object re-fires them
    (CPython initialises line tools once per code object)."""
    script = (
        PRELUDE
        + """
namespace = {}
exec(compile("def f(x):\\n    y = x\\n    for i in range(3):\\n        y += i\\n    return y\\n", "made", "exec"), namespace)
f = namespace["f"]
mon = sys.monitoring
mon.use_tool_id(0, "theirs")
heard = []
mon.register_callback(0, mon.events.LINE, lambda code, line: heard.append(line) or mon.DISABLE)
tracer.start([folder], "0")
f(1)
mon.set_local_events(0, f.__code__, mon.events.LINE)
f(1)
first = len(heard)
for i in range(20):
    tracer.switch_context("", str(i), "")
    f(1)
    tracer.restart()
    f(1)
print(first > 0, len(heard) - first, mon.get_tool(0), tracer.error)
"""
    )
    assert run(script) == "True 0 theirs None\n"


def test_an_error_in_deciding_stops_recording_and_is_kept() -> None:
    script = """
import tempfile
from covcore import _tracer
def decide(filename):
    if filename == "bad":
        raise ZeroDivisionError("oops")
tracer = _tracer.Tracer(decide)
tracer.start([tempfile.mkdtemp()], "0")
exec(compile("x = 1", "bad", "exec"))
exec(compile("x = 2", "good", "exec"))
print(x, tracer.error)
"""
    assert run(script) == "2 ZeroDivisionError: oops\n"


def test_an_exception_of_the_programs_signal_handler_reaches_the_program() -> None:
    """A signal that arrives while a decision is made interrupts the program, not us."""
    script = """
import os, signal, tempfile
from covcore import _tracer
class Alarm(Exception): pass
def handler(number, frame):
    raise Alarm
signal.signal(signal.SIGUSR1, handler)
def decide(filename):
    if filename == "slow" and not seen:
        seen.append(filename)
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(1000): pass
    return None
seen = []
tracer = _tracer.Tracer(decide)
tracer.start([tempfile.mkdtemp()], "0")
try:
    exec(compile("x = 1", "slow", "exec"))
except Alarm:
    print("alarm", tracer.error)
exec(compile("x = 1", "slow", "exec"))
print(x, tracer.error)
"""
    assert run(script) == "alarm None\n1 None\n"


def test_what_ran_in_a_pause_is_heard_after_it() -> None:
    """Code that is met, and silenced, in a pause; and code of before it."""
    script = """
from covcore import _reader, _tracer
tracer = _tracer.Tracer(lambda path: path if path == "made" else None)
exec(compile("def f(x):\\n    if x:\\n        return 1\\n    return 2\\n" * 2, "made", "exec"))
before = f
exec(compile("\\n" * 9 + "def f(x):\\n    if x:\\n        return 1\\n    return 2\\n", "made", "exec"))
def told():
    found = []
    for (_, _, shape), bits in tracer.take():
        lines = _reader.decode_shape(shape)[0]
        found += [line for slot, line in enumerate(lines) if bits[slot >> 3] & 0x80 >> (slot & 7)]
    return sorted(found)
tracer.start_tally()
before(0)
print(told())
tracer.pause()
before(1); f(1); before(0); f(0)
print(told())
tracer.resume()
before(1); f(1)
print(told())
tracer.restart()
f(0)
print(told())
"""
    assert run(script) == "[6, 8]\n[]\n[6, 7, 11, 12]\n[11, 13]\n"


def test_deep_recursion_is_not_an_error() -> None:
    script = (
        PRELUDE
        + """
exec(compile("def f(n):\\n    return f(n + 1)\\n", "made", "exec"))
tracer.start([folder], "0")
try:
    f(0)
except RecursionError:
    print("RecursionError", tracer.error)
"""
    )
    assert run(script) == "RecursionError None\n"


def test_a_forked_child_begins_a_recording_of_its_own() -> None:
    script = (
        PRELUDE
        + """
exec(compile("def f(x):\\n    if x:\\n        return 1\\n    return 2\\n", "made", "exec"))
tracer.start([folder], "0")
f(0)
child = os.fork()
f(1)
if child == 0:
    tracer.stop()
    os._exit(0 if tracer.error is None else 1)
status = os.waitpid(child, 0)[1]
tracer.stop()
from pathlib import Path
from covcore import _reader
ends = []
for path in sorted(Path(folder).iterdir()):
    recording = _reader.read_recording([path.read_bytes()])
    ends.append((recording["owner"]["pid"] == os.getpid(), recording["end"], recording["problem"], sum(map(len, recording["hits"]))))
print(status, sorted(ends))
"""
    )
    assert run(script) == "0 [(False, 2, None, 1), (True, 2, None, 1)]\n"


def test_a_killed_process_leaves_all_but_the_event_in_flight(tmp_path: Path) -> None:
    script = (
        PRELUDE
        + f"""
import signal
tracer.start([{str(tmp_path)!r}], "0")
exec(compile("import os, signal\\nx = 1\\nif x:\\n    os.kill(os.getpid(), signal.SIGKILL)\\ny = 1\\n", "made", "exec"))
"""
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == -9
    lines: Observation = {}
    from tracing import read_recording

    read_recording(str(tmp_path), lines, {})
    assert lines == {"": {"<module>:1": [1, 2, 3, 4]}}


def test_stub_names_what_the_module_has() -> None:
    """_tracer.pyi and the extension agree on names."""
    import ast

    from covcore import _tracer

    tree = ast.parse(Path(_tracer.__file__).with_name("_tracer.pyi").read_text())
    (stub,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Tracer")
    named = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)} - {"__init__"}
    assert named == {name for name in vars(_tracer.Tracer) if not name.startswith("__")}
