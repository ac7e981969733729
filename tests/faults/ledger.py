"""What `make faults` found, written into docs/reliability.md.

    python -m faults.ledger tests                   the tests that the rows name, as arguments for pytest
    python -m faults.ledger write SEEDS FILE..      take the results in (3.14.xml: pytest's JUnit file), and write the table
    python -m faults.ledger note ROW TEXT           take in what another target found, and write the table

Results stay in results.json until a later run has others, so that a part of the tests can be run again by itself.
"""

from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from faults.rows import ROWS, Row

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- rows: written by make faults -->\n", "<!-- end of rows -->\n"

type Result = dict[str, Any]  # of one test: n, outcomes, figures, seeds, date
type Results = dict[str, dict[str, Result]]  # {version: {file::name: result}}


def tests() -> list[str]:
    """The tests of all rows, each once."""
    return list(dict.fromkeys(f"tests/{test}" for row in ROWS for test in row.tests))


def read(path: Path, seeds: int) -> dict[str, Result]:
    """What a JUnit file says of each test, all its parameters taken together."""
    found: dict[str, Result] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        file = case.attrib["classname"].removeprefix("tests.").replace(".", "/") + ".py"
        name = f"{file}::{case.attrib['name'].partition('[')[0]}"
        result = found.setdefault(
            name, {"n": 0, "failed": 0, "skipped": 0, "figures": [], "seeds": seeds, "date": time.strftime("%Y-%m-%d")}
        )
        result["n"] += 1
        result["failed"] += any(case.find(kind) is not None for kind in ("failure", "error"))
        result["skipped"] += case.find("skipped") is not None
        result["figures"] += [property.attrib["value"] for property in case.iter("property")]
    return found


def outcome(row: Row, results: dict[str, Result]) -> str:
    """How the tests of a row went, in a word or two."""
    known = [results[test] for test in row.tests if test in results]
    if not row.tests:
        return ""
    if len(known) < len(row.tests):
        return "not run"
    n_failed, n_skipped, n = (sum(result[key] for result in known) for key in ("failed", "skipped", "n"))
    words = f"**{n_failed} of {n} failed**" if n_failed else f"{n - n_skipped} passed"
    return words + (f", {n_skipped} not run" if n_skipped else "")


def versions(results: Results) -> list[str]:
    """Those of Python that the tests were run on."""
    return sorted(results.keys() - {"notes"})


def figures(row: Row, results: Results) -> str:
    """What was counted, on each version."""
    texts = {
        version: "; ".join(text for test in row.tests for text in results[version].get(test, {}).get("figures", []))
        for version in versions(results)
    }
    if row.number in (notes := results.get("notes", {})):
        return notes[row.number]["text"]
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"{version}: {text}" for version, text in texts.items() if text)


def table(results: Results) -> str:
    run = versions(results)
    seeds = {version: {result["seeds"] for result in results[version].values()} for version in run}
    dates = sorted({result["date"] for version in run for result in results[version].values()})
    said = "; ".join(
        f"{version}: SEEDS={' and '.join(map(str, sorted(seeds[version])))}" for version in run if seeds[version]
    )
    lines = [
        f"Run {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}. {said}." if dates else "Not run yet.",
        "",
        "| row | fault | what happens | tests | figures | " + " | ".join(run) + " |",
        "|---|---|---|---|---|" + "---|" * len(run),
    ]
    for row in ROWS:
        names = "<br>".join(f"`{test.partition('::')[2]}`" for test in row.tests)
        cells = [row.number, row.fault, row.outcome, names, figures(row, results)]
        cells += [outcome(row, results[version]) for version in run]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def write(results: Results) -> None:
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + BEGIN + "\n" + table(results) + "\n" + END + after)


def main(command: str, *arguments: str) -> None:
    if command == "tests":
        print(*tests())
        return
    results: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if command == "write":
        take(results, *arguments)
    else:
        number, text = arguments
        results.setdefault("notes", {})[number] = {"text": text, "date": time.strftime("%Y-%m-%d")}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    write(results)


def take(results: Results, seeds: str, *paths: str) -> None:
    """Take in what JUnit files say."""
    named = {test.removeprefix("tests/") for test in tests()}
    for path in map(Path, paths):
        mine = results.setdefault(path.stem, {})
        mine |= {name: result for name, result in read(path, int(seeds)).items() if name in named}
        results[path.stem] = {name: result for name, result in mine.items() if name in named}


if __name__ == "__main__":
    main(*sys.argv[1:])
