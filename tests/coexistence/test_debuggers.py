"""Debuggers on a program that covcore measures: what they print is what they print without it, and what ran is what runs
without them.  Contexts are switched while they are at work."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest as api
from coexistence.beside import TOOLS, rows
from conftest import Place
from pytest_runs import PLUGINS, lines_by_test, pytest

SHOP = """
def price(amount, member):
    if amount > 100 and member:
        return amount * 0.9
    if amount < 0:
        raise ValueError(amount)
    return amount


def total(amounts, member):
    result = 0
    for amount in amounts:
        result += price(amount, member)
    return result


def steps(n):
    for i in range(n):
        if i % 2:
            yield i
        else:
            yield -i
"""
MAIN = """
import sys
import shop
def switch(label):
    if "covcore" in sys.modules:
        import covcore
        covcore.current().switch_context(label)
switch("one")
{stop}
print(shop.total([50, 200], True))
switch("two")
print(list(shop.steps(3)))
switch("three")
try:
    shop.price(-1, False)
except ValueError as error:
    print(error)
switch("four")
print(shop.total([], False), shop.total([300, -0], False))
"""
COMMANDS = """\
break shop.price
tbreak shop.py:13
continue
continue
step
next
until
return
where
continue
up
p result
down
step
step
clear 1
n
n
n
c
"""
PDB_COMMANDS = "tbreak shop.total\nc\nn\nn\ns\nr\nunt\nb shop.steps, n > 1\nc\nn\nn\nn\nclear 2\nc\nq\n"


@api.fixture
def shop(place: Place) -> Place:
    place.write("shop.py", SHOP)
    return place


def hits(place: Place, file: str = "shop.py") -> tuple[frozenset[Any], frozenset[Any]]:
    """Lines and arcs of a file, by context.  Removes the data."""
    found = rows(place.data, "line_hit", "line"), rows(place.data, "arc_hit", "source, destination")
    place.data.unlink()
    lines, arcs = (frozenset(row for row in kind if row[0] == file) for kind in found)
    assert lines and arcs
    return lines, arcs


def alone(place: Place) -> tuple[frozenset[Any], frozenset[Any]]:
    assert place.covcore("run", "main.py", PYTHONBREAKPOINT="0").status == 0
    return hits(place)


HAS_BACKENDS = sys.version_info >= (3, 14)  # before, all is done by settrace
BACKENDS = {"breakpoint": "breakpoint()"}
if HAS_BACKENDS:
    BACKENDS["settrace"] = 'import pdb; pdb.Pdb(backend="settrace").set_trace()'


@api.mark.parametrize("jit", ["0", "1"])
@api.mark.parametrize("backend", BACKENDS)
def test_pdb(shop: Place, backend: str, jit: str) -> None:
    """break, tbreak, continue, step, next, until, return, up, down, clear."""
    shop.write("main.py", MAIN.format(stop="pass"))
    without = alone(shop)
    shop.write("main.py", MAIN.format(stop=BACKENDS[backend]))
    bare = shop.python("main.py", stdin=COMMANDS, PYTHON_JIT=jit)
    measured = shop.covcore("run", "main.py", stdin=COMMANDS, PYTHON_JIT=jit)
    assert measured == bare
    assert bare.status == 0 and bare.stdout.count("(Pdb)") == len(COMMANDS.splitlines())
    assert not re.search(r"\*\*\*", bare.stdout)
    assert hits(shop) == without


def test_pdb_from_the_command_line(shop: Place) -> None:
    """`covcore run -m pdb` measures what pdb runs."""
    shop.write("main.py", MAIN.format(stop="pass"))
    without = alone(shop)
    bare = shop.python("-m", "pdb", "main.py", stdin=PDB_COMMANDS)
    measured = shop.covcore("run", "-m", "pdb", "main.py", stdin=PDB_COMMANDS)
    assert measured == bare
    assert "Deleted breakpoint 1" in bare.stdout and "The program finished" in bare.stdout
    assert hits(shop) == without


JUMP = """
def f(x):
    a = i = 0
    if x:
        a = 1
    else:
        a = 2
    for i in range(2):
        a += i
    return a
