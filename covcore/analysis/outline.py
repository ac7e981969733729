"""The outline of a source text: its logical lines, decisions, with-blocks, functions and classes.

One light walk over the statements of the AST; expressions are not entered, except that a decision remembers where
its test stands.  A *logical line* is what Python's grammar ends with NEWLINE: a simple statement (or several, with
semicolons), or the header of a compound statement together with a body on the same line.  All figures are by the
number of its first line.
"""

import ast
import re
from typing import NamedTuple, Protocol

EXIT = 0  # stands for leaving the code object where a line is expected

type Position = tuple[int, int]  # line from 1, column from 0 in UTF-8 bytes


class Around(NamedTuple):
    """What stands around a statement, in its code object."""

    withs: frozenset[int] = frozenset()  # logical lines of the with statements: their exits have these lines
    raised: int | None = None  # where an exception goes: a logical line, EXIT, or None where coverage.py counts none
    in_finally: bool = False


class Decision(NamedTuple):
    """A statement that chooses the next line: an `if`, `elif`, `while`, `for`, `async for` or `case`."""

    start: Position  # of what is tested: test, iterator, or pattern with its guard
    end: Position
    passed_over: frozenset[int]  # logical lines that are run through on the way to the next statement
    raises: bool  # its body is on the same line and ends in `raise`
    raised: int | None  # where ways go that end in that `raise`, or in the exception under way of a `finally`


class Region(NamedTuple):
    """A function or class."""

    kind: str  # "function" or "class"
    name: str  # dotted through the functions and classes around it
    first: int  # line of the first decorator, or of the header: the code object's first line
    header: int  # line of `def` or `class`
    body: int  # first line of the body
    end: int  # last line of the body


class OneLiner(NamedTuple):
    """A function or class with its body on the header's line."""

    name: str
    first_line: int  # of its code object
    passed_over: frozenset[int]  # logical lines of its decorators and of the with statements around it
    raises: bool  # whether it is a function whose body ends in `raise`


