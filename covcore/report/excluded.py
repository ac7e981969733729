"""`covcore report --show-excluded`: which statements do not count, and the rule that says so."""

from collections.abc import Iterable

from covcore.analysis.file import FileResult
from covcore.errors import printable
from covcore.report.lines import ranges
from covcore.report.names import plain_name
from covcore.report.results import Reported

type Excluded = tuple[str, str, str]  # file, lines, pattern: all safe to print


def excluded(files: Iterable[Reported]) -> list[Excluded]:
    """One entry for each file and each rule that excludes something in it, rules in the order of their first lines."""
    return [
        (plain_name(path), lines, printable(pattern))
        for path, result in files
        for pattern, lines in _by_rule(result).items()
    ]


def _by_rule(result: FileResult) -> dict[str, str]:
    """By pattern, the ranges of statements that it excludes."""
    every_statement = sorted([*result.statements, *result.excluded])
    lines: dict[str, set[int]] = {}
    for line in sorted(result.excluded):
        lines.setdefault(result.excluded[line], set()).add(line)
    return {
        pattern: ", ".join(f"{a}-{b}" if b > a else f"{a}" for a, b in ranges(every_statement, chosen))
        for pattern, chosen in lines.items()
    }


def excluded_lines(files: Iterable[Reported], *, markdown: bool) -> list[str]:
    """The lines that stand below the table.

    Args:
        files: what is reported.
        markdown: whether they are to be a table of Markdown.
    """
    entries = excluded(files)
    if not entries:
        return ["", "Nothing is excluded."]
    if markdown:
        from covcore.report.markdown import escape

        rows = [
            ("Excluded in", "Lines", "By the rule"),
            ("---",) * 3,
            *(tuple(map(escape, entry)) for entry in entries),
        ]
        return ["", *("| " + " | ".join(row) + " |" for row in rows)]
    found = ["", "Excluded:"]
    named = ""
    for name, lines, pattern in entries:
        if name != named:
            found.append(name)
            named = name
        found.append(f"    {lines}: {pattern}")
    return found
