"""The pytest plugin and the workers of pytest-xdist: where their data goes, also when they die."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest as api
from conftest import Place, unless_sanitized
from pytest_runs import contexts, lines_by_test, processes, pytest
from test_plugin import SHOP, shop, succeeds

__all__ = ["shop"]  # a fixture

MANY = """
import pytest, shop
@pytest.fixture(scope="session")
def caused(): shop.price(200, True)
@pytest.mark.parametrize("n", range(6))
def test_small(n): shop.price(n, False)
@pytest.mark.xdist_group("some")
@pytest.mark.parametrize("n", range(200, 203))
def test_member(n): shop.price(n, True)
class TestC:
    def test_a(self): shop.price(1, 1)
    def test_b(self):
        with pytest.raises(ValueError): shop.price(-1, 1)
"""
EXPECTED = (
    {f"test_shop.py::test_small[{n}]": {2, 4, 6} for n in range(6)}
    | {f"test_shop.py::test_member[{n}]": {2, 3} for n in range(200, 203)}
    | {"test_shop.py::TestC::test_a": {2, 4, 6}, "test_shop.py::TestC::test_b": {2, 4, 5}, "": {1}}
)
FINISHED = "finished"


@api.fixture
def many(shop: Place) -> Place:
    shop.write("test_shop.py", MANY)
    return shop


@api.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each", "no"])
def test_every_way_to_distribute(many: Place, dist: str) -> None:
    outcome = pytest(many, "--covcore=shop", "--tx=2*popen", f"--dist={dist}")
    assert succeeds(outcome)
    assert lines_by_test(many, "shop.py") == EXPECTED
    assert [outcome for _, outcome in processes(many)] == [FINISHED] * (1 if dist == "no" else 3)
    assert re.search(r"^shop\.py +6 +0 +4 +0 +100%$", outcome.stdout, re.MULTILINE)
    assert list(many.data.with_name("data.d").glob("*.[0-9]*")) == []


def test_four_workers_and_phases(many: Place) -> None:
    many.write("shop.py", SHOP + "def setting_up(): return 1\n")
    many.write(
        "conftest.py", "import pytest\n@pytest.fixture(autouse=True)\ndef before():\n import shop\n shop.setting_up()"
    )
    assert succeeds(pytest(many, "--covcore=shop", "-n4", "--covcore-contexts=phase"))
    wanted = {f"{test}|run": lines for test, lines in EXPECTED.items() if test}
    wanted |= {f"{test}|setup": {7} for test in EXPECTED if test}
    found = lines_by_test(many, "shop.py")
    assert found.pop("") >= {1, 7}
    assert found == wanted


def test_the_controllers_settings_hold(many: Place) -> None:
    many.write("sub/covcore.toml", 'source = ["nothing"]')
    many.write("covcore.toml", 'source = ["shop"]\ncontext = "nightly"\ndynamic_contexts = "none"')
    assert succeeds(pytest(many, "--covcore", "-n2"))
    assert contexts(many).keys() == {""}
    assert many.covcore("report", "--contexts=nightly", "--format=total").stdout == "100\n"
    assert succeeds(pytest(many, "--covcore", "-n2", "--covcore-append", "-k", "nothing or test_a"))
    assert many.covcore("report", "--format=total").stdout == "100\n"


def test_the_environment_of_tests_is_as_without(many: Place) -> None:
    text = "import os\ndef test_1(): assert [n for n in os.environ if n.startswith('COVCORE_PYTEST')] == []\n"
    many.write("test_shop.py", text + text.replace("_1", "_2"))
    assert succeeds(pytest(many, "--covcore=shop", "-n2"))


# ---- workers that die

DEADLY = """
import os, signal, pytest, shop
@pytest.mark.parametrize("n", range(4))
def test_before(n): shop.price(n, False)
def test_killed():
    shop.price(200, True)
    os.kill(os.getpid(), signal.SIGKILL)
@pytest.mark.parametrize("n", range(4))
def test_after(n): shop.price(n, False)
"""


@api.mark.parametrize("command", ["--covcore=shop", "covcore run"])
def test_a_worker_killed_in_a_test(shop: Place, command: str) -> None:
    """Its data counts, also that of the test that killed it, and so does that of the worker in its place."""
    shop.write("test_shop.py", DEADLY)
    if command == "covcore run":
        outcome = shop.covcore("run", "--source=shop", "-m", "pytest", "-p", "no:cacheprovider", "-n2")
    else:
        outcome = pytest(shop, command, "-n2")
    assert outcome.status == 1
    assert "1 failed, 8 passed" in outcome.stdout
    found = lines_by_test(shop, "shop.py")
    assert found.pop("") == {1}
    tests = [f"test_shop.py::test_{when}[{n}]" for when in ("before", "after") for n in range(4)]
    assert found == {test: {2, 4, 6} for test in tests} | {"test_shop.py::test_killed": {2, 3}}
    assert sorted(outcome for _, outcome in processes(shop)) == ["ended without an end mark", *[FINISHED] * 3]
    assert "covcore: warning: worker gw" in outcome.stdout + outcome.stderr
    assert "was lost: what it recorded until then counts" in outcome.stdout + outcome.stderr


def test_no_new_worker_for_a_killed_one(shop: Place) -> None:
    shop.write("test_shop.py", DEADLY)
    outcome = pytest(shop, "--covcore=shop", "-n1", "--max-worker-restart=0")
    assert outcome.status != 0
    assert lines_by_test(shop, "shop.py")["test_shop.py::test_killed"] == {2, 3}


def test_a_run_that_stops_at_the_first_failure(many: Place) -> None:
    many.write("test_fails.py", "def test(): assert 0")
    outcome = pytest(many, "--covcore=shop", "-n2", "-x", "test_fails.py", "test_shop.py")
    assert outcome.status in (1, 2)
    assert "lost" not in outcome.stdout
    assert many.lines()["shop.py"] >= {1}


# ---- workers elsewhere


def test_python_by_its_path(many: Place) -> None:
    """Another version would get the controller's sys.path from pytest-xdist, standard library included, and die."""
    outcome = pytest(many, "--covcore=shop", f"--tx=popen//python={sys.executable}", "--tx=popen", "--dist=each")
    assert succeeds(outcome)
    assert lines_by_test(many, "shop.py") == EXPECTED
    assert [outcome for _, outcome in processes(many)] == [FINISHED] * 3


