"""All processes of a run are measured into it, none of them notices, and none is missed where it cannot be."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest
from conftest import SANITIZER, Outcome, Place
from hypothesis import given
from hypothesis import strategies as st
from recording_files import OPEN, Recording, simple

from covcore.measure.children import quote, unquote
from covcore.store.loading import load
from covcore.store.notes import Notes, split
from covcore.store.processes import Process, last_of_each, summary
from covcore.store.recordings import find

WORK = """\
def work(n):
    if n > 2:
        n += 1
    else:
        n -= 1
    return n
"""
LARGE, SMALL = {1, 2, 3, 6}, {1, 2, 5, 6}  # the lines of work(3), work(1)
HOOK = "covcore_start.pth"
ROOT = Path(__file__).parents[1]


@pytest.fixture
def shop(place: Place) -> Place:
    place.write("work.py", WORK)
    return place


def both(place: Place, program: str, *options: str) -> Outcome:
    """Run a program bare and measured; they must not differ.  Returns how it went."""
    place.write("main.py", program)
    bare = place.python("main.py")
    measured = place.covcore("run", *options, "main.py")
    assert (measured.status, measured.stdout) == (bare.status, bare.stdout)
    return measured


def processes(place: Place) -> list[Process]:
    with load(str(place.data)) as database:
        return last_of_each(database.processes())


def counts(place: Place) -> str:
    return summary(processes(place)).partition(": ")[2]


def work_lines(place: Place) -> set[int]:
    with load(str(place.data)):
        return place.lines().get("work.py", set())


# ---- each way to start a process


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(shop: Place, method: str) -> None:
    both(
        shop,
        f"""\
import multiprocessing
from work import work
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    process = context.Process(target=work, args=(3,))
    process.start()
    process.join()
    print(process.exitcode)
""",
    )
    assert work_lines(shop) == LARGE
    assert counts(shop) == f"{3 if method == 'forkserver' else 2} finished"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_that_is_terminated(shop: Place, method: str) -> None:
    """Each task that was done is kept, although leaving `with` kills the workers."""
    both(
        shop,
        f"""\
import multiprocessing
from work import work
if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, [1, 3, 5], chunksize=1))
""",
    )
    assert work_lines(shop) == LARGE | SMALL
    ends = {process.problem or process.outcome for process in processes(shop)}
    assert ends <= {"finished", "killed by signal 15"}
    assert shop.covcore("report", "--strict").status == 0


def test_process_pool_executor(shop: Place) -> None:
    both(
        shop,
        """\
from concurrent.futures import ProcessPoolExecutor
from work import work
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(work, range(9))))
        pool.shutdown(cancel_futures=True)
""",
    )
    assert work_lines(shop) == LARGE | SMALL


def test_subprocesses_of_all_kinds(shop: Place) -> None:
    """Measured, or listed."""
    both(
        shop,
        """\
import os, subprocess, sys
def run(*options, n=1, **how):
    command = [sys.executable, *options, "-c", f"import sys; sys.path.insert(0, {os.getcwd()!r}); import work; work.work({n})"]
    print(subprocess.run(command, **how).returncode)
run()
run("-I", n=3)
run("-E")
run(cwd="/")
run(close_fds=False)
run(env={**os.environ})
run(preexec_fn=os.setsid)
print(os.system(sys.executable + " -c 'import work'"))
subprocess.run([sys.executable, "--version"])
subprocess.run(["true"])
run("-S")
run(env={})
""",
    )
    assert work_lines(shop) == LARGE | SMALL
    assert counts(shop) == "9 finished, 2 left no record"
    lost = [process.problem for process in processes(shop) if process.outcome == "left no record"]
    assert " -S -c" in lost[0] and " -c import" in lost[1]


@pytest.mark.parametrize(("imported", "missed"), [("os", ""), ("subprocess", ", 1 left no record")])
def test_posix_spawn(shop: Place, imported: str, missed: str) -> None:
    """Measured; what is not is missed only once subprocess has been imported, for the audit hook slows each program."""
    both(
        shop,
        f"""\
