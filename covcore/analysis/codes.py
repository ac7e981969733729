"""The code objects of one file: those that ran, as recorded, and those that never did, compiled here."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import compress
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple

from covcore._reader import decode_shape, describe
from covcore.store.shapes import flags

if TYPE_CHECKING:
    from covcore._reader import Shape


class Code(NamedTuple):
    """A code object and what of it was hit."""

    qualname: str
    first_line: int
    shape: Shape  # lines, sites, blocks: see src/sites.h
    hits: Sequence[int]  # by slot: 0, or 1 or whatever else it was hit by (bit sets of tests); empty: it never ran
    minor: int = sys.version_info.minor  # of the version of CPython that compiled it: 14 for 3.14

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]

    @property
    def holds_statements(self) -> bool:
        """False for code that comes of an expression: a lambda, a generator expression, a scope of type parameters."""
        name = self.name
        return not name.startswith("<") or name == "<module>"

    def fits(self, n_lines: int) -> bool:
        """Whether it can be of a text of so many lines: whoever compiles an AST may have numbered it otherwise."""
        lines, sites, _ = self.shape
        last = max(self.first_line, lines[-1] if lines else 0, max((site[6] for site in sites), default=0))
        return self.first_line >= 0 and last <= n_lines

    def hit_lines(self) -> Iterator[int]:
        """The physical lines with a LINE event."""
        return compress(self.shape[0], self.hits)


def is_counted(qualname: str) -> bool:
    """Whether what a code object ran counts: annotations run when somebody looks at them, if ever (PEP 649)."""
    return qualname.rpartition(".")[2] != "__annotate__"


def minor_of(tag: str) -> int:
    """The minor version in the tag of an interpreter, such as "cpython-314"; that of this one, if there is none."""
    digits = tag.removeprefix("cpython-3")[:2]
    return int(digits) if digits.isascii() and digits.isdigit() else sys.version_info.minor


def recorded(qualname: str, first_line: int, shape: Shape, bits: bytes, minor: int = sys.version_info.minor) -> Code:
    """A code object from the database.

    Args:
        qualname: its co_qualname.
        first_line: its co_firstlineno.
        shape: its shape, decoded.
        bits: bitmap over its slots; slot 0 is bit 0x80 of byte 0.
        minor: of the version of CPython that compiled it.
    """
    return Code(qualname, first_line, shape, [flag == "1" for flag in flags(bits)], minor)


def whole(source: str | ast.Module, ran: Sequence[Code], optimize: int = -1) -> list[Code]:
    """All code objects of a file that count.

    What ran is taken as recorded: it cannot disagree with the events, whatever compiled it (another version,
    a test tool that rewrites).  Compiled code stands in for the rest, told by qualified name and first line.

    Args:
        source: the text, or its tree, which spares parsing it again.
        ran: the code objects that were recorded.
        optimize: the level of -O they ran under, -1 for that of this interpreter.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as compile() does.
    """
    codes = [code for code in ran if is_counted(code.qualname)]
    at_place = Counter((code.qualname, code.first_line) for code in ran)
    compiled: Counter[tuple[str, int]] = Counter()
    for code in nested(compile(source, "<source>", "exec", dont_inherit=True, optimize=optimize)):
        place = code.co_qualname, code.co_firstlineno
        compiled[place] += 1
        if compiled[place] > at_place[place] and is_counted(code.co_name):
            codes.append(Code(*place, decode_shape(describe(code)), ()))
    return codes


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and all within it."""
    stack = [code]
    while stack:
        code = stack.pop()
        yield code
        stack += (constant for constant in code.co_consts if isinstance(constant, CodeType))
