"""The column Missing: `3-7, 12->15, 12->exit`."""

from collections.abc import Sequence

from covcore.analysis.file import FileResult


def missing_text(result: FileResult) -> str:
    """Say which statements never ran, in ranges, and which branches were never taken between statements that did."""
    missing = set(result.missing)
    items = [
        (first, f"{first}-{last}" if last > first else f"{first}") for first, last in ranges(result.statements, missing)
    ]
    for line, targets in result.missing_branches.items():
        if line not in missing:
            items += ((line, f"{line}->{to if to > 0 else 'exit'}") for to in sorted(targets) if to not in missing)
    return ", ".join(text for _, text in sorted(items))


def ranges(statements: Sequence[int], chosen: set[int]) -> list[tuple[int, int]]:
    """Join chosen statements to ranges (first, last), over whatever lines are no statements.

    Args:
        statements: all of them, ascending.
        chosen: some of them.
    """
    found: list[tuple[int, int]] = []
    is_open = False
    for line in statements:
        if line not in chosen:
            is_open = False
        elif is_open:
            found[-1] = found[-1][0], line
        else:
            found.append((line, line))
            is_open = True
    return found
