"""Which tests ran which lines and branches of a file."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from covcore.analysis import branches
from covcore.analysis.branches import Branch
from covcore.analysis.codes import Code, is_counted, minor_of
from covcore.analysis.outline import Outline
from covcore.analysis.templates import engine_of, parsed
from covcore.store.database import CodeHits
from covcore.store.shapes import flags, n_slots


class ByTest(NamedTuple):
    """Bit sets of tests: test number n is bit n."""

    lines: dict[int, int]  # of logical lines, by their first; those that some test ran
    branches: dict[Branch, int]  # from -> to, as in FileResult; ways that are no branches are among them
    first: Sequence[int]  # for each physical line of the text, the first of its logical line


def by_test(text: str | None, hits: Iterable[CodeHits], number_of: dict[int, int]) -> ByTest:
    """Say which tests ran what.

    Args:
        text: the source that was measured; None if it cannot be had or is not Python: then physical lines stand for logical
            ones, and there are no branches.
        hits: what was hit of the file's code objects.
        number_of: context id -> number of its test; contexts that are not in it do not count.
    """
    codes = [_with_tests(one, number_of) for one in hits if is_counted(one.qualname)]
    outline = None if text is None else _outline(text, engine_of(code.qualname for code in codes))
    if text is None or outline is None:
        most = max((code.shape[0][-1] for code in codes if code.shape[0]), default=0)
        first: Sequence[int] = range(most + 1)
        return ByTest(_lines(codes, first), {}, first)
    codes = [code for code in codes if code.fits(text.count("\n") + 1)]
    lines = _lines(codes, outline.first)
    return ByTest(lines, branches.takers(codes, outline, lines), outline.first)


def _outline(text: str, engine: str) -> Outline | None:
    try:
        return parsed(text, engine)[1]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _with_tests(one: CodeHits, number_of: dict[int, int]) -> Code:
    """A code object whose hits are bit sets of tests."""
    tests = [0] * n_slots(one.shape)
    for bits, contexts in one.patterns:
        members = 0
        for context in contexts:
            if context in number_of:
                members |= 1 << number_of[context]
        if members:
            for slot, flag in zip(range(len(tests)), flags(bits), strict=False):
                if flag == "1":
                    tests[slot] |= members
    return Code(one.qualname, one.first_line, one.shape, tests, minor_of(one.tag))


def _lines(codes: Iterable[Code], first: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for code in codes:
        for line, tests in zip(code.shape[0], code.hits, strict=False):
            if tests and line > 0:
                found[first[line]] = found.get(first[line], 0) | tests
    return found
