"""A pytest plugin that prints, at the end, how long coverage.py took to store what it was given: "stored in 0.123 s"."""

import atexit
import time
from collections.abc import Callable
from functools import wraps

from coverage import CoverageData

STORING = ("set_context", "add_lines", "add_arcs", "add_file_tracers", "touch_files", "write", "close")

seconds = 0.0
depth = 0


def timed[**P, T](method: Callable[P, T]) -> Callable[P, T]:
    """A method whose processor time counts, but not twice where one calls another."""

    @wraps(method)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> T:
        global seconds, depth
        depth += 1
        started = time.process_time()
        try:
            return method(*arguments, **keywords)
        finally:
            depth -= 1
            if not depth:
                seconds += time.process_time() - started

    return wrapper


for name in STORING:
    setattr(CoverageData, name, timed(getattr(CoverageData, name)))
atexit.register(lambda: print(f"stored in {seconds:.3f} s"))
