"""covcore's plugin beside other plugins of pytest: the real ones, from the group `plugins` of pyproject.toml."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest as api
from conftest import Place
from matrix import Run
from pytest_runs import lines_by_test, processes, with_plugins
from test_plugin import MEMBER, SMALL, shop

__all__ = ["shop"]  # a fixture
EXAMPLES = Path(__file__).parent.parent / "examples"
CONFTEST = """
import parcels.price, pytest
from parcels.parcel import Parcel
@pytest.fixture(scope="module", autouse=True)
def before(request):
    Parcel(10, (20, 30, 40), "DE").girth_cm
    yield
    parcels.price.zone("FR")
"""


def of_tests(place: Place) -> dict[str, set[int]]:
    found = lines_by_test(place, "shop.py")
    del found[""]
    return found


def test_randomly(shop: Place) -> None:
    for seed in "1", "2":
        assert with_plugins(shop, "--covcore=shop", "-prandomly", f"--randomly-seed={seed}").status == 0
        assert of_tests(shop) == {MEMBER: {2, 3}, SMALL: {2, 4, 6}}


def test_repeat(shop: Place) -> None:
    outcome = with_plugins(shop, "--covcore=shop", "--count=3")
    assert "6 passed" in outcome.stdout
    assert of_tests(shop) == {f"{MEMBER}[{n}-3]": {2, 3} for n in (1, 2, 3)} | {
        f"{SMALL}[{n}-3]": {2, 4, 6} for n in (1, 2, 3)
    }


RERUN = """
import pytest, shop
runs = []
@pytest.fixture
def before():
    yield
    shop.price(-1, 1) if 0 else None
def test_flaky(before):
    runs.append(1)
    if len(runs) < 3:
        shop.price(200, True)
        assert 0
    shop.price(10, True)
def test_next(): shop.price(200, True)
"""


@api.mark.parametrize("options", [[], ["-n1"]])
def test_reruns_go_under_one_context(shop: Place, options: list[str]) -> None:
    shop.write("test_shop.py", RERUN)
    outcome = with_plugins(shop, "--covcore=shop", "--reruns=5", "--covcore-contexts=phase", *options)
    assert "2 passed, 2 rerun" in outcome.stdout
    assert of_tests(shop) == {"test_shop.py::test_flaky|run": {2, 3, 4, 6}, "test_shop.py::test_next|run": {2, 3}}


HANGING = """
import time, shop
def test_1():
    shop.price(200, True)
    time.sleep(60)
def test_2(): shop.price(10, True)
"""


def test_timeout_by_signal(shop: Place) -> None:
    shop.write("test_shop.py", HANGING)
    outcome = with_plugins(shop, "--covcore=shop", "--timeout=1", "--timeout-method=signal")
    assert "1 failed, 1 passed" in outcome.stdout
    assert of_tests(shop) == {"test_shop.py::test_1": {2, 3}, "test_shop.py::test_2": {2, 4, 6}}


def test_timeout_that_ends_the_process(shop: Place) -> None:
    """By os._exit(): what was recorded is there for the next command."""
    shop.write("test_shop.py", HANGING)
    assert with_plugins(shop, "--covcore=shop", "--timeout=1", "--timeout-method=thread").status == 1
    assert not shop.data.exists()
    assert shop.covcore("report", "--format=total").stdout == "40\n"
    assert of_tests(shop) == {"test_shop.py::test_1": {2, 3}}
    assert [outcome for _, outcome in processes(shop)] != ["finished"]


ASYNC = """
import asyncio, pytest, shop
{imports}
@{fixture}
async def before():
    shop.price(10, True)
    yield
    await asyncio.sleep(0)
    with pytest.raises(ValueError): shop.price(-1, True)
@{mark}
async def test_1(before):
    await asyncio.sleep(0)
    shop.price(200, True)
@{mark}
async def test_2():
    await asyncio.gather(*(asyncio.to_thread(shop.price, n, True) for n in (1, 2)))
