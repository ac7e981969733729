"""What rules exclude, beside coverage.py under the same configuration file; each difference is one that docs/differences.md names."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest
from conftest import ONCE, Place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strewn import Strewn

from covcore.analysis import exclusions
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import analyse
from covcore.analysis.outline import Outline
from covcore.config import read_settings

type Patterns = dict[str, list[str]]  # by the key of the settings


# By default coverage.py takes `while True:` for partial; covcore has no need to, for there is no branch.
NO_CONSTANT_TESTS = {"partial_branches_always": ["(?!)"]}


class Figures(NamedTuple):
    """What rules decide, as sets of logical lines."""

    statements: set[int]
    excluded: set[int]  # statements
    never_missed: set[int]  # statements whose branches are never missed


def both(folder: Path, text: str, patterns: Patterns) -> tuple[Figures, Figures]:
    """coverage.py's figures and ours, each as it reads the same file."""
    source = folder / "program.py"
    source.write_bytes(text.encode())
    lines = [f"{key} = {json.dumps(value)}" for key, value in (patterns | NO_CONSTANT_TESTS).items()]
    configuration = folder / ".coveragerc.toml"
    configuration.write_text("\n".join(["[report]", *lines]))
    return theirs(source, configuration), ours(text, folder)


def theirs(source: Path, configuration: Path) -> Figures:
    tool = coverage.Coverage(data_file=None, branch=True, config_file=str(configuration))
    tool.get_data()
    reporter = tool._get_file_reporter(str(source))
    parser = reporter.parser  # type: ignore[attr-defined]
    with_code = parser.first_lines(parser.raw_statements - parser.raw_docstrings)
    return Figures(parser.statements, parser.excluded & with_code, reporter.no_branch_lines() & with_code)


def ours(text: str, folder: Path) -> Figures:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    rules = Rules.of(read_settings(str(folder)))
    result = analyse(text, [], rules)
    first = Outline(ast.parse(text), text).first
    never_missed = {first[line] for line in exclusions.matches(rules.partial, text)}
    statements = set(result.statements)
    return Figures(statements, set(result.excluded), never_missed & (statements | result.excluded.keys()))


# ---- the table

NO_COVER = "  # pragma: no cover"

