"""Sums and percentages: of a file, of all files, of whatever is counted alike."""

from __future__ import annotations

from typing import NamedTuple


class Figures(NamedTuple):
    """What reports count; add them up with `+`."""

    statements: int = 0
    missing: int = 0  # statements
    excluded: int = 0  # statements
    branches: int = 0
    missing_branches: int = 0
    partial_branches: int = 0  # missing ones whose line ran
    conditions: int = 0  # outcomes of conditions: a total of their own, in no percentage of the above
    missing_conditions: int = 0

    def __add__(self, other: object) -> Figures:
        if not isinstance(other, Figures):
            return NotImplemented
        return Figures(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def percent(self) -> float:
        """The share of statements and branches together that ran, 0 to 100; 100 where there are none."""
        total = self.statements + self.branches
        return 100.0 * (total - self.missing - self.missing_branches) / total if total else 100.0

    @property
    def is_complete(self) -> bool:
        return not self.missing and not self.missing_branches


def display(percent: float, precision: int = 0) -> str:
    """A percentage with `precision` digits after the point that is "0" and "100" only where it is exactly that."""
    smallest = 10.0**-precision
    if 0 < percent < smallest:
        percent = smallest
    elif 100 - smallest < percent < 100:
        percent = 100 - smallest
    return f"{percent:.{precision}f}"


def is_under(percent: float, threshold: float, precision: int = 0) -> bool:
    """Whether a percentage, rounded to the digits that are shown or that the threshold has, is under the threshold.

    A threshold of 100 is met by nothing less than 100.
    """
    if threshold >= 100:
        return percent < 100
    digits = len(f"{threshold:.10f}".rstrip("0").partition(".")[2])
    return round(percent, max(precision, digits)) < threshold
