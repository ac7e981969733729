"""Conditions: the operands that decide something inside a line, each with its two outcomes.

A figure of its own beside branches; it never enters the headline.
"""

from typing import NamedTuple


class Condition(NamedTuple):
    """An operand of the source and its two outcomes.

    Attributes:
        line, column, end_line, end_column: where it stands; lines from 1, columns from 0 in UTF-8 bytes.
        text: its source on one line, cut to a reader's measure.
        kind: what decides: "test" (the whole of what an if, while, assert, … tests), "operand" (of `and`, `or`, `not`),
            "comparison" (a link of a chain), "loop" (of a comprehension).
        outcomes: what its two outcomes are called.
        hits: which of them happened.
        knowable: of which of them an event tells; those of which none does are never missing.
        decision: index into the file's decisions; -1: of none.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    kind: str
    outcomes: tuple[str, str]
    hits: tuple[bool, bool]
    knowable: tuple[bool, bool] = (True, True)
    decision: int = -1

    @property
    def missing(self) -> list[str]:
        """The outcomes that never happened though an event would tell."""
        return [
            word
            for word, hit, knowable in zip(self.outcomes, self.hits, self.knowable, strict=True)
            if knowable and not hit
        ]


class Decision(NamedTuple):
    """A boolean expression whose operands are joined by `and` alone or by `or` alone, as MC/DC sees it.

    Attributes:
        line, column, end_line, end_column: where it stands.
        text: its source on one line, cut to a reader's measure.
        conditions: indices of its operands into the file's conditions, from left to right.
        shown: for each operand whether the outcomes show that it alone decides (MC/DC).
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    conditions: tuple[int, ...]
    shown: tuple[bool, ...]

    @property
    def is_covered(self) -> bool:
        return all(self.shown)
