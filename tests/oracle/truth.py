"""What CPython itself says of a program: sys.settrace with f_trace_opcodes, and nothing of covcore.

An arm is known by two instructions that follow one another in one frame, the first a conditional jump; a branch by going on
from there to the next line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType, FrameType
from typing import Any, NamedTuple

from oracle.bytecode import RETURNS, YIELD, Bytecode
from oracle.support import Support, execute
from oracle.text import Text

type Observed = dict[str, dict[str, set[Any]]]  # context -> code -> what ran

CONTEXT = 32  # bits below a step's context: the offset


class Frame:
    """What one frame does, over all its resumptions."""

    __slots__ = ("code", "lines", "steps", "truth")

    def __init__(self, truth: Truth, code: CodeType) -> None:
        self.truth = truth
        self.code = code
        self.steps: list[int] = []  # offsets of instructions, with the context above them
        self.lines: set[tuple[int, int]] = set()  # (context, line)

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        """A local trace function."""
        if event == "opcode":
            self.steps.append(frame.f_lasti | self.truth.context << CONTEXT)
        elif event == "line":
            self.lines.add((self.truth.context, frame.f_lineno))
        return self.trace


class Branch(NamedTuple):
    """A passage from a decision's line to another, or to minus the first line of the code that it leaves."""

    line: int
    to: int
    raised: bool  # on the way


