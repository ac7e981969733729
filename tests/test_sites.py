"""Shapes, held against CPython: its own tables for the whole standard library, and its events for programs that run.

COVCORE_SLOW=1 takes all of the standard library instead of a sample.
"""

from __future__ import annotations

import ast
import dis
import importlib.util
import itertools
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import pytest
from instructions import branches, instructions
from programs import PROGRAMS
from twin import nested

from covcore import _reader

EVENTS = sys.monitoring.events
HAS_EVENT_PER_ARM = hasattr(EVENTS, "BRANCH_LEFT")
BRANCHES = ["BRANCH_LEFT", "BRANCH_RIGHT"] if HAS_EVENT_PER_ARM else ["BRANCH"]
SILENT = {"END_FOR", "POP_ITER", "END_SEND", "END_ASYNC_FOR", "RESUME"}
FOR, ASYNC_FOR, ASYNC_COMPREHENSION, FOR_WHOLE = 4, 5, 6, 7  # kinds of sites

FORMS = {
    "one_line_loops": """
def f(n):
    for i in range(n): pass
    while n: n -= 1
    while n < 3 and n >= 0: n += 1
    for a in [1, 2]: x = a if a > 1 else -a; y = x and a or 3
    return [b for b in (1, 2) if b], {c: d for c, d in [(1, 2)]}, {e for e in ()}
f(3); f(0)
""",
    "module_and_class_loops": """
import sys
for i in range(3):
    if i == 1:
        continue
    for j in range(2): k = i and j
class C:
    for m in range(2):
        n = m if m else None
    def __init__(self, a=1, *, b=[x for x in range(2)]): self.a = a
C().a
if sys.flags.verbose: pass
elif i is None: pass
else:
    assert i
""",
    "many_lines": """
def f(
    a,
    b=(
        1,
    ),
):
    x = g(
        a,
        *[
            c
            for c in b
            if c
        ],
        key=(
            a if a
            else b
        ),
    )
    for (
        d
    ) in (
        x
    ):
        if (
            d
            and a
            or
            b
        ): return (
            d
        )
    else:
        return {
            "a": a,
            **{}
        }
def g(*args, key): return args
f(0); f(1); f(0, ()); f(1, (1, 2, 3))
""",
    "more_generators": """
def f(n):
    while True: yield n
def g(n):
    x = yield n
    try:
        y = yield x
        while y: y = (yield
                      y)
    except ValueError: yield 4
    finally: n = 5
    return (yield from h(n))
def h(n):
    for i in range(n): yield i
    if n: yield n; return n
a = f(1); next(a); next(a); a.close()
b = g(2); next(b); b.send(1); b.send(2); b.send(0); list(b)
c = g(2); next(c); next(c); c.throw(ValueError); list(c)
d = g(2); next(d); next(d)
try:
    d.throw(KeyError)
except KeyError: pass
list(h(0))
""",
    "more_coroutines": """
import asyncio
class Steps:
    def __init__(self, n): self.n = n
    def __aiter__(self): return self
    async def __anext__(self):
        if not self.n: raise StopAsyncIteration
        self.n -= 1
        await asyncio.sleep(0)
        return self.n
    async def __aenter__(self):
        await asyncio.sleep(0); return self
    async def __aexit__(self, *args): return await self.out(args)
    async def out(self, args):
        return args[0] is ValueError
async def ticks(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i
async def f(n):
    async with Steps(n) as a, Steps(n) as b: c = a, b
    async with Steps(n):
        async for d in Steps(n):
            if d == 1: break
        else: await asyncio.sleep(0)
        raise ValueError
    async for (
        e
    ) in ticks(
        n
    ): c = e
    async for e in ticks(n): await asyncio.sleep(0)
    return [x async for x in Steps(n) if x], {x: y async for x in Steps(n) for y in range(x)}, [
        x async for x in (y async for y in ticks(n))
    ], [await z for z in [asyncio.sleep(0)]]
asyncio.run(f(0)); asyncio.run(f(3))
""",
    "more_handlers": """
import contextlib
def f(x):
    try:
        try: g(x)
        except (KeyError, IndexError) as e:
            if x == 2: raise ValueError from e
        else: x = 9
        finally:
            x += 1
            if x == 3: return x
    except ValueError: return 0
def h(x):
    try: g(x)
    except* ValueError as e: return_value = e
    except* KeyError: return_value = 2
    finally: x = 0
    while True:
        try:
            with contextlib.suppress(KeyError), contextlib.nullcontext() as c:
                if x: break
                g(1)
        finally: x += 1
    for i in range(3):
        try: continue
        finally:
            if i: break
    return x
def g(x):
    if x == 1: raise KeyError
    if x == 2: raise IndexError
    if x == 3: raise ValueError
    if x == 4: raise TypeError
for i in range(5):
    try: f(i); h(i)
    except Exception as e: pass
try: assert not i, (
    f"{i}")
except AssertionError: pass
""",
    "more_match": """
def f(x):
    match x:
        case 1 | 2 if x > 1: return 1
        case [1, [a, _], *b] | (a, b): c = a, b
        case {"a": int(n), **rest}: c = n if rest else 0
        case str() | None: return (
            None)
        case object(real=r): c = r
        case _: c = 0
    return c
for x in (1, 2, [1, [2, 3], 4], (5, 6), {"a": 1}, {"a": 1, "b": 2}, "s", None, 1.5, f): f(x)
""",
    "inlined_builtins": """
def f(items):
    if any(i > 1 for i in items) and all(i for i in items): return 1
    return tuple(i for i in items), list(i for i in items), any(
        i
        for i
        in items)
f([]); f([0, 2]); f([1, 2])
""",
    "long_jumps": "def f(n):\n    for i in range(n):\n        if i:\n"
    + "            i = [i, i, i]\n" * 300
    + "    return i if n else None\nasync def g(a):\n    async for b in a:\n"
    + "        b = [b, b, b]\n" * 300
    + "f(2); f(1)\n",
    "empty": "",
}