PROGRAMS = {
    "decorator": "@a\n@b  # pragma: no cover\n@c\ndef f():\n    return 1\nx = 1\n",
    "comment between decorators": "@a\n# pragma: no cover\ndef f():\n    return 1\nx = 1\n",
    "decorator of several lines": "@a(\n    1,  # pragma: no cover\n)\ndef f(): return 1\n",
    "class": "class A:  # pragma: no cover\n    x = 1\n    def f(self):\n        return 1\ny = 1\n",
    "method": "class A:\n    def f(self):  # pragma: no cover\n        return 1\n    x = 1\n",
    "def of several lines": "def f(\n    a,\n    b=2,  # pragma: no cover\n):\n    return a\nx = 1\n",
    "colon in a default value": "def f(a=lambda: 1,\n      # pragma: no cover\n      b=2):\n    pass\n",
    "return type of several lines": "def f() -> Dict[\n    int, int  # pragma: no cover\n]:\n    return 1\n",
    "async def": "async def f():  # pragma: no cover\n    await x\ny = 1\n",
    "type parameters": "class A[T]:  # pragma: no cover\n    x: T\ndef f[T](): pass  # pragma: no cover\ntype X[T] = list[T]\n",
    "if": "if a:  # pragma: no cover\n    b = 1\n    c = 2\nelif d:\n    e = 1\nelse:\n    f = 1\n",
    "elif": "if a:\n    b = 1\nelif d:  # pragma: no cover\n    e = 1\nelse:\n    f = 1\n",
    "else": "if a:\n    b = 1\nelse:  # pragma: no cover\n    f = 1\n    g = 1\nh = 1\n",
    "else of a loop": (
        "for a in b:\n    c = 1\nelse:  # pragma: no cover\n    d = 1\n"
        "while a:\n    c = 1\nelse:  # pragma: no cover\n    d = 1\n"
    ),
    "comment above else": "if a:\n    b = 1\n# pragma: no cover\nelse:\n    c = 1\n",
    "header of several lines": "if (a and\n        b  # pragma: no cover\n        and c):\n    d = 1\n",
    "header with a backslash": "if a and \\\n        b:  # pragma: no cover\n    d = 1\n",
    "header with a lambda": "while lambda: \\\n        a:  # pragma: no cover\n    d = 1\n",
    "try": "try:  # pragma: no cover\n    a = 1\nexcept B:\n    c = 1\nelse:\n    d = 1\nfinally:\n    e = 1\n",
    "except": "try:\n    a = 1\nexcept B:  # pragma: no cover\n    c = 1\nexcept (C,\n        D):\n    d = 1\nfinally:\n    e = 1\n",
    "except of several lines": "try:\n    a = 1\nexcept (B,  # pragma: no cover\n        C):\n    d = 1\n",
    "except*": "try:\n    a = 1\nexcept* B:  # pragma: no cover\n    c = 1\n",
    "else of a try": "try:\n    a = 1\nexcept B:\n    c = 1\nelse:  # pragma: no cover\n    d = 1\nfinally:\n    e = 1\n",
    "finally": "try:\n    a = 1\nfinally:  # pragma: no cover\n    e = 1\n    g = 1\nh = 1\n",
    "with": "with a as b:  # pragma: no cover\n    c = 1\nd = 1\n",
    "with in parentheses": "with (\n    a as b,  # pragma: no cover\n    c as d,\n):\n    e = 1\nf = 1\n",
    "async with and for": (
        "async def f():\n    async with a as b:  # pragma: no cover\n"
        "        c = 1\n    async for x in y:  # pragma: no cover\n        d = 1\n"
    ),
    "match": "match x:  # pragma: no cover\n    case 1:\n        a = 1\n    case _:\n        b = 1\nc = 1\n",
    "case": "match x:\n    case 1 | 2 if y:  # pragma: no cover\n        a = 1\n    case _:\n        b = 1\n",
    "last case": "match x:\n    case 1:\n        a = 1\n    case _:  # pragma: no cover\n        b = 1\n",
    "body of the last case": (
        "match x:\n    case 1:\n        a = 1\n    case _:\n"
        "        b = 1  # pragma: no cover\n        raise B  # pragma: no cover\n"
    ),
    "nested": (
        "def f():\n    if a:  # pragma: no cover\n        for b in c:\n"
        "            d = 1\n        else:\n            e = 1\n    return 1\n"
    ),
    "on one line": "if a: b = 1; c = 1  # pragma: no cover\nelse: d = 1\ntry: e = 1  # pragma: no cover\nfinally: f = 1\n",
    "annotation": "x: int = 1  # pragma: no cover\ny = 1\n",
    "semicolons": "a = 1; b = 1  # pragma: no cover\nc = 1\n",
    "continuation lines": "a = 1 + \\\n    2 + \\\n    3  # pragma: no cover\nb = 1\n",
    "call of several lines": "a(\n    1,  # pragma: no cover\n    2,\n)\nb = 1\n",
    "in a docstring": 'def f():\n    """Doc.\n\n    # pragma: no cover\n    """\n    return 1\n',
    "behind a docstring": 'def f():\n    """Doc."""  # pragma: no cover\n    return 1\n',
    "in a string": 'a = """\n# pragma: no cover\n"""\nif a == "# pragma: no cover":\n    b = 1\n',
    "in an f-string": 'a = f"{b:>3} # pragma: no cover {c}"\nd = f"""\n{a:\n}# pragma: no cover"""\n',
    "body of dots": (
        "def f(): ...\ndef g():\n    ...\nclass A: ...\ndef h(\n    a\n"
        ") -> int: ...\ndef k() -> Dict[\n  int, int]: ...\nx = ...\n"
    ),
    "type checking": (
        "if TYPE_CHECKING:\n    import a\nif typing.TYPE_CHECKING:\n"
        "    import b\nelse:\n    c = 1\nif not TYPE_CHECKING:\n    d = 1\n"
    ),
    "spellings": "a = 1 #pragma:no cover\nb = 1 # PRAGMA NO COVER\nc = 1 # pragma: nocover\nd = 1 # Pragma: no cover\ne = 1 # no cover\n",
    "form feed": "a = 1\n\f\nb = 1\f # pragma: no cover\n\f\nc = 1\f\n",
    "line ends of Windows": "if a:  # pragma: no cover\r\n    b = 1\r\nc = 1\r\n",
    "line ends of old Macs": "if a:  # pragma: no cover\r    b = 1\rc = 1\r",
    "no newline at the end": "a = 1\nb = 1  # pragma: no cover",
    "tabs": "if a:\n\tb = 1 # pragma: no cover\n\tif c: # pragma: no cover\n\t\td = 1\n",
    "comment at the end": "a = 1\n# pragma: no cover\n",
    "partial": "while a:  # pragma: no branch\n    b = 1\nif (a and  # pragma: no branch\n        b):\n    c = 1\nfor x in y: pass\n",
    "constant tests": "while True:\n    a = 1\n    if 1:\n        b = 1\n    # while True:\n    x = ' if 1:'\n",
}  # fmt: skip

