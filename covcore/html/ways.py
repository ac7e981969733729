"""What it means that a branch was never taken: "`n > 0` was never false"."""

import ast
from collections.abc import Callable
from functools import partial

from markupsafe import Markup

from covcore.analysis.outline import Outline
from covcore.errors import printable

LONGEST = 60  # characters of a quotation


class Meanings:
    """What the branches of a text mean.

    `never(line, to)` says it of one, as markup that follows "never taken: ".
    """

    def __init__(self, tree: ast.Module, outline: Outline, lines: list[str]) -> None:
        self._first = outline.first
        self._lines = lines
        self._ways: dict[int, Callable[[int], Markup]] = {}
        self._visit(tree.body, outline)
        for line, definition in outline.one_liners.items():
            self._ways.setdefault(line, partial(_of_definition, name=definition.name))

    def never(self, line: int, to: int) -> Markup:
        """Why; empty if there is nothing to say beyond that it was not taken."""
        way = self._ways.get(line)
        return way(to) if way else Markup()

    def _visit(self, body: list[ast.stmt], outline: Outline) -> None:
        for top in body:
            for node in ast.walk(top):
                match node:
                    case ast.If() | ast.While():
                        self._note(node.lineno, node.body, node.test, "{} was never true", "{} was never false")
                    case ast.For() | ast.AsyncFor():
                        self._note(
                            node.lineno,
                            node.body,
                            node.iter,
                            "the loop over {} was never entered",
                            "the loop over {} never ran to its end",
                        )
                    case ast.Match():
                        for case in node.cases:
                            self._note(
                                outline.case_line(case),
                                case.body,
                                case.pattern,
                                "{} never matched",
                                "{} always matched",
                            )

    def _note(self, line: int, body: list[ast.stmt], quoted: ast.expr | ast.pattern, entered: str, passed: str) -> None:
        line = self._first[line]
        into = self._first[_start(body[0])]
        if into == line:
            return  # the body is on the same line: neither way tells which it is
        quote = _code(self._quote(quoted))
        self._ways.setdefault(line, lambda to: Markup(entered if to == into else passed).format(quote))

    def _quote(self, node: ast.expr | ast.pattern) -> str:
        line = self._lines[node.lineno - 1]
        if node.end_lineno == node.lineno:
            text = line.encode("utf-8", "surrogatepass")[node.col_offset : node.end_col_offset].decode(
                "utf-8", "replace"
            )
        else:
            text = ast.unparse(node)
        text = " ".join(text.split())
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _start(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno


def _of_definition(to: int, *, name: str) -> Markup:
    return Markup("{} never ran" if to < 0 else "{} was never defined").format(_code(name))


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(printable(text))
