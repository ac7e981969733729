"""Where a run takes place: file systems, names, clocks, locales, containers, odd sources of code (T17, T28, T30, T51)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Place
from recording_files import simple

from covcore.store.loading import load
from covcore.store.processes import last_of_each, summary

WORK = "def work(n):\n    if n > 2:\n        n += 1\n    else:\n        n -= 1\n    return n\n"


# ---- file systems


@pytest.fixture
def mounts() -> Iterator[Callable[..., None]]:
    """Mount something; unmounted again afterwards."""
    mounted: list[Path] = []

    def mount(*words: str | Path, at: Path) -> None:
        done = subprocess.run(["mount", *words, at], capture_output=True)
        if done.returncode:
            pytest.skip(f"cannot be mounted here: {done.stderr.decode().strip()}")
        mounted.append(at)

    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    yield mount
    for folder in reversed(mounted):
        while subprocess.run(["umount", folder], capture_output=True).returncode == 0:
            pass


@pytest.mark.parametrize("kind", ["overlay", "read-only"])
def test_file_systems(place: Place, tmp_path: Path, mounts: Callable[..., None], kind: str) -> None:
    """T17, as far as one machine has it."""
    place.write("main.py", WORK + "print(work(3))\n")
    folder = place.data.parent
    folder.mkdir()
    if kind == "overlay":
        with_space = tmp_path / "tmpfs"  # an overlay may lie on no overlay
        with_space.mkdir()
        mounts("-t", "tmpfs", "covcore-test", at=with_space)
        parts = {name: with_space / name for name in ("lower", "upper", "work")}
        for part in parts.values():
            part.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        mounts("-t", "overlay", "covcore-test", "-o", options, at=folder)
    else:
        mounts("--bind", folder, at=folder)
        mounts("-o", "remount,ro,bind", at=folder)
    outcome = place.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout) == (0, "4\n")
    if kind == "overlay":
        assert outcome.stderr == ""
        assert place.lines()["main.py"] == {1, 2, 3, 6, 7}
    else:
        (warning,) = outcome.stderr.splitlines()
        assert warning.startswith("covcore: warning: ")
        elsewhere = Path(warning.split("the data goes to ")[1].split(",")[0])
        assert place.lines(elsewhere)["main.py"] == {1, 2, 3, 6, 7}
        shutil.rmtree(elsewhere.parent, ignore_errors=True)


@pytest.mark.parametrize("name", ["x" * 255, "x" * 300, "a/b/c/" + "y" * 250, "deep/" * 900 + "z"])
def test_names_that_are_too_long(place: Place, name: str) -> None:
    """T30: of the data, whose companions have longer ones."""
    place.write("main.py", WORK + "print(work(3))\n")
    outcome = place.covcore("run", f"--data={name}", "main.py")
    assert outcome.stderr.count("\n") <= 1
    if outcome.stderr.startswith("covcore: error: "):
        assert (outcome.status, outcome.stdout) == (1, "")
    else:
        assert (outcome.status, outcome.stdout) == (0, "4\n")
        assert outcome.stderr.startswith("covcore: warning: ") or (place.folder / name).is_file()


# ---- where code comes from


def test_code_from_anywhere(place: Place) -> None:
    """T28: archives, namespace packages, frozen modules, made-up names; nothing of it stops a report."""
    for name in "lib.zip", "lib.egg", "tool.par":
        with zipfile.ZipFile(place.folder / name, "w") as archive:
            module = f"from_{name[4:] if name[:3] == 'lib' else 'par'}"
            archive.writestr(f"{module}/__init__.py", WORK + "work(3)\n")
            archive.writestr("__main__.py", WORK + "work(1)\n")
    place.write("space/inner/module.py", WORK + "work(3)\n")
    place.write(
        "main.py",
        """\
import linecache, os, runpy, sys
sys.path[:0] = ["lib.zip", "lib.egg", "tool.par"]
import from_zip, from_egg, from_par, space.inner.module, __hello__
runpy.run_path("tool.par")
names = ["<template>", "<ipython-input-1-abc>", "/tmp/ipykernel_7/1234.py", "page.html", "Cell [1]", "gone.py", ""]
for name in names + ["a\\nb.py", "\\udcff.py"]:
    text = "def f(x):\\n    if x:\\n        return 1\\nf(1)\\n"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    try:
        exec(compile(text, name, "exec"), {})
    except (ValueError, UnicodeError) as error:
        print(type(error).__name__)
if sys.version_info >= (3, 14):
    from string.templatelib import Template
