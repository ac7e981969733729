"""Which files are measured, and file name patterns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import covcore
from covcore.config import Settings
from covcore.globs import compile_pattern, matches
from covcore.measure.filters import Filter, normalise

LIBRARY = os.path.dirname(os.__file__)


def filter_in(folder: Path | str, **values: object) -> Filter:
    return Filter(Settings(str(folder), values))


@pytest.mark.parametrize(
    ("filename", "measured"),
    [
        ("/project/module.py", "/project/module.py"),
        ("module.py", "/project/module.py"),
        ("./package/../module.py", "/project/module.py"),
        ("/project//package/./module.py", "/project/package/module.py"),
        ("/elsewhere/module.py", "/elsewhere/module.py"),
        ("/project/script", "/project/script"),
        ("/project/.hidden", "/project/.hidden"),
        ("/project/module.pyw", "/project/module.pyw"),
        ("/project/archive.zip/package/module.py", "/project/archive.zip/package/module.py"),
        ("/project/template.html", None),
        ("<string>", None),
        ("<frozen importlib._bootstrap>", None),
        ("<attrs generated methods a.B>", None),
        ("", None),
        ("a\0b.py", None),
        (f"{LIBRARY}/json/decoder.py", None),
        (f"{sys.base_prefix}/{sys.platlibdir}/python{sys.version_info.major}{sys.version_info.minor}.zip/x.py", None),
        ("/somewhere/site-packages/click/core.py", None),
        ("/project/.venv/lib/python3.14/site-packages/click/core.py", None),
        ("/usr/lib/python3/dist-packages/apt.py", None),
        ("/project/vendor/site-packages.py", "/project/vendor/site-packages.py"),
        (f"{sys.prefix}/bin/pytest", None),
        (covcore.__file__, None),
        (f"{os.path.dirname(covcore.__file__)}/report/text.py", None),
    ],
)
def test_without_source(filename: str, measured: str | None) -> None:
    assert filter_in("/project").decide(filename) == measured


def test_a_project_that_lies_among_installed_packages() -> None:
    """The user points at it by being there."""
    decide = filter_in("/env/lib/python3.14/site-packages/mine").decide
    assert decide("x.py") == "/env/lib/python3.14/site-packages/mine/x.py"
    assert decide("/env/lib/python3.14/site-packages/other/x.py") is None


def test_script_of_any_name() -> None:
    assert Filter(Settings("/project"), "/project/run.wsgi").decide("/project/run.wsgi") == "/project/run.wsgi"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "src/pack/__init__.py",
        "src/pack/sub/__init__.py",
        "src/pack/sub/module.py",
        "src/single.py",
        "src/spaces/inner/module.py",
        "tests/test_pack.py",
        ".venv/lib/python3.14/site-packages/other/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise AssertionError('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "inside", "outside"),
    [
        ("src", "src/single.py", "tests/test_pack.py"),
        ("src/", "src/single.py", "tests/test_pack.py"),
        (".", "tests/test_pack.py", ".venv/lib/python3.14/site-packages/other/__init__.py"),
        ("./src/../tests", "tests/test_pack.py", "src/single.py"),
        ("src/single.py", "src/single.py", "src/pack/__init__.py"),
        ("pack", "src/pack/sub/module.py", "src/single.py"),
        ("pack.sub", "src/pack/sub/module.py", "src/pack/__init__.py"),
        ("pack.sub.module", "src/pack/sub/module.py", "src/pack/sub/__init__.py"),
        ("single", "src/single.py", "src/pack/__init__.py"),
        ("spaces", "src/spaces/inner/module.py", "src/single.py"),
        ("spaces.inner", "src/spaces/inner/module.py", "src/single.py"),
        (
            ".venv/lib/python3.14/site-packages/other",
            ".venv/lib/python3.14/site-packages/other/__init__.py",
            "src/single.py",
        ),
    ],
)
def test_source(tree: Path, source: str, inside: str, outside: str) -> None:
    filter = filter_in(tree, source=[source])
    assert filter.decide(outside) is None
    assert filter.unmatched == {source}
    assert filter.decide(inside) == str(tree / inside)
    assert filter.decide(str(tree / inside)) == str(tree / inside)
    assert filter.unmatched == set()
    assert filter.missing() == []
    assert all(os.path.exists(folder) for folder in filter.source_folders())


def test_finding_a_source_leaves_no_trace(tree: Path) -> None:
    """Nothing is imported, and no finder keeps what a folder held."""
    modules, cache = set(sys.modules), set(sys.path_importer_cache)
    filter_in(tree, source=["pack.sub", "single", "nonesuch"])
    assert set(sys.modules) == modules
    assert set(sys.path_importer_cache) <= cache


def test_source_in_the_standard_library() -> None:
    filter = filter_in("/project", source=["json"])
    assert filter.decide(f"{LIBRARY}/json/decoder.py") == f"{LIBRARY}/json/decoder.py"
    assert filter.decide(f"{LIBRARY}/ast.py") is None
    assert filter.decide("/project/x.py") is None


def test_source_that_is_found_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filter = filter_in(tmp_path, source=["late.part", "never"])
    assert filter.source_folders() == []
    assert filter.decide("/somewhere/late/part/x.py") is None
    monkeypatch.syspath_prepend("/somewhere")
    assert filter.decide("/somewhere/late/x.py") is None
    assert filter.decide("/somewhere/late/part/x.py") == "/somewhere/late/part/x.py"
    assert filter.missing() == ["never"]
    assert filter_in(tmp_path, source=["late.part"]).decide("/somewhere/late/part.py") == "/somewhere/late/part.py"


def test_folder_that_comes_into_being_later(tmp_path: Path) -> None:
    filter = filter_in(tmp_path, source=["build/generated"])
    assert filter.missing() == ["build/generated"]
    assert filter.decide("build/generated/x.py") == f"{tmp_path}/build/generated/x.py"
    assert filter.missing() == []


def test_symbolic_links(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has one name, whichever way leads to it."""
    (tree / "link").symlink_to("src")
    monkeypatch.syspath_prepend(tree / "link")
    filter = filter_in(tree, source=["src"])
    assert filter.decide(f"{tree}/link/single.py") == f"{tree}/src/single.py"
    assert filter_in(tree, source=["link"]).decide("src/single.py") == f"{tree}/src/single.py"
    assert filter_in(tree, omit=["link/*"], source=["link"]).decide("src/single.py") is None


