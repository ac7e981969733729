"""The index: what its page shows without scripts, and what its script shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from covcore.analysis.baseline import STATES, Change
from covcore.analysis.figures import Figures
from covcore.html.data import front_coded
from covcore.html.pages import Function

COLUMNS = ("statements", "missing", "excluded", "branches", "missing_branches", "conditions", "missing_conditions")


class Entry(NamedTuple):
    """A file of the report."""

    path: str  # absolute
    name: str  # safe to show
    page: str  # name of its page
    figures: Figures


def index_data(
    entries: Sequence[Entry],
    title: str,
    precision: int,
    n_tests: int,
    chunks: Sequence[int],
    changes: Mapping[str, Change],
) -> dict[str, object]:
    """What the index's script begins with.

    Args:
        entries: the files, in order.
        title: of the report.
        precision: decimals of percentages.
        n_tests: how many tests there are to choose from; 0: the report has none.
        chunks: how many files each of the record chunks has.
        changes: since the baseline, by path; none without a baseline.
    """
    return {
        "changes": _changes([changes[entry.path] for entry in entries]) if changes else None,
        "title": title,
        "precision": precision,
        "tests": n_tests,
        "chunks": chunks,
        "names": front_coded(entry.name for entry in entries),
        "pages": "".join(entry.page for entry in entries),
        "figures": _columns(entry.figures for entry in entries),
    }


def _changes(changes: Sequence[Change]) -> dict[str, object]:
    counts = {state: [change.count(state) for change in changes] for state in STATES}
    return {"counts": counts, "unknown": [int(not change.is_known) for change in changes]}


def functions_data(files: Iterable[Sequence[Function]]) -> dict[str, object]:
    """The functions or classes of all files.

    Args:
        files: those of each file, in the index's order.
    """
    files = list(files)
    every = [function for functions in files for function in functions]
    return {
        "counts": [len(functions) for functions in files],
        "names": "\0".join(function.name for function in every),
        "lines": [function.line for function in every],
        "complexity": [function.complexity for function in every],
        "classes": [function.class_number for function in every],
        "figures": _columns(function.figures for function in every),
    }


def _columns(all_figures: Iterable[Figures]) -> Mapping[str, list[int]]:
    rows = list(all_figures)
    return {name: [getattr(row, name) for row in rows] for name in COLUMNS}