# ---- the corpus ----


def library(share: int) -> Iterator[CodeType]:
    """Every code object of every share-th file of the standard library."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    for path in paths[::share]:
        if "site-packages" not in path.parts:
            try:
                code = compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
            except (OSError, SyntaxError, ValueError):
                continue  # a dead link, or made to be wrong
            yield from nested(code)


@pytest.fixture(scope="module")
def corpus() -> list[CodeType]:
    found = list(library(1 if os.environ.get("COVCORE_SLOW") else 20))
    for text in (PROGRAMS | FORMS).values():
        found += nested(compile(text, "<program>", "exec"))
    return found


@pytest.fixture
def tool() -> Iterator[int]:
    number = next(n for n in range(6) if sys.monitoring.get_tool(n) is None)
    sys.monitoring.use_tool_id(number, "test of sites")
    yield number
    sys.monitoring.free_tool_id(number)


def describe(code: CodeType) -> _reader.Shape:
    return _reader.decode_shape(_reader.describe(code))


def test_sites_are_those_of_co_branches(corpus: list[CodeType]) -> None:
    for code in corpus:
        sites = describe(code)[1]
        told = sorted(branches(code))

        assert [(source, right) for source, _, right in told] == [(site[0], site[2]) for site in sites], code
        for (source, left, _), site in zip(told, sites, strict=True):
            # co_branches() thinks that an END_SEND and a NOT_TAKEN are always there. The events know better.
            assert left == site[1] or (site[5] >= ASYNC_FOR and site[1] - source in (2, 4, 6)), (code, source)


def test_sites_stand_where_co_positions_says(corpus: list[CodeType]) -> None:
    for code in corpus:
        sites = describe(code)[1]
        positions = list(code.co_positions()) if sites else []
        for source, *_, line, end_line, col, end_col in sites:
            at = positions[source // 2]
            expected = (at[0] or 0, at[1] or 0, -1 if at[2] is None else at[2], -1 if at[3] is None else at[3])

            assert expected == (line, end_line, col, end_col), (code, source)


def test_no_arm_is_taken_for_another(corpus: list[CodeType]) -> None:
    """What finding an arm by its destination rests on."""
    for code in corpus:
        sites = describe(code)[1]
        lefts = [site[1] for site in sites]
        exits = [site[2] for site in sites if site[5] == FOR]

        assert sorted(set(lefts)) == lefts, code
        assert all(site[1] != site[2] for site in sites), code
        assert len(set(exits)) == len(exits), code


def places_of(tool: int, code: CodeType, opcode: str, event: int) -> set[int]:
    """Offsets at which CPython puts an event's instrumented instruction."""
    sys.monitoring.set_local_events(tool, code, event)
    instrumented: bytes = code._co_code_adaptive  # type: ignore[attr-defined]
    sys.monitoring.set_local_events(tool, code, 0)
    number = dis._all_opmap[opcode]  # type: ignore[attr-defined]
    plain = code.co_code
    return {at for at in range(0, len(plain), 2) if instrumented[at] == number and (plain[at] or at == 0)}


