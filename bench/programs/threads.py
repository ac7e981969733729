"""Threads that run code which they share and code of their own.

    threads.py THREADS ROUNDS SHARES

Thread k runs shares k, k + THREADS, ... of SHARES: each is ROUNDS of the functions that all have in common, and of a function that no
other share has.  So what runs in all is the same for any number of threads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

OWN = """
def own_{k}(n):
    total = {k}
    for i in range(n):
        if i % 3 == {k} % 3 and total > {k}:
            total -= i
        elif i & 1:
            total += i
        else:
            total += 1 if total & 4 else 2
    if total < 0:
        total = -1
    while total > 40:
        total //= 3
        if total == {k}:
            break
    try:
        return 100 // (total - {k} % 5)
    except ZeroDivisionError:
        return -{k}
"""


class Account:
    """Something with state, that each share has one of."""

    def __init__(self, balance: int) -> None:
        self.balance = balance

    def move(self, amount: int) -> bool:
        if amount > self.balance:
            return False
        self.balance -= amount
        return True


def steps(n: int) -> Iterator[int]:
    i = 0
    while i < n:
        yield i * i
        i += 2 if i & 1 else 1


def shared(k: int, n: int) -> int:
    account = Account(5 * n)
    refused = 0
    for step in steps(n):
        if not account.move(step % (k % 7 + 1)):
            refused += 1
    match k % 4:
        case 0:
            return sum(step for step in steps(n) if step & 1)
        case 1 | 2 if refused:
            return refused
        case _:
            return len([step for step in steps(n) if step > k or step == n])


def make_own(n: int) -> list[Callable[[int], int]]:
    """The functions of the shares, in a module of its own beside this one: their file is measured as this is."""
    module = ModuleType("own")
    text = "".join(OWN.format(k=k) for k in range(n))
    exec(compile(text, os.path.join(os.path.dirname(__file__), "threads_own.py"), "exec"), module.__dict__)
    return [module.__dict__[f"own_{k}"] for k in range(n)]


def run(shares: range, rounds: int, own: list[Callable[[int], int]], begin: threading.Barrier) -> None:
    begin.wait()
    for k in shares:
        for _ in range(rounds):
            shared(k, 20)
            own[k](30)


def main() -> None:
    n_threads, rounds, n_shares = map(int, sys.argv[1:])
    own = make_own(n_shares)
    begin = threading.Barrier(n_threads)
    threads = [
        threading.Thread(target=run, args=(range(k, n_shares, n_threads), rounds, own, begin)) for k in range(n_threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
