"""Results kept from report to report, and work spread over processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Place

from covcore.analysis.cache import Cache, decode, encode
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.project import WORTH_SPREADING
from covcore.analysis.workers import spread

TEXT = """
def f(a, b=0):
    "A docstring."
    if a and b or a < b < 3:
        return [x for x in a if x]
    return "\\ud800é"  # pragma: no cover
class C:
    while f(0) or x:
        pass
"""


def fields(result: FileResult) -> dict[str, object]:
    names = ["statements", "missing", "excluded", "branches", "missing_branches", "waived_branches", "regions"]
    return {name: getattr(result, name) for name in [*names, "conditions", "decisions", "figures"]}


def test_a_result_comes_back_as_it_was() -> None:
    result = analyse(TEXT, [], Rules())

    assert result.conditions and result.decisions and result.excluded and result.missing_branches
    assert fields(decode(encode(result))) == fields(result)


@pytest.fixture
def project(place: Place) -> Place:
    """Two modules that have been measured and reported."""
    place.write("one.py", "import two\nif two.x and two.y:\n    print()\n")
    place.write("two.py", "x = 1\ny = 0\n")
    assert place.covcore("run", "one.py").status == 0
    place.covcore("report")
    return place


def kept(place: Place) -> Path:
    return place.data.with_name(place.data.name + ".d") / "analysis"


def forge(place: Place) -> None:
    """Have the kept results say something else, as nobody but we could write it."""
    cache = Cache(str(place.data), Rules())
    path, other = (str(place.folder / name) for name in ("one.py", "two.py"))
    key, encoded = cache._entries[path]
    cache.put(path, key, encoded.replace(b'"figures":[3,', b'"figures":[77,'))
    cache.save({path, other})


def test_a_second_report_takes_kept_results(project: Place) -> None:
    report = project.covcore("report").stdout
    forge(project)

    assert " 77 " in project.covcore("report").stdout
    assert project.covcore("report", "--include=two.py").status == 0
    project.write("two.py", "x = 1\ny = 0\nz = 3\n")
    project.covcore("run", "one.py")  # what is new of two.py leaves one.py as it was
    assert " 77 " in project.covcore("report").stdout
    project.write("covcore.toml", "exclude_lines = ['print']\n")
    changed = project.covcore("report").stdout
    assert " 77 " not in changed and changed != report


def test_other_hits_are_another_result(project: Place) -> None:
    project.write("two.py", "x = 1\ny = 11\n")
    forge(project)
    project.covcore("run", "one.py")

    assert " 77 " not in project.covcore("report", "--include=one.py").stdout


def test_what_depends_on_this_covcore_is_dropped(project: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    data, path = str(project.data), str(project.folder / "one.py")
    key = Cache(data, Rules())._entries[path][0]

    assert Cache(data, Rules()).get(path, key)
    assert not Cache(data, Rules(partial=())).get(path, key)
    assert not Cache(data, Rules()).get(path, "another")
    monkeypatch.setattr("covcore.__version__", "another")
    assert not Cache(data, Rules()).get(path, key)


SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[:-1],
    "cut in the header": lambda content: content[:40],
    "longer": lambda content: content + b"x",
    "a bit of a result": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "another stamp": lambda content: bytes(32) + content[32:],
    "a length": lambda content: content[:64] + b"\x7f" * 8 + content[72:],
    "noise": lambda content: random.Random(1).randbytes(len(content)),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_spoilt_file_is_made_anew(project: Place, spoil: Callable[[bytes], bytes]) -> None:
    report, content = project.covcore("report"), kept(project).read_bytes()
    kept(project).write_bytes(spoil(content))

    assert project.covcore("report") == report
    assert kept(project).read_bytes()[:64] == content[:64]
    assert os.listdir(kept(project).parent) == sorted(["analysis", "lock"]) or set(
        os.listdir(kept(project).parent)
    ) == {
        "analysis",
        "lock",
    }


def test_every_single_byte_counts(project: Place) -> None:
    content = kept(project).read_bytes()
    path = str(project.folder / "one.py")
    key = Cache(str(project.data), Rules())._entries[path][0]
    for at in random.Random(2).sample(range(len(content)), 200):
        kept(project).write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        assert Cache(str(project.data), Rules()).get(path, key) is None
    kept(project).write_bytes(content)
    assert Cache(str(project.data), Rules()).get(path, key) is not None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_something_else_in_its_place(project: Place, make: Callable[[Path], None]) -> None:
    report = project.covcore("report")
    kept(project).unlink()
    make(kept(project))

    assert project.covcore("report") == report


def test_reports_at_the_same_time(project: Place) -> None:
    report = project.covcore("report").stdout
    kept(project).unlink()
    command = [sys.executable, "-m", "covcore", "report"]
    environment = project.environment | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    reports = [
        subprocess.Popen(command, cwd=project.folder, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    assert {process.communicate(timeout=60)[0] for process in reports} == {report}
    assert set(os.listdir(kept(project).parent)) == {"analysis", "lock"}


def test_erase_removes_it(project: Place) -> None:
    kept(project).with_name("analysis.new-1").touch()

    assert project.covcore("erase").status == 0
    assert not kept(project).parent.exists()


def test_no_folder_no_cache(project: Place) -> None:
    data = project.folder / "copy"
    data.write_bytes(project.data.read_bytes())

    assert project.covcore("report", f"--data={data}").status == 0
    assert not data.with_name("copy.d").exists()


# ---- processes


def double(number: int) -> bytes:
    return b"%d" % (2 * number)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 8])
@pytest.mark.parametrize("n_jobs", [0, 1, 2, 7, 30])
def test_results_come_in_the_order_of_jobs(n_jobs: int, n_workers: int) -> None:
    assert spread(double, range(n_jobs), n_workers) == [double(number) for number in range(n_jobs)]


def test_large_results() -> None:
    assert spread(lambda n: bytes(n), [1 << 20] * 5, 3) == [bytes(1 << 20)] * 5


def test_work_of_a_child_that_dies_is_done_again() -> None:
    parent = os.getpid()

    def work(job: int) -> bytes:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return double(job)

    assert spread(work, range(5), 3) == [double(number) for number in range(5)]


def test_what_work_raises_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        spread(lambda job: b"%d" % (1 // job), [1, 2, 0, 4], 2)
    assert no_children()
    assert capfd.readouterr() == ("", "")


def no_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


INTERRUPTED = """
import os, time
from covcore.analysis.workers import spread
def work(job):
    os.write(1, b"x")
    time.sleep(30)
    return b""