import os, sys, {imported}
def spawn(*options):
    command = [sys.executable, *options, "-c", "import work; work.work(3)"]
    print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(sys.executable, command, os.environ), 0)[1]))
spawn()
spawn("-S")
""",
    )
    assert work_lines(shop) == LARGE
    assert counts(shop) == "2 finished" + missed


def test_the_python_of_a_virtual_environment(shop: Place) -> None:
    """One that has covcore is measured, by its own hook; one that has not is listed."""
    for name in "with", "without":
        assert shop.python("-m", "venv", "--without-pip", name).status == 0
    (packages,) = (shop.folder / "with").glob("lib/python*/site-packages")
    (packages / "_tree.pth").write_text(f"{ROOT}\n")
    (packages / HOOK).write_bytes((ROOT / "plugin" / HOOK).read_bytes())
    both(
        shop,
        """\
import subprocess
for name, n in ("with", 3), ("without", 1):
    print(subprocess.run([name + "/bin/python", "-c", f"import work; work.work({n})"]).returncode)
""",
    )
    assert work_lines(shop) == LARGE
    assert counts(shop) == "2 finished, 1 left no record"


def test_what_left_no_record_is_said(shop: Place) -> None:
    outcome = both(shop, "import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', ''])\n")
    assert outcome.stderr.endswith(f"left no record: {sys.executable} -S -c \n")
    assert outcome.stderr.count("\n") == 1
    for command in "report", "json", "xml", "lcov":
        outcome = shop.covcore(command)
        assert (outcome.status, "warning: 2 processes: 1 finished, 1 left no record\n" in outcome.stderr) == (0, True)
        outcome = shop.covcore(command, "--strict")
        assert outcome.status == 1
        assert f"error: --strict: 1 of 2 processes did not finish: {sys.executable} -S -c" in outcome.stderr


def test_a_script_is_matched_with_its_interpreter(shop: Place) -> None:
    script = shop.write("script", f"#!{sys.executable}\nimport work; work.work(3)\n")
    script.chmod(0o755)
    both(shop, "import subprocess\nprint(subprocess.run(['./script', 'a b', 'c']).returncode)\n")
    assert work_lines(shop) == LARGE
    assert counts(shop) == "2 finished"


@pytest.mark.parametrize("end", ["sys.exit(3)", "os._exit(3)", "1 / 0", ""])
def test_forks(shop: Place, end: str) -> None:
    both(
        shop,
        f"""\
import os, sys, work
child = os.fork()
if child == 0:
    sys.stderr = open(os.devnull, "w")
    work.work(3)
    {end}
else:
    print(os.waitpid(child, 0)[1])
    work.work(1)
""",
    )
    assert work_lines(shop) == LARGE | SMALL
    assert counts(shop) == ("1 finished, 1 ended without an end mark" if "_exit" in end else "2 finished")


def test_a_fork_that_runs_nothing_of_the_users(shop: Place) -> None:
    both(shop, "import os\nif os.fork():\n    print(os.wait()[1])\n")
    assert counts(shop) == "2 finished"


def test_a_forked_child_that_is_killed_at_once(shop: Place) -> None:
    both(
        shop,
        """\
import os, signal, time
child = os.fork()
if child == 0:
    time.sleep(60)
os.kill(child, signal.SIGKILL)
print(os.waitpid(child, 0)[1])
""",
    )
    said = shop.covcore("report", "--strict")
    assert said.status == 1
    ends = "1 ended without an end mark (killed by signal 9)", "1 left no record"  # it had begun, or not yet
    assert any(f"2 processes: 1 finished, {end}\n" in said.stderr for end in ends)


@pytest.mark.parametrize("call", ["execv(program, words)", "execve(program, words, environment)"])
def test_exec_of_python(shop: Place, call: str) -> None:
    both(
        shop,
        f"""\
