"""Conditions and MC/DC, held against what rewritten programs tell of themselves (judging.py)."""

from __future__ import annotations

import ast
import itertools
import json
import random
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import SANITIZER, Place
from constructs import PROGRAMS as CONSTRUCTS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from instructions import HAS_EVENT_PER_ARM
from judging import Key, Verdict
from programs import PROGRAMS as TRACED

from covcore.analysis import mcdc
from covcore.analysis.conditions import Condition
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.project import analyse_all
from covcore.store.loading import load

HERE = Path(__file__).parent
TIMEOUT = 60  # seconds

CALLS = """
for values in {}:
    try:
        f(*values)
    except Exception:
        pass
"""

DRIVER = """\
import sys
for path in sys.argv[1:]:
    try:
        exec(compile(open(path).read(), path, "exec"), {"__name__": "program"})
    except Exception:
        pass
"""


def measured(texts: Sequence[str], folder: Path) -> list[FileResult]:
    """Run programs under `covcore run`, all in one process, and analyse them."""
    paths = write(texts, folder)
    (folder / "driver.py").write_text(DRIVER)
    data = folder / "data"
    command = [sys.executable, "-m", "covcore", "run", f"--data={data}", "--source=.", "driver.py", *map(str, paths)]
    environment = {"PYTHONPATH": str(HERE.parent), "PATH": ""} | SANITIZER
    subprocess.run(command, cwd=folder, check=True, env=environment, capture_output=True, timeout=TIMEOUT)
    with load(str(data)) as database:
        files = {Path(it.path): it.result for it in analyse_all(database, Rules((), ()), lambda path: True)}
    results = [files[path.resolve()] for path in paths]
    assert None not in results
    return [result for result in results if result is not None]


def judged(texts: Sequence[str], folder: Path) -> list[Verdict]:
    """Have programs tell of themselves."""
    out = folder / "verdicts"
    paths = write(texts, folder)
    subprocess.run(
        [sys.executable, str(HERE / "judging.py"), str(out), *map(str, paths)], check=True, cwd=folder, timeout=TIMEOUT
    )
    return [{tuple(key): seen for key, seen in verdict} for verdict in json.loads(out.read_text())]


def write(texts: Sequence[str], folder: Path) -> list[Path]:
    paths = [folder / f"program_{number:03}.py" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def key(condition: Condition) -> Key:
    word = {"loop": "loop", "comparison": "link"}.get(condition.kind, "test")
    return (*condition[:4], word)


def differences(text: str, result: FileResult, verdict: Verdict) -> list[str]:
    """Where outcomes are not those that the program told of, or conditions are missing where nothing is constant."""
    found = {key(condition): condition for condition in result.conditions}
    assert len(found) == len(result.conditions)
    wrong = []
    for place, condition in found.items():
        told = verdict.get(place, (None, None))
        if condition.hits != tuple(known and it for it, known in zip(told, condition.knowable, strict=True)):
            wrong.append(f"{condition.line}:{condition.column} {condition.text}: {condition.hits}, not {told}")
    folded = lines_with_constants(text)
    wrong += [f"no {place}" for place in verdict.keys() - found.keys() if place[0] not in folded]
    return wrong


def lines_with_constants(text: str) -> set[int]:
    """Those of functions in which a constant is an operand or tested, so that operands may not exist."""
    return {
        line
        for function in ast.parse(text).body
        if any(map(has_constant_operand, ast.walk(function)))
        for line in range(function.lineno, (function.end_lineno or 0) + 1)
    }


def has_constant_operand(node: ast.AST) -> bool:
    match node:
        case ast.comprehension(iter=ast.List()):
            return True  # `for x in [y]` is compiled as x = y
        case ast.BoolOp() | ast.UnaryOp() | ast.IfExp() | ast.comprehension() | ast.match_case():
            operands = list(ast.iter_child_nodes(node))
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test):
            operands = [test]
        case _:
            return False
    return any(map(is_constant, operands))