def test_lines_begin_where_line_is_placed(corpus: list[CodeType], tool: int) -> None:
    for code in corpus:
        lines = describe(code)[0]
        starts = dict(_reader.starts(code)[0])
        placed = places_of(tool, code, "INSTRUMENTED_LINE", EVENTS.LINE)
        line_at = {at: line for begin, end, line in code.co_lines() for at in range(begin, end, 2)}

        assert {line_at[at] for at in placed} == set(lines), code
        assert starts.keys() <= placed, code
        assert all(line_at[at] == line for at, line in starts.items()), code
        assert set(starts.values()) == set(lines), code
        assert starts.keys() <= places_of(tool, code, "INSTRUMENTED_INSTRUCTION", EVENTS.INSTRUCTION), code


def test_blocks_lead_through_all_lines(corpus: list[CodeType]) -> None:
    for code in corpus:
        lines, sites, blocks = describe(code)

        assert {line for _, _, block_lines in blocks for line in block_lines} == set(lines), code
        assert sorted(target for end, target, _ in blocks if end == 1) == list(range(len(sites))), code


# ---- events ----


class Ran(NamedTuple):
    codes: list[CodeType]
    events: list[tuple[Any, ...]]  # (name of the event, number of the code object, what the callback got)
    instrumented: list[bytes]


def run(
    tool: int, text: str, *names: str, disable: bool = False, watch: Callable[[int, int, FrameType], None] | None = None
) -> Ran:
    """Compile a program, run it, and tell its events.  `watch` gets number, offset and frame of each INSTRUCTION."""
    top = compile(text, "<program>", "exec")
    codes = list(nested(top))
    numbers = {id(code): number for number, code in enumerate(codes)}
    events: list[tuple[Any, ...]] = []

    def listen(name: str) -> None:
        def callback(code: CodeType, *args: Any) -> object:
            number = numbers.get(id(code))
            if number is not None:
                events.append((name, number, *args))
                if watch is not None:
                    watch(number, args[0], sys._getframe(1))
            return sys.monitoring.DISABLE if disable else None

        sys.monitoring.register_callback(tool, getattr(EVENTS, name), callback)

    mask = 0
    for name in names:
        listen(name)
        mask |= getattr(EVENTS, name)
    sys.monitoring.set_events(tool, mask)
    try:
        exec(top, {"__name__": "__main__", "switch": lambda label: None, "PROGRAM": "<other>"})
    finally:
        sys.monitoring.set_events(tool, 0)
        instrumented: list[bytes] = [code._co_code_adaptive for code in codes]  # type: ignore[attr-defined]
        for name in names:
            sys.monitoring.register_callback(tool, getattr(EVENTS, name), None)
    return Ran(codes, events, instrumented)


