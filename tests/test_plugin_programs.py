"""The pytest plugin among other things: in a program, inside of a test, under `covcore run`, beside other tools; and unseen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest as api
from conftest import Place
from pytest_runs import contexts, lines_by_test, pytest, with_plugins
from test_plugin import MEMBER, SMALL, shop, succeeds

__all__ = ["shop"]  # a fixture
ROOT = Path(__file__).parent.parent


# ---- not asked for

MODULES = """
import sys
from pathlib import Path

def pytest_runtest_teardown():
    Path("modules.txt").write_text(" ".join(sys.modules))
"""


def modules(place: Place, *options: str) -> set[str]:
    """The modules that are there when a test has run."""
    assert succeeds(pytest(place, *options))
    return set((place.folder / "modules.txt").read_text().split())


def test_without_covcore_nothing_is_imported(shop: Place) -> None:
    shop.write("conftest.py", MODULES)
    blocked = modules(shop, "-p", "no:covcore")
    there = modules(shop)
    assert there - blocked == {"covcore_pytest"}
    measured = modules(shop, "--covcore=shop")
    assert {name.partition(".")[0] for name in measured - there} == {"covcore", "covcore_pytest"}


def test_without_covcore_it_costs_less_than_a_millisecond(place: Place) -> None:
    """What is imported for it and its hooks, in time of the CPU, the quickest of some runs: others use this machine too."""
    place.write(
        "cost.py",
        """
import sys, time, pytest, argparse
from _pytest.config import get_config
start = time.process_time()
import covcore_pytest
spent = time.process_time() - start
config = get_config()
config.parse([])
start = time.process_time()
config.pluginmanager.register(covcore_pytest, "covcore")
spent += time.process_time() - start
config.known_args_namespace = config._parser.parse_known_args([])
start = time.process_time()
covcore_pytest.pytest_load_initial_conftests(config, config._parser, [])
covcore_pytest.pytest_configure(config)
print(spent + time.process_time() - start)
""",
    )
    assert min(float(place.python("cost.py", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1").stdout) for _ in range(5)) < 0.001


# ---- under covcore run


@api.mark.parametrize("options", [[], ["-n2"]])
def test_under_covcore_run_it_is_active(shop: Place, options: list[str]) -> None:
    outcome = shop.covcore("run", "--source=shop", "-m", "pytest", "-p", "no:cacheprovider", *options)
    assert succeeds(outcome)
    assert "TOTAL" not in outcome.stdout
    assert lines_by_test(shop, "shop.py") == {"": {1}, MEMBER: {2, 3}, SMALL: {2, 4, 6}}


@api.mark.parametrize(("mode", "names"), [("phase", {"", f"{MEMBER}|run", f"{SMALL}|run"}), ("none", {""})])
def test_covcore_run_says_which_contexts(shop: Place, mode: str, names: set[str]) -> None:
    shop.covcore("run", "--source=shop", f"--dynamic-contexts={mode}", "-m", "pytest", "-p", "no:cacheprovider")
    assert contexts(shop).keys() == names


def test_under_covcore_run_own_options_are_idle(shop: Place) -> None:
    words = ["-m", "pytest", "-p", "no:cacheprovider", "--covcore=nothing", "--covcore-fail-under=100"]
    outcome = shop.covcore("run", "--source=shop", *words)
    assert outcome.status == 0
    assert (
        outcome.stderr == "covcore: warning: `covcore run` measures this run: the options of --covcore have no effect\n"
    )
    assert lines_by_test(shop, "shop.py").keys() == {"", MEMBER, SMALL}
    assert succeeds(shop.covcore("run", "--source=shop", "-m", "pytest", "-p", "no:cacheprovider", "--no-covcore"))
    assert lines_by_test(shop, "shop.py").keys() == {""}


def test_a_static_label_stands_beside_the_test(shop: Place) -> None:
    shop.covcore("run", "--source=shop", "--context=nightly", "-m", "pytest", "-p", "no:cacheprovider")
    outcome = shop.covcore("report", "--contexts=nightly|*test_member|", "--format=total")
    assert outcome.stdout == "30\n"


# ---- in programs


def test_pytest_main_twice(shop: Place) -> None:
    shop.write("conftest.py", "def pytest_configure(): print('here')")
    shop.write(
        "main.py",
        f"""
