"""The pytest plugin: its options, and what is recorded under which test.  Real runs of pytest in processes of their own."""

from __future__ import annotations

import json
import re
import sqlite3
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest as api
from conftest import Outcome, Place
from pytest_runs import contexts, lines_by_test, processes, pytest

SHOP = """\
def price(amount, member):
    if amount > 100 and member:
        return amount * 0.9
    if amount < 0:
        raise ValueError(amount)
    return amount
"""
TEST_SHOP = """\
import shop


def test_member():
    assert shop.price(200, True) == 180


def test_small():
    assert shop.price(10, False) == 10
"""
MEMBER, SMALL = "test_shop.py::test_member", "test_shop.py::test_small"


@api.fixture
def shop(place: Place) -> Place:
    """A place with a module of six lines, and two tests that leave one of them out."""
    place.write("shop.py", SHOP)
    place.write("test_shop.py", TEST_SHOP)
    return place


def succeeds(outcome: Outcome) -> bool:
    return (outcome.status, outcome.stderr) == (0, "")


# ---- options


def test_a_run_is_measured_and_reported(shop: Place) -> None:
    outcome = pytest(shop, "--covcore=shop")
    assert succeeds(outcome)
    assert re.search(r"^shop\.py +6 +1 +4 +1 +80%$", outcome.stdout, re.MULTILINE)
    assert "2 passed" in outcome.stdout.splitlines()[-1]
    assert shop.lines() == {"shop.py": {1, 2, 3, 4, 6}}
    assert lines_by_test(shop, "shop.py") == {"": {1}, MEMBER: {2, 3}, SMALL: {2, 4, 6}}


def test_without_a_source_all_that_is_the_users_is_measured(shop: Place) -> None:
    assert succeeds(pytest(shop, "--covcore", "-q"))
    assert shop.lines() == {"shop.py": {1, 2, 3, 4, 6}, "test_shop.py": {1, 4, 5, 8, 9}}


def test_the_configuration_is_used(shop: Place) -> None:
    shop.write("covcore.toml", 'source = ["shop"]\ndynamic_contexts = "phase"\nshow_missing = true')
    outcome = pytest(shop, "--covcore")
    assert re.search(r"^shop\.py .* 80%   5, 4->5$|^shop\.py .* 80%   5$", outcome.stdout, re.MULTILINE)
    assert contexts(shop) == {
        "": {"shop.py": {1}},
        f"{MEMBER}|run": {"shop.py": {2, 3}},
        f"{SMALL}|run": {"shop.py": {2, 4, 6}},
    }


@api.mark.once
def test_covcore_takes_no_word_that_follows_it(shop: Place) -> None:
    shop.write("other/test_other.py", "def test_other(): pass")
    outcome = pytest(shop, "--covcore", "test_shop.py", "-q", "-rA")
    assert succeeds(outcome)
    assert "2 passed" in outcome.stdout
    assert shop.lines().keys() == {"shop.py", "test_shop.py"}
    assert "3 passed" in pytest(shop, "-q", "--covcore", "--covcore=shop", "other", "test_shop.py").stdout
    assert shop.lines().keys() == {"shop.py"}


def test_the_conftest_of_a_folder_behind_covcore_is_loaded_at_once(shop: Place) -> None:
    shop.write("sub/conftest.py", "def pytest_addoption(parser):\n    parser.addoption('--mine')")
    shop.write("sub/test_sub.py", "def test_sub(pytestconfig):\n    assert pytestconfig.option.mine == 'x'")
    assert succeeds(pytest(shop, "--covcore", "sub", "--mine=x"))


@api.mark.once
@api.mark.parametrize(("words", "names"), [(["--covcore=shop,other"], 2), (["--covcore=shop", "--covcore=other"], 2)])
def test_several_sources(shop: Place, words: list[str], names: int) -> None:
    shop.write("other.py", "x = 1")
    outcome = pytest(shop, *words)
    assert len(re.findall(r"^(?:shop|other)\.py ", outcome.stdout, re.MULTILINE)) == names


