"""Hypothesis strategies of the tests: whole programs that run, end, and hold every construct of the language.

`programs()` gives texts.  What their names mean (`c`, `n`, `items`, ...) is in tests/oracle/support.py.  Alternatives are listed
from simple to involved, since Hypothesis shrinks towards the first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from textwrap import indent
from typing import NamedTuple

from hypothesis import strategies as st

type Draw = Callable[[st.SearchStrategy[int]], int]

TEMPLATE = "t" if sys.version_info >= (3, 14) else "f"
EXCEPTIONS = ["ValueError", "KeyError", "(ValueError, Oops)", "Oops", "TypeError", "Exception"]
PATTERNS = [
    "0",
    "0 | 1",
    "'s'",
    "None | True",
    "[q, *_]",
    "(q, [_])",
    "[q, *r]",
    "{'k': q, **r}",
    "{'k': 1 | 2}",
    "Point(x=0)",
    "Point(1, q)",
    "int(q)",
    "str() as q",
    "(0 as q) | [q, *_]",
    "[0 | 1, (2 | 3), q]",
    "(\n    1\n    | [] | {'z': 1}\n)",
]
TYPE_PARAMETERS = [
    "",
    "",
    "",
    "[T]",
    "[T: int, *Ts]",
    *(
        ("[T: (int, str) = int, **P = [int]]", "[\n    T = int,\n    *Ts = *tuple[int]\n]")
        if sys.version_info >= (3, 13)
        else ("[T: (int, str), **P]", "[\n    T,\n    *Ts\n]")
    ),
]


class Place(NamedTuple):
    """What may be written somewhere.

    kind: "module", "class" or what sort of function: "def", "generator", "async", "agen"
    depth: how many compound statements may still be nested
    loop: whether break and continue have a loop
    returns: whether `return` may stand here; not so in `except*`
    handler: whether a bare `raise` has something to raise
    names: variables that are set
    walrus: whether an expression may set variables
    """

    kind: str
    depth: int
    loop: bool = False
    returns: bool = True
    handler: bool = False
    names: tuple[str, ...] = ("a", "b")
    walrus: bool = True

    @property
    def in_function(self) -> bool:
        return self.kind not in ("module", "class")

    @property
    def asynchronous(self) -> bool:
        return self.kind in ("async", "agen")

    def deeper(self, **changes: object) -> Place:
        return self._replace(depth=self.depth - 1, **changes)  # type: ignore[arg-type]


@cache
def below(n: int) -> st.SearchStrategy[int]:
    return st.integers(0, n - 1)


class Writer:
    """Writes one program; each choice is drawn."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._n_names = 0

    # ---- choosing

    def pick[T](self, options: Sequence[T]) -> T:
        return options[self._draw(below(len(options)))]

    def number(self, least: int, most: int) -> int:
        return least + self._draw(below(most - least + 1))

    def chance(self, one_in: int) -> bool:
        return self._draw(below(one_in)) == one_in - 1

    def name(self, prefix: str) -> str:
        self._n_names += 1
        return f"{prefix}{self._n_names}"

    # ---- expressions

    def atom(self, place: Place) -> str:
        return self.pick(["c()", *place.names, "n()", "c()", "0", "1", "None", "'s'", "boom(1)", "v()"])

    def expression(self, place: Place, depth: int = 2) -> str:
        """Any value."""
        if depth == 0 or self.chance(2):
            return self.atom(place)
        options = [
            self.ternary,
            self.boolean,
            self.comparison,
            self.call,
            self.boolean,
            self.ternary,
            self.comprehension,
            self.formatted,
            self.lambda_call,
            self.display,
            self.many_lines,
            self.inlined,
        ]
        if place.walrus:
            options.append(self.walrus)
        if place.asynchronous:
            options.append(self.awaited)
        if place.kind in ("generator", "agen"):
            options.append(self.yielded)
        return self.pick(options)(place, depth - 1)

    def condition(self, place: Place) -> str:
        """What an `if` tests."""
        form = self.number(0, 11)
        if form < 3:
            return "c()"
        if form < 6:
            return self.boolean(place, 1)
        if form < 9:
            return self.pick([self.comparison, self.ternary, self.many_lines, self.inlined])(place, 1)
        return self.expression(place)

    def ternary(self, place: Place, depth: int) -> str:
        e = self.expression
        return f"({e(place, depth)} if {e(place, depth)} else {e(place, depth)})"

    def boolean(self, place: Place, depth: int) -> str:
        e = self.expression
        form = self.number(0, 5)
        if form == 0:
            return f"(not {e(place, depth)})"
        word = self.pick(["and", "or"])
        parts = [f"c() {word} {e(place, depth)}", f"{e(place, depth)} {word} {e(place, depth)}"]
        if form < 3:
            return f"({parts[form - 1]})"
        other = self.pick(["and", "or"])
        if form < 5:
            return f"({parts[form - 3]} {other} {e(place, depth)})"
        return f"(not ({parts[1]}) {other} {e(place, depth)})"

    def comparison(self, place: Place, depth: int) -> str:
        return self.pick(
            [
                "(n() < n())",
                "(n() <= n() < 2)",
                "(v() is None)",
                "(v() is not None)",
                "(n() in (0, 1))",
                "(0 < n() != n() < 2)",
            ]
            + [f"({self.expression(place, depth)} is not None)"] * 2
            + ["(n() not in {1, 2} and n() == 1)"]
        )

    def call(self, place: Place, depth: int) -> str:
        e = self.expression
        return self.pick(
            [
                f"boom({e(place, depth)})",
                f"c(*[{e(place, depth)}])",
                f"c(\n    {e(place, depth)},\n    {e(place, depth)},\n)",
            ]
        )

    def comprehension(self, place: Place, depth: int) -> str:
        inner = place._replace(names=(*place.names, "i"), walrus=place.walrus and place.kind != "class")
        inner = inner._replace(kind={"generator": "def", "agen": "async"}.get(place.kind, place.kind))
        e = self.expression
        clauses = [f"for i in {self.pick(['items()', '(0, 1)', 'range(n())', '[c()]'])}"]
        if place.asynchronous and self.chance(3):
            clauses = [f"async for i in {self.pick(['steps()', 'asteps()'])}"]
        for _ in range(self.number(0, 2)):
            clauses.append(
                self.pick([f"if {e(inner, depth)}", "if i", "for j in items()", "for j, k in pairs()", "for j in [i]"])
            )
        glue = self.pick([" ", " ", "\n    "])
        form = self.number(0, 4)
        value = e(inner, depth)
        if form == 3:
            value = f"i: {value}"
        text = glue.join([value, *clauses])
        return (
            ["[{}]", "[{}]", "{{n() for i in [0] if not [{}]}}", "{{{}}}", "list({})"][form].format(text)
            if not (form == 4 and ("async" in text or "await" in text))
            else f"[{text}]"
        )

    def inlined(self, place: Place, depth: int) -> str:
        return self.pick(["any", "all", "tuple", "sum"]) + self.pick(
            [
                "(n() > 1 for q in items())",
                "(q for q in items() if q)",
                "(\n    n()\n    for q in items()\n    if c()\n)",
            ]
        )

    def formatted(self, place: Place, depth: int) -> str:
        e = self.expression
        return self.pick(
            [
                f'len(f"{{(1 if {e(place, depth)} else 2)!r:>{{n()}}}}")',
                f'{TEMPLATE}"{{{e(place, 0)}}}{{(c() and {e(place, depth)})}}"',
                f'len(f"""a {{\n    ({e(place, depth)} or c())\n}} b""")',
            ]
        )

    def lambda_call(self, place: Place, depth: int) -> str:
        inner = place._replace(kind="def", names=(*place.names, "p"), walrus=place.walrus and place.kind != "class")
        body = self.expression(inner, depth)
        return self.pick([f"(lambda p: {body})(n())", f"(lambda p=n(): (\n    {body}\n))()"])

    def display(self, place: Place, depth: int) -> str:
        e = self.expression
        return self.pick(
            [
                f"[*items(), {e(place, depth)}]",
                f"{{'k': {e(place, depth)}, **{{}}}}",
                f"({e(place, depth)}, {e(place, depth)})[n(2)]",
                f"[1, 2][n():{e(place, 0)}]",
            ]
        )

    def many_lines(self, place: Place, depth: int) -> str:
        e = self.expression
        return self.pick(
            [
                f"(\n    {e(place, depth)}\n    and {e(place, depth)}\n)",
                f"({e(place, depth)}\n    or\n    {e(place, depth)})",
                f"(\n    {e(place, depth)}\n    if {e(place, depth)}\n    else {e(place, depth)}\n)",
                f"(c(\n)\n    and not (  # a comment: here\n\n        {e(place, depth)}))",
            ]
        )

    def walrus(self, place: Place, depth: int) -> str:
        return f"(w := {self.expression(place._replace(walrus=False), depth)})"

    def awaited(self, place: Place, depth: int) -> str:
        return self.pick(["(await wait())", f"(await wait({self.expression(place, depth)}))"])

    def yielded(self, place: Place, depth: int) -> str:
        options = ["(yield)", f"(yield {self.expression(place, depth)})"]
        return self.pick(options if place.kind == "agen" else [*options, "(yield from items())"])

    # ---- simple statements

    def simple(self, place: Place) -> str:
        """A statement of one logical line."""
        options = [
            self.showing,
            self.assignment,
            self.assignment,
            self.expression_statement,
            self.constant,
            self.assertion,
            self.unpacking,
            self.deletion,
            self.annotated,
            self.alias,
        ]
        if place.kind in ("generator", "agen"):
            options += [self.yielding, self.yielding]
        text = self.pick(options)(place)
        if self.chance(12) and ";" not in text:
            text += f"; {self.assignment(place)}"
        return text

    def showing(self, place: Place) -> str:
        return f"show({self.expression(place, 1)})"

    def assignment(self, place: Place) -> str:
        target = self.pick([*place.names[:2], "x", "x = y"])
        return f"{target} = {self.expression(place)}"

    def expression_statement(self, place: Place) -> str:
        return self.expression(place)

    def constant(self, place: Place) -> str:
        return self.pick(
            [
                "pass",
                "...",
                "'text'",
                "0",
                "None",
                '"""many\n    lines"""',
                "import math",
                "from math import floor as x",
            ]
        )

    def assertion(self, place: Place) -> str:
        e = self.condition(place)
        return self.pick(
            [
                f"assert {e}",
                f"assert {e}, {self.expression(place, 1)}",
                f"assert {e}, (\n    'message')",
                f"assert not {e}",
            ]
        )

    def unpacking(self, place: Place) -> str:
        return self.pick(
            [
                "x, *y = items(), 1",
                "x, y = (pairs() or [(1, 2)])[0]",
                "x, y = n(), c()",
                "*x, = items()",
                "x, (y, *_) = pairs()",
            ]
        )

    def deletion(self, place: Place) -> str:
        return self.pick(["x = y = 1; del x, y", "x = [c(), c()]; del x[n(2)]", "x = {0: c()}\ndel x[\n    n()\n]"])

    def annotated(self, place: Place) -> str:
        e = self.expression(place._replace(walrus=False, kind="def"), 1)
        return self.pick(["x: int = c()", f"x: {e} = {self.expression(place, 1)}", f"x: {e}", "x: 'str'"])

    def alias(self, place: Place) -> str:
        name = self.name("A")
        return f"type {name}{self.pick(TYPE_PARAMETERS)} = list[{self.pick(['int', 'T if c() else 1', 'n()'])}]; look({name})"

    def leaving(self, place: Place) -> str:
        options: list[Callable[[Place], str]] = [self.raising]
        if place.loop:
            options += [lambda place: "break", lambda place: "continue"] * 2
        if place.in_function and place.returns:
            options += [self.returning, self.returning]
        return self.pick(options)(place)

    def returning(self, place: Place) -> str:
        return "return" if place.kind == "agen" else self.pick(["return", f"return {self.expression(place)}"])

    def raising(self, place: Place) -> str:
        options = [
            "raise Oops",
            "raise ValueError(n())",
            "raise KeyError from None",
            f"raise boom(Oops()) from boom({self.expression(place, 0)})",
        ]
        options.append("raise ExceptionGroup('g', [ValueError(), Oops()])")
        if place.handler:
            options += ["raise", "raise"]
        return self.pick(options)

    def yielding(self, place: Place) -> str:
        options = [f"yield {self.expression(place, 1)}", f"x = yield {self.expression(place, 1)}"]
        if place.kind == "generator":
            options += ["yield from items()", "yield from numbers_of(a, b)"]
        return self.pick(options)

    # ---- blocks

    def block(self, place: Place, most: int = 3) -> str:
        """Statements, one below the other."""
        parts = [self.statement(place) for _ in range(self.number(1, most))]
        if self.chance(4):
            parts.append(self.leaving(place))
        return "\n".join(parts)

    def suite(self, place: Place, most: int = 2) -> str:
        """What stands behind a colon: an indented block, or simple statements on the same line."""
        if self.chance(5):
            text = self.leaving(place) if self.chance(2) else self.simple(place)
            if "\n" not in text or text.startswith("assert"):
                return " " + text + "\n"
        return "\n" + indent(self.block(place, most), "    ") + "\n"

    def statement(self, place: Place) -> str:
        if place.depth <= 0 or self.chance(3):
            return self.simple(place)
        options: list[Callable[[Place], str]] = [
            self.if_,
            self.if_,
            self.for_,
            self.for_,
            self.while_,
            self.try_,
            self.try_,
            self.with_,
            self.match_,
            self.function,
            self.class_,
            self.constant_test,
            self.try_star,
            self.endless,
        ]
        if place.asynchronous:
            options += [self.async_for, self.async_for]
        return self.pick(options)(place).rstrip("\n")

    def if_(self, place: Place) -> str:
        inner = place.deeper()
        text = f"if {self.condition(place)}:{self.suite(inner)}"
        for _ in range(self.number(0, 2)):
            text += f"elif {self.condition(place)}:{self.suite(inner)}"
        return text + (f"else:{self.suite(inner)}" if self.chance(2) else "")

    def constant_test(self, place: Place) -> str:
        inner = place.deeper()
        test = self.pick(
            ["TYPE_CHECKING", "0", "1", "not 0", "__debug__", "c() or 1", "c() and 0", "None", "not TYPE_CHECKING"]
        )
        return f"if {test}:{self.suite(inner)}" + (f"else:{self.suite(inner)}" if self.chance(2) else "")

    def for_(self, place: Place) -> str:
        inner = place.deeper(loop=True)
        target, source = self.pick(
            [
                ("i", "items()"),
                ("i", "range(n())"),
                ("x, y", "pairs()"),
                ("a", "(0, 1, 2)"),
                ("i, (x, *y)", "pairs()"),
                ("i", f"(\n    [{self.expression(place, 1)}]\n)"),
                ("(\n    i\n)", "items() or [\n    1]"),
                ("i", "(c() for q in items() if q)"),
                ("i", "[q for q in items()]"),
            ]
        )
        return self.looped(f"for {target} in {source}", inner, place)

    def async_for(self, place: Place) -> str:
        source = self.pick(["steps()", "asteps()", "(\n    steps()\n)"])
        return self.looped(f"async for {self.pick(['i', 'x'])} in {source}", place.deeper(loop=True), place)

    def while_(self, place: Place) -> str:
        e = self.expression
        test = self.pick(
            [
                "c()",
                f"c() and {e(place, 1)}",
                f"not c() or ({e(place, 1)}) and c()",
                f"(\n    c()\n    and {e(place, 1)}\n)",
                "0 < n() < 2",
                f"{self.pick(['any', 'all'])}(q for q in [c(), n()])",
                "(w := c())" if place.walrus else "c()",
            ]
        )
        return self.looped(f"while {test}", place.deeper(loop=True), place)

    def endless(self, place: Place) -> str:
        inner = place.deeper(loop=True)
        head = self.pick(["if c(): break", "if n() == 0:\n    break", "c()", "if n():\n    x = 1\nelse: break"])
        return f"while {self.pick(['True', '1', 'not 0'])}:\n{indent(head, '    ')}\n{indent(self.block(inner, 2), '    ')}\n"

    def looped(self, header: str, inner: Place, place: Place) -> str:
        return f"{header}:{self.suite(inner)}" + (f"else:{self.suite(place.deeper())}" if self.chance(3) else "")

    def try_(self, place: Place) -> str:
        inner = place.deeper()
        handlers = self.number(0, 2)
        text = f"try:{self.suite(inner)}"
        for _ in range(handlers):
            as_name = self.pick(["", "", " as e"])
            text += f"except {self.pick(EXCEPTIONS)}{as_name}:{self.suite(inner._replace(handler=True))}"
        if handlers and self.chance(5):  # it begins with a draw, so that nothing goes on when the stream is dry
            text += f"except:\n    c()\n{indent(self.block(inner._replace(handler=True), 1), '    ')}\n"
        if handlers and self.chance(3):
            text += f"else:{self.suite(inner)}"
        if not handlers or self.chance(3):
            text += f"finally:{self.suite(inner)}"
        return text

    def try_star(self, place: Place) -> str:
        inner = place.deeper()
        handler = inner._replace(returns=False, loop=False, handler=True)
        text = f"try:\n    group()\n{indent(self.block(inner, 1), '    ')}\n"
        for _ in range(self.number(1, 2)):
            text += f"except* {self.pick(EXCEPTIONS[:5])}{self.pick(['', ' as e'])}:{self.suite(handler)}"
        if self.chance(3):
            text += f"else:{self.suite(inner)}"
        return text + (f"finally:{self.suite(inner)}" if self.chance(3) else "")

    def with_(self, place: Place) -> str:
        word = "async with" if place.asynchronous and self.chance(2) else "with"
        items = self.pick(
            [
                "cm()",
                "cm() as x",
                f"cm({self.expression(place, 1)}) as x, cm()",
                "(\n    cm() as x,\n    cm(),\n)",
                "(cm(), cm() as y)",
                f"cm(\n    {self.expression(place, 1)}\n)",
            ]
        )
        return f"{word} {items}:{self.suite(place.deeper())}"

    def match_(self, place: Place) -> str:
        inner = place.deeper()
        text = f"match {self.pick(['v()', 'v()', '(\n    v()\n)', 'v(), c()'])}:\n"
        for _ in range(self.number(1, 3)):
            pattern = self.pick(PATTERNS)
            guard = f" if {self.condition(place)}" if self.chance(3) else ""
            text += indent(f"case {pattern}{guard}:{self.suite(inner)}", "    ")
        last = self.pick(["", "", "_", "q", "q if c()"])
        return text + (indent(f"case {last}:{self.suite(inner)}", "    ") if last else "")

    # ---- definitions

    def decorators(self, place: Place) -> str:
        e = self.expression(place._replace(walrus=False, kind="def"), 1)
        return self.pick(
            [
                "",
                "",
                "",
                "@deco\n",
                f"@deco({e})\n",
                "@deco\n@deco(\n    1,\n    c()\n)\n",
                f"@(deco if {e}\n    else deco)\n",
            ]
        )

    def type_parameters(self, place: Place) -> str:
        """None in a class on 3.12, which does not compile comprehensions and lambdas in what comes after them."""
        without = place.kind == "class" and sys.version_info < (3, 13)
        return "" if without else self.pick(TYPE_PARAMETERS)

    def parameters(self, place: Place) -> str:
        """Of a function that is called with two arguments."""
        e = self.expression(place._replace(walrus=False, kind="def"), 1)
        return self.pick(
            [
                "(a, b)",
                f"(a, b={e})",
                f"(a: {e}, /, b: int = 0, *, k=c()) -> {e}",
                "(\n    a,\n    b=n(),\n    *r,\n)",
                f"(\n    a: (\n        {e}),\n    b: str = '',\n    **k: int\n) -> None",
            ]
        )

    def function(self, place: Place) -> str:
        kind = self.pick(["def", "def", "generator", "async", "agen"])
        return self.defined(place, kind, self.name("f"))

    def defined(self, place: Place, kind: str, name: str, depth: int | None = None) -> str:
        """A function, and calls of it."""
        inner = Place(kind, place.depth - 1 if depth is None else depth)
        word = "async def" if inner.asynchronous else "def"
        head = f"{self.decorators(place)}{word} {name}{self.type_parameters(place)}{self.parameters(place)}:"
        begin = ""
        if place.in_function and "a" in place.names and self.chance(5):
            begin = "def g(): nonlocal a; a = n(); return a\ng()\n"
        if self.chance(6):
            begin = "global g0\ng0 = c()\n" + begin
        if self.chance(5):
            begin = self.pick(["'''doc'''\n", '"""Two\n\n    lines."""\n']) + begin
        body = self.block(inner, 3)
        if kind in ("generator", "agen") and "yield" not in body:
            body += "\nyield a"
        one_line = self.chance(10) and kind == "def"
        text = f"{head} {self.returning(inner)}" if one_line else f"{head}\n{indent(begin + body, '    ')}"
        looks = f"\nlook({name})" if self.chance(4) else ""
        times = self.number(1, 3)
        return f"{text}{looks}\ncall({name}, {times})"

    def class_(self, place: Place) -> str:
        name = self.name("C")
        e = self.expression(place._replace(walrus=False, kind="def"), 1)
        inner = Place("class", place.depth - 1, names=("x", *place.names[:1]), walrus=place.walrus)
        bases = self.pick(["", "(Point)", f"(\n    Point,\n    metaclass=type if {e} else type\n)"])
        head = f"{self.decorators(place)}class {name}{self.type_parameters(place)}{bases}:"
        if self.chance(6):
            return f"{head} x = {self.expression(inner)}\nshow({name}.x)"
        doc = self.pick(["", "", "'''doc'''\n"])
        method = (
            self.defined(inner, self.pick(["def", "generator"]), "method").rpartition("\n")[0] if self.chance(2) else ""
        )
        method = method.replace("\nlook(method)", "")
        called = f"\ncall({name}().method and (lambda a, b: {name}.method(a, b)), 2)" if method else ""
        body = indent(f"{doc}x = n()\n{self.block(inner, 2)}\n{method}", "    ")
        looks = f"\nlook({name})" if self.chance(3) else ""
        return f"{head}\n{body}{looks}{called}"

    # ---- the whole

    def program(self) -> str:
        top = Place("module", 2, names=("g0", "g1"))
        parts = [self.pick(["", "'''A program.'''\n", "# a comment\n\n"]) + "g0 = n()\ng1 = c()"]
        parts.append("def numbers_of(a, b):\n    if a: yield b\n    return a")
        for number in range(self.number(1, 3)):
            kind = self.pick(["def", "def", "generator", "async", "agen"])
            parts.append(self.defined(top, kind, f"f{number}", depth=3))
            if kind == "generator":
                parts.append(f"keep(f{number})")
            if self.chance(2):
                parts.append(self.sleeper())
            if self.chance(2):
                parts.append(f"mark('{'ABA'[number]}')\nresume()\ncall(f0, 2)")
            if self.chance(2):
                parts.append(self.statement(top))
        if self.chance(6):
            parts.append(self.hot())
        return "\n".join(parts) + "\n"

    def sleeper(self) -> str:
        """Generators that sleep in the middle of a line."""
        name = self.name("s")
        body = self.pick(
            [
                "while True: yield a",
                "for i in range(9): yield i if i % 2 else b",
                "while a < 9: a += 1; yield a",
                "for i in items(): yield i; yield b",
                "return [(yield a), (yield b)] if a else (yield b)",
                "yield from (i for i in range(9) if i % 2)",
            ]
        )
        return self.pick(
            [
                f"def {name}(a, b):\n    {body}\nkeep({name})",
                "keep(i for i in range(9) if i % 2)",
                "keep(\n    (i, j)\n    for i in range(3)\n    for j in range(i) if c())",
                f"def {name}(a, b): yield a; yield b; yield\nkeep({name})",
            ]
        )

    def hot(self) -> str:
        """A function whose loops the JIT takes note of where HOT is large; it draws nothing from the stream."""
        test = [
            "i % 3",
            "i == HOT - 2",
            "a and i % 2",
            "i > HOT - 3 or not b",
            "i in (3, HOT - 1)",
            "b is None",
            "0 < i < HOT - 9",
        ]
        step = [
            "x += 1",
            "x -= i if i % 2 else 1",
            "continue",
            "x += sum(j for j in (1, 2))",
            "x = max(k for k in (i, 1))",
        ]
        rare = ["if i == HOT - 1: break", "if i == HOT + a: return x", "if i > HOT: continue", "assert i >= 0"]
        body = [f"if {self.pick(test)}:\n    {self.pick(step)}" for _ in range(self.number(1, 2))]
        if self.chance(2):
            body.append(f"try:\n    if i == HOT - 2: raise Oops\nexcept Oops: {self.pick(step)}\nelse: x += 1")
        body.insert(self.number(0, len(body)), self.pick(rare))
        loop = self.pick(["for i in range(HOT)", "for i, j in enumerate([0] * HOT)", "while (i := i + 1) < HOT"])
        last = self.pick(
            ["return x", "return [j for j in range(HOT) if j % 2] and x", "return any(j > HOT - 2 for j in range(HOT))"]
        )
        lines = indent("\n".join(body), "    ")
        return f"def hot(a, b):\n    x = i = 0\n    {loop}:\n{indent(lines, '    ')}\n    else: x += 1\n    {last}\ncall(hot)"


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Texts of whole programs."""
    return Writer(draw).program()


def runs() -> st.SearchStrategy[tuple[str, int]]:
    """Programs, each with the seed of its stream of decisions."""
    return st.tuples(programs(), st.integers(0, 2**16))
