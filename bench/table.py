"""The README's table, from the last results of each part."""

from __future__ import annotations

from bench.events import CALLBACK
from bench.measure import say
from bench.results import FORMATS, PAIRS, Result, Row, load, misses, shown
from bench.tools import COVCORE, CTRACE, ROOT, SLIPCOVER, SYSMON

README = ROOT / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
COLUMNS = [COVCORE, SYSMON, CTRACE, SLIPCOVER, CALLBACK]


def write(parts: list[str]) -> None:
    """Write the table between the README's markers; on standard output if it has none, or the rounds were too few."""
    results = [result for part in parts if (result := load(part)) is not None and not result.options.quick]
    enough = all(result.options.pairs >= PAIRS for result in results)
    if not results:
        say("no results to make a table of")
        return
    text = README.read_text() if README.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end and enough:
        README.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}")
    else:
        print(table(results))


def table(results: list[Result]) -> str:
    rows = [row for result in results for row in result.rows]
    main = markdown([row for row in rows if not row.detail])
    details = markdown([row for row in rows if row.detail])
    return "\n\n".join([taken(results), main, f"<details><summary>In detail</summary>\n\n{details}\n\n</details>"])


def taken(results: list[Result]) -> str:
    machines = sorted({result.machine for result in results})
    dates = sorted({result.taken for result in results})
    versions: dict[str, str] = {}
    for result in results:
        versions.update(result.versions)
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    pairs = min(result.options.pairs for result in results)
    return f"Taken {when} on {' and '.join(machines)}; {software}. Medians of {pairs} rounds or more, with their 95 % intervals."


def markdown(rows: list[Row]) -> str:
    columns = [column for column in COLUMNS if any(column in row.figures for row in rows)]
    lines = [cells(["what", "reach", *columns]), cells(["---"] * (2 + len(columns)))]
    for row in rows:
        reach = "" if row.reach is None else f"≤ {FORMATS[row.unit].format(row.reach)}"
        figures = [shown(row.figures.get(column), row.unit) for column in columns]
        if misses(row):
            figures[0] += " (missed)"
        lines.append(cells([row.what, reach, *figures]))
    return "\n".join(lines)


def cells(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"
