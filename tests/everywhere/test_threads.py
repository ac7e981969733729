"""Many threads: what they run together is what one runs alone, and what each context has is what ran in it, whoever is born or dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracing import observe

BENCHMARK = Path(__file__).parents[2] / "bench" / "programs" / "threads.py"
N_SHARES = 64
DRIVER = """
import sys
sys.setswitchinterval(1e-5)
def run(shares, own, begin):
    begin.wait()
    for k in shares:
        for _ in range(2):
            shared(k, 20)
            own[k](30)
def main(n_threads, n_shares=64):
    own = [globals()[f"own_{k}"] for k in range(n_shares)]
    begin = threading.Barrier(n_threads)
    shares = [range(k, n_shares, n_threads) for k in range(n_threads)]
    threads = [threading.Thread(target=run, args=(share, own, begin)) for share in shares]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
CHURN = """
import sys, threading
sys.setswitchinterval(1e-5)
def noise(n):
    for i in range(n):
        if i % 3: continue
        yield i
def churn():
    while not over.is_set():
        threads = [threading.Thread(target=lambda n=n: list(noise(n))) for n in range(5)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
def steps(n, c):
    while n:
        n -= 2 if n > c % 7 + 1 else 1
        yield n if n > 1 else 0
def first(c):
    kept = steps(c, c)
    for n in kept:
        if n < c % 5: break
    return kept
def second(c, kept):
    return [n for n in kept if n or c & 1]
def across(c):
    kept = first(c)
    ready.set()
    go.wait()
    second(c, kept)
def within(c, k):
    if k & 1: return sum(n for n in steps(k, c) if n % 2)
    try: return 1 // (k % (c % 4 + 1))
    except ZeroDivisionError: return 0
over = threading.Event()
background = [threading.Thread(target=churn) for _ in range(3)]
for thread in background: thread.start()
for c in range(40):
    switch(f"context {c}")
    ready, go = threading.Event(), threading.Event()
    crossing = threading.Thread(target=across, args=(c,))
    crossing.start()
    ready.wait()
    threads = [threading.Thread(target=within, args=(c, k)) for k in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    switch(f"next after {c}")
    go.set()
    crossing.join()
switch("end")
over.set()
for thread in background: thread.join()
"""
NOISE = ("noise", "churn")  # what runs in all contexts, some of it by chance


def program(n_threads: int) -> str:
    """The benchmark's functions, all of them in one file."""
    text = BENCHMARK.read_text()
    names: dict[str, Any] = {"__name__": "benchmark", "__file__": str(BENCHMARK)}
    exec(text, names)
    own = "".join(names["OWN"].format(k=k) for k in range(N_SHARES))
    return text.partition("def make_own")[0] + own + DRIVER + f"main({n_threads})\n"


def without_noise(observation: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[Any]]]:
    """By context, what ran there of code that is in one context at a time, sorted."""
    found = {
        context: {name: sorted(map(repr, items)) for name, items in codes.items() if not name.startswith(NOISE)}
        for context, codes in observation.items()
    }
    return {context: codes for context, codes in found.items() if codes}


def union(observation: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    return {(name, repr(item)) for codes in observation.values() for name, items in codes.items() for item in items}


def test_sixty_four_together_run_what_one_runs(tmp_path: Path) -> None:
    found = {}
    for n_threads in (1, 64):
        path = tmp_path / f"program_{n_threads}.py"
        path.write_text(program(n_threads))
        found[n_threads] = observe("covcore", path)
        assert found[n_threads]["error"] is None
    lines, arcs = (union(found[64][kind]) for kind in ("lines", "arcs"))
    assert (lines, arcs) == (union(found[1]["lines"]), union(found[1]["arcs"]))
    assert arcs == union(observe("arcs", path))
    assert lines == union(observe("lines", path))
    assert len(arcs) > 64 * 8


@pytest.mark.parametrize("spare", [{}, {"SPARE": "no"}], ids=["spare", "silenced"])
def test_births_and_deaths_while_contexts_switch(tmp_path: Path, spare: dict[str, str]) -> None:
    path = tmp_path / "program.py"
    path.write_text(CHURN)
    found = observe("covcore", path, env=spare)
    assert found["error"] is None
    lines, arcs = observe("lines", path), observe("arcs", path)
    assert without_noise(found["lines"]) == without_noise(lines)
    assert without_noise(found["arcs"]) == without_noise(arcs)
    assert union(found["lines"]) == union(lines)
    assert union(found["arcs"]) == union(arcs)
