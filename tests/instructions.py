"""Instructions and conditional jumps of a code object, by CPython's own tables and alike on every version; nothing of covcore."""

from __future__ import annotations

import dis
import opcode
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

_ENTRIES: Any = opcode._inline_cache_entries  # type: ignore[attr-defined]
CACHES = [
    _ENTRIES.get(name, 0) if hasattr(_ENTRIES, "get") else _ENTRIES[n] for n, name in enumerate(opcode.opname[:256])
]
_JUMPS = frozenset(opcode.hasjrel)
LOOP_END = 2 if sys.version_info < (3, 13) else 4  # bytes that an exhausted FOR_ITER passes over


class Instruction(NamedTuple):
    """start: offset of its first prefix; offset: its own; end: past its caches."""

    name: str
    argument: int
    start: int
    offset: int
    end: int
    line: int | None
    positions: tuple[int | None, int | None, int | None, int | None]
    jump_target: int | None


def instructions(code: CodeType) -> Iterator[Instruction]:
    """In order, without the prefixes EXTENDED_ARG."""
    raw = code.co_code
    positions = list(code.co_positions())
    at = argument = 0
    start = -1
    while at < len(raw):
        number = raw[at]
        name = opcode.opname[number]
        argument = argument << 8 | raw[at + 1]
        start = at if start < 0 else start
        end = at + 2 + 2 * CACHES[number]
        if name != "EXTENDED_ARG":
            target = None
            if number in _JUMPS and name != "END_ASYNC_FOR":
                target = end - 2 * argument if "JUMP_BACKWARD" in name else end + 2 * argument
            where = positions[at // 2]
            yield Instruction(name, argument, start, at, end, where[0], where, target)
            argument, start = 0, -1
        at = end


HAS_EVENT_PER_ARM = sys.version_info >= (3, 14)  # before, one event BRANCH tells of both, and none of an `async for`


def eventless_arms(code: CodeType) -> dict[int, tuple[int, int]]:
    """Before 3.14: {offset of an instruction that only an arm of an `async for` leads to: (source, destination)}.

    RIGHT is the END_ASYNC_FOR, as for the event of later versions, whether it ends the loop or goes on raising."""
    if HAS_EVENT_PER_ARM or "END_ASYNC_FOR" not in {each.name for each in instructions(code)}:
        return {}
    names = {each.offset: each.name for each in instructions(code)}
    found = {}
    for source, left, right in branches(code):
        if names[source] == "END_SEND":
            found |= {left: (source, left), right - 2: (source, right)}
    return found


def branches(code: CodeType) -> list[tuple[int, int, int]]:
    """What code.co_branches() gives since 3.14: (source, not taken or next item, taken or exhausted)."""
    if hasattr(code, "co_branches"):
        return list(code.co_branches())
    found = []
    every = list(instructions(code))
    for each in every:
        if each.jump_target is not None and (each.name.startswith("POP_JUMP_IF") or each.name == "FOR_ITER"):
            right = each.jump_target + (LOOP_END if each.name == "FOR_ITER" else 0)
            if right != each.end:  # or else nothing tells one arm from the other
                found.append((each.offset, each.end, right))
        elif each.name == "END_ASYNC_FOR":
            # Its handler's range is the waiting for the next item, which ends with the END_SEND.
            ranges = [it for it in dis._parse_exception_table(code) if it.target == each.offset]  # type: ignore[attr-defined]
            (end_send,) = {
                it.offset for it in every if it.name == "END_SEND" and any(r.start <= it.offset < r.end for r in ranges)
            }
            found.append((end_send, end_send + 2, each.end))
    return sorted(found)
