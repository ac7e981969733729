r"""Paths as on Windows: drives, `\`, capital letters, shares.  What compares them are strings, and so it can be tested anywhere."""

from __future__ import annotations

import ntpath
import posixpath
from pathlib import Path

import pytest
from conftest import Place

from covcore.config import Settings
from covcore.globs import compile_pattern, matches
from covcore.measure.filters import Filter, normalise
from covcore.platform import below, is_below, native, nearer, root_of, slashed
from covcore.report.names import display_name
from covcore.store.mapping import PathMap
from covcore.store.union import moved as moved_of_recording
from covcore_coverage.importing import kept_name
from covcore_coverage.tracer import is_ours
from covcore_pytest.sessions import WorkerSession
from covcore_pytest.workers import identity, moved

FOLDER = "C:/code/Project"


def filter_of(**values: object) -> Filter:
    return Filter(Settings(FOLDER, values), windows=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (r"C:\code\a.py", "C:/code/a.py"),
        (r"c:\code/a.py", "C:/code/a.py"),
        (r"\\server\share\a.py", "//server/share/a.py"),
        (r"\\?\c:\code\a.py", "C:/code/a.py"),
        (r"\\?\UNC\server\share\a.py", "//server/share/a.py"),
        (r"pkg\a.py", "pkg/a.py"),
        ("", ""),
    ],
)
def test_paths_are_kept_with_slashes(path: str, expected: str) -> None:
    assert slashed(path, windows=True) == expected
    assert slashed(path, windows=False) == path


@pytest.mark.parametrize(
    "path",
    [
        "C:\\code\\Project\\a.py",
        "C:\\code\\Project\\.\\pkg\\..\\a.py",
        "C:/code//Project/a.py",
        "C:\\..\\..\\a.py",
        "a.py",
        "pkg\\sub/../a.py",
        "..\\a.py",
        "..\\..\\..\\..\\a.py",
        "\\a.py",
        "/other/a.py",
        "C:a.py",
        "C:..\\a.py",
        "D:\\a.py",
        "D:a.py",
        "\\\\server\\share\\a.py",
        "\\\\server\\share\\..\\..\\a.py",
        "//server/share/pkg//a.py",
        "C:\\",
        "C:\\code\\",
    ],
)
@pytest.mark.parametrize("folder", [FOLDER, "//server/share/Project"])
def test_paths_become_absolute_as_ntpath_has_it(path: str, folder: str) -> None:
    if path[:2] == "C:" and path[2:3] != "\\" and path[2:3] != "/" and folder != FOLDER:
        expected = "C:/a.py"  # ntpath does not know the current folder of another drive, either
    else:
        expected = slashed(ntpath.normpath(ntpath.join(folder, path)), windows=True)
        expected = {"D:a.py": "D:/a.py"}.get(expected, expected)
    assert normalise(path, folder, windows=True) == expected


@pytest.mark.parametrize(
    "path", [r"C:\code", "C:code", "code", r"\code", r"\\server\share\code", r"\\server\share\\", "C:"]
)
def test_roots_are_those_of_ntpath(path: str) -> None:
    drive, root, _ = ntpath.splitroot(path)
    assert root_of(slashed(path, windows=True), windows=True) == slashed(drive + root, windows=True)


@pytest.mark.parametrize("path", ["/a/b.py", "C:/a", r"a\b", "a/../b", "//a", r"/a/b\c"])
def test_elsewhere_they_are_names_like_others(path: str) -> None:
    assert normalise(path, "/here", windows=False) == posixpath.normpath(posixpath.join("/here", path)).replace(
        "//", "/"
    )


def test_a_file_is_in_a_folder_whichever_letters_are_used() -> None:
    assert is_below("C:/Code/a.py", "c:/code", windows=True)
    assert is_below("C:/a.py", "C:/", windows=True)
    assert not is_below("C:/Code/a.py", "c:/code", windows=False)
    assert not is_below("C:/codeshop/a.py", "C:/code", windows=True)
    assert not is_below("D:/code/a.py", "C:/code", windows=True)


