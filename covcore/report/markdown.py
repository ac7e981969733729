"""The table in GitHub's flavour of markdown, for a pull request or a job's summary."""

import string

from covcore.report.table import HEADER, Row, Table

_SPECIAL = str.maketrans({character: f"\\{character}" for character in string.punctuation if character not in ".,/-%>"})


def escape(text: str) -> str:
    """Text that stands for itself in Markdown."""
    return text.translate(_SPECIAL)


def markdown_lines(table: Table, precision: int, show_missing: bool) -> list[str]:
    """The lines of the table."""
    n_columns = len(HEADER) if show_missing else len(HEADER) - 1
    lines = [list(HEADER), ["---", *["---:"] * (len(HEADER) - 2), "---"]]
    lines += ([escape(cell) for cell in row.cells(precision)] for row in table.rows)
    lines.append([f"**{cell}**" if cell else "" for cell in Row("TOTAL", table.total).cells(precision)])
    return ["| " + " | ".join(cells[:n_columns]) + " |" for cells in lines]