def test_include_and_omit() -> None:
    decide = filter_in("/project", include=["src/*"], omit=["*/vendored", "src/generated_?.py"]).decide
    assert decide("src/a/b.py") == "/project/src/a/b.py"
    assert decide("tests/a.py") is None
    assert decide("src/vendored/a.py") is None
    assert decide("src/generated_1.py") is None
    assert decide("src/generated_10.py") == "/project/src/generated_10.py"
    assert filter_in("/project", include=["*/site-packages/click/*"]).decide("/x/site-packages/click/core.py")
    decide = filter_in("/project", source=["/project"], include=["src"]).decide
    assert decide("src/a.py")
    assert decide("a.py") is None


def test_decide_depends_on_nothing_that_a_test_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    filter = filter_in("/project", source=["/project", "absent"], include=["*"], omit=["x[ab]*"])

    def fail(*arguments: object, **keywords: object) -> None:
        raise AssertionError("called")

    with monkeypatch.context() as patch:
        for name in "getcwd", "stat", "lstat", "readlink", "fspath", "fsencode", "listdir", "scandir", "open":
            patch.setattr(os, name, fail)
        for name in "abspath", "realpath", "normpath", "join", "exists", "isdir", "dirname", "basename", "split":
            patch.setattr(os.path, name, fail)
        patch.setattr("builtins.open", fail)
        patch.setattr("time.time", fail)
        decided = [filter.decide(name) for name in ("a/../b.py", "xa.py", "/elsewhere/absent/c.py", "<x>")]
    assert decided == ["/project/b.py", None, None, None]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.py", "/a/b/c.py", True),
        ("*.py", "/a/b/c.txt", False),
        ("*/c.py", "/a/b/c.py", True),
        ("*/b/*", "/a/b/c.py", True),
        ("*/b/*", "/a/b/c/d/e.py", True),
        ("*/a/*", "/a/b/c.py", True),
        ("*/x/*", "/a/b/c.py", False),
        ("?.py", "/a/b/c.py", True),
        ("?.py", "/a/b/cd.py", False),
        ("here.py", "/folder/here.py", True),
        ("here.py", "/folder/sub/here.py", False),
        ("**/here.py", "/folder/sub/here.py", True),
        ("sub", "/folder/sub/here.py", True),
        ("sub/", "/folder/sub/here.py", True),
        ("sub", "/folder/subway/here.py", False),
        ("./sub/../other", "/folder/other/x.py", True),
        ("../sibling/*", "/sibling/x.py", True),
        ("sub/**/x.py", "/folder/sub/x.py", True),
        ("sub/**/x.py", "/folder/sub/a/b/x.py", True),
        ("sub/**/**/x.py", "/folder/sub/a/b/x.py", True),
        ("sub/*/x.py", "/folder/sub/a/b/x.py", False),
        ("/a/*/c.py", "/a/b/c.py", True),
        ("/a/b", "/a/b", True),
        ("/", "/a", True),
        ("*", "/a/b", True),
        ("**", "/a/b", True),
        ("a*b*c.py", "/folder/aXbYbZc.py", True),
        ("a*b*c.py", "/folder/aXc.py", False),
        ("x[ab].py", "/folder/xa.py", True),
        ("x[ab].py", "/folder/xc.py", False),
        ("x[!ab].py", "/folder/xc.py", True),
        ("x[a-c0-9].py", "/folder/x7.py", True),
        ("x[a-c].py", "/folder/xd.py", False),
        ("x[]].py", "/folder/x].py", True),
        ("x[.py", "/folder/x[.py", True),
        ("x.py", "/folder/x-py", False),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, [compile_pattern(pattern, "/folder")]) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("b", "/folder/b"),
        ("", "/folder"),
        (".", "/folder"),
        ("..", "/"),
        ("../..", "/"),
        ("/a/./b//c/../d/", "/a/b/d"),
        ("/a/.b/..c", "/a/.b/..c"),
        ("/", "/"),
    ],
)
def test_normalise(path: str, expected: str) -> None:
    assert normalise(path, "/folder") == expected
