"""`covcore report --format=github`: what is missing, as annotations of GitHub's workflows, the largest pieces first.

GitHub shows ten warnings a step, so the order matters.
"""

from collections.abc import Iterable, Iterator

from covcore.analysis.figures import Figures, display
from covcore.errors import printable
from covcore.report.lines import ranges
from covcore.report.names import display_name
from covcore.report.results import Reported


def github_lines(files: Iterable[Reported], total: Figures, precision: int) -> list[str]:
    """The lines: a command each, and the total as a notice."""
    found = sorted((piece for file in files for piece in _pieces(file)), key=lambda piece: -piece[0])
    notice = f"::notice title=Coverage::{display(total.percent, precision)}%25 of statements and branches ran"
    return [notice, *(line for _, line in found)]


def _pieces(file: Reported) -> Iterator[tuple[int, str]]:
    """Each range of statements that never ran, and each line of which a way on was never taken, with its size."""
    result = file.result
    missing = set(result.missing)
    name = _property(display_name(file.path))
    for first, last in ranges(result.statements, missing):
        size = sum(first <= line <= last for line in result.missing)
        yield (
            size,
            f"::warning file={name},line={first},endLine={last},title=Never ran::{_lines(first, last)} never ran",
        )
    for line, targets in result.missing_branches.items():
        if line not in missing:
            ways = " or ".join(f"to line {to}" if to > 0 else "out of its function or module" for to in sorted(targets))
            message = f"line {line} never led {ways}"
            yield 0, f"::warning file={name},line={line},endLine={line},title=Branch never taken::{message}"


def _lines(first: int, last: int) -> str:
    return f"lines {first} to {last}" if last > first else f"line {first}"


def _property(text: str) -> str:
    """A value between the commas of a command."""
    for character in "%\r\n:,":  # % first: the others bring more of it
        text = text.replace(character, f"%{ord(character):02X}")
    return printable(text)
