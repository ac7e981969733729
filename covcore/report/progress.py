"""A sign of life on a terminal while something takes long."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FIRST = 1.0  # seconds until the first sign
INTERVAL = 0.5


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say on standard error, after a second, what is being done and for how long; nothing if that is no terminal.

    A timer's signal does it, not a thread: what is done meanwhile may fork.
    """
    stream = sys.stderr
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not stream or not stream.isatty() or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield
        return
    start = time.monotonic()
    said = ""

    def say(*_: object) -> None:
        nonlocal said
        said = f"covcore: {doing}, {time.monotonic() - start:.0f} s"
        stream.write(f"\r{said}")
        stream.flush()

    signal.signal(signal.SIGALRM, say)
    signal.setitimer(signal.ITIMER_REAL, FIRST, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if said:
            stream.write("\r" + " " * len(said) + "\r")
            stream.flush()