import os, sys, work
if len(sys.argv) == 1:
    work.work(1)
    program, words, environment = sys.executable, [sys.executable, "main.py", "again"], {{**os.environ}}
    before = dict(environment)
    if os.fork() == 0:
        os.{call}
    print(os.wait()[1], environment == before)
else:
    work.work(3)
""",
    )
    assert work_lines(shop) == LARGE | SMALL
    assert counts(shop) == "2 finished"


def test_exec_by_the_program_itself(shop: Place) -> None:
    """The next command publishes: whoever would have, is another program now."""
    both(shop, "import os, work\nwork.work(3)\nprint(1, flush=True)\nos.execv('/bin/echo', ['echo', 'done'])\n")
    assert work_lines(shop) == LARGE


def test_a_daemon_that_outlives_its_run(shop: Place) -> None:
    shop.write(
        "main.py",
        """\
import os, sys, time, work
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.closerange(0, 64)
        work.work(1)
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        work.work(3)
        sys.exit()
    os._exit(0)
os.wait()
""",
    )
    stop = shop.folder / "stop"
    assert shop.covcore("run", "main.py", stop).status == 0
    said = shop.covcore("report", "--strict")
    assert (said.status, "1 still running\n" in said.stderr) == (1, True)
    stop.touch()
    while list(shop.data.with_name("data.d").glob("*.0")):
        time.sleep(0.05)
        shop.covcore("report")
    assert work_lines(shop) == LARGE | SMALL
    assert counts(shop) == "2 finished, 1 ended without an end mark"


def test_erase_takes_notes_of_processes_that_have_ended(shop: Place, neighbour: int) -> None:
    shop.write("main.py", "import os, signal\nif os.fork():\n    os.wait()\nos.kill(os.getpid(), signal.SIGKILL)\n")
    shop.covcore("run", "main.py")
    folder = shop.data.with_name("data.d")
    running = Recording.of_running("b1", neighbour).write(folder)
    notes = running.with_suffix(".children")
    notes.write_text("kill 1 9\n")
    assert len(list(folder.glob("*.children"))) == 3
    assert "notes on the processes" in shop.covcore("debug", "data").stdout
    assert shop.covcore("erase").status == 0
    assert set(folder.iterdir()) == {running, notes, folder / "lock"}


# ---- settings


def test_children_have_the_settings_of_the_run(shop: Place) -> None:
    shop.write("lib/left_out.py", "x = 1\n")
    shop.write("lib/taken.py", "x = 1\n")
    both(
        shop,
        f"""\
import os, subprocess, sys
run = os.environ.get("COVCORE_RUN", "")
command = [sys.executable, "-c", "import left_out, taken, work; work.work(3)"]
print(subprocess.run(command, cwd="lib", env={{"COVCORE_RUN": run, "PYTHONPATH": ".."}} | {SANITIZER}).returncode)
""",
        "--source=lib,work",
        "--omit=lib/left*",
        "--context=nightly ünd 50%",
    )
    assert set(shop.lines()) == {"taken.py", "work.py"}
    with load(str(shop.data)) as database:
        assert set(database.contexts().values()) >= {("nightly ünd 50%", "", "")}


def test_no_subprocess(shop: Place) -> None:
    outcome = both(
        shop,
        """\
import os, subprocess, sys, work
subprocess.run([sys.executable, "-c", "import work; work.work(3)"])
if os.fork() == 0:
    work.work(3)
    sys.exit(0)
print(os.wait()[1], subprocess.check_output([sys.executable, "-c", "import sys; print('covcore' in sys.modules)"]))
""",
        "--no-subprocess",
    )
    assert outcome.stderr == ""
    assert work_lines(shop) == {1}
    assert counts(shop) == "1 finished"


def test_a_run_inside_of_a_run_is_its_own(shop: Place) -> None:
    shop.write(
        "inner.py",
        "import work, subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import work; work.work(3)'])\n",
    )
    both(
        shop,
        """\
