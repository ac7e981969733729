"""Templates: files that are not Python, but from which a template engine made some (covcore/store/templates.py).

Their code objects have the lines of the template already.  All of them are recorded as soon as one is met, so that nothing has to be
compiled to know what never ran.  A statement is a line of the template at which code begins; any of them may decide which comes next.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable

from covcore.analysis.outline import Decision, Outline
from covcore.store.templates import MARK


def engine_of(qualnames: Iterable[str]) -> str:
    """The template engine that made code objects of these names; "" if they are Python's own."""
    return next((name.partition(MARK)[0] for name in qualnames if MARK in name), "")


def parsed(text: str, engine: str) -> tuple[ast.Module, Outline]:
    """The tree of a text and its outline; the tree of a template is empty.

    Args:
        text: the source.
        engine: the template engine that it is for; "" if it is Python.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is not Python, as ast.parse() says.
    """
    if engine:
        tree = ast.Module([], [])
        outline = Outline(tree, text)
        outline.decisions = {
            line: Decision((line, -1), (line, -1), frozenset(), raises=False, raised=None) for line in outline.first[1:]
        }
        return tree, outline
    with warnings.catch_warnings(action="ignore"):  # the program's own run has shown them
        tree = ast.parse(text)
    return tree, Outline(tree, text)
