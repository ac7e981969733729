"""What a source text says of lines and decisions; by tokens, so that it owes nothing to covcore's outline."""

from __future__ import annotations

import ast
import io
import tokenize
from typing import NamedTuple

type Position = tuple[int, int]

_LAYOUT = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE, tokenize.ENDMARKER}
_DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Decision(NamedTuple):
    """A statement that chooses what comes next: where its test stands, and the `with` lines that are around it."""

    start: Position
    end: Position
    passed_over: frozenset[int]


class Text:
    """A program's text.

    Attributes:
        first: physical line -> first line of its logical line.
        docstrings: physical lines that are of one.
        decisions: by logical line.
        one_liners: logical lines of functions and classes with their body on the header's line.
    """

    def __init__(self, text: str) -> None:
        self.first = logical_lines(text)
        self.docstrings: set[int] = set()
        self.decisions: dict[int, Decision] = {}
        self.one_liners: set[int] = set()
        self._lines = text.split("\n")
        self._visit(ast.parse(text), frozenset())

    def _visit(self, node: ast.AST, withs: frozenset[int]) -> None:
        match node:
            case ast.If(test=test) | ast.While(test=test):
                self._decide(node.lineno, (test.lineno, test.col_offset), test, withs)
            case ast.For(iter=test) | ast.AsyncFor(iter=test):
                self._decide(node.lineno, (test.lineno, test.col_offset), test, withs)
            case ast.match_case(pattern=pattern, guard=guard):
                line = pattern.lineno
                while not self._lines[line - 1].lstrip().startswith("case"):
                    line -= 1
                self._decide(line, (line, 0), guard or pattern, withs)
            case ast.With() | ast.AsyncWith():
                withs |= {self.first[node.lineno]}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Module():
                self._define(node)
                withs = frozenset()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.match_case | ast.ExceptHandler):
                self._visit(child, withs)

    def _decide(self, line: int, start: Position, test: ast.expr | ast.pattern, withs: frozenset[int]) -> None:
        assert test.end_lineno is not None and test.end_col_offset is not None
        line = self.first[line]
        self.decisions[line] = Decision(start, (test.end_lineno, test.end_col_offset), withs)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) -> None:
        if node.body and ast.get_docstring(node, clean=False) is not None:
            self.docstrings.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        if isinstance(node, _DEFINITION) and self.first[node.body[0].lineno] == self.first[node.lineno]:
            self.one_liners.add(self.first[node.lineno])


def logical_lines(text: str) -> dict[int, int]:
    """Each physical line of code -> the first line of its logical line."""
    first: dict[int, int] = {}
    begin = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            first |= dict.fromkeys(range(begin, token.start[0] + 1), begin)
            begin = 0
        elif not begin and token.type not in _LAYOUT:
            begin = token.start[0]
    return first
