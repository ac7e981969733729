"""Processes that a test starts are part of it: what they run is recorded under the test, and the phase, that started them."""

from __future__ import annotations

import pytest as api
from conftest import Place
from pytest_runs import contexts, lines_by_test, processes, pytest
from test_plugin import shop, succeeds

__all__ = ["shop"]  # a fixture

# Which way leads into which line of shop.py: 3 of price(200, True), 5 of price(-1, 0), 6 of price(1, 0).
HELPERS = """
import multiprocessing, os, subprocess, sys
LARGE = "import shop; shop.price(200, True)"
SHELL = f"{sys.executable} -c '{LARGE}'"

def run(code, **how): subprocess.run([sys.executable, "-c", code], check=True, **how)

def forked(function):
    if (pid := os.fork()) == 0:
        function()
        os._exit(0)
    os.waitpid(pid, 0)

def in_process(method):
    import shop
    process = multiprocessing.get_context(method).Process(target=shop.price, args=(200, True))
    process.start()
    process.join()
    assert process.exitcode == 0

def execed():
    os.execv(sys.executable, [sys.executable, "-c", LARGE])
"""

WAYS = {
    "subprocess": "run(LARGE)",
    "copy": "run(LARGE, env={**os.environ})",
    "shell": "subprocess.run(f'true; {SHELL}; true', shell=True, check=True)",
    "system": "os.system(SHELL)",
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', LARGE], os.environ), 0)",
    "fork": "forked(lambda: shop.price(200, True))",
    "exec": "forked(execed)",
    "grandchild": 'run("from helpers import *; run(LARGE)")',
    "child of a fork": "forked(lambda: run(LARGE))",
    "multiprocessing fork": "in_process('fork')",
    "multiprocessing spawn": "in_process('spawn')",
    "multiprocessing forkserver": "in_process('forkserver')",
    "pytest": 'open("test_in.py", "w").write("def test():" + LARGE); run("import pytest; pytest.main([\'test_in.py\'])")',
}


@api.fixture
def starting(shop: Place) -> Place:
    """A test for each way to start a process, with one before and behind it that starts none."""
    shop.write("helpers.py", HELPERS)
    text = "import shop\nfrom helpers import *\ndef test_first(): shop.price(1, 0)\n"
    for number, body in enumerate(WAYS.values()):
        text += f"def test_{number}():\n    {body}\ndef test_between_{number}(): shop.price(1, 0)\n"
    shop.write("test_shop.py", text)
    return shop


@api.mark.parametrize("options", [[], ["-n2"], ["--covcore-contexts=phase"]], ids=["alone", "xdist", "phase"])
def test_each_way_to_start_a_process(starting: Place, options: list[str]) -> None:
    outcome = pytest(starting, "--covcore=shop", *options)
    assert succeeds(outcome), outcome.stdout
    found = lines_by_test(starting, "shop.py")
    # Where shop.py is imported anew, its `def` line is the child's, too.
    ran = {test.partition("::")[2]: lines - {1} for test, lines in found.items() if test}
    phase = "|run" if "--covcore-contexts=phase" in options else ""
    wanted = {f"test_{number}{phase}": {2, 3} for number in range(len(WAYS))}
    wanted |= {f"test_between_{number}{phase}": {2, 4, 6} for number in range(len(WAYS))}
    assert ran == wanted | {f"test_first{phase}": {2, 4, 6}}
    assert "left no record" not in outcome.stdout


@api.mark.parametrize(
    "way",
    [
        "run(LARGE)",
        "run(LARGE, env=dict(os.environ))",
        "subprocess.run(f'{SHELL}; true', shell=True, check=True, env=dict(os.environ))",
    ],
)
def test_a_forked_child_that_outlives_its_test(shop: Place, way: str) -> None:
    """What it starts belongs to the test that forked it, also with a copy of os.environ, and behind a shell."""
    shop.write("helpers.py", HELPERS)
    shop.write(
        "test_shop.py",
        f"""\
import os, time, shop
from helpers import *
def wait(name):
    while not os.path.exists(name):
        time.sleep(0.01)
def test_forks():
    if os.fork() == 0:
        wait("go")
        {way}
        open("gone", "w").close()
        os._exit(0)
def test_next():
    open("go", "w").close()
    wait("gone")
    shop.price(1, 0)
    os.wait()
""",
    )
    assert succeeds(pytest(shop, "--covcore=shop"))
    found = lines_by_test(shop, "shop.py")
    assert {test.partition("::")[2]: lines - {1} for test, lines in found.items() if test} == {
        "test_forks": {2, 3},
        "test_next": {2, 4, 6},
    }


