"""The parts of the analysis, each by itself."""

from __future__ import annotations

import ast
import hashlib
import zipfile
from pathlib import Path

import pytest
import twin

from covcore._reader import decode_shape, describe
from covcore.analysis import source
from covcore.analysis.codes import Code, whole
from covcore.analysis.exclusions import NO_COVER, PLACEHOLDER, Rules, excluded, matches
from covcore.analysis.figures import Figures, display, is_under
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.outline import Outline, Region
from covcore.analysis.project import Analysed, analyse_job, decoded, take_up
from covcore.analysis.source import UNKNOWN_HASH, UnusableSource
from covcore.analysis.unseen import unseen
from covcore.store import database
from covcore.store.database import Run


def never_ran(text: str, rules: Rules | None = None) -> FileResult:
    return analyse(text, [], rules or Rules())


# ---- outline


def first_lines(text: str) -> list[int]:
    """For each line of a text the first line of its logical line."""
    return Outline(ast.parse(text), text).first[1 : text.count("\n") + 1]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a\nb\n", [1, 2]),
        ("a = [\n1,\n]\nb\n", [1, 1, 1, 4]),
        ("a; b = [\n1]; c\nd\n", [1, 1, 3]),
        ("if (a\n): b\nc\n", [1, 1, 3]),
        ("if (a\n):\n  b\n", [1, 1, 3]),
        ("if (a  # :\n\n  # :\n):\n  # no\n  b\n", [1, 1, 1, 1, 5, 6]),
        ("def f(\n): return [\n1]\n", [1, 1, 1]),
        ("def f(a=lambda: 1,\n  *, b: {1: 2}\n) -> int:\n  'doc'\n", [1, 1, 1, 4]),
        ("def f[T: (\nint)](\n):\n  return 1\n", [1, 1, 1, 4]),
        ("class A(\n B, m=C\n):\n  x = 1\n", [1, 1, 1, 4]),
        ("@a(\n1)\n@b\ndef f():\n  pass\n", [1, 1, 3, 4, 5]),
        ("with (\n a,\n b as c,\n): d\n", [1, 1, 1, 1]),
        ("try: a\nexcept (\n B): c\nelse: d = (\n1)\nfinally:\n  e\n", [1, 2, 2, 4, 4, 6, 7]),
        ("match (\n a):\n  case (\n    1):\n    b\n  case _: c\n", [1, 1, 3, 3, 5, 6]),
        ("a = 1; \\\nb = 2\nif a: \\\n  b\n", [1, 1, 3, 3]),
        ("a = 1  # \\\nb = 2\n", [1, 2]),
        ("é = '''\n'''; if_ = (\n1)\nif 'é' in (\né\n):\n  a\n", [1, 1, 1, 4, 4, 4, 7]),
        ("a\n\f\nb\n", [1, 2, 3]),
    ],
)
def test_logical_lines(text: str, first: list[int]) -> None:
    assert first_lines(text) == first


def test_regions() -> None:
    text = "@d\nclass A:\n  'doc'\n  async def f(self):\n    def g():\n      pass\n    return g\ndef h(): pass\n"

    assert Outline(ast.parse(text), text).regions == [
        Region("class", "A", first=1, header=2, body=3, end=7),
        Region("function", "A.f", first=4, header=4, body=5, end=7),
        Region("function", "A.f.g", first=5, header=5, body=6, end=6),
        Region("function", "h", first=8, header=8, body=8, end=8),
    ]


# ---- code objects


def code_objects(text: str) -> list[Code]:
    """All code objects of a text, as if every line and branch of them had run."""
    codes = []
    for code in twin.nested(compile(text, "x.py", "exec", dont_inherit=True)):
        shape = decode_shape(describe(code))
        codes.append(Code(code.co_qualname, code.co_firstlineno, shape, [True] * (len(shape[0]) + 2 * len(shape[1]))))
    return codes


def test_recorded_code_stands_in_for_compiled_code() -> None:
    text = "def f():\n  return 1\ndef g():\n  return lambda: 2, lambda: 3\n"
    ran = [code for code in code_objects(text) if code.qualname != "f"][:-1]  # one lambda of two did not run

    codes = whole(text, ran)

    assert codes[: len(ran)] == ran
    assert {(code.qualname, code.hits) for code in codes[len(ran) :]} == {("f", ()), ("g.<locals>.<lambda>", ())}


def test_code_of_two_interpreters_adds_up() -> None:
    text = "def f(x):\n  if x:\n    return 1\n"
    module, function = code_objects(text)
    one = function._replace(hits=[True, True, True, False])
    two = function._replace(hits=[True, False, False, True])

    result = analyse(text, [module, one, two], Rules())

    assert (result.missing, result.missing_branches) == ([], {})


