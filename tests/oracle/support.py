"""What a generated program finds in its namespace: a seeded stream of decisions, and things to decide on.

A program ends because each of its `while` loops draws from the stream where no `try` can hold it, and the stream runs
dry.  Nothing here depends on the clock, on addresses or on the hash of strings, so that a program does the same
whenever it runs.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Self

TOTAL, PER_CALL = 700, 60  # draws in a program, and within one call() of its top level
ROUNDS = 6  # of a loop that is meant to be hot; HOT of them for the JIT to take note
HOT = 6000


ENDINGS = Exception, GeneratorExit, BaseExceptionGroup  # the last two where a generator is closed


class Oops(Exception):
    """An exception that only programs raise."""


class OutOfFuel(Exception):
    """The stream has run dry."""


class Thing:
    """Looks the same in all processes: an f-string may show it."""

    def __repr__(self) -> str:
        return type(self).__name__


class Point(Thing):
    """Something for class patterns."""

    __match_args__ = ("x", "y")

    def __init__(self, x: object = 0, y: object = 1) -> None:
        self.x = x
        self.y = y


class Odd(Thing):
    """True, false, or neither: its truth raises."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def __bool__(self) -> bool:
        if self.kind == 2:
            raise Oops
        return self.kind == 1


class Manager(Thing):
    """For `with` and `async with`; may swallow what is raised, may raise at its beginning or its end."""

    def __init__(self, support: Support, kind: int) -> None:
        self.support = support
        self.kind = kind

    def __enter__(self) -> int:
        if self.kind == 5:
            raise ValueError
        return self.kind

    def __exit__(self, kind: object, *rest: object) -> bool:
        if self.kind == 4:
            raise KeyError
        return self.kind in (1, 2)

    async def __aenter__(self) -> int:
        await Wait(1)
        return self.__enter__()

    async def __aexit__(self, kind: object, *rest: object) -> bool:
        await Wait(self.kind % 2)
        return self.__exit__(kind)


class Wait(Thing):
    """Something to await that goes to sleep a few times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __await__(self) -> Generator[None, None, int]:
        for _ in range(self.times):
            yield
        return self.times


class Steps(Thing):
    """Something for `async for`; of kind 3 it ends in an error."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.fails = n == 3

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if not self.n:
            raise Oops if self.fails else StopAsyncIteration
        self.n -= 1
        await Wait(self.n % 2)
        return self.n