import pytest, shop
assert pytest.main(["-q", "--covcore=shop", {MEMBER!r}]) == 0
shop.price(10, False)
assert pytest.main(["-q", "--covcore=shop", "--covcore-append", {MEMBER!r}]) == 0
shop.price(10, False)
""",
    )
    outcome = shop.python("main.py")
    assert succeeds(outcome)
    assert outcome.stdout.count("TOTAL") == 2
    assert lines_by_test(shop, "shop.py") == {MEMBER: {2, 3}}


def test_pytest_in_a_program_that_measures_itself(shop: Place) -> None:
    shop.write(
        "main.py",
        """
import covcore, pytest
covcore.start(source=["shop"])
pytest.main(["-q", "--covcore=other"])
import shop
with covcore.current().context("mine"): shop.price(10, False)
covcore.stop()
""",
    )
    assert succeeds(shop.python("main.py"))
    assert lines_by_test(shop, "shop.py") == {"": {1}, MEMBER: {2, 3}, SMALL: {2, 4, 6}, "mine": {2, 4, 6}}


def test_the_context_manager_in_a_unittest_runner(shop: Place) -> None:
    shop.write(
        "main.py",
        """
import covcore, unittest
covcore.start(source=["shop"])
import shop
class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.context = covcore.current().context(test.id())
        self.context.__enter__()
    def stopTest(self, test):
        self.context.__exit__(None, None, None)
        super().stopTest(test)
class Case(unittest.TestCase):
    def setUp(self): shop.price(10, False)
    def test_1(self): shop.price(200, True)
    def test_2(self): shop.price(-1, True)
unittest.main(testRunner=unittest.TextTestRunner(resultclass=Result))
""",
    )
    assert shop.python("main.py").status == 1
    assert lines_by_test(shop, "shop.py") == {
        "": {1},
        "__main__.Case.test_1": {2, 3, 4, 6},
        "__main__.Case.test_2": {2, 4, 5, 6},
    }


def test_pytest_inside_of_a_test(shop: Place) -> None:
    """pytester's runs in the same process are part of the test that starts them, whatever options they have."""
    shop.write("conftest.py", "pytest_plugins = ['pytester']")
    shop.write(
        "test_shop.py",
        """
import pytest, shop
INNER = "import shop\\ndef test_inner(): shop.price(200, True)"
@pytest.mark.parametrize("options", [[], ["--covcore", "--covcore-fail-under=100"], ["-p", "no:covcore"]], ids="abc")
def test_outer(pytester, options):
    pytester.makepyfile(INNER)
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=1)
    shop.price(-1, False) if "no:covcore" in options else shop.price(1, False)
def test_after(): shop.price(200, True)
""",
    )
    outcome = pytest(shop, "--covcore=shop")
    assert outcome.status == 1  # 5 raised
    found = lines_by_test(shop, "shop.py")
    del found[""]
    assert found == {
        "test_shop.py::test_outer[a]": {2, 3, 4, 6},
        "test_shop.py::test_outer[b]": {2, 3, 4, 6},
        "test_shop.py::test_outer[c]": {2, 3, 4, 5},
        "test_shop.py::test_after": {2, 3},
    }


# ---- beside other tools


def test_pdb(shop: Place) -> None:
    shop.write(
        "test_broken.py",
        "import shop\ndef test_1():\n    x = shop.price(200, True)\n    assert x == 1\ndef test_2(): pass",
    )
    outcome = pytest(shop, "--covcore=shop", "--pdb", "test_broken.py", stdin="p shop.price(1, 1)\nc\n")
    assert outcome.status == 1
    assert "1 failed, 1 passed" in outcome.stdout
    assert lines_by_test(shop, "shop.py")["test_broken.py::test_1"] == {2, 3, 4, 6}


def test_pytest_cov_at_the_same_time(shop: Place) -> None:
    options = ["--cov=shop", "--cov-branch", "--cov-report=term", "--covcore=shop"]
    for core in "ctrace", "sysmon":
        outcome = with_plugins(shop, *options, COVERAGE_CORE=core)
        assert outcome.status == 0
        assert len(re.findall(r"^shop.py +6 +1 +4 +1 +80%", outcome.stdout, re.MULTILINE)) == 2
        assert lines_by_test(shop, "shop.py") == {"": {1}, MEMBER: {2, 3}, SMALL: {2, 4, 6}}