@api.mark.once
def test_report_types(shop: Place) -> None:
    kinds = ["term", "term-missing:missing.txt", "xml", "json:out/j.json", "lcov", "markdown"]
    outcome = pytest(shop, "--covcore=shop", *(f"--covcore-report={kind}" for kind in kinds))
    assert succeeds(outcome)
    assert re.search(r"^shop\.py .* 80%$", outcome.stdout, re.MULTILINE)
    assert re.search(r"^shop\.py .* 80%   5", (shop.folder / "missing.txt").read_text(), re.MULTILINE)
    assert ElementTree.parse(shop.folder / "coverage.xml").getroot().get("lines-covered") == "5"
    assert json.loads((shop.folder / "out/j.json").read_text())["totals"]["missing_lines"] == 1
    assert "DA:5,0" in (shop.folder / "coverage.lcov").read_text()
    assert "| **80%** |" in (shop.folder / "coverage.md").read_text()


@api.mark.once
@api.mark.parametrize("kind", ["term", "term-missing", "xml", "json", "lcov", "markdown"])
def test_each_report_goes_where_it_is_told(shop: Place, kind: str) -> None:
    outcome = pytest(shop, "--covcore=shop", f"--covcore-report={kind}:here.txt")
    assert (shop.folder / "here.txt").stat().st_size > 50
    assert "here.txt" in outcome.stdout
    assert "TOTAL" not in outcome.stdout


@api.mark.once
def test_an_empty_report_prints_none(shop: Place) -> None:
    bare = pytest(shop)
    outcome = pytest(shop, "--covcore=shop", "--covcore-report=xml", "--covcore-report=")
    assert len(outcome.stdout.splitlines()) == len(bare.stdout.splitlines())
    assert not (shop.folder / "coverage.xml").exists()
    assert shop.lines() == {"shop.py": {1, 2, 3, 4, 6}}


@api.mark.once
def test_files_without_gaps_can_be_left_out(shop: Place) -> None:
    outcome = pytest(shop, "--covcore", "--covcore-report=term-missing:skip-covered")
    assert "test_shop.py  " not in outcome.stdout
    assert "1 file skipped" in outcome.stdout


def test_a_report_that_cannot_be_written(shop: Place) -> None:
    outcome = pytest(shop, "--covcore=shop", "--covcore-report=xml:/proc/nowhere/x.xml", "--covcore-report=term")
    assert outcome.status == 1
    assert "covcore: error: cannot write /proc/nowhere/x.xml" in outcome.stdout
    assert "2 passed" in outcome.stdout


@api.mark.once
@api.mark.parametrize(
    ("option", "settings", "status"),
    [
        ("80", "", 0),
        ("80.1", "", 1),
        ("0", "fail_under = 90", 0),
        ("", "fail_under = 80.5", 1),
        ("", "fail_under = 80", 0),
    ],
)
def test_fail_under(shop: Place, option: str, settings: str, status: int) -> None:
    shop.write("covcore.toml", settings)
    options = [f"--covcore-fail-under={option}"] if option else []
    outcome = pytest(shop, "--covcore=shop", "--covcore-report=", *options)
    assert outcome.status == status
    name = "--covcore-fail-under" if option else "fail_under"
    assert (
        re.search(rf"^covcore: error: the total of 80\S* is under {name}=\d", outcome.stdout, re.M) is not None
    ) == (status == 1)
    assert "2 passed" in outcome.stdout


@api.mark.once
def test_fail_under_leaves_the_status_of_failures(shop: Place) -> None:
    shop.write("test_broken.py", "import nothing_of_the_kind")
    assert pytest(shop, "--covcore=shop", "--covcore-fail-under=100").status == 2
    assert pytest(shop, "--covcore=shop", "--covcore-fail-under=100", "-k", "nothing", "test_shop.py").status == 5


@api.mark.once
def test_append(shop: Place) -> None:
    pytest(shop, "--covcore=shop", "test_shop.py::test_member")
    assert shop.lines() == {"shop.py": {1, 2, 3}}
    pytest(shop, "--covcore=shop", "--covcore-append", "test_shop.py::test_small")
    assert shop.lines() == {"shop.py": {1, 2, 3, 4, 6}}
    pytest(shop, "--covcore=shop", "test_shop.py::test_member")
    assert shop.lines() == {"shop.py": {1, 2, 3}}


def test_no_covcore(shop: Place) -> None:
    outcome = pytest(shop, "--no-covcore", "--covcore=shop", "--covcore-fail-under=100")
    assert succeeds(outcome)
    assert not shop.data.exists()


