"""A run against an older one: what was lost, gained, and what is new and did not run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Place

from covcore.analysis.baseline import Change, compare
from covcore.analysis.exclusions import Rules
from covcore.analysis.project import analyse_all
from covcore.store.loading import load

RULES = Rules()

SHOP = """\
import sys

def price(amount, member):
    if member:
        amount *= 0.9
    if amount < 0:
        raise ValueError(amount)
    return amount

print(price(int(sys.argv[1]), sys.argv[2:]))
"""


@pytest.fixture
def shop(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with a program, which is also the current one."""
    monkeypatch.chdir(place.folder)
    place.write("shop.py", SHOP)
    return place


def run(place: Place, *arguments: str, source: str = ".") -> None:
    done = place.covcore("run", f"--source={source}", *arguments)
    assert done.status == 0, done.stderr


def keep(place: Place) -> Path:
    """Make what was measured the baseline."""
    return Path(shutil.copy(place.data, place.data.with_name("baseline")))


def changes(place: Place, baseline: Path) -> dict[str, Change]:
    """By name, in the order of the list."""
    with load(str(place.data)) as database, load(str(baseline)) as other:
        files = [
            (it.path, it.result) for it in analyse_all(database, RULES, lambda path: True) if it.result is not None
        ]
        return {Path(change.path).name: change for change in compare(other, files, RULES)}


def git(place: Place, *arguments: str) -> None:
    place.environment |= {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    place.environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = place.run("git", *arguments)
    assert done.status == 0, done.stderr


def commit(place: Place) -> None:
    git(place, "init", "-q")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "then")


def test_the_same_text(shop: Place) -> None:
    run(shop, "shop.py", "5", "member")
    baseline = keep(shop)
    run(shop, "shop.py", "5")

    change = changes(shop, baseline)["shop.py"]

    assert change == (str(shop.folder / "shop.py"), {5: "lost"}, {(4, 5): "lost", (4, 6): "gained"}, True)
    assert [change.count(state) for state in ("lost", "gained", "new-uncovered", "new")] == [2, 1, 0, 0]
    assert changes(shop, keep(shop))["shop.py"][1:] == ({}, {}, True)


def test_a_changed_text(shop: Place) -> None:
    """Lines have moved, one is other than it was, and one is new."""
    run(shop, "shop.py", "5", "member")
    baseline = keep(shop)
    commit(shop)
    text = SHOP.replace("import sys\n", "# prices\nimport sys\n").replace("*= 0.9", "*= 0.8")
    shop.write(
        "shop.py",
        text.replace("    return amount\n", "    if amount > 100:\n        amount = 100\n    return amount\n"),
    )
    run(shop, "shop.py", "5")

    change = changes(shop, baseline)["shop.py"]

    assert change.lines == {6: "new-uncovered", 9: "new", 10: "new-uncovered"}
    assert change.branches == {(5, 6): "lost", (5, 7): "gained", (9, 10): "new-uncovered", (9, 11): "new"}


def test_a_text_that_was_never_committed(shop: Place) -> None:
    """Nothing is said of it: neither hashes nor bitmaps tell which lines are the same."""
    run(shop, "shop.py", "5")
    baseline = keep(shop)
    shop.write("shop.py", "# prices\n" + SHOP)
    commit(shop)
    run(shop, "shop.py", "5")

    assert changes(shop, baseline)["shop.py"][1:] == ({}, {}, False)


def test_files_that_come_and_go(shop: Place) -> None:
    shop.write("old.py", "if __name__:\n    a = 1\n")
    run(shop, "-c", "import old")
    baseline = keep(shop)
    (shop.folder / "old.py").rename(shop.folder / "renamed.py")
    shop.write("fresh.py", "b = 1\nif not b:\n    b = 2\n")
    run(shop, "-c", "import renamed, fresh")

    found = changes(shop, baseline)

    assert list(found) == ["shop.py", "fresh.py", "renamed.py"]  # the worst first
    assert found["fresh.py"].lines == {1: "new", 2: "new", 3: "new-uncovered"}
    assert found["fresh.py"].branches == {(2, 3): "new-uncovered", (2, -1): "new"}
    assert found["renamed.py"][1:] == ({}, {}, True)
    assert set(found["shop.py"].lines.values()) == {"new-uncovered"}


def test_a_file_that_did_not_run_then_is_not_new(shop: Place) -> None:
    commit(shop)
    run(shop, "-c", "pass")
    baseline = keep(shop)
    run(shop, "shop.py", "5")

    assert changes(shop, baseline)["shop.py"].lines == dict.fromkeys((1, 3, 4, 6, 8, 10), "gained")


def test_a_baseline_of_another_machine(shop: Place) -> None:
    run(shop, "shop.py", "5", "member")
    baseline = shop.data.with_name("exported")
    assert shop.covcore("export", "-o", baseline).status == 0
    run(shop, "shop.py", "5")

    assert changes(shop, baseline)["shop.py"].lines == {5: "lost"}


@pytest.mark.parametrize("damage", ["no git", "no repository", "no objects"])
def test_without_a_history(damage: str, shop: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run(shop, "shop.py", "5")
    baseline = keep(shop)
    if damage != "no repository":
        commit(shop)
    if damage == "no objects":
        shutil.rmtree(shop.folder / ".git/objects")
    if damage == "no git":
        monkeypatch.setenv("PATH", str(shop.folder))
    shop.write("shop.py", SHOP + "print()\n")
    run(shop, "shop.py", "5")

    assert changes(shop, baseline)["shop.py"].is_known is False


def test_the_repository_starts_no_program(shop: Place) -> None:
    """What its configuration names for diffs, signatures and the like stays unused."""
    run(shop, "shop.py", "5")
    baseline = keep(shop)
    shop.write(".gitattributes", "*.py diff=evil filter=evil\n")
    commit(shop)
    program = f"touch {shop.folder}/pwned; cat"
    for key in (
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "gpg.program",
    ):
        git(shop, "config", key, program)
    git(shop, "config", "log.showSignature", "true")
    git(shop, "config", "filter.evil.smudge", program)
    shop.write("shop.py", SHOP + "print()\n")
    run(shop, "shop.py", "5")

    assert changes(shop, baseline)["shop.py"].lines == {11: "new"}
    assert not (shop.folder / "pwned").exists()
