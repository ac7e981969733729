"""What `covcore report --conditions` says below the table.

module.py:12:8: 'y > 1' was never false
module.py:14:20: the loop over 'names' was never entered
module.py:12:4: MC/DC of 'x and y > 1' is not shown for 'y > 1'

Conditions: 41 of 50 outcomes seen (82%)
MC/DC: 3 of 9 decisions shown
"""

from collections.abc import Iterable, Iterator

from covcore.analysis.conditions import Condition
from covcore.analysis.figures import Figures, display
from covcore.analysis.file import FileResult, statement_at
from covcore.errors import printable
from covcore.report.names import plain_name
from covcore.report.results import Reported

NAMED = 5  # of many files, so many are named


def condition_lines(files: Iterable[Reported], total: Figures, precision: int) -> list[str]:
    """The outcomes that never happened in statements that ran, the decisions whose MC/DC is not shown, and totals.

    Args:
        files: those of the report.
        total: their figures.
        precision: decimals of percentages.
    """
    lines = []
    n_decisions = n_covered = 0
    for path, result in files:
        name = plain_name(path)
        found = sorted([*_missing(result), *_not_shown(result)])
        lines += [f"{name}:{line}:{column + 1}: {text}" for line, column, text in found]
        n_decisions += len(result.decisions)
        n_covered += sum(decision.is_covered for decision in result.decisions)
    seen = total.conditions - total.missing_conditions
    percent = display(100.0 * seen / total.conditions if total.conditions else 100.0, precision)
    return [
        "",
        *lines,
        *[""] * bool(lines),
        f"Conditions: {seen} of {total.conditions} outcomes seen ({percent}%)",
        f"MC/DC: {n_covered} of {n_decisions} decisions shown (of those whose diagram is a tree)",
    ]


def imported_lines(imported: Iterable[str]) -> list[str]:
    """Say in which files conditions were not measured.

    Args:
        imported: paths of those whose hits, or some of them, are from data of coverage.py's.
    """
    names = [plain_name(path) for path in sorted(imported)]
    if not names:
        return []
    files = "1 file" if len(names) == 1 else f"{len(names)} files"
    return [
        f"Not measured in {files}, imported from coverage.py's data, which has no conditions: "
        f"{', '.join(names[:NAMED])}{', ...' * (len(names) > NAMED)}"
    ]


def _missing(result: FileResult) -> Iterator[tuple[int, int, str]]:
    missing = set(result.missing)
    for condition in result.conditions:
        if condition.missing and statement_at(result.statements, condition.line) not in missing:
            yield condition.line, condition.column, _said_of(condition)


def _said_of(condition: Condition) -> str:
    what = f"the loop over {_quoted(condition.text)}" if condition.kind == "loop" else _quoted(condition.text)
    if len(condition.missing) == sum(condition.knowable) > 1:
        return f"{what} was never evaluated"
    return f"{what} was never {' nor '.join(condition.missing)}"


def _not_shown(result: FileResult) -> Iterator[tuple[int, int, str]]:
    missing = set(result.missing)
    for decision in result.decisions:
        if not decision.is_covered and statement_at(result.statements, decision.line) not in missing:
            operands = zip(decision.conditions, decision.shown, strict=True)
            left = ", ".join(_quoted(result.conditions[number].text) for number, shown in operands if not shown)
            yield decision.line, decision.column, f"MC/DC of {_quoted(decision.text)} is not shown for {left}"


def _quoted(text: str) -> str:
    return f"'{printable(text)}'"
