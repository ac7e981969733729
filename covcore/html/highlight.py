"""Source as markup, line by line: the colours of Pygments, and conditions where they stand.

Colours are most of the markup of a page, so there are few: tokens of one colour that nothing but blanks part are one
element, and what is plain text to the reader has none.

All text of the source passes `escaped`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pygments.lexers import get_lexer_by_name
from pygments.token import Token

from covcore.analysis.conditions import Condition
from covcore.html.lexer import PageLexer

if TYPE_CHECKING:
    from pygments.token import _TokenType

PLAIN = ""
LEXERS = {"Jinja2": "jinja", "Mako": "mako"}  # of Pygments, by template engine
MARKS = {  # classes of the style sheet, by type of token; a type that is not here has that of the one that it belongs to
    Token: PLAIN,
    Token.Comment: "c",
    Token.Keyword: "k",
    Token.Keyword.Constant: "b",
    Token.Name.Builtin: "b",
    Token.Name.Class: "f",
    Token.Name.Decorator: "d",
    Token.Name.Exception: "b",
    Token.Name.Function: "f",
    Token.Number: "n",
    Token.Operator.Word: "k",
    Token.String: "s",
    Token.String.Doc: "c",
}


class Span(NamedTuple):
    """A stretch of a line; columns in characters."""

    start: int
    end: int
    mark: str  # a class of the style sheet, or the index of a condition


def highlighted(text: str, conditions: Mapping[int, Sequence[Span]], engine: str = "") -> list[str]:
    """The markup of each physical line.

    Args:
        text: the source.
        conditions: where they stand, by line from 1.
        engine: of a template, as in FileResult; "" if it is Python.
    """
    lines = text.split("\n")
    return [
        _markup(line, spans, conditions.get(number, ()))
        for number, (line, spans) in enumerate(zip(lines, colours(_tokens(text, engine)), strict=True), 1)
    ]


def colours(tokens: Iterable[tuple[int, _TokenType, str]]) -> Iterator[list[Span]]:
    """Where colours stand, line by line; tokens as Pygments has them."""
    spans: list[Span] = []
    column = 0
    is_apart = False  # whether anything but blanks is between the last span and here
    for _, kind, value in tokens:
        mark = _mark(kind)
        for is_next, part in enumerate(value.split("\n")) if "\n" in value else ((0, value),):
            if is_next:
                yield spans
                spans, column, is_apart = [], 0, False
            end = column + len(part)
            if not mark:
                is_apart = is_apart or not part.isspace() and part != ""
            elif spans and spans[-1].mark == mark and not is_apart:
                spans[-1] = Span(spans[-1].start, end, mark)
            elif part and not part.isspace():
                spans.append(Span(column, end, mark))
                is_apart = False
            column = end
    yield spans


def _tokens(text: str, engine: str) -> Iterable[tuple[int, _TokenType, str]]:
    if not engine:
        return _lexer().get_tokens_unprocessed(text)
    tokens = list(get_lexer_by_name(LEXERS.get(engine, "text")).get_tokens_unprocessed(text))
    is_whole = "".join(value for _, _, value in tokens) == text  # else a pattern of Pygments left something out
    return tokens if is_whole else [(0, Token.Text, text)]


@cache
def _lexer() -> PageLexer:
    return PageLexer()


@cache
def _mark(kind: _TokenType) -> str:
    """The class of a type of token."""
    return MARKS[kind] if kind in MARKS or kind.parent is None else _mark(kind.parent)


def _markup(line: str, colours: Sequence[Span], conditions: Sequence[Span]) -> str:
    if not conditions:
        return "".join(_pieces(line, 0, len(line), colours))
    found = []
    places = sorted({0, len(line), *(place for span in conditions for place in span[:2])})
    for start, end in pairwise(places):
        around = [(span.end - span.start, span.mark) for span in conditions if span.start <= start and end <= span.end]
        pieces = _pieces(line, start, end, colours)
        if around:  # of several at one place the shortest has it
            found += [f'<u data-c="{min(around)[1]}">', *pieces, "</u>"]
        else:
            found += pieces
    return "".join(found)


def _pieces(line: str, start: int, end: int, colours: Sequence[Span]) -> Iterator[str]:
    """A stretch of a line with its colours."""
    at = start
    for first, last, mark in colours:
        first, last = max(first, at), min(last, end)
        if first < last:
            if at < first:
                yield escaped(line[at:first])
            yield f'<i class="{mark}">{escaped(line[first:last])}</i>'
            at = last
    if at < end:
        yield escaped(line[at:end])


def escaped(text: str) -> str:
    """Text as markup; what has no shape of its own, or would change that of its neighbours, is shown as an escape."""
    if text.isprintable():
        return html.escape(text, quote=False)
    return "".join(
        html.escape(c) if c.isprintable() or c == "\t" else f'<b class="x">{c.encode("unicode_escape").decode()}</b>'
        for c in text
    )


def spans_of(conditions: Sequence[Condition], lines: Sequence[str]) -> dict[int, list[Span]]:
    """Where conditions stand, by line; what goes over several lines has a span on each."""
    found: dict[int, list[Span]] = {}
    for index, it in enumerate(conditions):
        for number in range(it.line, it.end_line + 1):
            line = lines[number - 1]
            start = _column(line, it.column) if number == it.line else len(line) - len(line.lstrip())
            end = _column(line, it.end_column) if number == it.end_line else len(line)
            if start < end:
                found.setdefault(number, []).append(Span(start, end, str(index)))
    return found


def _column(line: str, n_bytes: int) -> int:
    """The column in characters of one in bytes of UTF-8."""
    return n_bytes if line.isascii() else len(line.encode("utf-8", "surrogatepass")[:n_bytes].decode("utf-8", "ignore"))
