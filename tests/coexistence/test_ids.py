"""Tool ids of sys.monitoring: there are six, and covcore takes two of them."""

from __future__ import annotations

import sys

import pytest as api
from conftest import Place
from pytest_runs import pytest

TAKEN = "import sys\nfor id in range(6): sys.monitoring.use_tool_id(id, f'tool {id}')\n"
HOLDERS = ", ".join(f"{id}: tool {id}" for id in range(6))
REASON = f"no sys.monitoring tool id is free ({HOLDERS}); stop one of these tools to measure with covcore"
MAIN = "import sys\nprint('it runs')\nsys.exit(7)\n"
TEST = "def test_it(): pass\n"


@api.fixture
def taken(place: Place) -> Place:
    """A folder where every process finds the ids taken."""
    place.write("site/sitecustomize.py", TAKEN)
    place.write("main.py", MAIN)
    place.write("test_it.py", TEST)
    place.environment["PYTHONPATH"] = str(place.folder / "site")
    return place


def test_all_ids_are_taken(taken: Place) -> None:
    """The program runs, and one line says why nothing is measured."""
    outcome = taken.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout) == (7, "it runs\n")
    assert outcome.stderr == f"covcore: warning: nothing is measured: {REASON}\n"
    assert not list(taken.data.parent.iterdir())


@api.mark.parametrize("options", [[], ["-n1"]])
def test_all_ids_are_taken_in_pytest(taken: Place, options: list[str]) -> None:
    """The tests run.  A threshold is not met by nothing, nor by what an earlier run has measured."""
    place = taken
    outcome = pytest(place, "--covcore", *options)
    assert outcome.status == 0 and "1 passed" in outcome.stdout
    assert f"covcore: warning: nothing is measured: {REASON}\n" in outcome.stdout
    earlier = place.covcore("run", "-m", "pytest", "-p", "no:cacheprovider", PYTHONPATH="")
    assert earlier.status == 0
    outcome = pytest(place, "--covcore", "--covcore-fail-under=1", *options)
    assert outcome.status == 1 and "1 passed" in outcome.stdout
    assert "covcore: error: no report: nothing was measured\n" in outcome.stdout


def test_all_ids_are_taken_when_a_program_asks(place: Place) -> None:
    place.write(
        "main.py",
        TAKEN
        + """
import covcore
try:
    covcore.start()
except covcore.CovcoreError as error:
    print(error)
sys.monitoring.free_tool_id(5)
covcore.start(include=["main.py"])
def f(x): return x
for label in "AB":
    covcore.current().switch_context(label)
    f(1)
""",
    )
    outcome = place.python("main.py")
    assert (outcome.stdout, outcome.stderr) == (f"{REASON}\n", "")
    assert place.lines()["main.py"] >= {11, 12, 13, 14}


FREED = """
import sys
def f(x):
    if x:
        return 1
    return 2
f(0)
for id in range(6):
    if sys.monitoring.get_tool(id) == "covcore":
        sys.monitoring.{what}(id)
f(1)
print("done")
"""
LOST = (
    "covcore: warning: another tool has freed or cleared covcore's tool ids of sys.monitoring: "
    "what ran from then to the next switch of contexts is missing\n"
)
ENDS_WITH_THE_ID = sys.version_info >= (3, 14)  # before, what a tool has armed goes on after its id is freed


@api.mark.parametrize("what", ["free_tool_id", *["clear_tool_id"] * hasattr(sys.monitoring, "clear_tool_id")])
def test_ids_lost_in_a_run_without_contexts(place: Place, what: str) -> None:
    """What was measured until then is kept, and the end tells."""
    place.write("main.py", FREED.format(what=what))
    outcome = place.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "done\n", LOST)
    after = set() if ENDS_WITH_THE_ID else {5, 11, 12}
    assert place.lines()["main.py"] == {2, 3, 4, 6, 7, 8, 9, 10} | after


def test_ids_lost_for_good(place: Place) -> None:
    """Another tool takes all ids that there are."""
    text = FREED.format(what="free_tool_id").replace(
        "f(1)\n",
        "import covcore\n"
        + "for id in range(6): sys.monitoring.use_tool_id(id, f'tool {id}')\ncovcore.current().switch_context('A')\nf(1)\n",
    )
    place.write("main.py", text)
    outcome = place.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout) == (0, "done\n")
    assert outcome.stderr == f"covcore: warning: measuring stopped early: RuntimeError: {REASON}\n" + LOST
    after = set() if ENDS_WITH_THE_ID else {11, 12, 13}
    assert place.lines()["main.py"] == {2, 3, 4, 6, 7, 8, 9, 10} | after
