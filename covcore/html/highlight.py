"""Source as markup, line by line: colours, and conditions where they stand.

The tokens are those of the standard library's tokenize, which is the compiler's own lexer: it knows all of the syntax, and is
ten times as fast as Pygments.

All text of the source passes `escaped`.
"""

import builtins
import html
import io
import keyword
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from tokenize import COMMENT, DEDENT, INDENT, NAME, NEWLINE, NL, NUMBER, OP, STRING, TokenInfo
from typing import NamedTuple

from covcore.analysis.conditions import Condition

BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_")) | {"self", "cls"}
STRINGS = {STRING} | {getattr(tokenize, f"{kind}STRING_{part}") for kind in "FT" for part in ("START", "MIDDLE", "END")}
BETWEEN = {NEWLINE, NL, INDENT, DEDENT, COMMENT}  # what may stand between statements


class Span(NamedTuple):
    """A stretch of a line; columns in characters."""

    start: int
    end: int
    mark: str  # a class of the style sheet, or the index of a condition


def highlighted(text: str, conditions: Mapping[int, Sequence[Span]]) -> list[str]:
    """The markup of each physical line.

    Args:
        text: the source.
        conditions: where they stand, by line from 1.
    """
    lines = text.split("\n")
    colours: list[list[Span]] = [[] for _ in lines]
    try:
        for token, mark in _marked(tokenize.generate_tokens(io.StringIO(text, newline="\n").readline)):
            (first, column), (last, end_column) = token.start, token.end
            for number in range(first, last + 1):
                start = column if number == first else 0
                end = end_column if number == last else len(lines[number - 1])
                colours[number - 1].append(Span(start, end, mark))
    except tokenize.TokenError, SyntaxError, IndexError:
        pass  # what the compiler takes and tokenize does not is shown without colours from there on
    return [
        _markup(line, spans, conditions.get(number, ()))
        for number, (line, spans) in enumerate(zip(lines, colours, strict=True), 1)
    ]


def _marked(tokens: Iterator[TokenInfo]) -> Iterator[tuple[TokenInfo, str]]:
    """The tokens that have a colour, with its class."""
    before = ""  # the token before, if it is on the same logical line
    decorated = False
    for token in tokens:
        kind, text = token.type, token.string
        if kind == NAME:
            mark = _mark_of_name(token, before, decorated)
            if mark:
                yield token, mark
        elif kind in STRINGS:
            yield token, "c" if kind == STRING and not before and text.endswith(('"""', "'''")) else "s"
        elif kind == COMMENT:
            yield token, "c"
        elif kind == NUMBER:
            yield token, "n"
        elif kind == OP and text == "@" and not before:
            decorated = True
            yield token, "d"
        if kind in BETWEEN:
            before = "" if kind != NL else before
            decorated = decorated and kind != NEWLINE
        else:
            before = text


def _mark_of_name(token: TokenInfo, before: str, decorated: bool) -> str:
    text = token.string
    if before in ("def", "class"):
        return "f"
    if keyword.iskeyword(text):
        return "k"
    if not before and keyword.issoftkeyword(text):
        rest = token.line[token.end[1] :].lstrip()
        if rest[:1] not in ("=", ".", ",", ")", ":", "") and not rest.startswith("(") or rest.rstrip().endswith(":"):
            return "k"
    if decorated and before in ("@", "."):
        return "d"
    return "b" if text in BUILTINS and before != "." else ""


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
