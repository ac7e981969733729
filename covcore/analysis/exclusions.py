"""Which lines the user does not want counted, and which branches not missed.

The rules are regular expressions searched in the whole text, and what they mean is coverage.py's, so that its
users' comments and settings keep working (https://coverage.readthedocs.io/en/latest/excluding.html): a match on the
header of a clause (`if`, `else`, `except`, `case`, …) excludes the clause, a match on a decorator or a `def` or
`class` header the whole definition, any other match its logical line.  A branch that leads to an excluded line is
no branch; a branch from a line that matches a partial rule is never missed.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from covcore.analysis.outline import Outline


class Rule(NamedTuple):
    """A regular expression, and words of which a text must hold one for it to match (none: any text may match)."""

    pattern: str
    words: tuple[str, ...] = ()

    def matched_lines(self, text: str) -> Iterator[int]:
        """The physical lines from the start to the end of each match."""
        if self.words and not any(word in text for word in self.words):
            return
        line = 1
        at = 0
        for match in re.finditer(self.pattern, text, re.MULTILINE):
            start, end = match.span()
            line += text.count("\n", at, start)
            at = start
            yield from range(line, line + text.count("\n", start, end) + 1)


NO_COVER = Rule(r"#\s*(?:pragma|PRAGMA)[:\s]?\s*(?:no|NO)\s*(?:cover|COVER)", ("cover", "COVER"))
PLACEHOLDER = Rule(r"^\s*(?:(?:(?:async )?def .*?)?[\])]+(?:\s*->.*?)?:\s*)?\.\.\.\s*(?:#|$)", ("...",))
TYPE_CHECKING = Rule(r"^\s*if (?:typing\.)?TYPE_CHECKING:", ("TYPE_CHECKING:",))
NO_BRANCH = Rule(r"#\s*(?:pragma|PRAGMA)[:\s]?\s*(?:no|NO)\s*(?:branch|BRANCH)", ("branch", "BRANCH"))


class Settings(Protocol):
    """Lists of regular expressions, under the names that coverage.py gives them; None: the default."""

    exclude_lines: Sequence[str] | None
    exclude_also: Sequence[str]
    partial_branches: Sequence[str] | None
    partial_also: Sequence[str]


class Rules(NamedTuple):
    """The rules of a report."""

    exclude: tuple[Rule, ...] = (NO_COVER, PLACEHOLDER, TYPE_CHECKING)
    partial: tuple[Rule, ...] = (NO_BRANCH,)

    @classmethod
    def configured(
        cls,
        exclude_lines: Sequence[str] | None = None,
        exclude_also: Sequence[str] = (),
        partial_branches: Sequence[str] | None = None,
        partial_also: Sequence[str] = (),
    ) -> Rules:
        """The rules that settings of these names ask for: `_lines` and `_branches` replace the defaults, `_also` adds.

        Raises:
            ValueError: a pattern is no regular expression.
        """
        default = cls()
        exclude = default.exclude if exclude_lines is None else _rules(exclude_lines)
        partial = default.partial if partial_branches is None else _rules(partial_branches)
        return cls(exclude + _rules(exclude_also), partial + _rules(partial_also))

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The rules that checked settings ask for."""
        return cls.configured(
            settings.exclude_lines, settings.exclude_also, settings.partial_branches, settings.partial_also
        )


def _rules(patterns: Iterable[str]) -> tuple[Rule, ...]:
    for pattern in patterns:
        try:
            re.compile(pattern, re.MULTILINE)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return tuple(map(Rule, patterns))


def matches(rules: Iterable[Rule], text: str) -> dict[int, str]:
    """The physical lines that rules match, each with the first pattern that does.

    They see the text as coverage.py's do: a newline ends each line, and a form feed is a space.
    """
    found: dict[int, str] = {}
    text = text.replace("\f", " ")
    if not text.endswith("\n"):
        text += "\n"
    for rule in rules:
        for line in rule.matched_lines(text):
            found.setdefault(line, rule.pattern)
    return found


def excluded(
    rules: Iterable[Rule], text: str, tree: ast.Module, outline: Outline, statements: Iterable[int]
) -> dict[int, str]:
    """The statements that rules exclude.

    Args:
        rules: the excluding ones.
        text, tree, outline: the source, parsed and outlined.
        statements: all logical lines with code.

    Returns:
        For each excluded statement the pattern that excluded it.
    """
    matched = matches(rules, text)
    if not matched:
        return {}
    spread = _Spread(matched, text, outline, sorted(statements))
    spread.visit(tree.body)
    return {line: spread.lines[line] for line in statements if line in spread.lines}


