"""--fail-under, and the thresholds of the configuration: how much of what must have run."""

from collections.abc import Iterator, Mapping

from covcore.analysis.figures import Figures, display, is_under
from covcore.config import current_folder
from covcore.errors import say
from covcore.globs import compile_pattern, matches
from covcore.report.results import Results

LOSS, UNDER = 1, 2  # exit status
TOTAL = "total"  # among patterns: all files


def check(
    results: Results, fail_under: float | Mapping[str, float] | None, precision: int, option: str = "--fail-under"
) -> int:
    """Hold the figures against the thresholds, and say on standard error what is not as it should be.

    Arguments as those of `remarks`.

    Returns:
        The exit status: 0, 1 if --strict finds a loss, or 2 if a threshold is missed.
    """
    status = 0
    for kind, text in remarks(results, fail_under, precision, option):
        say(kind, text)
        status = UNDER if kind == "error" else status
    if results.loss:
        say("error", results.loss)
        return LOSS
    return status


def remarks(
    results: Results, fail_under: float | Mapping[str, float] | None, precision: int, option: str = "--fail-under"
) -> Iterator[tuple[str, str]]:
    """Hold the figures against the thresholds.

    Args:
        results: with all the files of the report.
        fail_under: per cent of the total, or of the files that match a pattern each (`total`: of all).
        precision: decimals that the report shows.
        option: what the threshold of the total was set with.

    Yields:
        "error" and a line for each threshold that is missed, "warning" and one for each that has no file.
    """
    if fail_under is None:
        return
    for pattern, threshold in fail_under.items() if isinstance(fail_under, Mapping) else [(TOTAL, fail_under)]:
        figures = results.total if pattern == TOTAL else _matching(results, pattern)
        if figures is None:
            yield "warning", f"fail_under: {pattern} matches no file of this report"
        elif is_under(figures.percent, threshold, precision):
            digits = max(precision, len(f"{threshold:.10f}".rstrip("0").partition(".")[2]))
            figure = f"{display(figures.percent, digits)}%"
            if pattern == TOTAL:
                yield "error", f"the total of {figure} is under {option}={threshold:g}"
            else:
                yield "error", f"{pattern} has {figure}, which is under its threshold of {threshold:g}"


def _matching(results: Results, pattern: str) -> Figures | None:
    """The figures of all files that match a pattern together; None if there is no such file."""
    compiled = [compile_pattern(pattern, current_folder())]
    found = [file.result.figures for file in results.reported() if matches(file.path, compiled)]
    return sum(found, Figures()) if found else None
