"""A pytest plugin that prints, at the end, how long storing took, by coverage.py or for it: "stored in 0.123 s"."""

import atexit
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps

from coverage import CoverageData

STORING = ("set_context", "add_lines", "add_arcs", "add_file_tracers", "touch_files", "update", "write", "close")

seconds = 0.0
depth = 0


def timed[**P, T](method: Callable[P, T]) -> Callable[P, T]:
    """A function whose processor time counts, but not twice where one calls another."""

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
with suppress(ImportError):  # of ctrace there is no such part
    from covcore_coverage import storing
    from covcore_coverage.adopting import AdoptingData

    for name in ("update", "write"):
        setattr(AdoptingData, name, timed(getattr(AdoptingData, name)))
    for function in (storing.add_arcs, storing.add_sets):
        setattr(storing, function.__name__, timed(function))
atexit.register(lambda: print(f"stored in {seconds:.3f} s"))
