"""Why a figure of covcore's is not coverage.py's: the names of docs/differences.md, told by what stands on a line."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def of_statement(text: str, line: int) -> str | None:
    """Why the line is a statement for one of the two alone."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ClassDef(body=[first, *_]) | ast.FunctionDef(body=[first, *_]):
                if node.lineno == line == first.lineno and ast.get_docstring(node) is not None:
                    return "docstring-on-header-line"
    return None


def of_branches(text: str, line: int) -> str | None:
    """Why the possible branches from the line are not the same."""
    tree = ast.parse(text)
    for node in statements_at(tree, line):
        match node:
            case ast.While(test=ast.Constant(), orelse=[_, *_]):
                return "else-of-endless-loop"
            case ast.If(test=ast.BoolOp(values=values)) | ast.While(test=ast.BoolOp(values=values)):
                if any(isinstance(value, ast.Constant) for value in values):
                    return "partly-constant-test"
    for node in ast.walk(tree):
        match node:
            case ast.Try(finalbody=[first, *_]) | ast.TryStar(finalbody=[first, *_]):
                if first.lineno <= line <= (node.end_lineno or 0):
                    return "exits-through-finally"
                if node.lineno < line < first.lineno and leaves_on_its_line(tree, line):
                    return "leaving-one-line-through-finally"
    return None


def of_taken(text: str, line: int) -> str | None:
    """Why, of the same possible branches from the line, one is taken for one of the two alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.With() | ast.AsyncWith():
                if node.lineno < line <= (node.end_lineno or 0) and leaves_on_its_line(tree, line):
                    return "leaving-one-line-through-with"
            case ast.ClassDef(type_params=[_, *_], body=[*_, last]):
                if last.lineno == line:
                    return "end-of-generic-class"
    return None


def leaves_on_its_line(tree: ast.AST, line: int) -> bool:
    """Whether an `if` on the line has its body there, too, and that leaves for somewhere else."""
    for node in statements_at(tree, line):
        match node:
            case ast.If(body=[*_, (ast.Return() | ast.Break() | ast.Continue()) as last]) if last.lineno == line:
                return True
    return False


def statements_at(tree: ast.AST, line: int) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno == line)