import os, subprocess, sys, work
work.work(1)
run = os.environ.get("COVCORE_RUN")
subprocess.run([sys.executable, "-m", "covcore", "run", "--data=inner", "inner.py"], check=True)
print(os.environ.get("COVCORE_RUN") == run)
""",
    )
    assert work_lines(shop) == SMALL
    with load(str(shop.folder / "inner")) as database:
        assert summary(database.processes()) == "2 processes: 2 finished"
    assert shop.lines(shop.folder / "inner")["work.py"] == LARGE


def test_started_from_within_a_program(shop: Place) -> None:
    shop.write(
        "main.py",
        """\
import covcore, os, subprocess, sys
command = [sys.executable, "-c", "import work; work.work(3)"]
covcore.start()
subprocess.run(command)
covcore.stop()
print("COVCORE_RUN" in os.environ)
subprocess.run([*command[:2], "import work; work.work(1)"])
""",
    )
    assert shop.python("main.py").stdout == "False\n"
    assert work_lines(shop) == LARGE


# ---- what a child can see


SEEN = """\
import sys, os, signal, threading
names = sorted(name for name in sys.modules if name.partition(".")[0] != "covcore")
print(names, sorted(os.listdir("/proc/self/fd")), sys.path, sys.argv, sys.orig_argv, threading.active_count())
print([signal.getsignal(number) for number in (1, 2, 15)], sys.gettrace(), sys.excepthook, sys.flags)
print({name: value for name, value in os.environ.items() if name != "COVCORE_RUN"})
print([path for path in sys.path_importer_cache if "/covcore" not in path])
"""


@pytest.mark.parametrize("options", [[], ["-I"], ["-O", "-B"]])
def test_what_a_child_finds(shop: Place, options: list[str]) -> None:
    shop.write("seen.py", SEEN)
    both(shop, f"import subprocess, sys\nsubprocess.run([sys.executable, *{options}, 'seen.py', 'a'])\n")
    assert shop.lines()["seen.py"]


def test_a_child_that_cannot_record_is_silent(shop: Place) -> None:
    outcome = both(
        shop,
        """\
import os, resource, subprocess, sys
code = "import resource, work; print(work.work(3))"
limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print(subprocess.run([sys.executable, "-c", code], capture_output=True, preexec_fn=limit))
if os.fork() == 0:
    limit()
    if os.fork() == 0:
        import work
        work.work(3)
        os._exit(7)
    os._exit(os.wait()[1] >> 8)
print(os.wait()[1])
""",
    )
    assert "work.py" not in shop.lines()
    assert "left no record" in outcome.stderr


# ---- the start-up hook


def test_the_hook_is_installed_and_inert(place: Place) -> None:
    installed = Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages", HOOK)
    assert installed.read_bytes() == (ROOT / "plugin" / HOOK).read_bytes()
    said = place.python("-X", "importtime", "-c", "").stderr
    assert "covcore" not in said and "site" in said
    assert place.python("-c", "import sys; print('covcore' in sys.modules)").stdout == "False\n"


@pytest.mark.parametrize("content", ["raise RuntimeError", "1 +", None])
def test_an_interpreter_starts_with_a_broken_covcore(place: Place, content: str | None) -> None:
    if content:
        place.write("covcore/__init__.py", content)
    else:
        place.write("covcore/__init__.py", "")
    outcome = place.python("-c", "print(1)", COVCORE_RUN="1 run=ab folder=/nowhere cwd=/", PYTHONPATH=str(place.folder))
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "1\n", "")


@pytest.mark.parametrize(
    "value",
    ["", "1", "2 run=ab folder=/tmp", "1 run=../x folder=/nowhere cwd=/", "1 folder=%zz", "\udcff", "1 " + "x" * 9999],
)
def test_a_strange_variable_does_no_harm(place: Place, value: str) -> None:
    outcome = place.python("-c", "print(1)", COVCORE_RUN=value)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "1\n", "")


def test_the_hook_says_nothing_by_itself(place: Place) -> None:
    """A .start file has no `try` around it."""
    code = "from covcore.measure.child import begin; begin(); print(1)"
    for value in "1 run=ab folder=/nowhere cwd=/", "1 run=% folder=x", "":
        outcome = place.python("-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}", COVCORE_RUN=value)
        assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "1\n", "")


@pytest.mark.skipif(sys.version_info < (3, 15), reason="PEP 829 came with 3.15")
def test_the_start_file_of_later_pythons(shop: Place) -> None:
    """Where `import` lines of .pth files are ignored the other file does the same."""
    folder = shop.folder / "site"
    folder.mkdir()
    start = ROOT / "plugin/covcore.start"
    (folder / start.name).write_bytes(start.read_bytes())
    shop.write(
        "main.py",
        """\
