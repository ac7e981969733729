"""Instructions read by CPython's own tables of opcodes: where each leads, and which of them choose."""

from __future__ import annotations

import opcode
import sys
from types import CodeType
from typing import NamedTuple

from instructions import CACHES, LOOP_END, branches

_JUMPS = frozenset(opcode.hasjrel)
_BACKWARD = frozenset(number for name, number in opcode.opmap.items() if "JUMP_BACKWARD" in name)
_CHOICES = frozenset(number for name, number in opcode.opmap.items() if name.startswith("POP_JUMP_IF"))
_PREFIX, _FOR, _ASYNC_END, _SEND_END = (
    opcode.opmap[name] for name in ("EXTENDED_ARG", "FOR_ITER", "END_ASYNC_FOR", "END_SEND")
)
_NOT_TAKEN = opcode.opmap.get("NOT_TAKEN")  # from 3.14 on
RETURNS = {number for name, number in opcode.opmap.items() if name in ("RETURN_VALUE", "RETURN_CONST")}
_RAISES = {opcode.opmap["RAISE_VARARGS"], opcode.opmap["RERAISE"]}
YIELD = opcode.opmap["YIELD_VALUE"]


class Site(NamedTuple):
    """A place where control flow chooses.

    source: its offset in covcore's words
    left, right: where each arm is seen to be taken: pairs of instructions that follow one another
    end: offset of an `async for`'s END_ASYNC_FOR, else -1
    """

    source: int
    left: frozenset[tuple[int, int]]
    right: frozenset[tuple[int, int]]
    end: int = -1


class Bytecode:
    """One code object's instructions.

    Attributes:
        opcodes: offset -> opcode, for each offset that a frame's f_lasti can name.
        following: offset -> the offsets that may come next without an exception.
        sites: in the order of their offsets.
    """

    def __init__(self, code: CodeType) -> None:
        self.opcodes: dict[int, int] = {}
        self.following: dict[int, tuple[int, ...]] = {}
        self.sites: list[Site] = []
        raw = code.co_code
        asynchronous = {right: source for source, _, right in branches(code)}
        at = extended = 0
        while at < len(raw):
            number = raw[at]
            argument = raw[at + 1] | extended
            after = at + 2 + 2 * CACHES[number]
            extended = argument << 8 if number == _PREFIX else 0
            self.opcodes[at] = number
            self.following[at] = self._successors(number, argument, at, after)
            if number == _ASYNC_END and after in asynchronous:
                self._add_async(asynchronous[after], at, after)
            at = after
        self.sites.sort()

    def _successors(self, number: int, argument: int, at: int, after: int) -> tuple[int, ...]:
        if number in _RAISES:
            return ()  # its handler may be what stands behind it
        if number not in _JUMPS or number == _ASYNC_END:
            return (after,)
        target = after - 2 * argument if number in _BACKWARD else after + 2 * argument
        if number == _FOR:
            target += LOOP_END if sys.version_info < (3, 14) else 2  # past the END_FOR, which it does itself
        if (number == _FOR or number in _CHOICES) and after != target:  # before 3.14 both arms may go the same way
            self.sites.append(Site(at, frozenset({(at, after)}), frozenset({(at, target)})))
        return (after, target)

    def _add_async(self, source: int, at: int, after: int) -> None:
        """An `async for` goes on at its END_SEND, and ends where END_ASYNC_FOR does not raise.  A comprehension's has no
        event for the next item (there is no NOT_TAKEN), so that one is left out."""
        end_send = source
        while self.opcodes[end_send] != _SEND_END:  # CPython is some instructions out where END_ASYNC_FOR has a prefix
            end_send += 2
        if _NOT_TAKEN is None:
            left = frozenset({(end_send, end_send + 2)})
        else:
            not_taken = end_send + 2
            told = (
                self.opcodes[not_taken] == _NOT_TAKEN
            )  # reached also from the CLEANUP_THROW of an await that was thrown into
            left = frozenset({(not_taken, not_taken + 2)} if told else ())
        self.sites.append(Site(source, left, frozenset({(at, after)}), at))

    def is_smooth(self, before: int, at: int) -> bool:
        """Whether one instruction follows another without an exception that counts: that of an `async for` ends it."""
        return at in self.following[before] or self.opcodes[at] == _ASYNC_END
