"""Work spread over the cores, by forked children that send back bytes.

No pool of multiprocessing's: to start one and to import into it takes longer than most reports, and children that are
forked have all that they work on.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence

from covcore.platform import CAN_FORK, fork, kill


def spread[Job](work: Callable[[Job], bytes], jobs: Sequence[Job], n_workers: int | None = None) -> list[bytes]:
    """Do work on each job, in as many processes as there are cores.

    Args:
        work: a function without effects.
        jobs: the largest first, so that each process gets its share.
        n_workers: how many processes; None: one for each core.  With threads about, it is one: only the thread that
            forks would live on.

    Returns:
        The results, in the order of the jobs.

    Raises:
        Whatever `work` raises; KeyboardInterrupt.  No child outlives the call.
    """
    n_workers = min(n_workers or _cores(), len(jobs))
    if n_workers < 2 or threading.active_count() > 1 or not CAN_FORK:
        return [work(job) for job in jobs]
    children: list[_Child] = []
    try:
        children += (_Child(work, jobs[number::n_workers]) for number in range(1, n_workers))
        shares = [[work(job) for job in jobs[::n_workers]]]
        for number, child in enumerate(children, 1):
            theirs = jobs[number::n_workers]
            shares.append(child.results(len(theirs)) or [work(job) for job in theirs])
    finally:
        for child in children:
            child.end()
    return [shares[number % n_workers][number // n_workers] for number in range(len(jobs))]


def _cores() -> int:
    """Those that this process may use."""
    if sys.version_info < (3, 13):
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return os.process_cpu_count() or 1


class _Child:
    """A forked process that works on jobs and then writes all results, each after its length, to a pipe."""

    def __init__[Job](self, work: Callable[[Job], bytes], jobs: Sequence[Job]) -> None:
        self._pipe, theirs = os.pipe()
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            self._pid = fork()  # it warns of native threads, such as faulthandler's, too
        if self._pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all: the parent says what is to be said
                results = [work(job) for job in jobs]
                with os.fdopen(theirs, "wb") as pipe:
                    pipe.writelines(part for it in results for part in (len(it).to_bytes(8), it))
                status = 0
            finally:
                os._exit(status)  # nothing of the parent's is flushed, closed or called twice
        os.close(theirs)

    def results(self, n_jobs: int) -> list[bytes]:
        """Its results, once it has them; none if it failed."""
        with os.fdopen(self._pipe, "rb", closefd=False) as pipe:
            written = memoryview(pipe.read())
        found = []
        while len(written) >= 8:
            end = 8 + int.from_bytes(written[:8])
            if len(written) < end:
                break
            found.append(bytes(written[8:end]))
            written = written[end:]
        return found if len(found) == n_jobs else []

    def end(self) -> None:
        """Wait for it; kill it first if it still runs."""
        os.close(self._pipe)
        kill(self._pid)  # a child that nobody has waited for keeps its id
        os.waitpid(self._pid, 0)
