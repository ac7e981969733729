"""python -m bench [PART ..] [--quick] [--pairs N] [--python VERSION] [--table]"""

from __future__ import annotations

import argparse

from bench import (
    analysis,
    combine,
    contexts,
    coveragepy,
    events,
    html,
    memory,
    older,
    processes,
    recording,
    report,
    startup,
    steady,
    suites,
    table,
    threads,
)
from bench.results import PAIRS, Options, print_rows

PARTS = {
    "events": events.measure,
    "memory": memory.measure,
    "processes": processes.measure,
    "recording": recording.measure,
    "startup": startup.measure,
    "report": report.measure,
    "analysis": analysis.measure,
    "steady": steady.measure,
    "threads": threads.measure,
    "contexts": contexts.measure,
    "suites": suites.measure,
    "older": older.measure,
    "coveragepy": coveragepy.measure,
    "combine": combine.measure,
    "html": html.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What measuring costs, beside other tools.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them if none is named")
    parser.add_argument(
        "--quick", action="store_true", help="less of everything, to see whether it runs; not for the README"
    )
    parser.add_argument("--pairs", type=int, help="rounds in which each tool runs once (15, or 3 with --quick)")
    parser.add_argument("--python", action="append", help="a version of Python, may be repeated (3.14 and 3.15)")
    parser.add_argument(
        "--table", action="store_true", help="only write the README's table anew, from the last results"
    )
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))} (there are {', '.join(PARTS)})")
    if options.pairs is not None and options.pairs < 1:
        parser.error("--pairs must be at least 1")
    if not options.table:
        chosen = Options(
            options.pairs or (3 if options.quick else PAIRS), options.quick, options.python or ["3.14", "3.15"]
        )
        for name in options.parts or PARTS:
            result = PARTS[name](chosen)
            result.save()
            print_rows(result.rows)
    if not options.quick:
        table.write(list(PARTS))


main()