LIBRARY_USES = {  # modules of pure Python, run from their text, and something to do with them
    "textwrap": r"""
fill('word ' * 40, 30); dedent('  a\n   b'); shorten('aaa bbb ccc', 9); indent('a\n\nb', '> ')
""",
    "fractions": """
Fraction('3/4') + Fraction(1.5); round(Fraction(7, 3), 1); Fraction(3) ** 2; str(Fraction(1, 2)); format(Fraction(1), '.2f')
""",
    "difflib": """
list(unified_diff(['a', 'b', 'c'], ['a', 'c', 'd'])); get_close_matches('appel', ['ape', 'apple']); list(ndiff(['ab'], ['ac']))
""",
    "shlex": r"""
split('a "b c" d\\ e # x', comments=True); quote("it's"); list(shlex('a|b; c', punctuation_chars=True))
""",
    "heapq": """
h = [5, 1, 4]; heapify(h); heappush(h, 0); nlargest(2, h); nsmallest(2, h, key=abs); list(merge([1, 3], [2]))
""",
    "_pydecimal": """
Decimal('1.23e5').sqrt() + Decimal(3) / 7; str(Decimal('NaN')); Decimal(10) ** -2; Decimal('1.5').quantize(Decimal(1))
""",
    "argparse": """
p = ArgumentParser(prog='x'); p.add_argument('-a', type=int); p.add_argument('b', nargs='*'); p.parse_args(['-a', '1', 'c'])
p.format_help()
""",
}


def library_text(module: str) -> str:
    """Without what the module does when it is run as a program."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text().partition("\nif __name__ ==")[0]
    return f"{text}\n{LIBRARY_USES[module]}\n"


@pytest.fixture(params=[*PROGRAMS, *FORMS, *LIBRARY_USES])
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return library_text(name) if name in LIBRARY_USES else {**PROGRAMS, **FORMS}[name]


def test_starts_prove_the_lines_that_line_tells(program: str, tool: int) -> None:
    """With PY_START, since LINE alone loses the line of functions of one line (gh-155992)."""
    by_line = run(tool, program, "LINE", "PY_START")
    by_instruction = run(tool, program, "INSTRUCTION")
    starts = [dict(_reader.starts(code)[0]) for code in by_instruction.codes]
    told = {(number, line) for name, number, line, *_ in by_line.events if name == "LINE"}
    proved = {(number, starts[number][at]) for _, number, at in by_instruction.events if at in starts[number]}

    assert told == proved
    for number, line in told:
        assert line in describe(by_line.codes[number])[0]


def test_line_leaves_a_residue_only_where_it_is_said(program: str, tool: int) -> None:
    """But for loops that never came back to their beginning, where LINE would have fired and been disabled."""
    executed = {event[1:] for event in run(tool, program, "INSTRUCTION").events}
    disabled = run(tool, program, "LINE", "PY_START", disable=True)
    line: int = dis._all_opmap["INSTRUMENTED_LINE"]  # type: ignore[attr-defined]
    starts = [_reader.starts(code) for code in disabled.codes]
    for number, at in executed:
        if disabled.instrumented[number][at] == line:
            assert starts[number][1] or at in dict(starts[number][0]), (disabled.codes[number], at)


def test_straight_code_leaves_no_residue() -> None:
    code = compile("def f(a):\n    if a:\n        b = 1\n    for c in a:\n        b = c\n    return b\n", "", "exec")

    assert [_reader.starts(each)[1] for each in nested(code)] == [False, False]


@pytest.mark.parametrize("others", [[], ["LINE"], ["INSTRUCTION"]], ids=["alone", "line", "instruction"])
def test_branch_events_are_arms(program: str, others: list[str], tool: int) -> None:
    """By the rules for arcs: LEFT by destination, RIGHT by both or as the exit of a FOR_ITER; before 3.14 both by both."""
    ran = run(tool, program, *BRANCHES, *others)
    shapes = [describe(code) for code in ran.codes]
    for name, number, *args in ran.events:
        sites = shapes[number][1]
        if name == "BRANCH":
            assert tuple(args) in {(site[0], to) for site in sites for to in site[1:3]}, (ran.codes[number], args)
        elif name == "BRANCH_LEFT":
            assert args[1] in {site[1] for site in sites if site[5] != ASYNC_COMPREHENSION}, ran.codes[number]
        elif name == "BRANCH_RIGHT":
            exact = tuple(args) in {(site[0], site[2]) for site in sites}
            assert exact or is_loop_end(ran.codes[number], args[1], sites), (ran.codes[number], args)
        if not others and name == "BRANCH_LEFT":
            assert tuple(args) in {site[:2] for site in sites} or args[1] in {
                site[1] for site in sites if site[5] == ASYNC_FOR
            }, ran.codes[number]


def is_loop_end(code: CodeType, at: int, sites: tuple[_reader.Site, ...]) -> bool:
    """Past a FOR_ITER's loop; or past the POP_ITER to which an inlined any() or all() jumps, which is no arm."""
    return at in {site[2] for site in sites if site[5] == FOR} or code.co_code[at - 2] == dis.opmap["POP_ITER"]


