"""All suites, under coverage.py and covcore at once: `make oracle-packages`.

    python -m oracle_packages [--write] [NAME ..]

Says on standard error how far it is, and at the end in a table what was compared.  --write puts that into docs/parity.md,
beside the tables of other versions of Python, if no NAME leaves suites out.  Ends with status 1 if a difference has no name.
"""

from __future__ import annotations

import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from oracle_packages.comparing import DIFFERENCES, differences, unexplained
from oracle_packages.measuring import Measured, Unfinished, measure
from oracle_packages.suites import PACKAGES, module, modules, package

PAGE = DIFFERENCES.with_name("parity.md")
AT_ONCE = 2
INTRODUCTION = """\
# Figures beside coverage.py's

`make oracle-packages` wrote these tables: real suites, each run once under coverage.py 7.17.3 (its C tracer) and covcore at the same time.
Statements, excluded statements, which statements ran, possible branches and which of them were taken were compared one by one; the last
column counts what differs, by the names that [differences.md](differences.md) explains. A difference without a name fails the target.
"""
CONTEXTS = """
# Test by test, beside coverage.py's contexts

`make matrix` wrote these tables: real suites, run once each under pytest with covcore's plugin (`--covcore-contexts=phase`) and
pytest-cov (`--cov-branch --cov-context=test`, coverage.py's C tracer) at the same time. For each phase of each test the lines that ran
and the branches that were taken were compared one by one. A difference without a name in [differences.md](differences.md) fails the
target.
"""


class Row(NamedTuple):
    """What was compared of one suite."""

    name: str
    files: int = 0
    statements: int = 0
    run: int = 0
    excluded: int = 0
    branches: int = 0
    taken: int = 0
    named: Sequence[str] = ()  # of each difference that has one
    problems: Sequence[str] = ()  # the other differences

    def __add__(self, other: Row) -> Row:  # type: ignore[override]
        sums = (a + b for a, b in zip(self[1:7], other[1:7], strict=True))
        return Row(self.name, *sums, [*self.named, *other.named], [*self.problems, *other.problems])

    def cells(self) -> list[str]:
        named = ", ".join(f"{count} {name}" for name, count in sorted(Counter(self.named).items()))
        return [self.name, *(f"{number:,}" for number in self[1:7]), named]


HEADER = ["suite", "files", "statements", "run", "excluded", "branches", "taken", "differences"]


def compare(name: str) -> Row:
    """Measure one suite."""
    with TemporaryDirectory() as data, TemporaryDirectory() as folder:
        suite = package(name) if name in PACKAGES else module(name, Path(folder))
        started = time.monotonic()
        try:
            row = row_of(name, measure(suite, Path(data)))
        except Unfinished as error:
            row = Row(name, problems=[str(error)])
    state = f"{len(row.problems)} problems" if row.problems else "no difference without a name"
    print(f"{name}: {time.monotonic() - started:.0f} s, {state}", file=sys.stderr)
    return row


def row_of(name: str, measured: Measured) -> Row:
    """Count what the two tools have in common, and what not."""
    row = Row(name)
    for path, pair in measured.files.items():
        ours = pair.ours
        problems = [f"{path}: {what}" for what in unexplained(pair)]
        row += Row(
            name,
            1,
            len(ours.statements),
            len(ours.statements) - len(ours.missing),
            len(ours.excluded),
            len(ours.branches),
            len(ours.branches) - len(ours.missing_branches),
            [name for name in differences(pair).values() if name is not None],
            problems,
        )
    if not row.run or (
        name in PACKAGES and measured.status
    ):  # tests of the standard library may fail when they are traced
        return row._replace(problems=[*row.problems, f"the suite of {name} does not run:\n{measured.output[-1000:]}"])
    return row


def table(rows: Sequence[Row]) -> str:
    """The rows and their sum, in markdown."""
    total = sum(rows, Row("**all**"))
    lines = [HEADER, ["---", *["---:"] * 6, "---"], *(row.cells() for row in [*rows, total])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write(version: str, text: str, chapter: str = "") -> None:
    """Put a version's table into the page, and leave those of others.

    chapter: CONTEXTS, for a table of `make matrix`
    """
    page = PAGE.read_text() if PAGE.exists() else ""
    first, _, second = page.partition(CONTEXTS)
    tables = {"": sections(first), CONTEXTS: sections(second)}
    minor = version.rpartition(".")[0]
    kept = {it: text for it, text in tables[chapter].items() if it.rpartition(".")[0] != minor}
    tables[chapter] = kept | {version: text}
    PAGE.write_text(
        INTRODUCTION + joined(tables[""]) + (CONTEXTS + joined(tables[CONTEXTS]) if tables[CONTEXTS] else "")
    )


def sections(page: str) -> dict[str, str]:
    """The tables of a chapter, by version of Python."""
    return dict(re.findall(r"^##+ Python (\S+)\n\n((?:\|.*\n)+)", page, re.MULTILINE))


def joined(tables: dict[str, str]) -> str:
    return "".join(f"\n## Python {version}\n\n{tables[version]}" for version in sorted(tables))


def write_contexts(version: str, text: str) -> None:
    """The same for a table of tests/matrix.py."""
    write(version, text, CONTEXTS)


def main() -> int:
    names = [argument for argument in sys.argv[1:] if argument != "--write"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(compare, names or [*PACKAGES, *modules()]))
    text = table(rows)
    print(text)
    if "--write" in sys.argv and not names:
        write(platform.python_version(), text)
    problems = [problem for row in rows for problem in row.problems]
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