class Outline:
    """What the walk found.

    Attributes:
        first: for each physical line, the first line of its logical line (its own number between statements);
            index 0 is unused.
        decisions: by logical line; no logical line holds two.
        one_liners: by logical line.
        docstrings: physical lines of docstrings.
        regions: functions and classes in source order.
    """

    def __init__(self, tree: ast.Module, text: str) -> None:
        self._text = text.split("\n")
        self._continued = "\\\n" in text
        self._names: list[str] = []
        self._logical = (0, 0)  # first and last physical line of the logical line that was last seen
        self.first = list(range(len(self._text) + 2))
        self.decisions: dict[int, Decision] = {}
        self.one_liners: dict[int, OneLiner] = {}
        self.docstrings: set[int] = set()
        self.regions: list[Region] = []
        self._note_docstring(tree.body)
        self._visit(tree.body, Around())

    def _note_docstring(self, body: list[ast.stmt]) -> None:
        if body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.docstrings.update(range(body[0].lineno, _end(body[0])[0] + 1))

    def _logical_line(self, line: int, end_line: int) -> int:
        """Take note of a stretch that is of one logical line; return that line's first number."""
        first, last = self._logical
        if line > last and not (self._continued and self._continues(line)):
            first = line
            if line == end_line:
                self._logical = (line, line)
                return line
        for number in range(max(last + 1, first), end_line + 1):
            self.first[number] = first
        self._logical = (first, max(end_line, last))
        return first

    def _continues(self, line: int) -> bool:
        """Whether a backslash joins this physical line to the logical line that was last seen."""
        before = self._text[line - 2] if line > 1 else ""
        return self._logical[1] == line - 1 and before.endswith("\\") and "#" not in before

    def _visit(self, body: list[ast.stmt], around: Around) -> None:
        for node in body:
            visit = _VISITS.get(type(node))
            if visit is not None:
                getattr(self, visit)(node, around)
            else:
                self._logical_line(node.lineno, node.end_lineno or node.lineno)

    def _header(self, line: int, after: Position, body: list[ast.stmt]) -> int:
        """Take note of a compound statement's header.

        Args:
            line: where it begins.
            after: the end of its last expression, or its beginning if there is none.
            body: the statements under it.

        Returns:
            The number of its logical line.
        """
        return self._logical_line(line, self.header_end(after, _start(body[0])))

    def header_end(self, after: Position, body: Position) -> int:
        """The physical line of a header's colon.

        Args:
            after: the end of the header's last expression; only names, brackets and comments may stand between.
            body: where the body begins.
        """
        line, column = after
        body_line, body_column = body
        if body_line == line or (body_line == line + 1 and not self._text[line][:body_column].strip()):
            return line
        rest = self._text[line - 1]
        rest = rest[column:] if rest.isascii() else rest.encode()[column:].decode()
        while ":" not in rest.partition("#")[0] and line < body_line:
            line += 1
            rest = self._text[line - 1]
        return line

    def _visit_if(self, node: ast.If, around: Around) -> None:
        self._decide(node.lineno, node.test, node.body, around)
        self._visit(node.body, around)
        self._visit(node.orelse, around)

    def _visit_while(self, node: ast.While, around: Around) -> None:
        self._decide(node.lineno, node.test, node.body, around)
        self._visit(node.body, around)
        self._visit(node.orelse, around)

    def _visit_for(self, node: ast.For | ast.AsyncFor, around: Around) -> None:
        self._decide(node.lineno, node.iter, node.body, around)
        self._visit(node.body, around)
        self._visit(node.orelse, around)

    def _decide(self, line: int, test: ast.expr, body: list[ast.stmt], around: Around) -> None:
        end = _end(test)
        line = self._header(line, end, body)
        self._note_decision(line, (test.lineno, test.col_offset), end, body, around)

    def _note_decision(self, line: int, start: Position, end: Position, body: list[ast.stmt], around: Around) -> None:
        raises = self._raises(body)
        raised = around.raised if raises or around.in_finally else None
        self.decisions[line] = Decision(start, end, around.withs, raises, raised)

    def _raises(self, body: list[ast.stmt]) -> bool:
        """Whether the body of the header that was noted last is on the same line and ends in `raise`."""
        return body[0].lineno <= self._logical[1] and isinstance(body[-1], ast.Raise)

    def _visit_match(self, node: ast.Match, around: Around) -> None:
        self._logical_line(node.lineno, self.header_end(_end(node.subject), (self.case_line(node.cases[0]), 0)))
        for case in node.cases:
            pattern = case.pattern
            end = _end(case.guard or pattern)
            line = self.case_line(case)
            logical = self._header(line, end, case.body)
            self._note_decision(logical, (line, 0), end, case.body, around)
            self._visit(case.body, around)

    def case_line(self, case: ast.match_case) -> int:
        """The physical line of the word `case`, for which the AST has no position."""
        line = case.pattern.lineno
        while line > 1 and not _CASE.match(self._text[line - 1]):
            line -= 1
        return line

    def _visit_with(self, node: ast.With | ast.AsyncWith, around: Around) -> None:
        last = node.items[-1]
        line = self._header(node.lineno, _end(last.optional_vars or last.context_expr), node.body)
        self._visit(node.body, around._replace(withs=around.withs | {line}))

    def _visit_try(self, node: ast.Try | ast.TryStar, around: Around) -> None:
        self._logical_line(node.lineno, node.lineno)
        handled = node.handlers[0].lineno if node.handlers else None
        self._visit(node.body, around._replace(raised=handled))
        afterwards = around._replace(raised=None) if node.finalbody else around
        for handler in node.handlers:
            after = (handler.lineno, handler.col_offset) if handler.type is None else _end(handler.type)
            self._header(handler.lineno, after, handler.body)
            self._visit(handler.body, afterwards)
        self._visit(node.orelse, afterwards)
        self._visit(node.finalbody, around._replace(in_finally=True))

    def _visit_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, around: Around) -> None:
        decorators = [self._logical_line(d.lineno, _end(d)[0]) for d in node.decorator_list]
        first = decorators[0] if decorators else node.lineno
        body, end = node.body, _end(node)[0]
        header = self._header(node.lineno, _last_of_header(node, body[0].lineno), body)
        self._names.append(node.name)
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        self.regions.append(Region(kind, ".".join(self._names), first, node.lineno, body[0].lineno, end))
        if body[0].lineno <= self._logical[1]:
            passed_over = around.withs.union(decorators)
            raises = kind == "function" and self._raises(body)
            self.one_liners[header] = OneLiner(node.name, first, passed_over, raises)
        else:
            self._note_docstring(body)
        self._visit(body, Around(raised=None if kind == "class" else EXIT))
        self._names.pop()


_CASE = re.compile(r"\s*case\b")

_VISITS = {
    ast.If: "_visit_if",
    ast.While: "_visit_while",
    ast.For: "_visit_for",
    ast.AsyncFor: "_visit_for",
    ast.Match: "_visit_match",
    ast.With: "_visit_with",
    ast.AsyncWith: "_visit_with",
    ast.Try: "_visit_try",
    ast.TryStar: "_visit_try",
    ast.FunctionDef: "_visit_definition",
    ast.AsyncFunctionDef: "_visit_definition",
    ast.ClassDef: "_visit_definition",
}


class _Placed(Protocol):
    """A node of a tree that was parsed."""

    @property
    def end_lineno(self) -> int | None: ...
    @property
    def end_col_offset(self) -> int | None: ...


def _end(node: _Placed) -> Position:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _start(node: ast.stmt) -> Position:
    """Where a statement begins; for a decorated one the line counts and not the column."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list:
        return node.decorator_list[0].lineno, 0
    return node.lineno, node.col_offset


def _last_of_header(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, body_line: int) -> Position:
    """The end of the last expression between `def` or `class` and the colon, or where the statement begins."""
    start = node.lineno, node.col_offset
    if body_line == node.lineno:
        return start
    ends = [start, *map(_end, node.type_params)]
    if isinstance(node, ast.ClassDef):
        ends += map(_end, node.bases)
        ends += map(_end, node.keywords)
    elif node.returns is not None:
        return _end(node.returns)
    else:
        args = node.args
        parts = (*args.posonlyargs, *args.args, *args.defaults, args.vararg, *args.kwonlyargs, *args.kw_defaults)
        ends += (_end(part) for part in (*parts, args.kwarg) if part is not None)
    return max(ends)