# ---- flow ----


class Flow:
    """Follows a frame, instruction by instruction, through the blocks of its shape."""

    def __init__(self, code: CodeType) -> None:
        self.code = code
        _, self.sites, self.blocks = describe(code)
        in_body = False
        self.line_at: dict[int, int] = {}
        for each in instructions(code):
            in_body = in_body or (each.name == "RESUME" and each.argument == 0)
            if in_body and each.name not in SILENT and each.line is not None:
                self.line_at |= dict.fromkeys(range(each.start, each.offset + 2, 2), each.line)
        led_to = {block for number in range(len(self.blocks)) for block in self.successors(number)}
        self.roots = self.heads({0} | {number for number in range(len(self.blocks)) if number not in led_to})

    def successors(self, number: int) -> list[int]:
        end, target, _ = self.blocks[number]
        return [target] if end == 0 else [*self.sites[target][3:5]] if end == 1 else []

    def heads(self, numbers: set[int]) -> set[tuple[int, int]]:
        """Where lines go on from the beginnings of blocks: (block, index of the line)."""
        found, seen, todo = set(), set(), list(numbers)
        while todo:
            number = todo.pop()
            if number not in seen:
                seen.add(number)
                if self.blocks[number][2]:
                    found.add((number, 0))
                else:
                    todo += self.successors(number)
        return found

    def step(self, states: set[tuple[int, int]], at: int) -> set[tuple[int, int]]:
        """The states after the instruction at an offset.  A handler may follow on anything."""
        line = self.line_at.get(at)
        if line is None:
            return states
        following = set(states) | self.roots
        for number, index in states:
            if index + 1 < len(self.blocks[number][2]):
                following.add((number, index + 1))
            else:
                following |= self.heads(set(self.successors(number)))
        return {(number, index) for number, index in following if self.blocks[number][2][index] == line}


def test_frames_follow_the_flow(program: str, tool: int) -> None:
    flows: dict[int, Flow] = {}
    frames: dict[FrameType, set[tuple[int, int]]] = {}
    lost: list[tuple[CodeType, int]] = []

    def watch(number: int, at: int, frame: FrameType) -> None:
        if number not in flows:
            flows[number] = Flow(frame.f_code)
        flow = flows[number]
        frames[frame] = flow.step(frames.get(frame, flow.roots), at)
        if not frames[frame] and at in flow.line_at:
            lost.append((frame.f_code, at))

    run(tool, program, "INSTRUCTION", watch=watch)

    assert lost == []
    assert flows


# ---- single shapes ----


def shape_of(text: str, name: str = "f") -> _reader.Shape:
    return describe(next(code for code in nested(compile(text, "", "exec")) if code.co_name == name))


def test_the_example_of_the_header() -> None:
    lines, sites, blocks = shape_of("def f():\n    if a and b:\n        f()\n    g()\n")

    assert lines == (2, 3, 4)
    assert [(site[3:5], site[5], site[6:]) for site in sites] == [
        ((1, 3), 0, (2, 2, 7, 8)),
        ((2, 3), 0, (2, 2, 13, 14)),
    ]
    assert blocks == ((1, 0, (2,)), (1, 1, (2,)), (0, 3, (3,)), (2, 0, (4,)))


def test_an_empty_module_has_line_0() -> None:
    code = compile("", "", "exec")

    assert describe(code)[0] == (0,)