def test_code_that_cannot_be_of_the_text_does_not_count() -> None:
    text = "a = 1\n"
    (module,) = code_objects(text)
    strange = [
        module._replace(shape=((1, 99), (), ()), hits=[True, True]),
        module._replace(first_line=-5),
        module._replace(first_line=99),
        module._replace(shape=((1,), ((0, 2, 4, 0, 0, 0, 99, 99, 0, 1),), ((0, 0, (1,)),)), hits=[False] * 3),
    ]

    result = analyse(text, strange, Rules())

    assert (result.statements, result.missing) == ([1], [1])


def test_a_text_that_is_not_python() -> None:
    for text, reason in [
        ("a b\n", "is not Python: invalid syntax at line 1"),
        ("if a:\nb\n", "is not Python: expected an indented block after 'if' statement on line 1 at line 2"),
        ("a = 1\0\n", "is not Python: source code string cannot contain null bytes"),
        ("return 1\n", "is not Python: 'return' outside function at line 1"),
        ("(" * 1000 + "\n", "is not Python: too many nested parentheses at line 1"),
        ("-" * 100_000 + "1\n", "is not Python: "),
    ]:
        with pytest.raises(UnusableSource, match="^" + reason.replace("(", r"\(")) as caught:
            never_ran(text)
        assert caught.value.mark == "not Python"
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", '"""doc"""\n'])
def test_a_text_without_statements(text: str) -> None:
    result = never_ran(text)

    assert (list(result.statements), result.branches, result.figures.percent) == ([], {}, 100)


# ---- exclusions


def test_which_rule_excluded_a_statement() -> None:
    text = "if a:  # pragma: no cover\n  b\ndef f(): ...\nprint(1)\nraise X\n"
    rules = Rules.configured(exclude_also=["^raise"])

    assert never_ran(text, rules).excluded == {
        1: NO_COVER.pattern,
        2: NO_COVER.pattern,
        3: PLACEHOLDER.pattern,
        5: "^raise",
    }


def test_settings_replace_rules_or_add_to_them() -> None:
    text = "a = 1  # pragma: no cover\nb = 1  # mine\nif a:  # pragma: no branch\n  c\nif b:  # mine too\n  c\n"

    assert list(never_ran(text, Rules.configured(exclude_lines=["mine$"])).excluded) == [2]
    assert list(never_ran(text, Rules.configured(exclude_also=["mine$"])).excluded) == [1, 2]
    assert list(never_ran(text, Rules.configured(exclude_lines=[])).excluded) == []
    assert list(never_ran(text).missing_branches) == [5]
    assert list(never_ran(text, Rules.configured(partial_branches=["mine"])).missing_branches) == [3]
    assert list(never_ran(text, Rules.configured(partial_also=["mine"])).missing_branches) == []


def test_a_rule_may_span_lines() -> None:
    text = "a = 1\n# begin\nb = 2\nc = 3\n# end\nd = 4\n"

    rules = Rules.configured(exclude_also=[r"# begin[\s\S]*?# end"])

    assert list(never_ran(text, rules).excluded) == [3, 4]


def test_a_rule_must_be_a_regular_expression() -> None:
    with pytest.raises(ValueError, match=r"^'\(' is not a regular expression: "):
        Rules.configured(exclude_also=["("])


def test_lines_of_a_match() -> None:
    assert matches([NO_COVER], "a\n# pragma: no cover\n#pragma no cover\n# PRAGMA:NO COVER\n# cover\n").keys() == {
        2,
        3,
        4,
    }
    assert list(matches(Rules.configured(exclude_lines=["b\nc\n"]).exclude, "a\nb\nc\nd\n")) == [2, 3, 4]


def test_a_branch_to_an_excluded_line_is_none() -> None:
    result = never_ran("def f(x):\n  if x:\n    return 1  # pragma: no cover\n  return 2\n")

    assert (result.branches, result.figures.branches) == ({}, 0)


def test_a_case_above_an_excluded_body_is_excluded() -> None:
    text = "match x:\n  case 1:\n    a\n  case _:\n    f(  # pragma: no cover\n      b)\n"
    tree = ast.parse(text)

    found = excluded(Rules().exclude, text, tree, Outline(tree, text), [1, 2, 3, 4, 5])

    assert list(found) == [4, 5]


# ---- figures


@pytest.mark.parametrize(
    ("percent", "precision", "shown"),
    [
        (0, 0, "0"),
        (0.0001, 0, "1"),
        (0.0001, 2, "0.01"),
        (50.5, 0, "50"),
        (99.4, 0, "99"),
        (99.99, 0, "99"),
        (99.99, 1, "99.9"),
        (99.99, 2, "99.99"),
        (99.999999, 2, "99.99"),
        (100, 2, "100.00"),
    ],
)
def test_display(percent: float, precision: int, shown: str) -> None:
    assert display(percent, precision) == shown


@pytest.mark.parametrize(
    ("percent", "threshold", "precision", "under"),
    [
        (80, 80, 0, False),
        (79.6, 80, 0, False),  # shown as 80
        (79.6, 80, 1, True),
        (79.4, 80, 0, True),
        (79.54, 79.5, 0, False),
        (79.44, 79.5, 0, True),
        (99.999, 100, 0, True),
        (100, 100, 0, False),
        (0, 0, 0, False),
    ],
)
def test_under_the_threshold(percent: float, threshold: float, precision: int, under: bool) -> None:
    assert is_under(percent, threshold, precision) is under


def test_figures_add_up() -> None:
    assert Figures(10, 2, 1, 4, 2, 1) + Figures(10, 0, 0, 0, 0, 0) == Figures(20, 2, 1, 4, 2, 1)
    assert Figures(10, 2, 1, 4, 2, 1).percent == pytest.approx(100 * 10 / 14)
    assert Figures().percent == 100


# ---- sources


def test_the_hash_is_that_of_normalised_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"a\r\nb\rc\n")

    assert source.read(str(path)) == ("a\nb\nc\n", hashlib.sha256(b"a\nb\nc\n").digest())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xef\xbb\xbfa = 1\n", "a = 1\n"),
        (b"# coding: latin-1\na = '\xe9'\n", "# coding: latin-1\na = 'é'\n"),
        (b"#!/bin/x\n# -*- coding: utf-8 -*-\na\n", "#!/bin/x\n# -*- coding: utf-8 -*-\na\n"),
        (b"a = 'coding: nonsense'\n", "a = 'coding: nonsense'\n"),
    ],
)
def test_encodings(raw: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(raw)

    assert source.read(str(path)).text == text


@pytest.mark.parametrize("raw", [b"a = '\xe9'\n", b"# coding: nonsense\n", b"\xef\xbb\xbf# coding: latin-1\n"])
def test_a_file_that_cannot_be_decoded(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(raw)

    with pytest.raises(UnusableSource, match=r"^cannot be decoded: ") as caught:
        source.read(str(path))
    assert caught.value.mark == "not Python"


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    for path in (tmp_path / "a.py", tmp_path / "no" / "a.py", tmp_path):
        with pytest.raises(UnusableSource, match=r"^cannot be read: "):
            source.read(str(path))


def test_a_member_of_a_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("package/module.py", "a = 1\r\n")

    assert source.read(str(tmp_path / "code.zip/package/module.py")).text == "a = 1\n"
    with pytest.raises(UnusableSource):
        source.read(str(tmp_path / "code.zip/package/other.py"))


# ---- files of a project


def analyse_text(path: Path, hash: bytes, ran: list[database.Code]) -> tuple[FileResult | None, str, str]:
    file = database.SourceFile(str(path), hash)
    file.codes += ran
    job = take_up(file, Rules(), 0)
    return (job if isinstance(job, Analysed) else decoded(job.path, analyse_job(job)))[1:]


def test_a_changed_file_is_not_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("a = 1\n")

    assert analyse_text(path, bytes([1]) * 32, []) == (None, "stale", "has changed since it was measured")
    for known in (hashlib.sha256(b"a = 1\n").digest(), UNKNOWN_HASH):
        result = analyse_text(path, known, [])[0]
        assert result is not None and list(result.statements) == [1]


def test_files_that_never_ran(tmp_path: Path) -> None:
    for name in (
        "top.py",
        "package/__init__.py",
        "package/a.py",
        "package/b.txt",
        "package/omitted.py",
        "package/deeper/__init__.py",
        "package/deeper/c.py",
        "scripts/d.py",
        ".hidden/__init__.py",
        "package/node_modules/__init__.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run = Run("1", 0)
    run.settings += [("source", str(tmp_path)), ("omit", f"{tmp_path}/package/omitted.py"), ("cwd", "/")]

    found = unseen([run], {f"{tmp_path}/package/a.py"})

    names = ["package/__init__.py", "package/deeper/__init__.py", "package/deeper/c.py", "top.py"]
    assert found == [f"{tmp_path}/{name}" for name in names]


def test_a_source_may_be_a_file_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    run = Run("1", 0)
    run.settings += [("source", f"{tmp_path}/a.py"), ("source", f"{tmp_path}/nothing")]

    assert unseen([run], ()) == [f"{tmp_path}/a.py"]


def test_files_that_match_no_include_are_not_wanted(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
    run = Run("1", 0)
    run.settings += [("source", str(tmp_path)), ("include", "**/b.*")]

    assert unseen([run], ()) == [f"{tmp_path}/b.py"]
