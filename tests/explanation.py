"""Why a figure of covcore's is not coverage.py's: the names of docs/differences.md, told by what stands on a line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import pairwise


def of_statement(text: str, line: int) -> str | None:
    """Why the line is a statement for one of the two alone."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case (
                ast.ClassDef(body=[first, *_])
                | ast.FunctionDef(body=[first, *_])
                | ast.AsyncFunctionDef(body=[first, *_])
            ):
                if node.lineno == line == first.lineno and ast.get_docstring(node) is not None:
                    return "docstring-on-header-line"
    return None


def of_excluded(text: str, line: int) -> str | None:
    """Why covcore alone excludes the statement on the line."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.match_case(pattern=ast.MatchAs(pattern=None) as pattern, guard=None, body=body):
                if pattern.lineno == line and any(it.lineno < (it.end_lineno or 0) for it in body):
                    return "case-above-statement-of-several-lines"
    return of_statement(text, line)


def of_missing(text: str, line: int, arcs: AbstractSet[tuple[int, int]]) -> str | None:
    """Why coverage.py alone has the statement run; arcs: all that it recorded."""
    for node in statements_at(ast.parse(text), line):
        match node:
            case ast.FunctionDef(body=[first, *_]) | ast.AsyncFunctionDef(body=[first, *_]):
                if first.lineno > line and (line, -line) in arcs:
                    return "out-of-stack"
    return None


def of_branches(text: str, line: int, theirs: AbstractSet[int], ours: AbstractSet[int]) -> str | None:
    """Why the possible branches from the line are not the same; theirs, ours: where they lead to."""
    if not ours:
        return of_no_branches(text, line)
    if ours - theirs and ours - theirs <= set(next_except_stars(text, line)):
        return "after-except-star"
    for node in clauses(text):
        if node.finalbody[0].lineno <= line <= (node.end_lineno or 0) and theirs < ours:
            return "exits-through-finally"
        if is_left_within(node, text, line):
            return "leaving-one-line-through-finally"
    return None


def of_no_branches(text: str, line: int) -> str | None:
    """Why covcore counts no branch from the line."""
    if has_constant_part(text, line):
        return "partly-constant-test"
    for node in statements_at(ast.parse(text), line):
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.orelse:
            return "else-of-endless-loop"
    if any(is_left_within(node, text, line) for node in clauses(text)):
        return "leaving-one-line-through-finally"
    return None


def of_taken(text: str, line: int, to: int) -> str | None:
    """Why covcore says that a possible branch was taken, and coverage.py that it was not."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.With() | ast.AsyncWith():
                if node.lineno < line <= (node.end_lineno or 0) and leaves_on_its_line(tree, line):
                    return "leaving-one-line-through-with"
            case ast.ClassDef(body=body) if to == -first_line(node):
                if any(isinstance(it, ast.AnnAssign) for statement in body for it in ast.walk(statement)):
                    return "end-of-class-with-annotations"
    return None


def of_not_taken(text: str, line: int, to: int) -> str | None:
    """The other way round: covcore says that it was not taken, and coverage.py that it was."""
    for node in statements_at(ast.parse(text), line):
        match node:
            case ast.FunctionDef(type_params=[_, *_], body=[first, *_]) if first.lineno == line == -to:
                return "one-line-generic-function"
    return None


def clauses(text: str) -> Iterator[ast.Try | ast.TryStar]:
    """The statements with a `finally`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Try | ast.TryStar) and node.finalbody:
            yield node


def next_except_stars(text: str, line: int) -> Iterator[int]:
    """The line of the `except*` that follows the one whose body the line stands in."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.TryStar):
            for handler, following in pairwise(node.handlers):
                if handler.lineno < line <= (handler.end_lineno or 0):
                    yield following.lineno


def is_left_within(node: ast.Try | ast.TryStar, text: str, line: int) -> bool:
    """Whether the line stands before the statement's `finally`, and leaves for somewhere else."""
    return node.lineno < line < node.finalbody[0].lineno and leaves_on_its_line(ast.parse(text), line)


def has_constant_part(text: str, line: int) -> bool:
    """Whether the test of an `if` or `while` on the line, or the guard of a `case`, is constant in part."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.match_case(guard=ast.Constant() | ast.JoinedStr(values=[ast.Constant()])):
                if node.pattern.lineno == line:
                    return True
            case ast.If(test=ast.BoolOp(values=values)) | ast.While(test=ast.BoolOp(values=values)):
                if node.lineno == line and any(isinstance(value, ast.Constant) for value in values):
                    return True
    return False


def first_line(node: ast.ClassDef) -> int:
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def leaves_on_its_line(tree: ast.AST, line: int) -> bool:
    """Whether an `if` on the line has its body there, too, and that leaves for somewhere else."""
    for node in statements_at(tree, line):
        match node:
            case ast.If(body=[*_, (ast.Return() | ast.Break() | ast.Continue()) as last]) if last.lineno == line:
                return True
    return False


def statements_at(tree: ast.AST, line: int) -> Iterator[ast.stmt]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno == line)