def test_an_await_is_straight() -> None:
    lines, sites, blocks = shape_of("async def f(a):\n    await a\n    return 1\n")
    path: list[int] = []
    number = 0
    while blocks[number][0] == 0:
        path += blocks[number][2]
        number = blocks[number][1]

    assert (lines, sites, blocks[number][0]) == ((2, 3), (), 2)
    assert [line for line, _ in itertools.groupby([*path, *blocks[number][2]])] == [2, 3]


def test_async_comprehensions_have_a_kind_of_their_own() -> None:
    kinds = [site[5] for site in shape_of("async def f(a):\n    async for b in a: [c async for c in b]\n")[1]]

    assert kinds == [5, ASYNC_COMPREHENSION]


def test_tables_of_any_kind() -> None:
    """Lines far apart and backward, columns beyond 127 and 255, no columns, no table at all."""
    tree = ast.parse("def f(a):\n    if a: b()\n    c()\n    d()\n" + "    " + "e(" + " " * 300 + "a if a else 1)\n")
    statements = tree.body[0].body  # type: ignore[attr-defined]
    for statement, line in zip(statements, (2_000_000_000, 7, 100_000, 5), strict=True):
        ast.increment_lineno(statement, line - statement.lineno)
    code = compile(tree, "", "exec").co_consts[0]
    assert isinstance(code, CodeType)

    assert describe(code)[0] == (5, 7, 100_000, 2_000_000_000)
    bare_lines, bare_sites, bare_blocks = describe(code.replace(co_linetable=b""))
    assert bare_lines == ()
    assert bare_sites == tuple((*site[:6], 0, 0, -1, -1) for site in describe(code)[1])
    assert [block[:2] for block in bare_blocks] == [block[:2] for block in describe(code)[2]]


def test_a_loop_may_end_on_the_line_after_it(tool: int) -> None:
    """No compiler says so. 3.13 then places LINE at the POP_TOP that an exhausted loop passes over, and nowhere else."""
    code = compile("for x in y:\n    f()\ng()\n", "", "exec")
    lines = [position[0] or 0 for position in code.co_positions()]
    end = code.co_code[::2].index(dis.opmap["END_FOR"])
    lines[end + 1] = 3
    steps = [line - last for last, line in itertools.pairwise([code.co_firstlineno, *lines])]
    table = b"".join(bytes([0x80 | 13 << 3, step << 1 if step >= 0 else -step << 1 | 1]) for step in steps)
    code = code.replace(co_linetable=table)
    shape = describe(code)

    assert [position[0] for position in code.co_positions()] == lines
    line_at = {2 * unit: line for unit, line in enumerate(lines)}
    assert {line_at[at] for at in places_of(tool, code, "INSTRUMENTED_LINE", EVENTS.LINE)} == set(shape[0]) == {1, 2, 3}


def test_a_loop_may_end_without_dropping_its_iterator() -> None:
    """No compiler leaves the POP_TOP out; what stands in its place is what it is."""
    code = compile("for x in y:\n    f()\ng()\n", "", "exec")
    changed = bytearray(code.co_code)
    changed[2 * changed[::2].index(dis.opmap["END_FOR"]) + 2] = dis.opmap["RETURN_VALUE"]

    ends = [end for end, _, _ in describe(code.replace(co_code=bytes(changed)))[2]]
    assert ends.count(2) == 2  # returns


def test_malformed_code_is_refused() -> None:
    code = compile("if a:\n    b\n", "", "exec")
    jump = dis.opmap["JUMP_FORWARD"]

    with pytest.raises(ValueError, match="a jump to where there is no instruction"):
        _reader.describe(code.replace(co_code=code.co_code[:-2] + bytes([jump, 99])))
    with pytest.raises(ValueError, match="the location table"):
        _reader.describe(code.replace(co_linetable=b"\x00" + code.co_linetable))
    with pytest.raises(ValueError, match="malformed: cut short"):
        _reader.decode_shape(_reader.describe(code)[:-1])
    with pytest.raises(ValueError, match="malformed: bytes after the end"):
        _reader.decode_shape(_reader.describe(code) + b"\x00")
    with pytest.raises(TypeError):
        _reader.describe("code")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _reader.decode_shape("shape")  # type: ignore[arg-type]
