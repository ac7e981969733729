"""Programs that keep a log of what they do, for a process that is to be killed or starved."""

from __future__ import annotations

import os
import random
from pathlib import Path

SEEDS = int(os.environ.get("COVCORE_SEEDS", "12"))  # `make faults SEEDS=500`
N_THREADS = 4
N_LINES = 150


def rng(name: str) -> random.Random:
    """Another sequence for each test, the same in each run."""
    return random.Random(f"{name} {os.environ.get('COVCORE_SEED_BASE', '')}")


def threads(log: Path) -> str:
    """A program of some threads, each of which notes in the log each line that it has run.

    Returns its text.  A line of the log is the number of the line that wrote it: the first of a thread is what
    `first_lines` says.
    """
    lines = [
        "import os, threading, time",
        f"log = os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)",
        "def note(number, write=os.write, log=log, sleep=time.sleep): sleep(0.0005); write(log, b'%d\\n' % number)",
    ]
    for number in range(N_THREADS):
        lines.append(f"def work{number}():")
        lines += [f"    note({len(lines) + 1 + i})" for i in range(N_LINES)]
    lines += [
        f"threads = [threading.Thread(target=work) for work in ({', '.join(f'work{i}' for i in range(N_THREADS))})]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join()",
    ]
    return "\n".join(lines) + "\n"


def first_lines() -> list[int]:
    """The first line of each thread's work."""
    return [5 + number * (N_LINES + 1) for number in range(N_THREADS)]


def logged(log: Path) -> set[int]:
    """What a log says, without a number that was cut short."""
    try:
        text = log.read_text()
    except FileNotFoundError:
        return set()
    return {int(line) for line in text[: text.rfind("\n") + 1].split()}
