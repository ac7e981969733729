"""`covcore report --unique`: the lines and branches that one test alone runs."""

from collections.abc import Iterable, Sequence

from covcore.analysis import source
from covcore.analysis.by_test import by_test
from covcore.analysis.file import FileResult
from covcore.errors import printable
from covcore.report.context_names import Tests
from covcore.report.lines import ranges
from covcore.report.names import plain_name
from covcore.report.results import Reported
from covcore.store.database import Database


def unique_lines(database: Database, files: Iterable[Reported], contexts: Sequence[int] | None) -> list[str]:
    """The lines that stand below the table: tests, and under each what nothing else runs.

    What also ran outside of any test is nobody's alone.

    Args:
        database: where the hits are.
        files: what is reported.
        contexts: ids of the contexts that count; None: all do.
    """
    tests = Tests(database, contexts)
    found: dict[int, list[str]] = {}
    for path, result in files:
        _, hits = database.hits_of(path)
        by = by_test(source.read(path).text, hits, tests.number_of)
        lines = {line: who for line in result.statements if (who := _alone(by.lines.get(line, 0), tests))}
        branches = {
            (line, to): who
            for line, targets in result.branches.items()
            for to in targets
            if (who := _alone(by.branches.get((line, to), 0), tests))
        }
        for who in sorted({*lines.values(), *branches.values()}):
            text = _text(
                result, {line for line in lines if lines[line] == who}, [b for b in branches if branches[b] == who]
            )
            found.setdefault(who.bit_length() - 1, []).append(f"    {plain_name(path)}: {text}")
    if not found:
        return ["", "No line or branch is run by one test alone."]
    listed = ["", "Run by one test alone:"]
    for number in sorted(found):
        listed += [printable(tests.names[number]), *found[number]]
    return listed


def _alone(who: int, tests: Tests) -> int:
    """A bit set of tests if it has one member, and that is a test; else 0."""
    return who if who & (who - 1) == 0 and not who & tests.outside else 0


def _text(result: FileResult, lines: set[int], branches: Iterable[tuple[int, int]]) -> str:
    """Lines in ranges, and branches between lines that others run, too."""
    items = [(a, f"{a}-{b}" if b > a else f"{a}") for a, b in ranges(result.statements, lines)]
    items += [
        (line, f"{line}->{to if to > 0 else 'exit'}") for line, to in branches if line not in lines and to not in lines
    ]
    return ", ".join(text for _, text in sorted(items))
