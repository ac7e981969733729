"""MC/DC where it comes free: each operand of a decision was shown to decide it alone.

Modified condition/decision coverage (DO-178C, level A; J. J. Chilenski and S. P. Miller, "Applicability of modified
condition/decision coverage to software testing", Software Engineering Journal 9 (5), 1994) asks, for each operand, for two
evaluations in which the operand and the decision's result differ while all others are the same or masked.  Python's
operators leave the operands that they mask unevaluated.

In general that takes a record of each evaluation as a whole, and there is none: events tell which outcomes each
operand had, not which of them went together.  But where the decision's diagram is a tree, that is, where each operand
is reached in one way only, an outcome tells the whole evaluation up to it:

    a and b and c           a ──true──> b ──true──> c ──true──> True         c false: a and b were true
                            └─> False   └─> False   └─> False                 b false: a was true, c is masked

Here `b` false and `c` true are the two evaluations that show b.  So it is for all `and`, all `or`, and for `a and (b or c)`,
with `not` anywhere; each such decision of which all outcomes were seen has full MC/DC (C. Comar, J. Guitton,
O. Hainque, T. Quinot, "Formalization and comparison of MCDC and object branch coverage criteria", ERTS 2012).  In
`(a and b) or c` there are two ways to c, and nothing is said of it.  The links of a chained comparison count as operands.
"""

import ast
from collections.abc import Sequence
from typing import NamedTuple

FALSE, TRUE = -2, -1  # results, where a number of a step is expected


class Decision(NamedTuple):
    """A decision whose diagram is a tree.

    Attributes:
        line, column, end_line, end_column: where it stands.
        text: its source on one line, cut to a reader's measure.
        conditions: indices of its operands into the file's conditions, from left to right.
        shown: for each operand whether the outcomes show that it decides alone.
        next: for each operand what comes next if it is true, and if it is false: an operand's place among these, TRUE or FALSE.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    conditions: tuple[int, ...]
    shown: tuple[bool, ...]
    next: Sequence[Sequence[int]]

    @property
    def is_covered(self) -> bool:
        return all(self.shown)


class Step(NamedTuple):
    """An operand in a diagram, and what comes next: the number of a step, or a result."""

    leaf: tuple[int, int]  # id of the node, link of a chained comparison or -1
    when_true: int
    when_false: int


def diagram(test: ast.expr) -> list[Step] | None:
    """The steps of evaluating a test, from left to right; None if the diagram is no tree."""
    steps: list[Step] = []  # from right to left: what comes next is known already

    def add(leaf: tuple[int, int], when_true: int, when_false: int) -> int:
        steps.append(Step(leaf, when_true, when_false))
        return len(steps) - 1

    def enter(node: ast.expr, when_true: int, when_false: int) -> int:
        match node:
            case ast.UnaryOp(op=ast.Not()):
                return enter(node.operand, when_false, when_true)
            case ast.BoolOp(op=ast.And()):
                for part in reversed(node.values):
                    when_true = enter(part, when_true, when_false)
                return when_true
            case ast.BoolOp():
                for part in reversed(node.values):
                    when_false = enter(part, when_true, when_false)
                return when_false
            case ast.Compare(ops=[_, _, *_]):
                for link in reversed(range(len(node.ops))):
                    when_true = add((id(node), link), when_true, when_false)
                return when_true
            case ast.IfExp():
                raise _NoTree
        return add((id(node), -1), when_true, when_false)

    try:
        enter(test, TRUE, FALSE)
    except _NoTree:
        return None
    targets = [to for step in steps for to in step[1:] if to >= 0]
    if len(targets) != len(set(targets)):
        return None
    last = len(steps) - 1
    return [
        Step(leaf, *(to if to < 0 else last - to for to in (when_true, when_false)))
        for leaf, when_true, when_false in reversed(steps)
    ]


class _NoTree(Exception):
    """A diagram with more than one way to some step."""


def shown(steps: Sequence[Step], outcomes: Sequence[tuple[bool, bool]]) -> tuple[bool, ...]:
    """For each operand of a tree whether it was shown to decide alone.

    Args:
        steps: the diagram.
        outcomes: for each step whether its operand was ever true, and ever false.
    """
    results: dict[int, set[int]] = {TRUE: {TRUE}, FALSE: {FALSE}}  # those that evaluations came to, by step
    found = []
    for number in reversed(range(len(steps))):
        was_true, was_false = outcomes[number]
        if_true = results[steps[number].when_true] if was_true else set()
        if_false = results[steps[number].when_false] if was_false else set()
        found.append(any(one != other for one in if_true for other in if_false))
        results[number] = if_true | if_false
    return tuple(reversed(found))
