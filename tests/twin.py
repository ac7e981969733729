"""The slow obvious twins of the C core: shapes read with dis, events recorded by a Python sys.monitoring tool.

Nothing here is silenced, cached or clever.  The tests of the analysis use it as their recorder, and the C code
can be held against it.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from instructions import HAS_EVENT_PER_ARM, branches, eventless_arms
from instructions import instructions as instructions_of

from covcore.store.database import Code

GOTO, SITE, RETURN, RAISE = range(4)
KINDS = {
    "POP_JUMP_IF_FALSE": 0,
    "POP_JUMP_IF_TRUE": 1,
    "POP_JUMP_IF_NONE": 2,
    "POP_JUMP_IF_NOT_NONE": 3,
    "FOR_ITER": 4 if sys.version_info >= (3, 13) else 7,
    "END_ASYNC_FOR": 5,
}
JUMPS = {"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "SEND"}  # SEND: on to where its result goes
RETURNS = {"RETURN_VALUE", "RETURN_CONST"}
RAISES = {"RAISE_VARARGS", "RERAISE"}

type Site = tuple[int, int, int, int, int, int, int, int, int, int]
type Block = tuple[int, int, tuple[int, ...]]
type Shape = tuple[tuple[int, ...], tuple[Site, ...], tuple[Block, ...]]


def shape(code: CodeType) -> Shape:
    """What a code object can do, as `covcore._reader.decode_shape(covcore._reader.describe(code))` gives it."""
    instructions = list(instructions_of(code))
    at = {instruction.start: index for index, instruction in enumerate(instructions)}
    at |= {instruction.offset: index for index, instruction in enumerate(instructions)}
    resume = next(index for index, instruction in enumerate(instructions) if instruction.name == "RESUME")
    lines = sorted({i.line for i in instructions[resume + 1 :] if i.line})
    arms = {source: (left, right) for source, left, right in branches(code)}

    leaders = {0}
    for index, instruction in enumerate(instructions):
        if instruction.jump_target is not None:
            leaders.add(at[instruction.jump_target])
        if instruction.name in JUMPS | RETURNS | RAISES or instruction.offset in arms:
            leaders.add(index + 1)
    for left, right in arms.values():
        leaders |= {at[left], at[right]}
    starts = sorted(leaders & set(range(len(instructions))))
    block_of = {index: number for number, index in enumerate(starts)}
    numbers = {source: number for number, source in enumerate(sorted(arms))}

    sites: list[Site] = []
    for source, (left, right) in sorted(arms.items()):
        instruction = instructions[at[right] - 1]  # of an `async for` what ends it, wherever the site's source is
        if instruction.name != "END_ASYNC_FOR":
            instruction = instructions[at[source]]
        line, end_line, *columns = instruction.positions
        column, end_column = (-1 if c is None else c for c in columns)
        sites.append(
            (
                source,
                left,
                right,
                block_of[at[left]],
                block_of[at[right]],
                KINDS[instruction.name],
                line or 0,
                end_line or 0,
                column,
                end_column,
            )
        )

    blocks: list[Block] = []
    for number, start in enumerate(starts):
        stop = starts[number + 1] if number + 1 < len(starts) else len(instructions)
        body = instructions[start:stop]
        last = body[-1]
        here: list[int] = []
        for instruction in body:
            if instruction.line and here[-1:] != [instruction.line]:
                here.append(instruction.line)
        if last.offset in arms:
            blocks.append((SITE, numbers[last.offset], tuple(here)))
        elif last.name in JUMPS:
            assert last.jump_target is not None
            blocks.append((GOTO, block_of[at[last.jump_target]], tuple(here)))
        elif last.name in RETURNS:
            blocks.append((RETURN, 0, tuple(here)))
        elif last.name in RAISES or stop == len(instructions):
            blocks.append((RAISE, 0, tuple(here)))
        else:
            blocks.append((GOTO, number + 1, tuple(here)))
    return tuple(lines), tuple(sites), tuple(blocks)


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and all that it holds, in an order that another compilation of the same text repeats."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def reader_shape(code: CodeType) -> Shape:
    """The same from the C code that is under test."""
    from covcore._reader import decode_shape, describe

    return decode_shape(describe(code))


class Recorder:
    """Records every LINE, BRANCH_LEFT and BRANCH_RIGHT (BRANCH before 3.14) of the code objects below a path, and silences none."""

    TOOL = 4

    def __init__(self, path: str) -> None:
        self.path = path
        self.codes: dict[int, CodeType] = {}  # by id: equal code objects are not the same
        self.lines: defaultdict[int, set[int]] = defaultdict(set)
        self.lefts: defaultdict[int, set[int]] = defaultdict(set)
        self.rights: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)  # before 3.14 both
        self.eventless: dict[int, dict[int, tuple[int, int]]] = {}

    def run(self, program: Callable[[], Any]) -> None:
        """Call `program` under the recorder; what it raises is swallowed, as a test of a program that fails wants."""
        monitoring = sys.monitoring
        events: Any = monitoring.events
        monitoring.use_tool_id(self.TOOL, "twin")
        try:
            if HAS_EVENT_PER_ARM:
                callbacks = {events.BRANCH_LEFT: self._left, events.BRANCH_RIGHT: self._right}
            else:
                callbacks = {events.BRANCH: self._right, events.INSTRUCTION: self._instruction}
            callbacks[events.LINE] = self._line
            # PY_START and PY_RESUME: without them LINE misses bodies on the def line (gh-155992).
            callbacks |= {events.PY_START: self._begin, events.PY_RESUME: self._begin}
            for event, callback in callbacks.items():
                monitoring.register_callback(self.TOOL, event, callback)
            monitoring.set_events(self.TOOL, sum(callbacks))
            program()
        except (Exception, SystemExit):
            pass
        finally:
            monitoring.set_events(self.TOOL, 0)
            for event in callbacks:
                monitoring.register_callback(self.TOOL, event, None)
            monitoring.free_tool_id(self.TOOL)

    def _begin(self, code: CodeType, offset: int) -> None:
        pass

    def _line(self, code: CodeType, line: int) -> None:
        if code.co_filename.startswith(self.path):
            self.codes[id(code)] = code
            self.lines[id(code)].add(line)

    def _left(self, code: CodeType, source: int, destination: int) -> None:
        if code.co_filename.startswith(self.path):
            self.lefts[id(code)].add(destination)

    def _right(self, code: CodeType, source: int, destination: int) -> None:
        if code.co_filename.startswith(self.path):
            self.rights[id(code)].add((source, destination))

    def _instruction(self, code: CodeType, offset: int) -> None:
        if code.co_filename.startswith(self.path):
            if id(code) not in self.eventless:
                self.codes[id(code)] = code
                self.eventless[id(code)] = eventless_arms(code)
            if offset in self.eventless[id(code)]:
                self.rights[id(code)].add(self.eventless[id(code)][offset])

    def bits(self, code: CodeType, its_shape: Shape) -> bytes:
        """The bitmap over the slots of a code object: slot 0 is bit 0x80 of byte 0."""
        lines, sites, _ = its_shape
        hit = [line in self.lines[id(code)] for line in lines]
        for source, left, right, *_ in sites:
            is_left = left in self.lefts[id(code)] or (source, left) in self.rights[id(code)]
            hit += [is_left, (source, right) in self.rights[id(code)]]
        packed = bytearray((len(hit) + 7) // 8)
        for slot, is_hit in enumerate(hit):
            if is_hit:
                packed[slot >> 3] |= 0x80 >> (slot & 7)
        return bytes(packed)

    def measured(self, filename: str, shape_of: Callable[[CodeType], Shape] = shape) -> list[Code]:
        """Each code object of a file that was entered, as the database would give it."""
        entered = [code for code in self.codes.values() if code.co_filename == filename]
        return [self._measured(code, shape_of(code)) for code in entered]

    def _measured(self, code: CodeType, its_shape: Shape) -> Code:
        bits = self.bits(code, its_shape)
        return Code(code.co_qualname, code.co_firstlineno, code.co_flags, "", sys.flags.optimize, its_shape, bits)