def test_what_is_on_another_drive_keeps_its_whole_name() -> None:
    """There is no relative path: os.path.relpath raises ValueError."""
    assert below("D:/lib/a.py", FOLDER, windows=True) == "D:/lib/a.py"
    assert below("//server/share/a.py", FOLDER, windows=True) == "//server/share/a.py"
    assert below("C:/CODE/project/Pkg/a.py", FOLDER, windows=True) == "Pkg/a.py"
    assert below("C:/a.py", "C:/", windows=True) == "a.py"
    assert nearer("D:/lib/a.py", FOLDER, ntpath) == "D:/lib/a.py"
    assert nearer("C:/code/a.py", FOLDER, ntpath) == "..\\a.py"
    assert display_name("D:/lib/a.py") == "D:/lib/a.py"


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (r"tests\*", "C:/code/Project/tests/a.py", True),
        ("TESTS/*", "C:/code/project/tests/a.py", True),
        (r"tests\*.py", "C:/code/Project/src/a.py", False),
        (r"**\Gen\*.py", "D:/x/gen/a.py", True),
        (r"*\gen\*.py", "D:/x/gen/a.py", True),
        (r"c:\code\project\*.py", "C:/code/Project/a.py", True),
        (r"c:\code\project\*.py", "D:/code/Project/a.py", False),
        (r"D:\lib", "D:/lib/deep/a.py", True),
        (r"\lib\*", "C:/lib/a.py", True),
        (r"\lib\*", "D:/lib/a.py", False),
        (r"\\server\share\*", "//Server/share/a.py", True),
        (r"\\server\share\*", "C:/server/share/a.py", False),
        (r"..\other\*", "C:/code/other/a.py", True),
        ("[A-C].py", "C:/code/Project/b.py", True),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, [compile_pattern(pattern, FOLDER, windows=True)], windows=True) is expected


def test_a_pattern_with_a_drive_has_nothing_in_front() -> None:
    assert compile_pattern(r"D:\Lib\*", FOLDER, windows=True) == ("d:", "lib", "*")


def test_patterns_elsewhere_mean_letters_as_they_are() -> None:
    assert not matches("/here/Tests/a.py", [compile_pattern("tests/*", "/here", windows=False)], windows=False)
    assert matches(r"/here/a\b.py", [compile_pattern(r"a\b.py", "/here", windows=False)], windows=False)


def test_a_file_is_measured_under_one_name() -> None:
    """Whichever letters and separators an entry of sys.path has: the first spelling is kept."""
    decide = filter_of().decide
    assert decide(r"c:\code\Project\pkg\a.py") == "C:/code/Project/pkg/a.py"
    assert decide(r"C:\Code\project\PKG\A.py") == "C:/code/Project/pkg/a.py"
    assert decide(r"\\?\C:\code\Project\pkg\.\a.py") == "C:/code/Project/pkg/a.py"
    assert decide("pkg/a.py") == "C:/code/Project/pkg/a.py"
    assert decide("<frozen os>") is None
    assert decide(r"C:\code\Project\A.PYW") == "C:/code/Project/A.PYW"
    assert decide(r"C:\code\Project\page.html") is None


def test_source_and_omit() -> None:
    decide = filter_of(source=[r"SRC\pkg", r"D:\lib"], omit=[r"src\pkg\Gen\*"]).decide
    assert decide(r"C:\code\Project\src\pkg\a.py") == "C:/code/Project/src/pkg/a.py"
    assert decide(r"d:\Lib\a.py") == "D:/Lib/a.py"
    assert decide(r"C:\code\Project\src\pkg\gen\a.py") is None
    assert decide(r"C:\code\Project\src\other\a.py") is None


def test_what_measures_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covcore.measure.filters.OURS", ("D:/Covcore/measure/",))
    assert filter_of().decide(r"d:\covcore\Measure\a.py") is None
    assert filter_of().decide(r"d:\covcore\a.py") is not None


def test_installed_packages_are_left_out() -> None:
    decide = filter_of().decide
    assert decide(r"C:\Python314\Lib\Site-Packages\attr\__init__.py") is None
    assert decide(r"C:\code\Project\venv\Lib\site-packages\attr\__init__.py") is None


