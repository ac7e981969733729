"""Source as markup, line by line: colours by Pygments, and conditions where they stand.

All text of the source passes `escaped`.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Literal, Name, Operator, String, Token, _TokenType

from covcore.analysis.conditions import Condition

CLASSES = {  # of the style sheet; what is not here has no colour of its own
    Comment: "c",
    Keyword: "k",
    Literal.Number: "n",
    Name.Builtin: "b",
    Name.Class: "f",
    Name.Decorator: "d",
    Name.Exception: "b",
    Name.Function: "f",
    Operator.Word: "k",
    String: "s",
    String.Doc: "c",
    String.Interpol: "i",
}

type Span = tuple[int, int, int]  # first column, column after the last, in characters; index of the condition
type Piece = tuple[str, str]  # class, text

_known: dict[_TokenType, str] = {Token: ""}


def highlighted(text: str, spans: Mapping[int, Sequence[Span]]) -> list[str]:
    """The markup of each physical line.

    Args:
        text: the source.
        spans: of the conditions that are marked, by line from 1.
    """
    lines: list[list[Piece]] = [[]]
    for _, kind, value in PythonLexer().get_tokens_unprocessed(text):
        name = _known.get(kind)
        if name is None:
            name = _known[kind] = _class_of(kind)
        parts = value.split("\n")
        _append(lines[-1], name, parts[0])
        for part in parts[1:]:
            lines.append([])
            _append(lines[-1], name, part)
    return [_markup(pieces, spans.get(number, ())) for number, pieces in enumerate(lines, 1)]


def _append(pieces: list[Piece], name: str, text: str) -> None:
    if not text:
        return
    if pieces and (pieces[-1][0] == name or text.isspace()):
        name, before = pieces.pop()
        text = before + text
    pieces.append((name, text))


def _class_of(kind: _TokenType) -> str:
    while kind not in CLASSES and kind.parent is not None:
        kind = kind.parent
    return CLASSES.get(kind, "")


def _markup(pieces: Iterable[Piece], spans: Sequence[Span]) -> str:
    if not spans:
        return "".join(_coloured(name, text) for name, text in pieces)
    found: list[str] = []
    column = 0
    current = -1
    for name, text in pieces:
        for start, end, condition in _cuts(column, len(text), spans):
            if condition != current:
                found.append("</u>" * (current >= 0) + f'<u data-c="{condition}">' * (condition >= 0))
                current = condition
            found.append(_coloured(name, text[start:end]))
        column += len(text)
    return "".join(found) + "</u>" * (current >= 0)


def _cuts(column: int, length: int, spans: Sequence[Span]) -> Iterable[tuple[int, int, int]]:
    """Cut a piece where conditions begin and end; of several at one place the shortest has it."""
    end = column + length
    places = sorted({column, end, *(place for span in spans for place in span[:2] if column < place < end)})
    for first, last in pairwise(places):
        around = [(b - a, index) for a, b, index in spans if a <= first and last <= b]
        yield first - column, last - column, min(around)[1] if around else -1


def _coloured(name: str, text: str) -> str:
    return f'<i class="{name}">{escaped(text)}</i>' if name else escaped(text)


def escaped(text: str) -> str:
    """Text as markup; what has no shape of its own, or would change that of its neighbours, is shown as an escape."""
    if text.isprintable():
        return html.escape(text)
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
                found.setdefault(number, []).append((start, end, index))
    return found


def _column(line: str, n_bytes: int) -> int:
    """The column in characters of one in bytes of UTF-8."""
    return n_bytes if line.isascii() else len(line.encode("utf-8", "surrogatepass")[:n_bytes].decode("utf-8", "ignore"))