def is_constant(node: ast.AST) -> bool:
    match node:
        case ast.Tuple() | ast.BinOp() | ast.UnaryOp() | ast.Subscript():
            return all(is_constant(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id == "__debug__")


def check_all(texts: Sequence[str]) -> list[FileResult]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        results = measured(texts, folder)
        for text, result, verdict in zip(texts, results, judged(texts, folder), strict=True):
            assert differences(text, result, verdict) == [], text
    return results


# ---- each construct

BODIES = {
    "statements": """
if a and not b: pass
elif a or b and c: pass
while a and not (b or c):
    a = d = None
    if not d: break
assert a or b, c and d
return a and b or c
""",
    "values": """
x = a and b or c
x = a or b and c or d
x = (a and b) or (c and d) or a
x = (a or b) and (c or d)
x = (a and b) and c
x = ((a and b) and c) and d
x = (a and b or c) and d
x = ((a or b) and c) or d
x = (a or (b and c)) and d
x = ((a and b) or c) and (b or (c and d) or a)
x = not a and not b
x = not (a and b)
x = not (a and b) and c
x = not not (a or b) or c
x = not (a and not (b or c)) or not d
x = not not a and b
x = (a or not b) and c
x = [a and b, c or d], {a or b: c and d}, (a and b,)
f2(a and b, *[c or d], k=a or d, **{"m": b or c})
x = a and f2(b or c) or d
""",
    "several lines": """
x = ((
  a and b) or c)
x = (a
  and b
  and c
  or d)
x = (
  (a and
   b)
  and  # a comment
  c)
if (a  # a comment
    and not b
    or (c
        and d)):
    pass
x = [
  a
  for x in (a, b)
  if x
  and c
  if a or d
]
x = (a
     if b and
        c
     else d)
x = ((a
      or b) or
     c) or d
x = a and \\
    b or \\
    c
""",
    "ternaries": """
x = a if b else c
x = a if b and c else d
x = (a and b) if (c or d) else (b or c)
x = (a and b if c else d) or a
x = (a and b if c else d or a) and c
x = (a if b else c) and d
x = (a or b if c else not d) and c or d
x = not (a if b else c) or d
if a if b else c: pass
if (a and b if c or d else not a) and not (b if c else d): pass
x = a if (b if c else d) else c
x = (a if b else c) if d else (b if a else d)
""",
    "comparisons": """
x = a == b == c
x = a == b != c == d
if a == b == c: pass
if not a == b != c and d: pass
x = (a == b == c) and d
x = not (a == b == c) or d
x = d or (a == b == c)
x = d and (a == b == c) or b
x = [x for x in (a, b) if a == x == c]
x = [x == a == b for x in (a, b) if a == x == c or not b == x == d]
x = (a and b) == (c or d)
x = a == f2(b and c) == d
x = (a or b) == (c and d) == b
if (a == b if c else b == c == d): pass
assert a == b == c or d
""",
    "none": """
if a is None: pass
if a is not None and b is None: pass
x = a is None or b is not None
x = a is None and b
x = b if a is None else c
x = [x for x in (a, b) if x is not None]
x = [x for x in (a, b) if not (x is None or c is not None)]
while a is not None:
    a = None
assert not (a is None and b is None)
if not a is None or not b is not None: pass
if None is a: pass
""",
    "comprehensions": """
x = [x for x in (a, b) if x]
x = [x for x in (a, b) if not x]
x = [x for x in (a, b) if x and c]
x = [x for x in (a, b) if x or c if d and not x]
x = [x and c for x in (a, b) if x or c]
x = [x or c for x in (a, b) if x and c for y in (c, d) if y and x]
x = {x: y for x in (a, b) for y in (x, c) if x and y if d}
x = {x or y for x in (a, b) if not (x or c) for y in [x for x in (c, d) if x]}
x = list(x for x in (a, b) if x and c)
x = any(x and c for x in (a, b)), all(x or c for x in (c, d) if x), tuple(x for x in (a, d) if not x)
x = [y for x in [a or b] for y in [x and c]]
x = [[y for y in (a, b) if y or d] for x in (c, d) if x]
x = [x for x in () if x]
x = [x if x else c for x in (a, b) if (x if d else c)]
x = [(x, y) for x in (a, b) if x if b
     for y in (c, d)
     if y or
        x]
x = [0 for x in (a, b) if x] or [1 for x in (c, d) if x and b]
x = [not (x is not None) for x in (a, b) if x]
x = any(not x in (a, b) for x in (a, b) if x for y in (c, d) if y)
x = {not x is a: not (not x == b) for x in (a, b) if x}
x = {x: not (not x is not b) for x in (a, b) if x}
x = [not (not x) for x in (a, b) if x]
if a and [x for x in (b, c)]: pass
for y in [lambda: x and a for x in (b, c) if x][:1]: y()
""",
    "asynchronous": """
import asyncio
async def items():
    for x in (a, b, c): yield x
async def g(x): return x
async def main():
    y = [x async for x in items() if x]
    y = [x and d async for x in items() if x or d if not x]
    y = {x: z async for x in items() for z in (a, b) if z and x async for w in items() if w}
    y = [x async for x in (x async for x in items() if x and a) if not x]
    if await g(a) and await g(b): pass
    y = await g(a) or await g(b) and await g(c)
    async for x in items():
        if x and a: pass
asyncio.run(main())

pass
""",
    "match": """
match a:
    case 0 | 1 if b and c: pass
    case [x, *y] if x: pass
    case {"k": v} if v or d: pass
    case None if not b or (c if d else a): pass
    case x if x and a or b: pass
    case _: pass
match a and b, c or d:
    case (x, y) if x or y: pass
    case (x, y) if x == y == None: pass
""",
    "walrus": """
if (x := a) and (y := b or c): pass
if (x := a and b): pass
x = ((y := a) and b) or c
while (x := a or b) and c:
    a = b = 0
x = [y for x in (a, b) if (y := x and c)]
x = [y for x in (a, b) if (y := x) or c]
x = not (y := a) or (z := b and c)
assert (x := a or b) or not (y := c)
""",
    "strings": """
x = f"{a and b}"
x = f"{a and b!r:>{c or 3}}{c if d else a}"
x = f"{[x for x in (a, b) if x or c]}"
x = t"{a and b}{c or d!r}"
x = f'''{a
   or b} {c and
   d}'''
x = f"{f'{a or b}' and c}" "tail" and d
x = "ä" and a or "é" and f"ü{a or b}ö{c and d}"
""",
    "definitions": """
def g(x=a or b, *, y=c and d): return x and y
g()

h = lambda x=a and b, *, y=c or d: x or y and a
h()

@(f2 if a and b else f3)
@(f2 or f3)
def k(): pass

class C((A and B) or A, metaclass=type if a else None or type):
    if a and b:
        x = c or d
    y = [x for x in (a, b) if x and c]
class D[T: (a and b)]: pass

def generic[T = a or b](x: a and b) -> c or d:
    y: a or b = c and d
    (z): a or b = d and c
    return x and y
generic(a)

type alias = a and b
""",
    "laid down several times": """
try:
    if a and b: return 1
    x = c or d
finally:
    if a or b and c: x = 1
    x = (a and b) or c
    y = [x for x in (a, b) if x and d]
""",
    "laid down several times, with constants": """
for x in (a, b):
    try:
        if x: continue
        if c: break
    finally:
        x = [x for x in (a, b) if (c if 1 else d)]
        x = [x for x in (a, b) if c if 0 if d]
        x = (a if 1 else b or c) or d or 0
        x = a or (1 if b else 2) or c
""",
    "laid down several times, in a loop": """
for x in (a, b):
    try:
        if x and a: continue
        if x or b: break
        if c: raise ValueError
    except ValueError if a and b else ValueError:
        x = a or b
    except (KeyError or IndexError):
        pass
    finally:
        y = a and c or d
        assert y or not y == x != None
else:
    x = a and d
""",
    "with": """
with C2(a or b) as x, (C2(a) or b), (a and C2(b) or C2(c)):
    x = a and b
    if c: return a or b

with C2(a) or C2(b):
    if not a or b: raise ValueError

with (C2(a) if b or c else C2(d)): pass

while a:
    try: x = 1
    finally:
        with C2(a) or C2(b):
            x = c and d
        if b: break
        a = None
""",
    "statements of every other kind": """
del [[a, b]][a and 0 or 0][b and 0 or 1]

x = {a or b: 1}
x[a and b] = c or d
x[a or b] += 1 if c and d else 2
x[a or b]: a or b = a and b
for x[a and b] in (a or (), b or ()): pass

for y in a and b or (): pass

def g():
    z = yield a and b
    yield from (a or (), b and ())
    return (yield) or c
list(g())

print(end="") if a and b else print(end="")

raise ValueError(a or b) if a or c else KeyError(a and b) from (None if d else None)
""",
    "constants": """
if a and True and b: pass
if 1 and a or 0: pass
if not 0 and a: pass
if __debug__ and a: pass
x = a and True and b
x = a or 0 or b
x = a and 1 or 2
x = a and () or (1, 2)
x = a or (1 if b else 2) or c
x = 1 if True else a and b
x = 0 and (a or b) or c
x = (a and 0) or b
x = not 1 or a
x = [x for x in (a, b) if True if x and 1]
x = None is None or a
x = "s" and a
x = ("s" "t"[0:1]) and a
x = -1 and a or b
x = 1 + 1 and a
while True:
    if a and ...: break
    if not a or 0: break
while 1 and a: a = 0
""",
}

if sys.version_info < (3, 14):  # no t-strings
    BODIES["strings"] = BODIES["strings"].replace(' t"', ' f"')
if sys.version_info < (3, 13):  # no defaults of type parameters
    BODIES["definitions"] = BODIES["definitions"].replace("generic[T = a or b]", "generic[T]")

SUPPORT = """
def f2(*args, **kwargs): return args[0] if args else None
def f3(function): return None
class A: pass
class B: pass
class C2:
    def __init__(self, truth): self.truth = truth
    def __bool__(self): return bool(self.truth)
    def __enter__(self): return self
    def __exit__(self, *exception): return True
"""


def programs(body: str) -> list[str]:
    """Programs that run each paragraph (or statement, if there are none) of a body with many values, and with few."""
    if "\n\n" in body:
        parts = body.split("\n\n")
    else:
        lines = body.split("\n")
        parts = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in ast.parse(body).body]
    functions = [f"def f(a, b, c, d):\n{textwrap.indent(part.strip(), '    ')}\n" for part in parts]
    every = list(itertools.product((0, 1, None), repeat=4))
    chosen = random.Random(body)
    calls = [every, *(chosen.sample(every, n) for n in (1, 2, 3, 6))]
    return [SUPPORT + "".join(f + CALLS.format(values) for f in functions) for values in calls]