SETTINGS: dict[str, Patterns] = {
    "defaults": {},
    "nothing": {"exclude_lines": [], "partial_branches": ["never"]},
    "only mine": {"exclude_lines": ["b = 1"]},
    "one more": {"exclude_also": ["raise", r"^\s*else\b", "=[ ]2"]},
    "several lines": {"exclude_also": [r"a = 1\n.*\n", r"^if[^:]*:\n"]},
    "any number of lines": {"exclude_also": ["(?s:b = 1.*?[de] = 1)"]},
    "to the end": {"exclude_also": [r"(?s:e = 1.*\Z)"]},
    "line starts": {"exclude_also": [r"^\s+b = 1", "^c = 1$"]},
    "line ends": {"exclude_also": [r"= 1$", r"\)\s*$"]},
    "newline": {"exclude_also": ["b = 1\n"]},
    "every line": {"exclude_also": ["^"]},
    "empty matches": {"exclude_also": ["q*"], "partial_also": ["q*"]},
    "spaces": {"exclude_also": ["^ $", "c = 1 $"]},
    "header to body": {"exclude_also": [r"def \w+\(.*\):\n\s+return 1", r"elif d:\n\s+e"]},
    "around": {"exclude_lines": [r"(?i)PRAGMA: *no *cover"]},
    "partial": {"partial_branches": ["^if", "elif"], "partial_also": [r"for\b", r"case 1"]},
    "partial also": {"partial_also": [r"while a:\n", r"^\s*if .*\n.*\n"]},
    "groups": {"exclude_lines": [r"([a-z]) = 1\n([a-z]) = 1"]},
    "white space around": {"exclude_also": ["  b = 1  ", ""]},
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_as_coverage_has_it(program: str, tmp_path: Path) -> None:
    for name, patterns in SETTINGS.items():
        wanted, found = both(tmp_path, PROGRAMS[program], patterns)
        assert found == wanted, name


def test_the_table_excludes_something(tmp_path: Path) -> None:
    """Neither side is silent: each program has statements that some settings exclude, each setting excludes some."""
    assert all(both(tmp_path, text, {"exclude_also": ["^"]})[1].excluded for text in PROGRAMS.values())
    for name, patterns in SETTINGS.items():
        if name != "nothing" and "partial" not in name:
            assert any(both(tmp_path, text, patterns)[1].excluded for text in PROGRAMS.values()), name


# ---- generated programs

PATTERNS = (
    "# SKIP",
    "# END\n",
    r"(?s:# BEGIN.*?# END)",
    r"^\s*else",
    r"x\b.*\n\s*x",
    r"def f\(",
    r"^\s*@",
    r"case \S+:$",
    r"z\"\"\"",
)


@settings(max_examples=400 if ONCE else 100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.randoms(use_true_random=False), st.sampled_from([(), *((it,) for it in PATTERNS), PATTERNS[:3], PATTERNS[3:6]])
)
def test_generated_programs(
    tmp_path_factory: pytest.TempPathFactory, random: object, patterns: tuple[str, ...]
) -> None:
    text = Strewn(random).program(depth=3)  # type: ignore[arg-type]
    chosen: Patterns = {"exclude_also": [*patterns], "partial_also": [*patterns]}

    wanted, found = both(tmp_path_factory.getbasetemp(), text, chosen)

    known = headers_above_excluded_bodies(text) | lines_of_overlaps(text, patterns)
    assert all(mine - known == its - known for mine, its in zip(found, wanted, strict=True)), text


def headers_above_excluded_bodies(text: str) -> set[int]:
    """Where case-above-statement-of-several-lines of docs/differences.md may be found."""
    return {number for number, line in enumerate(text.split("\n"), 1) if line.lstrip().startswith("case ")}


def lines_of_overlaps(text: str, patterns: tuple[str, ...]) -> set[int]:
    """Everything, if rules-match-each-for-itself of docs/differences.md is what makes the difference."""
    defaults = [rule.pattern for rule in Rules().exclude]
    together = exclusions.matches([exclusions.Rule("|".join(f"(?:{it})" for it in [*defaults, *patterns]))], text)
    alone = exclusions.matches(Rules.configured(exclude_also=patterns).exclude, text)
    return set(range(text.count("\n") + 2)) if together.keys() != alone.keys() else set()


# ---- the report


def test_the_report_says_which_rule_excluded_what(place: Place) -> None:
    place.write(
        "a.py",
        "def f(x):  # pragma: no cover\n    if x:\n        return 1\n\nx = 1\n"
        "def g():\n    raise NotImplementedError  # a|b\ny = 2  # pragma: no cover\n",
    )
    place.write("b.py", "import a\n")
    place.write("covcore.toml", r"exclude_also = ['raise NotImpl.*\ba|b']")
    place.covcore("run", "b.py")

    text = place.covcore("report", "--show-excluded")
    markdown = place.covcore("report", "--show-excluded", "--format=markdown")
    total = place.covcore("report", "--show-excluded", "--format=total")

    pragma = exclusions.NO_COVER.pattern
    table, _, below = text.stdout.partition("\n\nExcluded:\n")
    assert table.splitlines()[-1].split() == ["TOTAL", "3", "0", "0", "0", "100%"]
    assert below == f"a.py\n    1-3, 8: {pragma}\n    7: raise NotImpl.*\\ba|b\n"
    assert [line for line in markdown.stdout.splitlines() if "NotImpl" in line] == [
        "| a.py | 7 | raise NotImpl.\\*\\\\ba\\|b |"
    ]
    assert total.stdout == "100\n"


def test_the_report_says_that_nothing_is_excluded(place: Place) -> None:
    place.write("a.py", "x = 1\n")
    place.covcore("run", "a.py")
    assert place.covcore("report", "--show-excluded").stdout.endswith("\n\nNothing is excluded.\n")
