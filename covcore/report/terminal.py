"""The table on a terminal, in colours, by means of rich where that is installed."""

import os

from covcore.analysis.figures import Figures
from covcore.report.table import HEADER, Row, Table

GOOD, FAIR = 90, 75  # per cent


def write_table(table: Table, precision: int, show_missing: bool) -> bool:
    """Write the table to standard output.

    Returns:
        False, with nothing written, where there is no rich, or NO_COLOR or TERM=dumb ask for plain text.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as Grid
        from rich.text import Text
    except ImportError:
        return False

    from covcore.report.text import skipped

    n_columns = len(HEADER) if show_missing else len(HEADER) - 1
    grid = Grid(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = Row("TOTAL", table.total)
    for heading, sum_of_it in list(zip(HEADER, total.cells(precision), strict=True))[:n_columns]:
        is_text = heading in ("Name", "Missing")
        footer = Text(sum_of_it, style=_style(table.total) if heading == "Cover" else "bold")
        grid.add_column(
            heading, footer, justify="left" if is_text else "right", overflow="fold", no_wrap=heading in HEADER[1:6]
        )
    for row in table.rows:
        cells = [Text(cell) for cell in row.cells(precision)[:n_columns]]
        cells[5].stylize(_style(row.figures))
        grid.add_row(*cells)
    console = Console(highlight=False)
    console.print(grid)
    for line in skipped(table):
        console.print(Text(line))
    return True


def _style(figures: Figures | None) -> str:
    """The colour of a percentage."""
    if figures is None:
        return "dim"
    return "green" if figures.percent >= GOOD else "yellow" if figures.percent >= FAIR else "red"
