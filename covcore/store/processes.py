"""The processes of a run: who they are, whether they still run, how they ended."""

from __future__ import annotations

from functools import cache

from covcore._reader import boot_id, is_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore._reader import Owner

FINISHED = "finished"
STOPPED = "stopped by an error"
UNENDED = "ended without an end mark"
RUNNING = "still running"
LOST = "left no record"
OUTCOMES = (FINISHED, STOPPED, UNENDED, RUNNING, LOST)  # the surer word first

SIGNALLED = "killed by signal "  # and its number: the problem of a process that is known to have ended so
REPLACED = "went on as "  # and a program: that of one that called exec
ORDERLY = tuple(f"{SIGNALLED}{number}" for number in (1, 2, 15))  # SIGHUP, SIGINT, SIGTERM, from within the run


class Process:
    """One started process, as far as its recording tells; a program that exec'd or restarted covcore has several.

    run_id: of the run that it belongs to
    boot_id, pid, start_ticks: name a process on this machine (clock ticks after boot); of one that left no record the
        pid is 0, and the rest is about its parent
    started: when its recording began, ns since 1970; 0 if it did not
    tag: the interpreter, such as "cpython-314"
    optimize: 0, 1 (-O) or 2 (-OO)
    outcome: one of OUTCOMES
    problem: what went wrong with its recording, or what is known of its end; of one that left no record its command,
        or "" if it was forked
    """

    __slots__ = ("boot_id", "optimize", "outcome", "pid", "problem", "run_id", "start_ticks", "started", "tag")

    def __init__(
        self,
        run_id: str,
        boot_id: str,
        pid: int,
        start_ticks: int,
        started: int,
        tag: str,
        optimize: int,
        outcome: str,
        problem: str,
    ) -> None:
        self.run_id = run_id
        self.boot_id = boot_id
        self.pid = pid
        self.start_ticks = start_ticks
        self.started = started
        self.tag = tag
        self.optimize = optimize
        self.outcome = outcome
        self.problem = problem

    def is_loss(self) -> bool:
        """Whether data may be missing: it did not finish, and was not told to end by a process of its run either."""
        if self.outcome == UNENDED:
            return self.problem not in ORDERLY and not self.problem.startswith(REPLACED)
        return self.outcome != FINISHED


def last_of_each(processes: Iterable[Process]) -> list[Process]:
    """Of several recordings of one process the last: it says how the process ended."""
    last: dict[tuple[str, int, int, int], Process] = {}
    for process in processes:
        key = (process.boot_id, process.pid, process.start_ticks, 0 if process.pid else process.started)
        if key not in last or last[key].started < process.started:
            last[key] = process
    return list(last.values())


def summary(processes: Iterable[Process]) -> str:
    """Say how many there were and how they ended, in one line.

    "4 processes: 2 finished, 1 ended without an end mark (killed by signal 9), 1 still running"
    """
    processes = last_of_each(processes)
    parts = [part for outcome in OUTCOMES if (part := _count(outcome, processes))]
    return ": ".join(filter(None, [plural(len(processes), "process", "es"), ", ".join(parts)]))


def _count(outcome: str, processes: Iterable[Process]) -> str:
    """Say how many ended in one way, and what is known of the causes."""
    problems = [process.problem for process in processes if process.outcome == outcome]
    if not problems:
        return ""
    causes = sorted(
        {problem for problem in problems if outcome == UNENDED and problem.startswith((SIGNALLED, REPLACED))}
    )
    counts = [f"{problems.count(cause)} {cause}" if len(problems) > 1 else cause for cause in causes]
    return f"{len(problems)} {outcome}" + (f" ({', '.join(counts)})" if counts else "")


def plural(n: int, noun: str, ending: str = "s") -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}{ending}"


def is_running(owner: Owner) -> bool:
    """Whether the process that began a recording still runs: it is not gone, its id is not another's now."""
    boot = this_boot()
    if boot and owner["boot_id"] and boot != owner["boot_id"]:
        return False
    return is_process(owner["pid"], owner["start_ticks"])


@cache
def this_boot() -> str:
    """What names the time since the machine was started; "" if nothing tells."""
    return boot_id()