def test_a_copy_of_the_tree(many: Place, tmp_path: Path) -> None:
    """With --rsyncdir workers run copies: what they run counts for the files here."""
    (tmp_path / "there").mkdir()
    many.write("pytest.ini", "[pytest]")
    options = [f"--tx=popen//chdir={tmp_path}/there", "--dist=load", f"--rsyncdir={many.folder}"]
    outcome = pytest(many, f"--covcore={many.folder}/shop.py", *options, str(many.folder))
    assert outcome.status == 0
    assert (tmp_path / "there/project/shop.py").exists()
    assert lines_by_test(many, "shop.py") == EXPECTED
    assert many.covcore("report", "--format=total").stdout == "100\n"


@api.fixture
def elsewhere(many: Place, tmp_path: Path) -> Path:
    """A Python to which the controller's folder of recordings is invisible, as it is on another machine."""
    private = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*private, "true"], capture_output=True).returncode:
        api.skip("no mount namespaces for this user")
    (many.data.parent).mkdir(exist_ok=True)
    command = tmp_path / "far-away"  # as ssh is: nothing that the controller knows for a Python
    script = f'mount -t tmpfs none {many.data.parent} && exec {sys.executable} "$@"'
    command.write_text(f"#!/bin/sh\nexec {' '.join(private)} sh -c '{script}' python \"$@\"\n")
    command.chmod(0o755)
    return command


def test_workers_that_send_their_data(many: Place, elsewhere: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    outcome = pytest(many, "--covcore=shop", f"--tx=2*popen//python={elsewhere}", "--dist=load", TMPDIR=str(temporary))
    assert succeeds(outcome)
    assert lines_by_test(many, "shop.py") == EXPECTED
    assert [outcome for _, outcome in processes(many)] == [FINISHED] * 3
    assert not list(temporary.glob("covcore-*/*"))


SSH = """\
#!/bin/sh
# ssh -C HOST COMMAND: elsewhere, with hardly an environment, and what COVCORE_DATA lies in is not there
while [ $# -gt 1 ]; do shift; done
cd /
exec unshare --user --map-root-user --mount env -i PATH="$PATH" TMPDIR={temporary} sh -c "mount -t tmpfs none {hidden} && exec $1"
"""


@unless_sanitized  # which a machine without our environment does not load
@api.mark.parametrize("killed", [False, True])
def test_workers_by_ssh(many: Place, elsewhere: Path, tmp_path: Path, killed: bool) -> None:
    """Workers of execnet's ssh, in copies of the tree; one that is killed takes its data with it, and that is said."""
    (tmp_path / "temporary").mkdir()
    ssh = tmp_path / "commands/ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH.format(temporary=tmp_path / "temporary", hidden=many.data.parent))
    ssh.chmod(0o755)
    many.write("pytest.ini", "[pytest]")
    if killed:
        many.write("test_shop.py", DEADLY)
    places = [f"--tx=ssh=far//python={sys.executable}//chdir={tmp_path}/there{n}" for n in (1, 2)]
    options = [f"--covcore={many.folder}/shop.py", *places, "--dist=load", f"--rsyncdir={many.folder}"]
    outcome = pytest(many, *options, str(many.folder), PATH=f"{ssh.parent}:{os.environ['PATH']}")
    found = lines_by_test(many, "shop.py")
    if killed:
        assert outcome.status == 1
        assert (
            len(re.findall(r"covcore: warning: worker gw\d was lost, and what it recorded with it", outcome.stdout))
            == 1
        )
        assert found.keys() <= {
            "",
            *(f"test_shop.py::test_{when}[{n}]" for when in ("before", "after") for n in range(4)),
        }
        assert len(found) > 4
    else:
        assert outcome.status == 0
        assert found == EXPECTED
        assert [outcome for _, outcome in processes(many)] == [FINISHED] * 3
    assert many.covcore("report", "--format=total").status == 0


def test_what_a_worker_sends_is_not_trusted(many: Place) -> None:
    """A worker's recordings are put nowhere but into the folder, and read as those of anybody."""
    many.write(
        "conftest.py",
        """
def pytest_configure(config):
    if hasattr(config, "workerinput"):
        from covcore_pytest import sessions
        run = config.pluginmanager.getplugin("covcore_running").session.run_id
        honest = sessions.finish_worker
        names = ["../../evil-1-1.0", "/tmp/evil", f"{run}-1-1.0/../../x.0", f"{run}-5-5.0", "0-1-1.0", f"{run}-7-7.0\\n"]
        sessions.finish_worker = lambda session: honest(session) | {"recordings": [(name, b"x" * 5000) for name in names]}
""",
    )
    outcome = pytest(many, "--covcore=shop", "-n1")
    assert outcome.status == 0
    assert outcome.stdout.count("sent a file that is no recording of this run") == 5
    assert "cannot read the recording" in outcome.stdout
    assert not list(many.data.parent.parent.rglob("*evil*"))
    assert lines_by_test(many, "shop.py") == EXPECTED