@api.mark.once
@api.mark.parametrize("options", [["--collect-only"], ["--fixtures"], ["--markers"], ["--help"], ["--version"]])
def test_what_runs_no_tests_leaves_the_data_alone(shop: Place, options: list[str]) -> None:
    pytest(shop, "--covcore=shop")
    before = shop.data.read_bytes()
    outcome = pytest(shop, "--covcore=shop", "--covcore-fail-under=100", *options)
    assert succeeds(outcome)
    assert shop.data.read_bytes() == before


def test_a_conftest_that_fails_leaves_the_data_alone(shop: Place) -> None:
    pytest(shop, "--covcore=shop")
    before = shop.data.read_bytes()
    shop.write("conftest.py", "1 / 0")
    assert pytest(shop, "--covcore=shop").status == 4
    assert shop.data.read_bytes() == before
    assert list(shop.data.with_name("data.d").glob("*.[0-9]*")) == []


def test_blocked(shop: Place) -> None:
    assert succeeds(pytest(shop, "-p", "no:covcore"))
    outcome = pytest(shop, "-p", "no:covcore", "--covcore")
    assert (outcome.status, "unrecognized arguments: --covcore" in outcome.stderr) == (4, True)


# ---- contexts

LAYERS = """\
def body(name): return name
def enter(scope): return scope
def leave(scope): return scope
def imported(): return 1
def collected(): return 1
def finished(): return 1
"""
BODY, ENTER, LEAVE, IMPORTED, COLLECTED, FINISHED = range(1, 7)
FIXTURES = "import layers\nimport pytest\n" + "".join(
    f"""
@pytest.fixture(scope="{scope}")
def {scope}_thing():
    layers.enter("{scope}")
    yield
    layers.leave("{scope}")
"""
    for scope in ("session", "module", "class", "function")
)


@api.fixture
def layers(place: Place) -> Place:
    """Functions of one line each; the hits of each scope's fixtures are on the same lines, told apart by their tests."""
    place.write("layers.py", LAYERS)
    hooks = """
def pytest_collection_modifyitems(items):
    layers.collected()
def pytest_sessionfinish():
    layers.finished()
"""
    place.write("conftest.py", FIXTURES + hooks)
    place.write(
        "test_a.py",
        """
import layers
layers.imported()
class TestC:
    def test_1(self, session_thing, module_thing, class_thing): layers.body(1)
    def test_2(self, class_thing, function_thing): layers.body(2)
    def test_3(self, class_thing): pass
def test_4(module_thing): layers.body(4)
""",
    )
    place.write("test_b.py", "import layers\ndef test_5(session_thing): pass\ndef test_6(): layers.body(6)\n")
    return place


def test_contexts_of_tests(layers: Place) -> None:
    assert succeeds(pytest(layers, "--covcore=layers"))
    everything = set(range(1, 7))
    assert lines_by_test(layers, "layers.py") == {
        "": everything,  # their definitions
        "test_a.py::TestC::test_1": {BODY, ENTER},
        "test_a.py::TestC::test_2": {BODY, ENTER, LEAVE},
        "test_a.py::TestC::test_3": {LEAVE},
        "test_a.py::test_4": {BODY, LEAVE},
        "test_b.py::test_6": {BODY, LEAVE},
    }
    assert functions_outside_of_tests(layers) == {"imported", "collected", "finished"}


def functions_outside_of_tests(place: Place) -> set[str]:
    """The functions in which something ran outside of any test."""
    connection = sqlite3.connect(place.data)
    query = "SELECT qualname FROM line_hit WHERE test = '' AND path LIKE '%layers.py'"
    found = {name for (name,) in connection.execute(query)} - {"<module>"}
    connection.close()
    return found


def test_contexts_of_phases(layers: Place) -> None:
    assert succeeds(pytest(layers, "--covcore=layers", "--covcore-contexts=phase"))
    found = lines_by_test(layers, "layers.py")
    del found[""]
    assert found == {
        "test_a.py::TestC::test_1|setup": {ENTER},
        "test_a.py::TestC::test_1|run": {BODY},
        "test_a.py::TestC::test_2|setup": {ENTER},
        "test_a.py::TestC::test_2|run": {BODY},
        "test_a.py::TestC::test_2|teardown": {LEAVE},
        "test_a.py::TestC::test_3|teardown": {LEAVE},
        "test_a.py::test_4|run": {BODY},
        "test_a.py::test_4|teardown": {LEAVE},
        "test_b.py::test_6|run": {BODY},
        "test_b.py::test_6|teardown": {LEAVE},
    }
    assert functions_outside_of_tests(layers) == {"imported", "collected", "finished"}