class Support:
    """The helpers of one run of one program.

    seed: of its decisions
    rounds: of its hot loops
    switch: called with the label of the context that a program begins
    """

    def __init__(self, seed: int, rounds: int = ROUNDS, switch: Callable[[str], object] = str) -> None:
        self.rounds = rounds
        self.globals: dict[str, Any] = {}
        self.asleep: list[GeneratorType[Any, Any, Any]] = []
        self.state = seed * 2 + 1
        self.total = TOTAL
        self.fuel = 2 * PER_CALL
        self.depth = 0
        self.switch = switch
        self.out = io.StringIO()

    def draw(self, n: int) -> int:
        """The next number below n of the stream.  Raises OutOfFuel at its end."""
        self.total -= 1
        self.fuel -= 1
        if self.total < 0 or self.fuel < 0:
            raise OutOfFuel
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    # ---- what programs call

    def c(self, *unused: object) -> object:
        """True or false, in many forms."""
        return (True, False, 1, 0, None, "x", "", [0], (), Odd(0), Odd(1), 2, None, True, False, Odd(1))[self.draw(16)]

    def n(self, below: int = 3) -> int:
        return self.draw(below)

    def v(self) -> object:
        """Something to match."""
        values: list[Callable[[], object]] = [
            lambda: 0,
            lambda: 1,
            lambda: "s",
            lambda: None,
            lambda: [1, 2, 3],
            lambda: (1, [0]),
            lambda: {"k": 1, "m": 2},
            dict,
            lambda: Point(),
            lambda: Point(1, [2]),
            lambda: True,
            lambda: 2.5,
        ]
        return values[self.draw(len(values))]()

    def items(self) -> Any:
        """Something to go through, of at most three items."""
        n = self.draw(4)
        kind = self.draw(8)
        forms = [range(n), list(range(n)), tuple(range(n)), dict.fromkeys(range(n)), iter([0] * n), set(range(n))]
        return self.numbers(n, kind == 7) if kind > 5 else forms[kind]

    def numbers(self, n: int, fails: bool) -> Iterator[int]:
        yield from range(n)
        if fails:
            raise Oops

    def pairs(self) -> list[Any]:
        """Items that can be unpacked to two, but for some."""
        return [(0, (1, 2)), (1, [3]), (2, 3)][: self.draw(4)] + [(1,)] * (self.draw(6) == 0)

    def boom(self, value: object = None) -> object:
        """The value, or an exception."""
        kind = self.draw(8)
        if kind < 4:
            raise (ValueError, KeyError, Oops, TypeError)[kind]
        return value

    def group(self, value: object = None) -> object:
        """The value, or a group of exceptions."""
        kind = self.draw(6)
        if kind == 0:
            raise ExceptionGroup("two", [ValueError(), KeyError()])
        if kind == 1:
            raise ExceptionGroup("nested", [Oops(), ExceptionGroup("one", [ValueError()])])
        if kind == 2:
            raise KeyError
        return value

    def cm(self, *unused: object) -> Manager:
        return Manager(self, self.draw(7))

    def steps(self) -> Steps:
        return Steps(self.draw(4))

    def wait(self, *unused: object) -> Wait:
        return Wait(self.draw(3))

    def deco(self, *unused: object) -> Callable[[Any], Any]:
        """A decorator that changes nothing, or something to call for one."""
        return unused[0] if unused and callable(unused[0]) else lambda it: it

    def show(self, *values: object) -> None:
        print(*map(self.form, values), file=self.out)

    def form(self, value: object) -> str:
        """A value in a way that is the same in all processes."""
        if isinstance(value, int | float | str | None):
            return repr(value)
        if isinstance(value, list | tuple):
            return f"{type(value).__name__}({', '.join(map(self.form, value[:5]))})"
        return type(value).__name__

    def look(self, thing: Any) -> None:
        """Have annotations, bounds, defaults and the values of aliases worked out."""
        for part in (thing, *getattr(thing, "__type_params__", ())):
            for name in ("__annotations__", "__value__", "__bound__", "__constraints__", "__default__"):
                try:
                    self.show(name, len(str(type(getattr(part, name, None)))) > 0)
                except Exception as error:
                    self.show(name, type(error).__name__)

    def mark(self, label: str) -> None:
        """Begin another context."""
        self.switch(label)

    def call(self, function: Callable[..., object], times: int = 1) -> None:
        """Call something as often and tell how it ended; generators and coroutines are driven to some end."""
        for _ in range(times):
            kept = self.fuel
            if self.depth == 0:
                self.fuel = PER_CALL
            self.depth += 1
            try:
                self.show(self.drive(function(self.draw(3), self.draw(3))))
            except ENDINGS as error:
                self.show(type(error).__name__)
            finally:
                self.depth -= 1
                if self.depth == 0:
                    self.fuel = kept

    def keep(self, thing: Any) -> None:
        """Begin a generator, or what a function makes, and leave it asleep; in a later context resume() goes on with it."""
        try:
            generator = thing if isinstance(thing, GeneratorType) else thing(self.draw(3), self.draw(3))
            if isinstance(generator, GeneratorType):
                self.asleep.append(generator)
                self.show(next(generator, "over"))
        except ENDINGS as error:
            self.show(type(error).__name__)

    def resume(self) -> None:
        """Let each generator that is asleep go on by a step or two, or throw something into it."""
        for generator in self.asleep:
            try:
                for _ in range(self.draw(2) + 1):
                    self.show(next(generator, "over"))
                if self.draw(4) == 0:
                    self.show(generator.throw(ValueError))
            except ENDINGS as error:
                self.show(type(error).__name__)

    def drive(self, thing: object) -> object:
        """The result of a call; of a generator or coroutine what comes of running it."""
        if isinstance(thing, CoroutineType):
            return self.run(thing)
        if isinstance(thing, GeneratorType):
            return self.step(thing)
        if isinstance(thing, AsyncGeneratorType):
            return self.run(self.astep(thing))
        return thing

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        try:
            for _ in range(200):
                coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        return "asleep"

    def step(self, generator: GeneratorType[Any, Any, Any]) -> object:
        """Ask, send, throw, close: as the stream says."""
        seen: list[object] = []
        try:
            seen.append(next(generator))
            for _ in range(6):
                way = self.draw(8)
                if way == 0:
                    seen.append(generator.throw(ValueError))
                elif way == 1:
                    generator.close()
                elif way < 4:
                    seen.append(generator.send(way))
                else:
                    seen.append(next(generator))
        except StopIteration as end:
            return [*seen, end.value]
        return seen

    async def astep(self, generator: AsyncGeneratorType[Any, Any]) -> object:
        seen: list[object] = []
        try:
            seen.append(await anext(generator))
            for _ in range(4):
                way = self.draw(6)
                if way == 0:
                    seen.append(await generator.athrow(KeyError))
                elif way == 1:
                    await generator.aclose()
                else:
                    seen.append(await generator.asend(way))
        except StopAsyncIteration:
            pass
        return seen

    async def asteps(self) -> AsyncIterator[int]:
        for number in range(self.draw(3)):
            await Wait(number)
            yield number

    def namespace(self, path: str) -> dict[str, Any]:
        """The globals of a program."""
        helpers = "c n v items pairs boom group cm steps wait deco show look mark call keep resume drive asteps"
        names: dict[str, Any] = {name: getattr(self, name) for name in helpers.split()}
        names |= {"Oops": Oops, "Point": Point, "TYPE_CHECKING": False, "HOT": self.rounds}
        return {"__name__": "__main__", "__file__": path, **names}


def nothing() -> None:
    """In place of what begins or ends tracing."""


def execute(
    text: str,
    path: str,
    support: Support,
    start: Callable[[], object] = nothing,
    stop: Callable[[], object] = nothing,
) -> str:
    """Compile a program and run it between start() and stop().  Returns what it printed and how it ended.

    Its globals stay with `support`: what a program leaves alive (generators that sleep) ends with that.
    """
    code = compile(text, path, "exec", dont_inherit=True)
    support.globals = support.namespace(path)
    ending = "ended"
    start()
    try:
        exec(code, support.globals)
    except ENDINGS as error:
        ending = f"ended by {type(error).__name__}"
    finally:
        stop()
    return support.out.getvalue() + ending