def test_a_name_is_found_by_an_entry_of_sys_path(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = filter_of(source=["no_such_package"])
    monkeypatch.setattr("sys.path", [r"e:\Libs"])
    assert chosen.decide(r"E:\libs\no_such_package\a.py") == "E:/libs/no_such_package/a.py"
    assert chosen.decide(r"E:\libs\another\a.py") is None
    assert chosen.source_folders() == ["E:/Libs/no_such_package"]


def test_paths_of_windows_are_mapped_as_they_are_kept_and_as_they_were() -> None:
    located = PathMap("/here", {"source": ["src", r"C:\CI\src", r"\\server\share\src"]})
    for path in (b"C:/ci/src/a.py", b"C:\\CI\\src\\a.py", b"//server/share/src/a.py"):
        assert located(path) == b"/here/src/a.py"
    assert located(b"D:/CI/src/a.py") == b"D:/CI/src/a.py"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:/code/a.py", r"C:\code\a.py"),
        ("//server/share/a.py", r"\\server\share\a.py"),
        ("/ci/src/a.py", "/ci/src/a.py"),
        ("<string>", "<string>"),
    ],
)
def test_other_programs_get_paths_as_they_write_them(path: str, expected: str) -> None:
    assert native(path, windows=True) == expected
    assert native(path, windows=False) == path


@pytest.mark.parametrize(
    ("name", "here", "elsewhere"),
    [
        (r"c:\code\pkg\a.py", "C:/code/pkg/a.py", r"c:\code\pkg\a.py"),
        (r"\\server\share\a.py", "//server/share/a.py", r"\\server\share\a.py"),
        (r"pkg\a.py", "pkg/a.py", "pkg/a.py"),
        ("pkg/a.py", "pkg/a.py", "pkg/a.py"),
        (r"/code/a\b.py", "/code/a/b.py", r"/code/a\b.py"),
        ("C:/code/a.py", "C:/code/a.py", "C:/code/a.py"),
    ],
)
def test_names_of_coverage_py(name: str, here: str, elsewhere: str) -> None:
    """PathMap takes whole ones of Windows as they are, wherever it is."""
    assert kept_name(name, windows=True) == here
    assert kept_name(name, windows=False) == elsewhere


def test_the_plugin_of_coverage_py_does_not_measure_covcore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covcore_coverage.tracer.OURS", ("D:/libs/covcore_coverage", "D:/libs/covcore"))
    assert is_ours(r"d:\Libs\covcore\measure\session.py", windows=True)
    assert is_ours("D:/libs\\covcore_coverage\\tracer.py", windows=True)
    assert not is_ours(r"D:\libs\covcore_more\a.py", windows=True)
    assert not is_ours(r"d:/Libs/covcore/a.py", windows=False)


def test_a_worker_finds_the_folders_that_were_copied() -> None:
    pairs = [("C:/code/Project", "D:/worker/Project")]
    assert moved("c:/Code/project/src", pairs, windows=True) == "D:/worker/Project/src"
    assert moved("C:/code/Project", pairs, windows=True) == "D:/worker/Project"
    assert moved("C:/code/Projects", pairs, windows=True) == "C:/code/Projects"
    assert moved("package.module", pairs, windows=True) == "package.module"
    assert moved("c:/Code/project/src", pairs, windows=False) == "c:/Code/project/src"


def test_a_folder_is_told_from_those_of_other_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("covcore_pytest.workers.this_boot", lambda: "")  # as on Windows
    monkeypatch.setenv("COMPUTERNAME", "BUILDER")
    ours = identity(str(tmp_path))
    assert ours == identity(str(tmp_path))
    monkeypatch.setenv("COMPUTERNAME", "ANOTHER")
    assert identity(str(tmp_path)) != ours
    monkeypatch.delenv("COMPUTERNAME")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    order = {"run_id": "0123", "folder": f"{tmp_path}/.covcore.d", "identity": identity(str(tmp_path))}
    worker = WorkerSession(Settings(str(tmp_path)), order, [])
    assert worker.folder != worker.place, "nothing tells whether it is the controller's"


def test_a_recording_tells_what_was_a_copy() -> None:
    moves = [(b"D:/worker/Project", b"C:/code/Project"), (b"/there/Project", b"/code/Project")]
    assert moved_of_recording(b"d:/Worker/Project/a.py", moves) == b"C:/code/Project/a.py"
    assert moved_of_recording(b"/there/Project/a.py", moves) == b"/code/Project/a.py"
    assert moved_of_recording(b"/There/Project/a.py", moves) == b"/There/Project/a.py"


def test_a_console_without_the_letters_of_a_name(place: Place) -> None:
    place.write("程序.py", "a = 1\n")
    assert place.covcore("run", "程序.py").status == 0
    assert place.data.exists()
    run = place.covcore("export", "-o", "数据", PYTHONIOENCODING="cp1252")
    assert (run.status, run.stdout, run.stderr) == (0, "Wrote \\u6570\\u636e\n", "")