def test_no_contexts(layers: Place) -> None:
    assert succeeds(pytest(layers, "--covcore=layers", "--covcore-contexts=none"))
    assert lines_by_test(layers, "layers.py") == {"": set(range(1, 7))}


def test_a_test_that_fails_anywhere_ends_its_context(layers: Place) -> None:
    layers.write(
        "test_a.py",
        """
import layers, pytest
@pytest.fixture
def broken(): layers.enter(1); 1 / 0
@pytest.fixture
def breaks(): yield; layers.leave(1); 1 / 0
def test_1(broken): pass
def test_2(breaks): layers.body(1); assert 0
def test_3(): pytest.skip()
""",
    )
    assert pytest(layers, "--covcore=layers", "test_a.py").status == 1
    found = lines_by_test(layers, "layers.py")
    assert found.pop("") == set(range(1, 7))
    assert found == {"test_a.py::test_1": {ENTER}, "test_a.py::test_2": {BODY, LEAVE}}
    assert functions_outside_of_tests(layers) == {"collected", "finished"}


def test_every_kind_of_test(shop: Place) -> None:
    shop.write(
        "test_kinds.py",
        '''
import unittest, pytest, shop
class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls): shop.price(-1, 0) if 0 else None
    def setUp(self): shop.price(200, True)
    def test_case(self):
        with self.subTest("a"): shop.price(1, 1)
def test_subtests(subtests):
    with subtests.test("a"): shop.price(200, True)
    with subtests.test("b"): shop.price(2, True)
def documented():
    """
    >>> shop.price(200, True)
    180.0
    """
''',
    )
    assert succeeds(pytest(shop, "--covcore=shop", "--doctest-modules", "test_kinds.py"))
    found = lines_by_test(shop, "shop.py")
    del found[""]
    assert found == {
        "test_kinds.py::Case::test_case": {2, 3, 4, 6},
        "test_kinds.py::test_subtests": {2, 3, 4, 6},
        "test_kinds.py::test_kinds.documented": {2, 3},
    }


NAMES = ["--covcore=x", "/etc/passwd", "a::b", "-p no:covcore", "../..", "x|run", "\u1e9e\U0001f40d", "\n\t", " "]


def test_ids_of_any_kind(shop: Place) -> None:
    """Labels are as pytest prints ids."""
    shop.write("pytest.ini", "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true")
    names = [*NAMES, "\0", "long" * 25_000]
    text = f"import shop, pytest\n@pytest.mark.parametrize('x', {names!a}, ids=lambda x: x)\ndef test(x): shop.price(200, True)"
    shop.write("test_ids.py", text.encode())
    for options in ([], ["-n2"]):
        assert "11 passed" in pytest(shop, "--covcore=shop", "test_ids.py", *options).stdout
        found = lines_by_test(shop, "shop.py")
        del found[""]
        assert found == {f"test_ids.py::test[{name}]": {2, 3} for name in names}


def test_a_file_with_the_name_of_an_option(shop: Place) -> None:
    shop.write("--covcore=evil/test_x.py", "import shop\ndef test(): shop.price(200, True)")
    assert pytest(shop, "--covcore=shop", "--", "--covcore=evil/test_x.py").status == 0
    assert lines_by_test(shop, "shop.py")["--covcore=evil/test_x.py::test"] == {2, 3}


# ---- no_cover


@api.mark.parametrize("how", ["@pytest.mark.no_cover\ndef test_1():", "def test_1(no_cover):"])
def test_no_cover(shop: Place, how: str) -> None:
    shop.write("pytest.ini", "[pytest]\nstrict_markers = true")
    shop.write(
        "test_hidden.py",
        f"""
import pytest, shop
@pytest.fixture(autouse=True)
def before():
    shop.price(10, True)
    yield
{how}
    shop.price(200, True)
def test_2(): shop.price(20, True)
""",
    )
    assert succeeds(pytest(shop, "test_hidden.py"))
    assert succeeds(pytest(shop, "--covcore=shop", "test_hidden.py"))
    assert lines_by_test(shop, "shop.py") == {
        "": {1},
        "test_hidden.py::test_1": {2, 4, 6},
        "test_hidden.py::test_2": {2, 4, 6},
    }
    assert len(processes(shop)) == 1  # a pause makes no second recording