"""


@api.mark.parametrize(
    "words",
    [
        {"imports": "import pytest_asyncio", "fixture": "pytest_asyncio.fixture", "mark": "pytest.mark.asyncio"},
        {
            "imports": "@pytest.fixture\ndef anyio_backend(): return 'asyncio'",
            "fixture": "pytest.fixture",
            "mark": "pytest.mark.anyio",
        },
    ],
    ids=["asyncio", "anyio"],
)
def test_coroutines(shop: Place, words: dict[str, str]) -> None:
    shop.write("test_shop.py", ASYNC.format(**words))
    outcome = with_plugins(shop, "--covcore=shop", "--covcore-contexts=phase")
    assert "2 passed" in outcome.stdout
    assert of_tests(shop) == {
        "test_shop.py::test_1|setup": {2, 4, 6},
        "test_shop.py::test_1|run": {2, 3},
        "test_shop.py::test_1|teardown": {2, 4, 5},
        "test_shop.py::test_2|run": {2, 4, 6},
    }


def test_the_matrix_of_tests_and_lines(tmp_path: Path) -> None:
    """What each phase of each test ran is what coverage.py's C tracer says, in the same run."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".covcore*"))
    folder = tmp_path / "examples"
    (folder / "conftest.py").write_text(CONFTEST)
    run = Run(folder, [folder / "parcels"], ["tests"])
    assert run.status == 0, run.output
    assert run.differences() == []
    assert {context.partition("|")[2] for context in run.ours} == {"", "setup", "run", "teardown"}


ODD = """
def numbers(items):
    for item in map(int, items):
        print(item)

def sleepy():
    n = 0
    yield n
    n += 1
    yield n
"""
ODD_TESTS = """
import odd, pytest
def test_raises():
    with pytest.raises(ValueError): odd.numbers(["1", "x"])
def test_ends(): odd.numbers(["1"])
def test_begins():
    global sleeper
    sleeper = odd.sleepy()
    next(sleeper)
def test_forgets():
    global sleeper
    del sleeper
"""


def test_what_differs_test_by_test_has_a_name(tmp_path: Path) -> None:
    """And is told by CPython's own word: see tests/witness.py."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/__init__.py").write_text(ODD)
    (tmp_path / "test_odd.py").write_text(ODD_TESTS)
    run = Run(tmp_path, [tmp_path / "odd"], ["test_odd.py"])
    file = tmp_path / "odd/__init__.py"
    forgotten = ("test_odd.py::test_forgets|run", f"{file}:8 ran for coverage.py alone", "thrown-into-generator")
    assert run.differences() == [
        # On 3.12 coverage.py has no line there; 3.13 throws nothing into a generator that sleeps outside of any `try`.
        *([forgotten] if sys.version_info >= (3, 14) else []),
        ("test_odd.py::test_raises|run", f"{file}:3->-2 was taken for coverage.py alone", "left-by-exception"),
    ]
    assert run.our_takers[str(file), 3, -2] == {"test_odd.py::test_ends|run"}
    assert run.our_takers[str(file), 3, 4] == {"test_odd.py::test_ends|run", "test_odd.py::test_raises|run"}


def test_a_plugin_that_pytest_has_imported_before(shop: Place) -> None:
    """A real one, outside of the current folder: its functions are measured, and one warning tells of the rest."""
    outcome = with_plugins(shop, "--covcore=pytest_timeout", "--timeout=60", "--covcore-report=term-missing")
    assert outcome.status == 0
    warnings = [line for line in outcome.stdout.splitlines() if line.startswith("covcore: warning:")]
    assert len(warnings) == 1
    assert re.search(
        r"before measuring began.*: pytest_timeout \(\d+-.*\): `covcore run -m pytest` begins earlier$", warnings[0]
    )
    assert lines_by_test(shop, "pytest_timeout.py").keys() == {"", MEMBER, SMALL}
    outcome = with_plugins(
        shop, "--timeout=60", "-pno:asyncio", start=("-m", "covcore", "run", "--source=pytest_timeout", "-m", "pytest")
    )
    assert (outcome.status, outcome.stderr) == (0, "")
    assert 1 in lines_by_test(shop, "pytest_timeout.py")[""]
    assert shop.covcore("report", "--format=total").status == 0


def test_all_at_once(shop: Place) -> None:
    options = ["-n2", "-prandomly", "--count=2", "--reruns=1", "--timeout=60", "--cov=shop", "--cov-branch"]
    outcome = with_plugins(shop, "--covcore=shop", *options, COVERAGE_CORE="sysmon")
    assert "4 passed" in outcome.stdout
    assert len(re.findall(r"^shop\.py .* 80%", outcome.stdout, re.MULTILINE)) == 2
    assert {re.sub(r"\[.*", "", test) for test in of_tests(shop)} == {MEMBER, SMALL}