import subprocess, sys
code = "import os, site; run = os.environ.pop('COVCORE_RUN'); site.main(); os.environ['COVCORE_RUN'] = run\\n"
code += "site.addsitedir('site'); site.addsitedir('.'); import work; work.work(3)"
subprocess.run([sys.executable, "-S", "-c", code], check=True)
""",
    )
    assert shop.covcore("run", "main.py").status == 0
    assert work_lines(shop) == LARGE


# ---- the notes


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_fits_the_variable(text: str) -> None:
    assert unquote(quote(text)) == text
    assert re.fullmatch("[!-~]*", quote(text))


@given(st.binary())
def test_any_note_is_read(text: bytes) -> None:
    for line in text.splitlines():
        split(line)


@given(
    st.lists(
        st.sampled_from(
            [
                "born 1",
                "born 2",
                "popen 1 python python -c x",
                "began 3 9 python -c x",
                "kill 5 15",
                "kill 6 9",
                "exec 1 a",
            ]
        )
        | st.text("kil bornpe%019\xff", max_size=9)
    ),
    st.lists(st.sampled_from([0, 0, 1, 3])),
)
def test_any_notes_are_judged(tmp_path_factory: pytest.TempPathFactory, lines: list[str], forks: list[int]) -> None:
    folder = tmp_path_factory.mktemp("notes")
    path = folder / "ab-1-2.children"
    path.write_text("\n".join(lines), "latin-1")
    recording = Recording("ab", pid=1, ticks=2)
    for pid in forks:
        recording.fork(pid)
    recording.write(folder)
    (found,) = find([str(folder)])
    found.read()
    notes = Notes(str(path), {"run_id": "ab"}, over=False, wait=False, recording=found)  # type: ignore[typeddict-item]
    born = {f"born {pid}" for pid in forks if pid} | {"born 1", "born 2"} & set(lines)
    accounted = len(born | {"kill 5 15"} & set(lines))  # nobody was born as 5; 6 was not told to end but killed
    assert notes.lost.count("") == max(0, len(forks) - accounted)


def process(pid: int, outcome: str, started: int = 1, problem: str = "") -> Process:
    return Process("ab", "", pid, 1, started, "", 0, outcome, problem)


def test_several_recordings_of_a_process_are_one() -> None:
    ones = [process(7, "finished", 2), process(7, "ended without an end mark", 1), process(0, "left no record", 5)]
    assert summary([*ones, process(0, "left no record", 6)]) == "3 processes: 1 finished, 2 left no record"


def test_pid_reuse(tmp_path: Path, neighbour: int) -> None:
    """Whoever has the number of a dead process now is not taken for it."""
    data = tmp_path / "data"
    folder = tmp_path / "data.d"
    folder.mkdir()
    simple("a1", path="/old.py", pid=neighbour, end=OPEN).write(folder)
    with load(str(data)) as database:
        assert summary(database.processes()) == "1 process: 1 ended without an end mark"
    assert data.exists() and not list(folder.glob("*.0"))
