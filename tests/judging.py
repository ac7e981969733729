"""The truth about conditions, found without events: the program itself is rewritten to tell what its operands were.

Each operand that a statement or operator tests is wrapped in a call that notes whether it is true and hands it on:

    if a and not b: …      ->      if _test(0, a) and not _test(1, b): …

A link of a chained comparison is noted by a stand-in for its left side, a comprehension's loop by a stand-in for what
it runs over.  As a script (`python judging.py OUT PROGRAM ..`) it runs programs so rewritten and writes what they told.
"""

from __future__ import annotations

import ast
import contextlib
import json
import operator
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

type Key = tuple[int, int, int, int, str]  # line, column, end line, end column; "loop", "link" or "test"
type Verdict = dict[Key, list[bool]]  # an operand -> whether it was ever true (entered), ever false (finished)


# Whether in `(a and b) or c` all ways through `a and b` meet before its value is tested.
VALUES_MEET = sys.version_info < (3, 14)


class Use(Enum):
    """What the value of an expression is for."""

    VALUE = 0  # for anything: nobody acts upon whether it is true
    TESTED = 1  # an operand of `and` or `or` within such a value
    JUMP = 2  # to decide where to go on


class Rewriter:
    """Rewrites the expressions of a tree in place.

    Attributes:
        keys: the operands, as the calls number them.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.keys: list[Key] = []
        self.rewrite_below(tree)
        ast.fix_missing_locations(tree)

    def rewrite_below(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            use = Use.JUMP if name in ("test", "ifs", "guard") else Use.VALUE
            if name in ("annotation", "returns"):
                continue
            if isinstance(value, list):
                value[:] = [self.rewrite(item, use) for item in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, self.rewrite(value, use))

    def rewrite(self, node: Any, use: Use) -> Any:
        match node:
            case ast.BoolOp() if use is Use.TESTED and VALUES_MEET:
                return self.note(node, use)
            case ast.BoolOp():
                *others, last = node.values
                other_use = Use.JUMP if use is Use.JUMP else Use.TESTED
                node.values = [*(self.rewrite(part, other_use) for part in others), self.rewrite(last, use)]
                return node
            case ast.UnaryOp(op=ast.Not(), operand=ast.BoolOp()) if use is Use.TESTED:
                node.operand = self.note(node.operand, Use.VALUE)
                return node
            case ast.UnaryOp(op=ast.Not()):
                node.operand = self.rewrite(node.operand, use)
                return node
            case ast.IfExp() if use is Use.JUMP:
                node.test, node.body, node.orelse = (self.rewrite(p, use) for p in (node.test, node.body, node.orelse))
                return node
            case ast.Compare(ops=[_, _, *_]) if use is not Use.TESTED:
                return self.rewrite_chain(node, use)
            case ast.comprehension():
                number = self.key(node.iter, node.iter, "loop")
                self.rewrite_below(node)
                node.iter = call("_async_loop" if node.is_async else "_loop", number, node.iter)
            case ast.Constant() | ast.Name(id="__debug__"):
                pass
            case ast.AST() if use is Use.VALUE:
                self.rewrite_below(node)
            case ast.AST():
                return self.note(node, use)
        return node

    def note(self, node: ast.AST, use: Use) -> ast.expr:
        """Note whether an expression is true."""
        assert isinstance(node, ast.expr)
        number = self.key(node, node, "test")
        if isinstance(node, (ast.BoolOp, ast.Compare)):
            node = self.rewrite(node, Use.VALUE)
        else:
            self.rewrite_below(node)
        return call("_test", number, node)

    def rewrite_chain(self, node: ast.Compare, use: Use) -> ast.expr:
        sides = [node.left, *node.comparators]
        n_links = len(node.ops) if use is Use.JUMP else len(node.ops) - 1
        numbers = [self.key(sides[i], sides[i + 1], "link") for i in range(n_links)]
        sides = [self.rewrite(side, Use.VALUE) for side in sides]
        for i, number in enumerate(numbers):
            sides[i] = call("_Left", number, sides[i])
        node.left, *node.comparators = sides
        return node

    def key(self, first: ast.expr, last: ast.expr, word: str) -> int:
        assert last.end_lineno is not None and last.end_col_offset is not None
        self.keys.append((first.lineno, first.col_offset, last.end_lineno, last.end_col_offset, word))
        return len(self.keys) - 1


def call(name: str, number: int, node: Any) -> ast.expr:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [ast.Constant(number), node], []), node)


def run(text: str, path: str) -> Verdict:
    """Run a program, whatever it raises, and tell what its operands were."""
    tree = ast.parse(text)
    rewriter = Rewriter(tree)
    seen = [[False, False] for _ in rewriter.keys]

    def test(number: int, value: Any) -> Any:
        seen[number][not value] = True
        return value

    def loop(number: int, items: Any) -> Any:
        return noted(number, iter(items))

    def noted(number: int, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            seen[number][0] = True
            yield item
        seen[number][1] = True

    async def async_loop(number: int, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in items:
            seen[number][0] = True
            yield item
        seen[number][1] = True

    class Left:
        """The left side of a link."""

        def __init__(self, number: int, value: Any) -> None:
            self.number = number
            self.value = value

    def compares(operate: Callable[[Any, Any], Any]) -> Callable[[Left, Any], Any]:
        def compare(self: Left, other: Any) -> Any:
            return test(self.number, operate(self.value, other.value if isinstance(other, Left) else other))

        return compare

    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Left, f"__{name}__", compares(getattr(operator, name)))

    names = {"_test": test, "_loop": loop, "_async_loop": async_loop, "_Left": Left, "__name__": "program"}
    with contextlib.suppress(Exception):
        exec(compile(tree, path, "exec", dont_inherit=True), names)
    return dict(zip(rewriter.keys, seen, strict=True))


def main() -> None:
    out, *paths = sys.argv[1:]
    verdicts = [list(run(Path(path).read_text(), path).items()) for path in paths]
    Path(out).write_text(json.dumps(verdicts))


if __name__ == "__main__":
    main()
