"""Processes, what they cost, and what many of such costs say together."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Cost:
    """What one process and all its descendants that were waited for have used."""

    cpu: float  # seconds, user + system
    wall: float  # seconds
    status: int  # exit status, negative: the signal that ended it
    output: str  # standard output and error


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    check: bool = True,
) -> Cost:
    """Run a command to its end.  Raises SystemExit with its last lines if it fails, unless check is off.

    log: the file for its output, in its working folder if none is given.
    """
    log = log or cwd / "output.log"
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        _, wait_status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(wait_status)
    output = log.read_text(errors="replace")
    if check and process.returncode != 0:
        last_lines = "\n".join(output.splitlines()[-15:])
        raise SystemExit(f"bench: exit status {process.returncode} of {' '.join(map(str, command))}\n{last_lines}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, process.returncode, output)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would change how Python or a tool runs; the same hashes in every process."""
    prefixes = ("PYTHON", "PYTEST", "COV", "HYPOTHESIS", "SLIPCOVER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, "PYTHONHASHSEED": "0", **(changes or {})}


@dataclass(frozen=True)
class Estimate:
    """A median, the 95 % interval around it, and of how many values it is."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float]) -> Estimate:
    """The median with the narrowest symmetric interval of order statistics that holds the true one with 95 %.

    Below six values there is none: then it is their whole range.
    """
    ordered = sorted(values)
    n = len(ordered)
    # With k values left out at each end, the true median lies outside with 2 * P(X <= k), X ~ B(n, 1/2).
    k, tail = 0, 1 / 2**n
    while 2 * (tail + math.comb(n, k + 1) / 2**n) <= 0.05:
        k += 1
        tail += math.comb(n, k) / 2**n
    return Estimate(median(ordered), ordered[k], ordered[n - 1 - k], n)


def interleaved[T](variants: Mapping[str, Callable[[int], T]], rounds: int, label: str = "") -> dict[str, list[T]]:
    """Call every variant with the number of the round, round by round, each round beginning with another one."""
    names = list(variants)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        say(f"{label} {number + 1}/{rounds}", end="\r")
        first = number % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(variants[name](number))
    say(f"{label} {rounds} rounds")
    return results


def ratios(values: Sequence[float], base: Sequence[float]) -> Estimate:
    """The ratio to a base, pair by pair."""
    return estimate([value / other for value, other in zip(values, base, strict=True)])


def differences(values: Sequence[float], base: Sequence[float]) -> Estimate:
    return estimate([value - other for value, other in zip(values, base, strict=True)])


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def geometric_ratios(values: Sequence[Sequence[float]], base: Sequence[Sequence[float]]) -> Estimate:
    """The geometric mean over several programs of the ratio to a base, round by round.

    values[i][j] is the cost of program j in round i.
    """
    return estimate(
        [
            geometric_mean([cost / other for cost, other in zip(row, base_row, strict=True)])
            for row, base_row in zip(values, base, strict=True)
        ]
    )


def say(text: str, end: str = "\n") -> None:
    """Tell on standard error how far we are; a line that ends with \\r is only for a terminal."""
    if sys.stderr.isatty():
        print(f"\x1b[K{text}", end=end, file=sys.stderr, flush=True)
    elif end == "\n":
        print(text, file=sys.stderr, flush=True)
