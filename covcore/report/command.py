"""What all commands that report do."""

from collections.abc import Callable

from covcore.report import results, thresholds
from covcore.report.results import Options, Results
from covcore.store.database import Database
from covcore.store.loading import load


def report(options: Options, write: Callable[[Results, Database], object]) -> int:
    """Analyse what was measured, write a report of it, and hold the figures against the thresholds.

    Args:
        options: what the command line says.
        write: the report.

    Returns:
        The exit status: 0, 1 if --strict finds a loss, or 2 if a threshold is missed.

    Raises:
        CovcoreError: there is no data, nothing of it to report, or the report cannot be written.
    """
    with load(options.data) as database:
        found = results.analysed(database, options)
        write(found, database)
    return thresholds.check(found, options.fail_under, options.precision)
