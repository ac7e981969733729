"""What a report says of the processes that it is about."""

from covcore.errors import printable, say
from covcore.store.database import Database
from covcore.store.processes import LOST, STOPPED, last_of_each, summary

FAILURES = (STOPPED, LOST)


def tell(database: Database) -> str:
    """Say on standard error how many processes there were and how they ended, unless there was one that finished.

    Returns:
        Why the report may not be of all that ran, for --strict; "" if every process finished.
    """
    processes = last_of_each(database.processes())
    losses = [process for process in processes if process.is_loss()]
    if len(processes) > 1 or losses:
        say("warning" if any(process.outcome in FAILURES for process in losses) else "note", summary(processes))
    if not losses:
        return ""
    pids = ", ".join(
        str(process.pid) if process.pid else printable(process.problem) or "a fork" for process in losses[:5]
    )
    return f"--strict: {len(losses)} of {len(processes)} processes did not finish: {pids}{', ..' * (len(losses) > 5)}"
