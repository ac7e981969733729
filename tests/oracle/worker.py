"""A process that runs programs one after another: `python worker.py truth|covcore`, a JSON text a line each way.

It is asked {"path", "text", "seed", "rounds"} and answers with what it observed, or with {"failed": why}.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:0] = [tests, os.path.dirname(tests)]  # this tree's covcore, whichever one is installed


def main() -> None:
    role = sys.argv[1]
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda unraisable: None  # a generator that will not be closed
    gc.disable()  # what lives in a cycle ends after measuring, in every process alike
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing that a program prints can be taken for an answer
    observe: Callable[..., dict[str, Any]]
    if role == "truth":
        from oracle.truth import observe
    else:
        from oracle.measured import observe
    for number, line in enumerate(sys.stdin):
        try:
            answer = observe(**json.loads(line))
        except Exception:
            answer = {"failed": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
        if number % 20 == 0:
            gc.collect()  # the tracer's start looks at every object


if __name__ == "__main__":
    main()