try:
    spread(work, range(6), 3)
except KeyboardInterrupt:
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        print("clean")
"""


def test_ctrl_c_ends_all(place: Place) -> None:
    environment = place.environment | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.read(3) == b"xxx"
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=20)[0] == b"clean\n"
    assert time.monotonic() - begun < 10


def test_many_files_are_spread(place: Place) -> None:
    """The report is the same from one process, from two, and from what was kept."""
    text = "".join(f"def f{i}(a, b):\n    if a and b:\n        return {i}\n" for i in range(20))
    for number in range(20):
        place.write(f"m{number}.py", text + "#" * (WORTH_SPREADING // 20))
    place.write("main.py", "".join(f"import m{number}; m{number}.f7(1, 0)\n" for number in range(20)))
    assert place.covcore("run", "main.py").status == 0
    first = place.covcore("report", "-m")
    again = place.covcore("report", "-m")
    kept(place).unlink()
    one_core = "import os\nos.process_cpu_count = lambda: 1\nos.sched_getaffinity = lambda pid: {0}\n"
    command = f"{one_core}from covcore.cli import main\nimport sys\nsys.exit(main())"
    alone = place.python("-c", command, "report", "-m", PYTHONPATH=str(Path(__file__).parent.parent))

    assert "m19.py" in first.stdout and first.status == 0
    assert first == again == alone