def test_rewritten_asserts_keep_their_lines(place: Place) -> None:
    place.write(
        "test_x.py",
        """def test_1():
    x = [1,
         2]
    assert (
        x and
        x[0] == 1
    ), "no"
    assert x == [1, 2] or x

def test_2():
    assert 1 == 2, (
        "so"
    )
    x = 3
""",
    )
    outcome = pytest(place, "--covcore", "--covcore-report=json")
    assert outcome.status == 1
    assert "E       AssertionError: so" in outcome.stdout
    (found,) = json.loads((place.folder / "coverage.json").read_text())["files"].values()
    assert (found["executed_lines"], found["missing_lines"]) == ([1, 2, 4, 8, 10, 11], [14])
    assert lines_by_test(place, "test_x.py").keys() == {"", "test_x.py::test_1", "test_x.py::test_2"}


# ---- imported before


def test_modules_that_were_imported_before(shop: Place) -> None:
    shop.write(
        "early.py",
        "import os\nX = 1\n\nclass C:\n    y = 2\n\n    def f(self):\n        return 1\n\nif X == 2:\n    X = 3\n",
    )
    shop.write("test_early.py", "import early\ndef test(): early.C().f()")
    outcome = pytest(shop, "--covcore=early,shop", "-p", "early", PYTHONPATH=".")
    assert outcome.status == 0
    warnings = [line for line in outcome.stdout.splitlines() if "warning" in line]
    assert warnings == [
        "covcore: warning: imported before measuring began, so that lines which only an import runs count as missing: "
        "early (1-7, 10-11): `covcore run -m pytest` begins earlier"
    ]
    assert lines_by_test(shop, "early.py") == {"test_early.py::test": {8}}
    environment = {"PYTHONPATH": "."}
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "early"]
    assert succeeds(shop.covcore("run", "--source=early", *words, **environment))
    assert lines_by_test(shop, "early.py") == {"": {1, 2, 4, 5, 7, 10}, "test_early.py::test": {8}}


# ---- as it is installed


@api.fixture(scope="module")
def installed(tmp_path_factory: api.TempPathFactory) -> Path:
    """A folder as an installer leaves it: what setup.py puts into a wheel, and metadata that lists the files."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in "covcore", "plugin":
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in "pyproject.toml", "setup.py", "README.md", "LICENSE":
        shutil.copy(ROOT / name, source)
    for command in ["build_py", "--build-lib", site], ["dist_info", "--output-dir", site]:
        subprocess.run([sys.executable, "setup.py", "--quiet", *command], cwd=source, check=True)
    for extension in (ROOT / "covcore").glob("*.so"):
        shutil.copy(extension, site / "covcore")
    files = [str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()]
    next(site.glob("*.dist-info")).joinpath("RECORD").write_text("".join(f"{file},,\n" for file in files))
    return site


def test_suites_for_which_warnings_are_errors(shop: Place, installed: Path) -> None:
    """pytest warns of each module of a plugin's distribution that was imported before it could rewrite it."""
    assert (installed / "covcore_pytest" / "__init__.py").exists()
    shop.write("pytest.ini", "[pytest]\nfilterwarnings = error")
    environment = {"PYTHONPATH": str(installed)}
    for command in (
        ["-m", "pytest", "--covcore=shop"],
        ["-m", "pytest", "--covcore=shop", "-n2"],
        ["-c", "import covcore_pytest, pytest, sys; sys.exit(pytest.main(sys.argv[1:]))", "--covcore=shop"],
        ["-m", "covcore", "run", "--source=shop", "-m", "pytest"],
    ):
        outcome = shop.python(*command, "-p", "no:cacheprovider", **environment)
        assert succeeds(outcome)
        assert "2 passed in" in outcome.stdout
        assert lines_by_test(shop, "shop.py") == {"": {1}, MEMBER: {2, 3}, SMALL: {2, 4, 6}}
    rewritten = {path.parent.parent.name for path in installed.rglob("*-pytest-*.pyc")}
    assert rewritten <= {"covcore_pytest"}  # which pytest itself imports
