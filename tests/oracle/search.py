"""Generates programs until covcore and CPython do not agree on one, and makes that one small."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky
from strategies import runs

from oracle.check import NO_JIT, Oracle
from oracle.differences import differences

SHRINKING = 60  # seconds


class Failure(NamedTuple):
    """A program on which they do not agree."""

    text: str
    stream: int  # seed of its decisions
    differences: list[str]

    def __str__(self) -> str:
        lines = "\n".join(f"{number:4} {line}" for number, line in enumerate(self.text.splitlines(), 1))
        said = "\n".join(f"  {difference}" for difference in self.differences)
        return f"covcore and CPython differ:\n{said}\non this program, with the stream of decisions {self.stream}:\n{lines}"


class _Enough(BaseException):
    """Ends a search; an Exception would be a failure to Hypothesis."""


def search(
    number: int, base: int, jit: dict[str, str] = NO_JIT, tick: Callable[[], object] = lambda: None
) -> Failure | None:
    """Run generated programs.

    Args:
        number: how many.
        base: the seed of what is generated; the same seed gives the same programs.
        jit: NO_JIT, JIT or EAGER_JIT: what they are measured under.
        tick: called after each program.

    Returns:
        The smallest program found on which there are differences, or None.
    """
    smallest: Failure | None = None
    until = 0.0

    @seed(base)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    @given(runs())
    def check(run: tuple[str, int]) -> None:
        nonlocal smallest, until
        if smallest and time.monotonic() > until:
            raise _Enough
        found = differences(*oracle.observe(*run))
        tick()
        if found:
            until = until or time.monotonic() + SHRINKING
            if smallest is None or len(run[0]) <= len(smallest.text):
                smallest = Failure(*run, found)
            raise AssertionError

    quiet = warnings.catch_warnings(action="ignore")
    flaky = contextlib.suppress(AssertionError, Flaky, _Enough)  # Flaky: it did not fail again, a failure all the same
    with Oracle(jit) as oracle, quiet, flaky:
        check()
    return smallest
