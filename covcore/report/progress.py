"""A sign of life on a terminal while something takes long."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from covcore.platform import start_ticking, stop_ticking

FIRST = 1.0  # seconds until the first sign
INTERVAL = 0.5


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say on standard error, after a second, what is being done and for how long; nothing if that is no terminal.

    A timer's signal does it, not a thread: what is done meanwhile may fork.
    """
    stream = sys.stderr
    start = time.monotonic()
    said = ""

    def say(*_: object) -> None:
        nonlocal said
        said = f"covcore: {doing}, {time.monotonic() - start:.0f} s"
        stream.write(f"\r{said}")
        stream.flush()

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not stream or not stream.isatty() or not start_ticking(say, FIRST, INTERVAL):
        yield
        return
    try:
        yield
    finally:
        stop_ticking()
        if said:
            stream.write("\r" + " " * len(said) + "\r")
            stream.flush()