class Truth:
    """Traces one run of one program."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.labels = [""]
        self.context = 0
        self.frames: list[Frame] = []
        self.bytecodes: dict[CodeType, Bytecode] = {}

    def start(self) -> None:
        if sys.version_info < (3, 13):
            sys._getframe().f_trace_opcodes = True  # settrace() looks whether any frame has had it
        sys.settrace(self._call)

    def stop(self) -> None:
        sys.settrace(None)

    def switch(self, label: str) -> None:
        if label not in self.labels:
            self.labels.append(label)
        self.context = self.labels.index(label)

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        if frame.f_trace is not None:  # a generator goes on
            return frame.f_trace
        self.frames.append(Frame(self, frame.f_code))
        frame.f_trace = self.frames[-1].trace
        frame.f_trace_opcodes = True  # only after f_trace, or else the first frame of each code object has no events
        return frame.f_trace

    def result(self, text: str) -> dict[str, Any]:
        """Lines and arms as {context: {code: [..]}}, and the branches taken."""
        lines: Observed = {}
        arms: Observed = {}
        excuses: Observed = {}
        source = Text(text)
        taken: set[Branch] = set()
        for frame in self.frames:
            code = frame.code
            where = f"{code.co_qualname}:{code.co_firstlineno}"
            bytecode = self.bytecodes.get(code) or self.bytecodes.setdefault(code, Bytecode(code))
            for context, line in frame.lines:
                lines.setdefault(self.labels[context], {}).setdefault(where, set()).add(line)
            for context, arm, excused in arms_of(frame.steps, bytecode):
                found = excuses if excused else arms
                found.setdefault(self.labels[context], {}).setdefault(where, set()).add(arm)
            taken.update(branches_of(frame.steps, bytecode, code, source))
        run = {
            source.first[line]
            for codes in lines.values()
            for name, its in codes.items()
            for line in its
            if line and line not in source.docstrings and "__annotate__" not in name
        }
        return {
            "lines": as_lists(lines),
            "arms": as_lists(arms),
            "excuses": as_lists(excuses),
            "run": sorted(run),
            "taken": sorted(branch for branch in taken if branch.line not in source.one_liners),
            "sites": {f"{c.co_qualname}:{c.co_firstlineno}": sorted(s.source for s in b.sites)
                      for c, b in self.bytecodes.items()},
            "one_liners": sorted(source.one_liners),
        }  # fmt: skip


def as_lists(observed: Observed) -> dict[str, dict[str, list[Any]]]:
    return {context: {code: sorted(its) for code, its in codes.items()} for context, codes in observed.items()}


def arms_of(steps: list[int], bytecode: Bytecode) -> Iterator[tuple[int, tuple[int, int], bool]]:
    """The arms that a frame took: (context, (source, 0 for LEFT or 1 for RIGHT), False).

    And with True those that it did not take and that CPython's events tell of: END_ASYNC_FOR tells RIGHT before it
    looks whether the exception is a StopAsyncIteration.
    """
    ends = {site.end: site.source for site in bytecode.sites if site.end >= 0}
    known = {pair: (site.source, 0) for site in bytecode.sites for pair in site.left}
    known |= {pair: (site.source, 1) for site in bytecode.sites for pair in site.right}
    offset = (1 << CONTEXT) - 1
    pairs = {(before & offset, at) for before, at in pairwise(steps)}
    for before, at in pairs:
        if arm := known.get((before, at & offset)):
            yield at >> CONTEXT, arm, False
    for at in set(steps):
        if ends and (source := ends.get(at & offset)) is not None:
            yield at >> CONTEXT, (source, 1), True


def branches_of(steps: list[int], bytecode: Bytecode, code: CodeType, source: Text) -> Iterator[Branch]:
    """The branches that a frame took, found by going on from each arm of a decision to another line."""
    choosing: dict[tuple[int, int], int] = {}
    ends: dict[int, int] = {}
    positions = list(code.co_positions())
    for site in bytecode.sites:
        line, end_line, column, end_column = positions[site.source // 2]
        decision = source.decisions.get(source.first.get(line or 0, 0))
        if not decision or not line or not end_line or column is None or end_column is None:
            continue
        within = decision.start <= (line, column) and (end_line, end_column) <= decision.end
        around = (line, column) < decision.start and decision.end < (end_line, end_column)
        if (
            site.end >= 0 or within or (around and sys.version_info < (3, 13))
        ):  # 3.12's loops have the whole statement's
            choosing |= dict.fromkeys(site.left | site.right, source.first[line])
            ends[site.end] = source.first[line]
    if not choosing:
        return
    offsets = [step & (1 << CONTEXT) - 1 for step in steps]
    line_at = {2 * index: source.first.get(line or 0, 0) for index, (line, *_) in enumerate(positions)}
    header = 0 if code.co_name == "<module>" else source.first.get(code.co_firstlineno, 1)
    exit = -source.first.get(code.co_firstlineno, 1)
    for index, pair in enumerate(zip(offsets, [*offsets[1:], -1], strict=True)):
        if pair[0] in ends and pair not in choosing:
            yield Branch(ends[pair[0]], exit, True)  # END_ASYNC_FOR goes on raising
        if (line := choosing.get(pair)) is not None:
            passed_over = source.decisions[line].passed_over | {line, header, 0}
            branch = follow(offsets, index + 1, line, passed_over, choosing, bytecode, line_at, exit)
            if branch is not None:
                yield branch


def follow(
    offsets: list[int],
    index: int,
    line: int,
    passed_over: frozenset[int],
    choosing: dict[tuple[int, int], int],
    bytecode: Bytecode,
    line_at: dict[int, int],
    exit: int,
) -> Branch | None:
    """Where a frame gets to from an arm; None: to another choice of the same decision."""
    raised = False
    while index < len(offsets):
        at = offsets[index]
        if line_at[at] not in passed_over:
            return Branch(line, line_at[at], raised)
        if index + 1 < len(offsets):
            if choosing.get((at, offsets[index + 1])) == line and not raised:
                return None
            raised = raised or not bytecode.is_smooth(at, offsets[index + 1])
        index += 1
    last = bytecode.opcodes[offsets[-1]]
    if last == YIELD:
        return Branch(line, exit, True)  # asleep for ever: it never came to where it was going
    return Branch(line, exit, raised or last not in RETURNS)


def observe(path: str, text: str, seed: int, rounds: int) -> dict[str, Any]:
    """Run a program bare, and once more traced; each from code compiled for it.

    Returns what it printed each time, and Truth.result().
    """
    bare = execute(text, path, Support(seed, rounds))
    truth = Truth(path)
    support = Support(seed, rounds, truth.switch)
    traced = execute(text, path, support, truth.start, truth.stop)
    return {"bare": bare, "traced": traced, **truth.result(text)}
