"""Pygments' lexer for Python, with what has no colour in few tokens.

Pygments tries some fifty patterns before it knows that a name is nothing else than a name: most of the time of a page was
spent there.  One pattern before all others takes whole stretches of names, operators and brackets, `self.total += (a - b)`
say, but stops at whatever Pygments may see more in: words that it knows, words before a quote, numbers, decorators.
"""

import keyword

from pygments.lexer import include, inherit, words
from pygments.lexers.python import PythonLexer
from pygments.regexopt import regex_opt
from pygments.token import Number, Operator, Text, Whitespace

# Names that it has in patterns of their own, not in lists.
_OTHER_WORDS = {*keyword.kwlist, *keyword.softkwlist, "lazy", "self", "cls", "Ellipsis", "NotImplemented"}


def _known(*states: str) -> str:
    """A pattern of the words that it knows: in lists of these states, or of all."""
    rules = (rule for state in states or PythonLexer.tokens for rule in PythonLexer.tokens[state])
    lists = (rule[0].words for rule in rules if type(rule) is tuple and isinstance(rule[0], words))
    return regex_opt(_OTHER_WORDS.union(*lists), suffix=r"\b")


_NAME = r"[A-Za-z_]\w*+(?![\"'\x80-\U0010ffff])"  # nor before what may go on with it though it is no word to `re`
_PLAIN = rf"""(?x:(?:[^\S\n]*+(?:
    (?!{_known()}){_NAME}
    | \.(?!\d)(?:(?!{_known("keywords", "expr-keywords", "magicfuncs")}){_NAME})?+
    | [-~+/*%=<>&^|:(),;\[\]{{}}]
    | !=
))++)"""


_BLANK = r"[^\S\n]++(?![rRuUbB]{,2}(?:\"\"\"|''')|match\b|case\b)"  # what begins a line there has rules of its own


class PageLexer(PythonLexer):
    """The colours are those of PythonLexer; what is frequent is tried first, where nothing else would match before it."""

    tokens = {  # noqa: RUF012
        "root": [
            (_PLAIN, Text),
            (r"\n", Whitespace),
            (_BLANK, Whitespace),
            include("keywords"),
            (r"\d++(?![\w.])", Number.Integer),
            (r"(?:and|in|is|not|or)\b", Operator.Word),
            include("builtins"),
            inherit,
        ]
    }