def test_constructs() -> None:
    """Each construct, with many values and with few, as rewritten programs tell of it."""
    check_all([text for body in BODIES.values() for text in programs(body)])


def test_programs_of_other_tests() -> None:
    switch = "def switch(label): pass\nPROGRAM = 'elsewhere'\n"
    check_all([*CONSTRUCTS.values(), *(switch + text for text in TRACED.values())])


# ---- generated programs

NAMES = st.sampled_from(["a", "b", "c", "d"])
BREAKS = st.sampled_from([" ", " ", " ", "\n        "])


def joined(operand: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions one level deeper; each in brackets, so that lines may be broken within."""
    several = st.lists(operand, min_size=2, max_size=3)
    comparisons = st.lists(st.sampled_from(["==", "!="]), min_size=2, max_size=2)
    return st.one_of(
        st.builds(
            lambda parts, word, gap: f"({f'{gap}{word} '.join(parts)})", several, st.sampled_from(["and", "or"]), BREAKS
        ),
        st.builds(
            lambda parts, word, gap: f"({f'{gap}{word} '.join(parts)})", several, st.sampled_from(["and", "or"]), BREAKS
        ),
        st.builds("(not {})".format, operand),
        st.builds("({} if {} else {})".format, operand, operand, operand),
        st.builds(
            lambda sides, ops: f"({sides[0]} {ops[0]} {sides[1]} {''.join(f'{ops[1]} {s}' for s in sides[2:])})",
            several,
            comparisons,
        ),
        st.builds("({} is{} None)".format, operand, st.sampled_from(["", " not"])),
        st.builds("(w := {})".format, operand),
        st.builds("f2({})".format, operand),
        st.builds("[x for x in ({}, {}) if {}]".format, NAMES, operand, operand),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES, NAMES, NAMES, st.sampled_from(["1", "0", "None"])), joined, max_leaves=8)
STATEMENTS = st.sampled_from(
    [
        "    if {}:\n        return 1\n",
        "    if a: pass\n    elif {}: return 1\n    else: return 0\n",
        "    while {}:\n        if k: break\n        k = 1\n",
        "    assert {}, {}\n",
        "    return {}\n",
        "    w = {}\n",
        "    w = [{} for y in (a, b) if {}]\n",
        "    w = {{y: {} for y in (a, b) for z in (c, d) if {} if {}}}\n",
        "    w = any({} for y in (a, b) if {})\n",
        "    w = (lambda y={}: {})()\n",
        "    w = f'''{{{}}}{{c:{{{}}}}}'''\n",
        "    match a:\n        case 0 if {}: pass\n        case y if {}: pass\n",
        "    for y in (a, b):\n        try:\n            if {}: continue\n            if {}: break\n        finally:\n            w = {}\n",
        "    class C:\n        w = {}\n        z = [w for w in (1, 0) if {}]\n".replace("if {}", "if (not {})"),
        "    with C2({}): w = {}\n",
    ]
)


@st.composite
def generated(draw: st.DrawFn) -> str:
    text = SUPPORT
    for _ in range(draw(st.integers(1, 3))):
        statement = draw(STATEMENTS)
        n_holes = statement.replace("{{", "").count("{}")
        body = statement.format(*(draw(EXPRESSIONS) for _ in range(n_holes)))
        calls = draw(st.lists(st.tuples(*[st.sampled_from([0, 1, None])] * 4), max_size=8))
        text += f"def f(a, b, c, d, w=0, k=0):\n{body}" + CALLS.format(calls)
    return text


def compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(text, "program.py", "exec")
    except SyntaxError:  # a walrus in a class's comprehension
        return False
    return True


def test_generated_programs() -> None:
    """Generated once, and run all in one process: to shrink them would take a process for each step."""
    texts: list[str] = []

    @settings(max_examples=250, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(generated().filter(compiles))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    check_all(texts)


# ---- MC/DC


def evaluate(node: ast.expr, values: dict[str, bool], asked: dict[str, bool]) -> bool:
    """The value of an expression, as Python evaluates it; `asked` gets the operands that were asked for."""
    match node:
        case ast.Name():
            asked[node.id] = values[node.id]
            return values[node.id]
        case ast.UnaryOp():
            return not evaluate(node.operand, values, asked)
        case ast.BoolOp(op=ast.And()):
            return all(evaluate(part, values, asked) for part in node.values)
        case ast.BoolOp():
            return any(evaluate(part, values, asked) for part in node.values)
    raise TypeError(node)


def shows(one: dict[str, bool], other: dict[str, bool], name: str, results: Sequence[bool]) -> bool:
    """Whether two evaluations show that an operand decides alone: what is not asked for is masked."""
    return (
        results[0] != results[1]
        and name in one
        and name in other
        and one[name] != other[name]
        and all(one[n] == other[n] for n in one.keys() & other.keys() - {name})
    )


@st.composite
def decisions(draw: st.DrawFn) -> str:
    numbers = itertools.count()
    text = draw(
        st.recursive(
            st.just("n"),
            lambda part: st.one_of(
                st.builds("(not {})".format, part),
                st.builds(" and ".join, st.lists(part, min_size=2, max_size=3)).map("({})".format),
                st.builds(" or ".join, st.lists(part, min_size=2, max_size=3)).map("({})".format),
            ),
            max_leaves=6,
        )
    )
    return re.sub("n(?!ot|d)", lambda match: f"n{next(numbers)}", text.replace("and", "AND")).replace("AND", "and")


@pytest.mark.once
@given(decisions(), st.data())
def test_mcdc_is_what_its_definition_says(text: str, data: st.DataObject) -> None:
    """For any evaluations of any tree: an operand is shown if, and only if, two of them show it by definition."""
    test = ast.parse(text, mode="eval").body
    steps = mcdc.diagram(test)
    names = [node.id for node in ast.walk(test) if isinstance(node, ast.Name)]
    by_leaf = {(id(node), -1): node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    vectors = data.draw(st.lists(st.fixed_dictionaries({name: st.booleans() for name in names}), max_size=8))
    evaluations = []
    for values in vectors:
        asked: dict[str, bool] = {}
        evaluations.append((asked, evaluate(test, values, asked)))
    if steps is None:
        return
    order = [by_leaf[step.leaf] for step in steps]
    outcomes = [
        (
            any(asked.get(name) is True for asked, _ in evaluations),
            any(asked.get(name) is False for asked, _ in evaluations),
        )
        for name in order
    ]
    by_definition = tuple(
        any(
            shows(one, other, name, (result, other_result))
            for one, result in evaluations
            for other, other_result in evaluations
        )
        for name in order
    )
    assert mcdc.shown(steps, outcomes) == by_definition


@pytest.mark.parametrize(
    ("text", "is_tree"),
    [
        ("a and b and c", True),
        ("a or (b or not c)", True),
        ("not (a or b) and c", True),
        ("a and (b or c)", True),
        ("a < b < c and d", True),
        ("a and b or c", False),
        ("(a or b) and c", False),
        ("a and (b if c else d)", False),
    ],
)
def test_mcdc_is_claimed_of_trees_alone(text: str, is_tree: bool) -> None:
    assert (mcdc.diagram(ast.parse(text, mode="eval").body) is not None) == is_tree


# ---- what is said of them


def conditions_of(text: str) -> list[tuple[int, int, str, str]]:
    return [(it.line, it.column, it.text, it.kind) for it in analyse(text, [], Rules()).conditions]


def test_where_they_stand_and_how_they_are_quoted() -> None:
    assert conditions_of(
        "é = 'é' if not  f( 1,  2 ) else 3\nx = (a) < (b + 1) < c\nif (a and\n    f(b,  # why\n    c)): pass\n"
    ) == [
        (1, 18, "f( 1, 2 )", "test"),
        (2, 5, "a < b + 1", "comparison"),
        (3, 4, "a", "operand"),
        (4, 4, "f(b, c)", "operand"),
    ]
    (long,) = analyse(f"if {'a' * 100}: pass\n", [], Rules()).conditions
    assert long.text == "a" * 59 + "…"


def test_lines_that_do_not_count_have_none() -> None:
    text = (
        "if a and b:  # pragma: no cover\n    x = c or d\nif a:  # pragma: no branch\n    x = [y for y in\n        z]\n"
    )
    assert conditions_of(text) == [(5, 8, "z", "loop")]


def test_what_no_event_tells_of_is_not_missing() -> None:
    result = analyse("async def f():\n    return [x async for x in y if x]\n", [], Rules())
    loop, test = result.conditions
    told = ["finished"] if HAS_EVENT_PER_ARM else ["entered", "finished"]  # before 3.14 it is known without an event
    assert (loop.missing, test.missing) == (told, ["true", "false"])
    assert result.figures.conditions == result.figures.missing_conditions == len(told) + 2


def test_they_never_enter_the_percentage() -> None:
    result = analyse("x = [y for y in z if a and b]\n", [], Rules())
    figures = result.figures
    assert figures.missing_conditions == figures.conditions == 6
    assert figures._replace(conditions=0, missing_conditions=0).percent == figures.percent == 0
    assert figures._replace(missing=0).percent == 100
    assert figures._replace(missing=0).is_complete


def test_thousands_of_levels() -> None:
    """Nothing is said of what is too deep, and the rest is as it should be."""
    deep = "+".join(["a"] * (3000 if sys.version_info >= (3, 13) else 1000))  # of more, 3.12 makes no tree
    assert conditions_of(f"x = b and ({deep})\nif c: pass\n")[-1] == (2, 3, "c", "test")


# ---- `covcore report --conditions`


def test_report(place: Place) -> None:
    text = "def f(a, b):\n    if a and b > 1:\n        return [x for x in a if x]\n    return a if b else 0\nf(0, 1)\nf([1], 1)\n"
    place.write("a.py", text)
    place.write("b.py", "x = [y for y in ()]\nwhile x and not x: pass\n")
    place.write("main.py", "import a, b\n")
    place.covcore("run", "main.py")
    plain = place.covcore("report").stdout
    report = place.covcore("report", "--conditions", "--precision=1")

    assert place.covcore("report", "--conditions").stdout.startswith(plain)
    assert report.stdout.split("\n\n", 1)[1] == (
        "a.py:2:8: MC/DC of 'a and b > 1' is not shown for 'a', 'b > 1'\n"
        "a.py:2:14: 'b > 1' was never true\n"
        "a.py:4:17: 'b' was never false\n"
        "b.py:1:17: the loop over '()' was never entered\n"
        "b.py:2:7: 'x' was never true\n"
        "b.py:2:7: MC/DC of 'x and not x' is not shown for 'x', 'x'\n"
        "b.py:2:17: 'x' was never evaluated\n"
        "\n"
        "Conditions: 6 of 16 outcomes seen (37.5%)\n"
        "MC/DC: 0 of 2 decisions shown (of those whose diagram is a tree)\n"
    )


def test_report_of_an_assert_that_pytest_rewrote(place: Place) -> None:
    """What pytest makes of an assert tells no outcome of another thing."""
    place.write(
        "test_a.py",
        "def test_a():\n    a = b = 1\n    assert a and b or not a\n    assert a < b + 1 < 9, a or b\n    x = a and b\n",
    )
    assert place.covcore("run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_a.py").status == 0
    lines = place.covcore("report", "--conditions").stdout.splitlines()

    assert [line for line in lines if line.startswith("test_a.py:")] == [
        "test_a.py:3:12: 'a' was never false",
        "test_a.py:4:27: 'a' was never evaluated",
        "test_a.py:5:9: 'a' was never false",
    ]