def test_contexts_of_children_may_be_off(starting: Place) -> None:
    assert succeeds(pytest(starting, "--covcore=shop", "--covcore-contexts=none"))
    assert contexts(starting).keys() == {""}


FIXTURES = """
import pytest, shop, subprocess, sys, time
from helpers import *
SERVER = "import shop, sys; [shop.price(int(line), True) for line in sys.stdin]"
@pytest.fixture(scope="module")
def server():
    run("import shop; shop.price(-1, 0) if 0 else shop.price(1, 0)")
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, text=True)
    yield process.stdin
    process.communicate()
    run("import shop; shop.price(200, 1)")
def test_1(server): server.write("1\\n"), server.flush()
def test_2(server): server.write("200\\n"), server.flush()
"""


def test_a_server_goes_under_the_test_that_caused_it(shop: Place) -> None:
    """For as long as it lives, whoever asks it."""
    shop.write("helpers.py", HELPERS)
    shop.write("test_shop.py", FIXTURES)
    assert succeeds(pytest(shop, "--covcore=shop", "--covcore-contexts=phase"))
    found = {context: lines - {1} for context, lines in lines_by_test(shop, "shop.py").items()}
    assert found.pop("") == set()
    assert found == {"test_shop.py::test_1|setup": {2, 3, 4, 6}, "test_shop.py::test_2|teardown": {2, 3}}


LATE = """
import os, subprocess, sys, time
started = []
SLOW = [sys.executable, "-c", "import shop; shop.price(200, True)"]
def test_starts(): started.append(subprocess.Popen(SLOW))
def test_waits(): assert started[0].wait() == 0
"""


def test_a_process_that_begins_when_its_test_is_over(shop: Place) -> None:
    shop.write("test_shop.py", LATE)
    for _ in range(3):
        assert succeeds(pytest(shop, "--covcore=shop"))
        assert lines_by_test(shop, "shop.py") == {"test_shop.py::test_starts": {1, 2, 3}}


@api.mark.parametrize("options", [[], ["-n2"]], ids=["alone", "xdist"])
def test_children_of_tests_with_any_name(shop: Place, options: list[str]) -> None:
    """Their environment does not grow with the name."""
    shop.write("pytest.ini", "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true")
    names = ["--covcore=x", "a b=c from= at=0", "%20\n\t", "\u1e9e\U0001f40d", "long" * 25_000]
    shop.write("helpers.py", HELPERS)
    shop.write(
        "test_shop.py",
        f"import pytest\nfrom helpers import *\n@pytest.mark.parametrize('x', {names!a}, ids=lambda x: x)\n"
        "def test(x, monkeypatch):\n    assert len(os.environ['COVCORE_RUN']) < 1000\n"
        "    monkeypatch.delenv('PYTEST_CURRENT_TEST')\n    run(LARGE)",
    )
    outcome = pytest(shop, "--covcore=shop", *options)
    assert "5 passed" in outcome.stdout
    assert lines_by_test(shop, "shop.py") == {f"test_shop.py::test[{name}]": {1, 2, 3} for name in names}


def test_children_of_a_context_of_the_api(shop: Place) -> None:
    shop.write("helpers.py", HELPERS)
    shop.write(
        "main.py",
        """
import covcore
covcore.start(source=["shop"], context="nightly")
from helpers import *
with covcore.current().context("mine", "first"):
    run(LARGE + "; import covcore; covcore.current().switch_context('other'); shop.price(1, 0)")
run("import shop; shop.price(-1, 0) if 0 else 0")
""",
    )
    assert succeeds(shop.python("main.py"))
    assert lines_by_test(shop, "shop.py") == {"": {1}, "mine|first": {1, 2, 3}, "other": {2, 4, 6}}


HIDDEN = """
import shop
from helpers import *
def test_hidden(no_cover):
    run(LARGE)
    forked(lambda: shop.price(200, True))
    in_process("spawn")
    shop.price(200, True)
def test_seen(): run("import shop; shop.price(1, 0)")
"""


def test_children_of_tests_that_are_not_measured(shop: Place) -> None:
    shop.write("helpers.py", HELPERS)
    shop.write("test_shop.py", HIDDEN)
    outcome = pytest(shop, "--covcore=shop")
    assert succeeds(outcome)
    assert "left no record" not in outcome.stdout
    assert lines_by_test(shop, "shop.py") == {"": {1}, "test_shop.py::test_seen": {1, 2, 4, 6}}
    assert all(outcome != "left no record" for _, outcome in processes(shop))