eval("[x for x in range(3) if x]")
print(from_zip.work(1))
""",
    )
    bare = place.python("main.py")
    measured = place.covcore("run", "main.py")
    assert (measured.status, measured.stdout, measured.stderr) == (bare.status, bare.stdout, bare.stderr)
    assert bare.status == 0
    for command in (["report"], ["json", "-o", "-"], ["xml", "-o", "-"], ["lcov", "-o", "-"]):
        outcome = place.covcore(*command)
        assert outcome.status == 0, outcome
        assert "Traceback" not in outcome.stderr
    report = place.covcore("json", "-o", "-")
    files = json.loads(report.stdout)["files"]
    members = {"lib.zip/from_zip/__init__.py", "lib.egg/from_egg/__init__.py", "tool.par/from_par/__init__.py"}
    assert {path for path in files if "__init__" in path} == members
    assert files["space/inner/module.py"]["summary"]["covered_lines"] == 5
    assert files["lib.zip/from_zip/__init__.py"]["summary"]["covered_lines"] == 6
    assert "gone.py" in report.stderr + place.covcore("report").stderr


# ---- seeds, locales, clocks


def outputs(place: Place, **environment: str) -> list[str]:
    """What all kinds of reports say, without the moment that they say it at."""
    texts = [place.covcore(command, "-o", "-", **environment).stdout for command in ("json", "xml", "lcov")]
    report = json.loads(texts[0])
    report["meta"].pop("timestamp", None)
    texts[0] = json.dumps(report)
    texts[1] = texts[1].replace(texts[1].partition('timestamp="')[2].partition('"')[0], "")
    return [place.covcore("report", "-m", **environment).stdout, *texts]


def test_output_is_the_same_whatever_the_seed_locale_and_time_zone(place: Place) -> None:
    """T51."""
    for i in range(12):
        place.write(f"module{i}.py", WORK + f"work({i})\n")
    place.write("main.py", "".join(f"import module{i}\n" for i in range(12)))
    place.covcore("run", "main.py")
    expected = outputs(place, PYTHONHASHSEED="1")
    assert all(expected)
    assert outputs(place, PYTHONHASHSEED="2") == expected
    assert outputs(place, LC_ALL="C", LANG="C") == expected
    assert outputs(place, LC_ALL="POSIX", TZ="America/St_Johns", PYTHONUTF8="0") == expected
    place.covcore("export", "-o", "one", PYTHONHASHSEED="3")
    place.covcore("export", "-o", "other", PYTHONHASHSEED="4", LC_ALL="C", TZ="Asia/Kathmandu")
    assert (place.folder / "one").read_bytes() == (place.folder / "other").read_bytes()


@pytest.mark.parametrize("name", ["ünïcode.py", "日本.py", b"\xff\xfe.py"])
@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C.UTF-8"}]
)
def test_names_in_any_locale(place: Place, name: str | bytes, locale: dict[str, str]) -> None:
    """T51."""
    path = os.fsencode(place.folder) + b"/" + os.fsencode(name)
    with open(path, "w") as file:
        file.write(WORK + "work(3)\n")
    outcome = place.covcore("run", os.fsdecode(path), **locale)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert list(place.lines().values()) == [{1, 2, 3, 6, 7}]
    report = place.covcore("report", **locale)
    assert report.status == 0 and "1" in report.stdout
    assert place.covcore("json", "-o", "-", **locale).status == 0


def test_the_clock_was_set_back(place: Place) -> None:
    """T51: a run replaces data that is said to be of the future, and what was left then counts until it does."""
    place.write("main.py", WORK + "work(3)\n")
    future = 4 * 10**18  # 2096
    place.data.parent.mkdir()
    simple("f1", path=str(place.folder / "old.py"), started=future).write(place.data.with_name("data.d"))
    with load(str(place.data)) as database:
        assert [Path(file.path).name for file in database.files()] == ["old.py"]
    assert place.covcore("run", "main.py").status == 0
    assert set(place.lines()) == {"main.py"}
    assert place.covcore("run", "--append", "main.py").status == 0
    with load(str(place.data)) as database:
        assert summary(last_of_each(database.processes())) == "2 processes: 2 finished"


# ---- containers


def test_processes_of_one_number_in_several_containers(place: Place) -> None:
    """T51: the number of a process, its host's name and boot are those of others, who start at the same moment."""
    private = ["unshare", "--pid", "--fork", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("no process namespaces for this user")
    n = 8
    place.write(
        "child.py", "import sys\nn = int(sys.argv[1])\n" + "".join(f"if n == {i}:\n    x = 1\n" for i in range(n))
    )
    place.write(
        "main.py",
        f"""\
import subprocess, sys
command = {[*private, sys.executable, "child.py"]!r}
children = [subprocess.Popen([*command, str(number)]) for number in range({n})]
print([child.wait() for child in children])
""",
    )
    outcome = place.covcore("run", "main.py")
    assert (outcome.status, outcome.stdout) == (0, f"{[0] * n}\n")
    assert place.lines()["child.py"] == set(range(1, 3 + 2 * n))