class _Spread:
    """Spreads matches from lines to what these lines head.

    Attributes:
        lines: excluded lines, logical and (inside of excluded clauses) physical ones -> pattern.
    """

    def __init__(self, matched: dict[int, str], text: str, outline: Outline, statements: list[int]) -> None:
        self._matched = matched
        self._sorted = sorted(matched)
        self._text = text.split("\n")
        self._outline = outline
        self._statements = statements
        self.lines: dict[int, str] = {}
        for line, pattern in matched.items():
            self.lines.setdefault(outline.first[line], pattern)

    def visit(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            first, last = _lines(node)
            if self._match_within(first, last) is None:
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._visit_definition(node, first, last)
            elif isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While):
                self._visit_clause(node.lineno, node.body)
                self._visit_else(node.body, node.orelse)
            elif isinstance(node, ast.With | ast.AsyncWith):
                self._visit_clause(node.lineno, node.body)
            elif isinstance(node, ast.Try | ast.TryStar):
                self._visit_try(node)
            elif isinstance(node, ast.Match):
                self._visit_match(node, last)

    def _match_within(self, first: int, last: int) -> str | None:
        """The pattern that matches one of these physical lines, if any does."""
        at = bisect_left(self._sorted, first)
        if at < len(self._sorted) and self._sorted[at] <= last:
            return self._matched[self._sorted[at]]
        return None

    def _exclude(self, first: int, last: int, pattern: str) -> None:
        for line in range(first, last + 1):
            self.lines.setdefault(line, pattern)

    def _visit_clause(self, header: int, body: Sequence[ast.stmt]) -> None:
        """Exclude a clause if its header is matched, from the word that begins it to the colon."""
        first, last = _lines(body[0])[0], _lines(body[-1])[1]
        pattern = self._match_within(header, max(header, self._header_end(header, first)))
        if pattern is not None:
            self._exclude(header, last, pattern)
        else:
            self.visit(body)

    def _header_end(self, header: int, body: int) -> int:
        """The last physical line of the logical line that begins here, but not beyond where the body begins."""
        first = self._outline.first
        line = header
        while line < body and first[line + 1] == header:
            line += 1
        return line

    def _visit_else(self, before: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> None:
        """The clause of an `else` or `finally`, for which the AST has no position; an `elif` is a statement."""
        if not body:
            return
        words = range(_lines(body[0])[0], _lines(before[-1])[1], -1)
        header = next((line for line in words if _ELSE.match(self._text[line - 1])), None)
        if header is None:
            self.visit(body)
        else:
            self._visit_clause(header, body)

    def _visit_try(self, node: ast.Try | ast.TryStar) -> None:
        self._visit_clause(node.lineno, node.body)
        before = node.body
        for handler in node.handlers:
            self._visit_clause(handler.lineno, handler.body)
            before = handler.body
        self._visit_else(before, node.orelse)
        self._visit_else(node.orelse or before, node.finalbody)

    def _visit_definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, first: int, last: int
    ) -> None:
        header_end = self._header_end(node.lineno, last)
        pattern = self._match_within(first, header_end)
        if pattern is not None:
            self._exclude(first, last, pattern)
        else:
            self.visit(node.body)

    def _visit_match(self, node: ast.Match, last: int) -> None:
        pattern = self._match_within(node.lineno, self._header_end(node.lineno, last))
        if pattern is not None:
            self._exclude(node.lineno, last, pattern)
            return
        for case in node.cases:
            header = self._outline.case_line(case)
            self._visit_clause(header, case.body)
            # As an `else` line is no statement, a `case _:` above an excluded body shall not stay behind as one.
            if _is_irrefutable(case):
                self._exclude_header_of_excluded(header, case.body)

    def _exclude_header_of_excluded(self, header: int, body: Sequence[ast.stmt]) -> None:
        first, last = _lines(body[0])[0], _lines(body[-1])[1]
        statements = self._statements[bisect_left(self._statements, first) : bisect_left(self._statements, last + 1)]
        if statements and all(line in self.lines for line in statements):
            self._exclude(header, header, self.lines[statements[0]])


_ELSE = re.compile(r"\s*(?:else|finally)\b")


def _lines(node: ast.stmt) -> tuple[int, int]:
    """The first and the last physical line of a statement, decorators included."""
    assert node.end_lineno is not None
    decorators = getattr(node, "decorator_list", None)
    return (decorators[0].lineno if decorators else node.lineno), node.end_lineno


def _is_irrefutable(case: ast.match_case) -> bool:
    """Whether a case always matches: a wildcard or a bare name (or an alternative of such), and no guard."""
    pattern = case.pattern
    while True:
        match pattern:
            case ast.MatchOr(patterns=[*_, last]):
                pattern = last
            case ast.MatchAs(pattern=ast.pattern() as inner):
                pattern = inner
            case _:
                return case.guard is None and isinstance(pattern, ast.MatchAs)
