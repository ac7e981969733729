"""Runs programs in two worker processes and compares what they saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from oracle.support import HOT, ROUNDS

WORKER = Path(__file__).with_name("worker.py")
PATH = "/generated/program.py"  # of every program; there is no such file


NO_JIT: dict[str, str] = {}
JIT = {"PYTHON_JIT": "1"}  # which takes note of loops of some 4,000 rounds, as hot() in a program has
# 3.15 can be told to begin with everything at once.
EAGER_JIT = JIT | {
    f"PYTHON_JIT_{place}_INITIAL_{what}": "1"
    for place in ("JUMP_BACKWARD", "RESUME", "SIDE_EXIT")
    for what in ("VALUE", "BACKOFF")
}


class Worker:
    """A process that runs programs; begun anew if one kills it."""

    def __init__(self, role: str, environment: dict[str, str]) -> None:
        self.role = role
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environment |= environment
        self.process: subprocess.Popen[str] | None = None

    def ask(self, question: dict[str, Any]) -> None:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, str(WORKER), self.role]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return {"failed": f"the {self.role} process died with status {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None and self.process.stdout is not None:
            self.process.stdin.close()
            self.process.wait(60)
            self.process.stdout.close()


class Oracle:
    """Holds covcore against CPython, one program at a time.

    jit: environment of the process that measures: NO_JIT, JIT or EAGER_JIT
    """

    def __init__(self, jit: dict[str, str] = NO_JIT) -> None:
        self.truth = Worker("truth", NO_JIT)
        self.covcore = Worker("covcore", jit)
        self.rounds = HOT if jit == JIT else ROUNDS

    def observe(self, text: str, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run a program in both workers.  Returns what the truth is, and what covcore makes of it."""
        question = {"path": PATH, "text": text, "seed": seed, "rounds": self.rounds}
        self.truth.ask(question)
        self.covcore.ask(question)
        return self.truth.answer(), self.covcore.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.truth.close()
        self.covcore.close()
