"""What it means that a branch was never taken: "`n > 0` was never false"."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from covcore.analysis.outline import Outline
from covcore.errors import printable

LONGEST = 60  # characters of a quotation
PHRASES = (  # each is of a way into a body, or of the other way
    "{} was never true",
    "{} was never false",
    "the loop over {} was never entered",
    "the loop over {} never ran to its end",
    "{} never matched",
    "{} always matched",
    "{} was never defined",
    "{} never ran",
)
TEST, LOOP, CASE, DEFINITION = 0, 2, 4, 6
UNKNOWN = -1  # in place of a phrase


class Decision(NamedTuple):
    """What the branches of a statement mean.

    Attributes:
        phrase: the first of its two.
        into: where the first way leads; of a definition: anywhere but out.
        quote: what the phrase is about.
    """

    phrase: int
    into: int
    quote: str

    def meaning(self, to: int) -> int:
        """The index of the phrase that says what it means if the way to a line is never taken."""
        if self.phrase == DEFINITION:
            return self.phrase + (to < 0)
        return self.phrase + (to != self.into)


def decisions(tree: ast.Module, outline: Outline, lines: list[str]) -> dict[int, Decision]:
    """What branches mean, by the statement that they leave; statements with a body on their own line are not there."""
    found: dict[int, Decision] = {}
    for phrase, line, body, quoted in _statements(tree.body, outline):
        line, into = outline.first[line], outline.first[_start(body)]
        if into != line:
            found.setdefault(line, Decision(phrase, into, _quote(quoted, lines)))
    for line, definition in outline.one_liners.items():
        found.setdefault(line, Decision(DEFINITION, 0, printable(definition.name)))
    return found


def _statements(body: list[ast.stmt], outline: Outline) -> Iterator[tuple[int, int, ast.stmt, ast.expr | ast.pattern]]:
    """All that decide: the first of their phrases, their line, what their body begins with, what they test."""
    stack: list[ast.AST] = [*body]
    while stack:
        node = stack.pop()
        match node:
            case ast.If() | ast.While():
                yield TEST, node.lineno, node.body[0], node.test
            case ast.For() | ast.AsyncFor():
                yield LOOP, node.lineno, node.body[0], node.iter
            case ast.match_case():
                yield CASE, outline.case_line(node), node.body[0], node.pattern
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            stack += getattr(node, field, ())


def _quote(node: ast.expr | ast.pattern, lines: list[str]) -> str:
    line = lines[node.lineno - 1]
    if node.end_lineno != node.lineno:
        text = ast.unparse(node)
    elif line.isascii():
        text = line[node.col_offset : node.end_col_offset]
    else:
        text = line.encode("utf-8", "surrogatepass")[node.col_offset : node.end_col_offset].decode("utf-8", "replace")
    text = " ".join(text.split())
    return printable(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _start(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno
