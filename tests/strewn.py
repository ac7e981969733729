"""Programs with comments strewn in, for rules to match: every statement that has a clause, multi-line headers, strings."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

COMMENTS = ("# pragma: no cover", "# pragma: no branch", "# BEGIN", "# END", "# SKIP", "# nothing")

EXPRESSIONS = (
    "x",
    "x",
    "x",
    "f({0}\n 1,{1}\n)",
    "x + \\\n 1",
    '"""SKIP\n# pragma: no cover\nz"""',
    'f"{{x:>3}} {{x!r:^{{x}}}}"',
    "{{1: 2,{0}\n 3: 4}}",
    "x[1:2]",
    "(lambda: 0)()",
    "lambda: 0",
)
SIMPLE = (
    "x = {0}",
    "x: int = {0}",
    "{0}",
    "x += {0}",
    "assert {0}",
    "del x",
    "import a, b",
    "...",
    "pass",
    "type X = int",
)
ON_ONE_LINE = (
    "x = 1; y: int = 2",
    "def g(): ...",
    "if x: y = 1",
    "for x in y: pass",
    "while x: y()",
    "with x: y()",
    "class A: z = 1",
    "def h(a: int = 1): return a",
)
DEFINITIONS = (
    "class A:",
    "class A(B):",
    "class A[T](\n  B,{0}\n):",
    "def f():",
    "def f(a, b=1) -> int:",
    "def f[T](a: int,{0}\n  b=lambda: 0) -> Dict[\n  int, int]:",
    "def f(\n  a: int = 3,{0}\n):",
    "async def f(a):",
)
PATTERNS = ("1", "[a, *b]", "(1{0}\n | 2)", "A(x=1)", "{{'k': v}}", "1 if x")
LAST_PATTERNS = ("_", "y", "(_)", "1 | _", "_ if x")
STRINGS = ('"doc"', '"""doc\n# pragma: no cover\nmore"""', '"""doc\n\nEND\n"""')


class Strewn:
    """Makes one program.

    lines: what is made so far
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []

    def program(self, depth: int) -> str:
        self._body("", depth, may_have_docstring=True)
        return "\n".join(self.lines) + "\n"

    def _chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def _comment(self) -> str:
        return "  " + self.random.choice(COMMENTS) if self._chance(18) else ""

    def _from(self, forms: Sequence[str]) -> str:
        return self.random.choice(forms).format(self._comment(), self._comment())

    def _expression(self) -> str:
        return self._from(EXPRESSIONS)

    def _write(self, indent: str, text: str) -> None:
        """Write a logical line; what goes on in a line below it needs no indentation, and strings must not have any."""
        comment = "" if text.endswith("\\") else self._comment()
        self.lines += (indent + text + comment).split("\n")

    def _between(self, indent: str) -> None:
        """What may stand before a line and is none."""
        if self._chance(10):
            self.lines.append(self.random.choice(("", "\f", indent + self.random.choice(COMMENTS), "# END")))

    def _clause(self, indent: str, header: str, depth: int, *, may_have_docstring: bool = False) -> None:
        self._between(indent)
        if self._chance(8):
            self._write(indent, f"{header} {self._from(('pass', 'x = f({0}\n 1)', 'y: int = 1; z = 2'))}")
        else:
            self._write(indent, header)
            self._body(indent + "    ", depth - 1, may_have_docstring=may_have_docstring)

    def _body(self, indent: str, depth: int, *, may_have_docstring: bool = False) -> None:
        if may_have_docstring and self._chance(25):
            self._write(indent, self.random.choice(STRINGS))
        for _ in range(self.random.randint(1, 3)):
            self._between(indent)
            self._statement(indent, depth)

    def _statement(self, indent: str, depth: int) -> None:
        compound = (self._if, self._loop, self._try, self._with, self._match, self._definition, self._definition)
        if depth > 0 and self._chance(60):
            self.random.choice(compound)(indent, depth)
        elif self._chance(15):
            self._write(indent, self.random.choice(ON_ONE_LINE))
        else:
            self._write(indent, self.random.choice(SIMPLE).format(self._expression()))

    def _if(self, indent: str, depth: int) -> None:
        self._clause(indent, f"if {self._expression()}:", depth)
        while self._chance(30):
            self._clause(indent, f"elif {self._expression()}:", depth)
        self._else(indent, depth)

    def _else(self, indent: str, depth: int) -> None:
        if self._chance(45):
            self._clause(indent, "else:", depth)

    def _loop(self, indent: str, depth: int) -> None:
        self._clause(indent, f"{self.random.choice(('while', 'for x in'))} {self._expression()}:", depth)
        self._else(indent, depth)

    def _try(self, indent: str, depth: int) -> None:
        self._clause(indent, "try:", depth)
        word = self.random.choice(("except", "except", "except*"))
        handlers = self.random.randint(0, 2)
        for _ in range(handlers):
            self._clause(indent, f"{word} ({self._expression()}){self.random.choice(('', ' as e'))}:", depth)
        if handlers:
            self._else(indent, depth)
        if not handlers or self._chance(40):
            self._clause(indent, "finally:", depth)

    def _with(self, indent: str, depth: int) -> None:
        items = (self._expression(), "x as y, z", self._from(("({0}\n  a as b,{1}\n  c)",)))
        self._clause(indent, f"with {self.random.choice(items)}:", depth)

    def _match(self, indent: str, depth: int) -> None:
        self._write(indent, f"match {self._expression()}:")
        inner = indent + "    "
        for _ in range(self.random.randint(1, 2)):
            self._clause(inner, f"case {self._from(PATTERNS)}:", depth)
        if self._chance(60):
            self._clause(inner, f"case {self.random.choice(LAST_PATTERNS)}:", depth)

    def _definition(self, indent: str, depth: int) -> None:
        while self._chance(35):
            self._write(indent, f"@{self._expression()}")
            self._between(indent)
        self._clause(indent, self._from(DEFINITIONS), depth, may_have_docstring=True)
