"""The command `covcore run`: its options, where its data goes, what it says; and measuring from within a program."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import Place

import covcore
from covcore.errors import CovcoreError
from covcore.options import RUN_OPTIONS, parse

SCRIPT = "import sys\nif len(sys.argv) > 1:\n    print('some')\nelse:\n    print('none')\n"
ALONE = {1, 2, 5}  # lines of SCRIPT without an argument
OTHER = {1, 2, 3}


def settings_of(data: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(data) as connection:
        rows = connection.execute("SELECT key, value FROM setting ORDER BY run, position").fetchall()
    connection.close()
    return rows


# ---- what is measured, and kept


def test_run(place: Place) -> None:
    place.write("script.py", SCRIPT)
    outcome = place.covcore("run", "script.py")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "none\n", "")
    assert place.lines() == {"script.py": ALONE}


def test_a_run_replaces_what_was_there_unless_it_appends(place: Place) -> None:
    place.write("script.py", SCRIPT)
    place.covcore("run", "script.py")
    place.covcore("run", "script.py", "x")
    assert place.lines() == {"script.py": OTHER}
    place.covcore("run", "-a", "script.py")
    assert place.lines() == {"script.py": ALONE | OTHER}


def test_data_option_variable_and_default(place: Place) -> None:
    place.write("script.py", SCRIPT)
    place.covcore("run", "--data=deep/down/one", "script.py")
    place.covcore("run", "--data", "two", "script.py")
    place.covcore("run", "script.py", COVCORE_DATA="three")
    place.covcore("run", "script.py", COVCORE_DATA="")
    for name in "deep/down/one", "two", "three", ".covcore":
        assert place.lines(place.folder / name) == {"script.py": ALONE}
    assert not place.data.exists()


def test_settings_are_kept(place: Place) -> None:
    place.write("src/a.py", "")
    place.write("script.py", SCRIPT)
    options = ["--source=src,script.py", "--omit", "a*,*/b", "--omit=c", "--include=*", "--context=über", "-a"]
    place.covcore("run", *options, "script.py", "x", "--y")
    folder = str(place.folder)
    assert settings_of(place.data) == [
        ("data", str(place.data)),
        ("cwd", folder),
        *(("argv", word) for word in ("script.py", "x", "--y")),
        ("source", f"{folder}/src"),
        ("source", f"{folder}/script.py"),
        ("include", "**"),
        ("omit", f"{folder}/a*"),
        ("omit", "**/b"),
        ("omit", f"{folder}/c"),
        ("append", "1"),
        ("context", "über"),
        ("command", "run"),
    ]


def test_context(place: Place) -> None:
    place.write("script.py", SCRIPT)
    place.covcore("run", "--context=first", "script.py")
    with sqlite3.connect(place.data) as connection:
        found = connection.execute("SELECT DISTINCT static, test, phase FROM line_hit").fetchall()
    connection.close()
    assert found == [("first", "", "")]


def test_source_include_and_omit(place: Place) -> None:
    place.write("package/__init__.py", "from package import a, b")
    place.write("package/a.py", "x = 1")
    place.write("package/b.py", "x = 1")
    place.write("script.py", "import package")
    for options, files in (
        ([], {"script.py", "__init__.py", "a.py", "b.py"}),
        (["--source=package"], {"__init__.py", "a.py", "b.py"}),
        (["--source=package.a"], {"a.py"}),
        (["--source=."], {"script.py", "__init__.py", "a.py", "b.py"}),
        (["--source=.", "--omit=package/a.py"], {"script.py", "__init__.py", "b.py"}),
        (["--omit=package"], {"script.py"}),
        (["--include=*/a.py,*/b.py"], {"a.py", "b.py"}),
        (["--source=json", "--include=*/decoder.py", "script.py"], set()),
    ):
        assert place.covcore("run", *options, "script.py").status == 0
        assert set(place.lines()) == files, options


def test_installed_packages_can_be_named(place: Place) -> None:
    place.covcore("run", "--source=json", "-c", "import json; json.loads('[1]')")
    assert set(place.lines()) == {"__init__.py", "decoder.py", "scanner.py", "encoder.py"}


def test_threads_and_exit_handlers_are_measured(place: Place) -> None:
    place.write(
        "script.py",
        "import atexit, threading, time\n"
        "def work():\n"
        "    time.sleep(0.05)\n"
        "    print('work')\n"
        "def last():\n"
        "    print('last')\n"
        "atexit.register(last)\n"
        "threading.Thread(target=work).start()\n",
    )
    assert place.covcore("run", "script.py").stdout == "work\nlast\n"
    assert place.lines() == {"script.py": set(range(1, 9))}


@pytest.mark.parametrize(
    "end",
    [
        "import sys; sys.exit(3)",
        "raise ValueError",
        "raise KeyboardInterrupt",
        "import sys; sys.modules.clear()",
        "import sys; sys.modules['time'] = sys.modules['fcntl'] = None; sys.path.clear(); sys.meta_path.clear()",
        "import sys; sys.path_hooks.clear(); sys.path_importer_cache.clear()",
        "import sys; sys.stdout = sys.stderr = None",
        "import sys; sys.stderr.close(); sys.stdout.close()",
        "import os; os.close(1); os.close(2); os.close(0)",
        "import os; os.closerange(0, 100)",
        "import os; os.chdir('/')",
        "import os, shutil; d = os.getcwd(); os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
        "import os; os.environ.clear()",
        "import os; os.umask(0o777)",
        "import gc; gc.disable(); gc.freeze()",
        "import sys; sys.setrecursionlimit(50)",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
        "import sys; sys.settrace(lambda *a: None)",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "import builtins; builtins.print = None",
        "import warnings; warnings.simplefilter('error')",
        "import datetime, collections",
    ],
)
def test_published_whatever_the_program_leaves_behind(place: Place, end: str) -> None:
    for name in "datetime", "fcntl", "json", "sqlite3", "struct":
        place.write(f"{name}.py", "answer = 42")  # modules of the program's own
    place.write("first.py", "x = 1\n")
    place.write("script.py", f"import first\n{end}\n")
    bare, measured = place.python("script.py"), place.covcore("run", "script.py")
    assert measured == bare
    assert place.lines()["first.py"] == {1}
    assert not list(Path(f"{place.data}.d").glob("*.0"))


@pytest.mark.parametrize(
    "end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.execv(sys.executable, [sys.executable, '-c', ''])"]
)
def test_recording_of_a_process_that_ends_at_once_is_there(place: Place, end: str) -> None:
    place.write("script.py", f"import os, sys\nsys.stdout.flush()\n{end}\n")
    place.covcore("run", "script.py")
    assert not place.data.exists()
    place.covcore("report")
    assert place.lines() == {"script.py": {1, 2, 3}}


def test_mocks_at_the_end(place: Place) -> None:
    """Publishing may fail then; the next command does it."""
    place.write("script.py", "import os\ndef fail(*a): raise RuntimeError('mocked')\nos.open = os.rename = fail\n")
    outcome = place.covcore("run", "script.py")
    assert outcome.status == 0
    assert re.fullmatch("covcore: warning: RuntimeError: mocked: what was measured is in .*\n", outcome.stderr)
    place.covcore("report")
    assert place.lines() == {"script.py": {1, 2, 3}}


def test_forked_child_does_not_publish(place: Place) -> None:
    place.write(
        "script.py",
        "import os, sys\n"
        "if os.fork() == 0:\n"
        "    sys.exit(0)\n"
        "os.wait()\n"
        "assert not os.path.exists(os.environ['COVCORE_DATA'])\n",
    )
    assert place.covcore("run", "script.py").status == 0
    assert place.lines() == {"script.py": {1, 2, 3, 4, 5}}


def test_interrupted_by_the_terminal(place: Place) -> None:
    place.write("script.py", "try:\n    print('ready', flush=True)\n    while True: pass\nfinally:\n    print('end')\n")
    command = [sys.executable, "-m", "covcore", "run", "script.py"]
    with subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (-signal.SIGINT, "end\n")
    assert stderr.endswith("\nKeyboardInterrupt\n")
    assert place.lines()["script.py"] >= {1, 2, 5}


# ---- what cannot be


@pytest.mark.parametrize(
    "program", [["missing.py"], ["-m", "missing"], ["-m", "missing.part"], ["folder"], ["broken.py"], ["-m", "broken"]]
)
def test_nothing_is_recorded_of_a_program_that_never_began(place: Place, program: list[str]) -> None:
    place.write("script.py", SCRIPT)
    place.covcore("run", "script.py")
    place.write("broken.py", "def (")
    (place.folder / "folder").mkdir()
    outcome = place.covcore("run", *program)
    assert outcome == place.python(*program)
    assert outcome.status in (1, 2)
    assert place.lines() == {"script.py": ALONE}
    assert not list(Path(f"{place.data}.d").glob("*.0"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sorce=x", "script.py"], "unknown option --sorce: did you mean --source?"),
        (["-x", "script.py"], "unknown option -x: "),
        (["--source"], "--source needs a value: --source DIR|PKG,.."),
        (["-m"], "-m needs a value: -m MODULE"),
        (["-c"], "-c needs a value: -c CODE"),
        (["--append=1", "script.py"], "--append takes no value"),
        (
            ["--dynamic-contexts=all", "script.py"],
            "--dynamic-contexts must be one of test, phase, task, none, not 'all'",
        ),
    ],
)
def test_mistakes_in_the_command_line(place: Place, arguments: list[str], message: str) -> None:
    place.write("script.py", SCRIPT)
    outcome = place.covcore("run", *arguments)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith(f"covcore: error: {message}")
    assert outcome.stderr.count("\n") == 1


def test_options_end_where_the_program_begins() -> None:
    for line in (
        ["--source=a", "script.py", "--source=b", "-m"],
        ["--source", "a", "--", "script.py", "--source=b", "-m"],
    ):
        command = parse(line)
        assert (command.kind, command.program, command.arguments) == ("", "script.py", ["--source=b", "-m"])
        assert command.settings == {"source": ["a"]}
    assert parse(["-m", "x", "--", "-a"]).arguments == ["--", "-a"]
    assert parse(["-mx", "y"]).program == "x"
    assert parse(["--branch", "-a", "--no-subprocess", "-"]).settings == {"append": True, "subprocess": False}
    assert parse([]).program is None
    assert parse(["--", "--strange.py"]).program == "--strange.py"


def test_no_program_on_a_terminal(place: Place) -> None:
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "covcore", "run", "-a"]
    process = subprocess.run(
        command, cwd=place.folder, env=place.environment, stdin=follower, capture_output=True, timeout=30
    )
    os.close(leader)
    os.close(follower)
    assert process.returncode == 1
    assert process.stderr.startswith(b"covcore: error: name a script, -m MODULE")


def header(application: int, version: int) -> bytes:
    return (
        b"SQLite format 3\0".ljust(60, b"\0") + version.to_bytes(4) + b"\0\0\0\0" + application.to_bytes(4) + bytes(100)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is a folder"),
        (b"my diary", "is not a database of covcore"),
        (header(0, 0), "another program's SQLite"),
        (header(0x43565243, 999), "newer covcore"),
    ],
)
def test_data_paths_that_cannot_be(place: Place, content: bytes | None, message: str) -> None:
    place.write("script.py", SCRIPT)
    if content is None:
        place.write("data/x", "")
    else:
        place.write("data", content)
    outcome = place.covcore("run", "--data=data", "script.py")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("covcore: error: ")
    assert message in outcome.stderr
    assert str(place.folder / "data") in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert content is None or (place.folder / "data").read_bytes() == content
    assert not (place.folder / "data.d").exists()


def test_data_of_an_older_covcore(place: Place) -> None:
    """It is replaced, as that of any run before; it cannot be added to."""
    place.write("script.py", SCRIPT)
    old = header(0x43565243, 1)
    place.write("data", old)
    older = f"{place.folder / 'data'} was written by an older covcore (schema 1, not 3)"
    outcome = place.covcore("run", "--append", "--data=data", "script.py")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == f"covcore: error: {older}: measure again, or read it with that covcore\n"
    assert (place.folder / "data").read_bytes() == old

    outcome = place.covcore("run", "--data=data", "script.py")
    assert outcome.status == 0
    assert outcome.stderr == f"covcore: warning: {older}, and is replaced\n"
    assert place.lines(place.folder / "data") == {"script.py": ALONE}


def test_an_empty_file_is_replaced(place: Place) -> None:
    """mktemp leaves one."""
    place.write("script.py", SCRIPT)
    place.write("data", "")
    assert place.covcore("run", "--data=data", "script.py").stderr == ""
    assert place.lines(place.folder / "data") == {"script.py": ALONE}


def test_fallback(place: Place, tmp_path: Path) -> None:
    place.write("script.py", SCRIPT)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for _ in range(2):  # the second run finds the folder there
        outcome = place.covcore("run", "--data=/proc/nowhere/data", "script.py", TMPDIR=str(temporary))
        assert (outcome.status, outcome.stdout) == (0, "none\n")
        found = re.fullmatch(
            "covcore: warning: cannot record in .*: the data goes to (.*), name it .*\n", outcome.stderr
        )
        assert found is not None
        assert found[1].startswith(f"{temporary}/covcore-")
        assert place.lines(Path(found[1])) == {"script.py": ALONE}
    assert (temporary / f"covcore-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_fallback_folder_of_somebody_else(place: Place, tmp_path: Path) -> None:
    """A folder that others may write to, or a link, is not used."""
    place.write("script.py", SCRIPT)
    (tmp_path / "target").mkdir()
    (tmp_path / "temporary").mkdir()
    (tmp_path / "temporary" / f"covcore-{os.getuid()}").symlink_to(tmp_path / "target")
    outcome = place.covcore("run", "--data=/proc/nowhere/data", "script.py", TMPDIR=str(tmp_path / "temporary"))
    assert outcome.status == 0
    assert f"{tmp_path}/temporary" not in outcome.stderr
    assert not list((tmp_path / "target").iterdir())
    for match in re.finditer("goes to (.*), name it", outcome.stderr):
        Path(match[1]).unlink()
        shutil.rmtree(match[1] + ".d")


def test_no_room_for_a_recording(place: Place, tmp_path: Path) -> None:
    """The file size limit stands in for a full disk: the program runs, unmeasured, with its own exit status."""
    place.write("script.py", SCRIPT + "sys.exit(5)")
    limited = 'ulimit -f 8; "$0" -m covcore run script.py; exit $?'
    outcome = place.run("sh", "-c", limited, sys.executable, TMPDIR=str(tmp_path))
    assert (outcome.status, outcome.stdout) == (5, "none\n")
    assert re.fullmatch("covcore: warning: cannot record in .* nothing is measured\n", outcome.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--source=nonesuch", "script.py"],
            "nothing was measured for --source=nonesuch: no such folder, and no such module",
        ),
        (["--source=json,a.b", "-c", "import json; json.loads('1')"], "nothing was measured for --source=a.b: "),
        (["--source=other", "script.py"], "nothing was measured: no code ran in --source=other\n"),
        (["--include=x*", "script.py"], "nothing was measured: no code ran that --include and --omit let through\n"),
        (["-m", "this"], "nothing was measured: no code ran outside the standard library and installed packages; "),
    ],
)
def test_nothing_matched(place: Place, arguments: list[str], message: str) -> None:
    place.write("script.py", SCRIPT)
    place.write("other/x.py", "")
    outcome = place.covcore("run", *arguments)
    assert outcome.status == 0
    assert outcome.stderr.startswith(f"covcore: warning: {message}")
    assert outcome.stderr.count("\n") == 1


def test_messages_cannot_move_the_cursor(place: Place) -> None:
    outcome = place.covcore("run", "--data=\x1b[2Jx\n/y", "-c", "pass", TMPDIR="/nowhere")
    assert "\x1b" not in outcome.stderr


# ---- help


def test_help(place: Place) -> None:
    outcome = place.covcore("run", "--help")
    assert outcome.status == 0
    for option in RUN_OPTIONS:
        assert all(name in outcome.stdout for name in option.names)
    assert "covcore run -m pytest" in outcome.stdout
    assert place.covcore("run", "-h").stdout == outcome.stdout
    for command in "report", "erase", "debug":
        outcome = place.covcore(command, "--help")
        assert outcome.status == 0
        assert f"covcore {command}" in outcome.stdout.split("examples:")[1]
    assert place.covcore().stdout == place.covcore("--help").stdout
    assert place.covcore("--version").stdout == f"covcore {covcore.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("reprot", "did you mean report?"),
        ("report --show-mising", "unknown argument --show-mising: did you mean --show-missing?"),
        ("report --precision=x", "argument --precision"),
        ("report --fail-under", "argument --fail-under: expected one argument"),
        ("debug", "topic"),
        ("debug everything", "did you mean"),
    ],
)
def test_mistakes_in_other_commands(place: Place, arguments: str, message: str) -> None:
    outcome = place.covcore(*arguments.split())
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("covcore: error: ")
    if "did you mean" not in message or "covcore: error: argument" not in outcome.stderr:
        assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1


# ---- from within a program


def test_from_within_a_program(place: Place) -> None:
    place.write("part.py", "def f():\n    return 1\ndef g():\n    return 2\n")
    place.write(
        "program.py",
        "import covcore, sys\n"
        "before = set(sys.modules)\n"
        "session = covcore.start(source=['part'], context='static')\n"
        "import part\n"
        "assert covcore.current() is session\n"
        "with session.context('first'):\n"
        "    part.f()\n"
        "covcore.current().switch_context('second', 'call')\n"
        "part.g()\n"
        "covcore.restart()\n"
        "part.f()\n"
        "others = {name for name in set(sys.modules) - before if not name.startswith('covcore')}\n"
        "assert others == {'part'}, others\n"
        "covcore.stop()\n"
        "covcore.stop()\n"
        "try: covcore.current()\n"
        "except covcore.CovcoreError as error: print(error)\n",
    )
    outcome = place.python("program.py")
    assert outcome.stderr == ""
    assert outcome.stdout.startswith("nothing is being measured: call covcore.start()")
    with sqlite3.connect(place.data) as connection:
        found = set(connection.execute("SELECT line, static, test, phase FROM line_hit WHERE qualname IN ('f', 'g')"))
    connection.close()
    assert found == {(2, "static", "first", ""), (4, "static", "second", "call"), (2, "static", "second", "call")}


def test_start_is_published_at_exit(place: Place) -> None:
    place.write("program.py", "import covcore\ncovcore.start()\na = 1\n")
    assert place.python("program.py").stderr == ""
    assert place.lines() == {"program.py": {3}}


def test_start_again(place: Place) -> None:
    place.write(
        "program.py",
        "import covcore\ncovcore.start()\na = 1\ncovcore.stop()\nb = 1\ncovcore.start(append=True)\nc = 1\n",
    )
    assert place.python("program.py").stderr == ""
    assert place.lines()["program.py"] >= {3, 7}
    assert 5 not in place.lines()["program.py"]


def test_start_twice_and_with_mistakes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(
        "script.py", "import covcore\ntry: covcore.start()\nexcept covcore.CovcoreError as error: print(error)\n"
    )
    assert (
        place.covcore("run", "script.py").stdout
        == "covcore is measuring this process already: call covcore.stop() first\n"
    )
    monkeypatch.chdir(place.folder)
    with pytest.raises(CovcoreError, match=r"covcore.start\(\): unknown key 'sources': did you mean source"):
        covcore.start(sources=["x"])
    with pytest.raises(CovcoreError, match=r"covcore.start\(\): append must be true or false"):
        covcore.start(append="yes")
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = covcore.nonesuch


def test_version_is_the_package_s() -> None:
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    assert covcore.__version__ == tomllib.loads(pyproject.read_text())["project"]["version"]


def test_importing_covcore_imports_nothing_else(place: Place) -> None:
    text = "import sys; before = set(sys.modules); import covcore; print(*sorted(set(sys.modules) - before))"
    assert place.python("-c", text).stdout == "covcore\n"