"""


def test_pdb_jumps(place: Place) -> None:
    """What a debugger jumps over did not run, and no branch is made up for the way it took.  CPython sends no LINE event for the
    line that was jumped to, to settrace neither."""
    place.write("jumping.py", JUMP)
    main = "import jumping, pdb\ndebugger = pdb.Pdb({}); debugger.rcLines += ['b jumping.f', 'c', 'n', 'jump 7', 'n', 'jump 10', 'c']\n"
    for options in ["", 'backend="monitoring"'] if HAS_BACKENDS else [""]:
        place.write("main.py", main.format(options) + "debugger.set_trace()\nprint(jumping.f(1))\n")
        bare = place.python("main.py")
        measured = place.covcore("run", "main.py")
        assert (measured.status, measured.stdout) == (bare.status, bare.stdout)
        assert bare.status == 0 and bare.stdout.endswith("2\n")
        assert place.lines()["jumping.py"] == {2, 3, 4, 8}
        assert hits_of_arcs(place) == frozenset()
        report = json.loads(place.covcore("json", "-o", "-").stdout)
        (file,) = (file for name, file in report["files"].items() if name.endswith("jumping.py"))
        assert file["executed_branches"] == []


def hits_of_arcs(place: Place) -> frozenset[Any]:
    return frozenset(row for row in rows(place.data, "arc_hit", "line") if row[0] == "jumping.py")


OWN_JUMP = """
import sys, jumping
def trace(frame, event, arg):
    if frame.f_code.co_name != "f":
        return None
    if event == "line" and frame.f_lineno == 4:
        frame.f_lineno = 7
    return trace
sys.settrace(trace)
print(jumping.f(1))
"""


def test_a_trace_function_that_sets_f_lineno(place: Place) -> None:
    place.write("jumping.py", JUMP)
    place.write("main.py", OWN_JUMP)
    outcomes = [place.covcore("run", "main.py"), place.python("main.py")]
    assert [(one.status, one.stdout, one.stderr) for one in outcomes] == [(0, "3\n", "")] * 2
    assert place.lines()["jumping.py"] == {2, 3, 4, 8, 9, 10}
    assert {line for *_, line in hits_of_arcs(place)} == {8}  # the loop's, which it ran


# ---- in pytest

TESTS = """
import shop
def test_first():
    assert shop.total([50, 200], True) == 230
def test_second():
    breakpoint()
    assert shop.price(300, True) == 270
def test_third():
    assert list(shop.steps(3)) == []
def test_fourth():
    assert shop.price(7, False) == 7
"""


CONTROL = """
import sys
def disable(*args): return sys.monitoring.DISABLE
events = sys.monitoring.events
sys.monitoring.use_tool_id(5, "control")
for event in events.PY_START, events.PY_RESUME:
    sys.monitoring.register_callback(5, event, disable)
sys.monitoring.set_events(5, events.PY_START | events.PY_RESUME)
"""


@api.mark.parametrize(
    ("options", "commands"),
    [
        (["--pdb"], "p 1\ns\ns\nn\nr\nc\nwhere\np 2\nc\n"),
        (["--trace"], "n\nc\n" * 2 + "n\nn\ns\nc\n" + "n\nc\n" * 2 + "c\n" * 9),
    ],
)
def test_pytest_with_a_debugger(shop: Place, options: list[str], commands: str) -> None:
    """pdb by settrace stops on breakpoint() if it is alone, and on the next line beside any tool of sys.monitoring that listens to
    PY_START: CPython drops its opcode events then (gh-157900).  So there is such a tool in the run without covcore too."""
    shop.write("test_shop.py", TESTS)
    shop.write("control.py", CONTROL)
    words = ["-q", "test_shop.py"]
    assert "1 failed, 3 passed" in pytest(shop, "--covcore=shop", *words, PYTHONBREAKPOINT="0").stdout
    without = hits(shop)
    bare = pytest(shop, "-s", "-p", "control", *words, *options, stdin=commands)
    measured = pytest(shop, "-s", "--covcore=shop", "--covcore-report=", *words, *options, stdin=commands)
    assert without_times(measured.stdout) == without_times(bare.stdout)
    assert "1 failed, 3 passed" in bare.stdout and "(Pdb)" in bare.stdout
    assert hits(shop) == without


def without_times(text: str) -> str:
    return re.sub(r"in \d+\.\d+s", "", text)


@api.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_pytest_cov(shop: Place, core: str) -> None:
    """--cov and --covcore in one run: each says what it says alone."""
    shop.write("test_shop.py", TESTS.replace("breakpoint()", "pass"))
    cov = ["--cov=shop", "--cov-branch", "--cov-report=json", "--cov-report=term"]
    environment = {"PYTHONPATH": str(PLUGINS), "COVERAGE_CORE": core}
    words = ["-q", "-prandomly", "-p", "no:randomly", "test_shop.py"]
    pytest(shop, *words, *cov, **environment)
    theirs = files_of(shop)
    pytest(shop, *words, "--covcore=shop", **environment)
    ours = hits(shop)
    outcome = pytest(shop, *words, *cov, "--covcore=shop", **environment)
    assert "1 failed, 3 passed" in outcome.stdout
    assert files_of(shop) == theirs
    assert lines_by_test(shop, "shop.py")["test_shop.py::test_fourth"] == {3, 5, 7}
    assert hits(shop) == ours


def files_of(place: Place) -> Any:
    """What coverage.py's JSON says of the files."""
    path = place.folder / "coverage.json"
    files = json.loads(path.read_text())["files"]
    path.unlink()
    return files