def test_no_cover_in_the_middle_of_a_generator(shop: Place) -> None:
    """What was silenced in a pause, or runs across one, is heard before and behind it."""
    shop.write(
        "shop.py",
        """
def numbers():
    yield 1
    yield 2
    for n in range(3):
        yield n
        if n == 1:
            n = 2
        else:
            n = 3
    yield 9
""",
    )
    shop.write(
        "test_shop.py",
        """
import pytest, shop
numbers = shop.numbers()
@pytest.fixture
def around():
    next(numbers)
    yield
    assert list(numbers) == [1, 2, 9]
def test_1(around, no_cover):
    assert [next(numbers), next(numbers)] == [2, 0]
    assert len(list(shop.numbers())) == 6
def test_2(): assert len(list(shop.numbers())) == 6
""",
    )
    assert succeeds(pytest(shop, "--covcore=shop"))
    everything = set(range(3, 12)) - {9}
    assert lines_by_test(shop, "shop.py") == {
        "": {2},
        "test_shop.py::test_1": everything - {4},
        "test_shop.py::test_2": everything,
    }


def test_no_cover_at_the_very_end(shop: Place) -> None:
    shop.write("test_shop.py", "import shop\ndef test(no_cover): shop.price(200, True)")
    outcome = pytest(shop, "--covcore=shop")
    assert "warning" not in outcome.stdout
    assert shop.lines() == {"shop.py": {1}}


# ---- bad input


@api.mark.parametrize(
    ("option", "message"),
    [
        ("--covcore-contexts=tests", "invalid choice: 'tests'"),
        ("--covcore-report=pdf", "'pdf' is not TYPE or TYPE:DEST with a TYPE of term, term-missing, html, xml,"),
        ("--covcore-report=:x", "':x' is not TYPE"),
        ("--covcore-fail-under=x", "'x' is not a number from 0 to 100"),
        ("--covcore-fail-under=101", "'101' is not a number from 0 to 100"),
        ("--covcore-fail-under=nan", "'nan' is not a number from 0 to 100"),
    ],
)
def test_usage_errors(shop: Place, option: str, message: str) -> None:
    outcome = pytest(shop, "--covcore", option)
    assert outcome.status == 4
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not shop.data.exists()


def test_a_configuration_that_cannot_be(shop: Place) -> None:
    shop.write("covcore.toml", "sorce = []")
    outcome = pytest(shop, "--covcore")
    assert outcome.status == 4
    assert "unknown key 'sorce': did you mean source?" in outcome.stderr


@api.mark.once
def test_a_data_path_that_is_a_folder(shop: Place) -> None:
    outcome = pytest(shop, "--covcore", COVCORE_DATA=".")
    assert (outcome.status, "is a folder: name a file" in outcome.stderr) == (4, True)


@api.mark.once
@api.mark.parametrize("options", [[], ["-n2"]])
def test_a_data_path_that_cannot_be_written(shop: Place, tmp_path: Path, options: list[str]) -> None:
    environment = {"COVCORE_DATA": "/proc/nowhere/data", "TMPDIR": str(tmp_path)}
    outcome = pytest(shop, "--covcore=shop", *options, **environment)
    assert outcome.status == 0
    found = re.search(r"^covcore: warning: cannot record in .*: the data goes to (.*), name it", outcome.stdout, re.M)
    assert found is not None
    assert shop.lines(Path(found[1])) == {"shop.py": {1, 2, 3, 4, 6}}
    assert re.search(r"^shop\.py .* 80%$", outcome.stdout, re.MULTILINE)


@api.mark.once
def test_a_source_that_is_nowhere(shop: Place) -> None:
    outcome = pytest(shop, "--covcore=nothing")
    assert outcome.status == 0
    assert "covcore: warning: nothing was measured for --source=nothing" in outcome.stdout
    assert pytest(shop, "--covcore=nothing", "--covcore-fail-under=1").status == 1