# ---- debugpy: what editors debug Python with


class Client:
    """Speaks the Debug Adapter Protocol: as little of it as a session needs."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.stream = self.socket.makefile("rwb")
        self.sequence = 0
        self.events: list[dict[str, Any]] = []

    def send(self, command: str, **arguments: Any) -> int:
        self.sequence += 1
        message = {"seq": self.sequence, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self.stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.stream.flush()
        return self.sequence

    def messages(self) -> Iterator[dict[str, Any]]:
        while True:
            length = 0
            while line := self.stream.readline().strip():
                if line.startswith(b"Content-Length:"):
                    length = int(line.partition(b":")[2])
            if not length:
                return
            yield json.loads(self.stream.read(length))

    def answer(self, number: int) -> dict[str, Any]:
        for message in self.messages():
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body", {})
            if message["type"] == "event":
                self.events.append(message)
        raise AssertionError("debugpy has hung up")

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.answer(self.send(command, **arguments))

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def event(self, *names: str) -> dict[str, Any]:
        for index, message in enumerate(self.events):
            if message["event"] in names:
                return self.events.pop(index)
        for message in self.messages():
            if message["type"] == "event" and message["event"] in names:
                return message
        return {"event": "the end"}


def debug(place: Place, *words: str) -> tuple[list[Any], str]:
    """Run a program under debugpy: a breakpoint in shop.price, a step in and a step out at each.  Returns where it stopped and
    what the program printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *words, "-m", "debugpy", "--listen", str(port), "--wait-for-client", "main.py"]
    environment = place.environment | {"PYTHONPATH": str(TOOLS), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    process = subprocess.Popen(
        command, cwd=place.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        client = connected(process, port)
        client.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        attached = client.send("attach", justMyCode=False)
        client.event("initialized")
        source = {"path": str(place.folder / "shop.py")}
        client.ask("setBreakpoints", source=source, breakpoints=[{"line": 3}, {"line": 18}])
        client.ask("configurationDone")
        client.answer(attached)
        stops = list(stepped(client))
        client.close()  # or its other process stays
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return stops, out + re.sub(r".*debugger.*\n", "", err)


def connected(process: subprocess.Popen[str], port: int) -> Client:
    import time

    for _ in range(600):
        try:
            return Client(port)
        except ConnectionRefusedError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    raise AssertionError("debugpy does not listen")


def stepped(client: Client) -> Iterator[Any]:
    """next, stepIn, stepOut, continue, and again."""
    commands = ["next", "stepIn", "stepOut", "continue"] * 20
    while (stop := client.event("stopped", "exited", "terminated"))["event"] == "stopped":
        thread = stop["body"]["threadId"]
        frame = client.ask("stackTrace", threadId=thread, levels=1)["stackFrames"][0]
        yield stop["body"]["reason"], frame["name"], frame["line"]
        client.ask(commands.pop(0), threadId=thread)


def test_debugpy(shop: Place) -> None:
    shop.write("main.py", MAIN.format(stop="pass"))
    without = alone(shop)
    stops, said = debug(shop)
    assert [name for reason, name, _ in stops if reason == "breakpoint"].count("price") >= 3
    command = "import sys; from covcore.cli import main; sys.exit(main())"
    measured = debug(shop, "-c", command, "run", f"--include={shop.folder}/*")
    assert measured == (stops, said)
    assert hits(shop) == without
