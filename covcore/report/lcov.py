"""`covcore lcov`: tracefiles, as lcov, genhtml and all who take after them read them.

Branches are numbered from 0 in each line; ways out of the function come last.  `-` says that the line never ran.  A line
that ran and was left before it had decided, by an exception as a rule, gets a branch more, of lcov's kind for exceptions,
which was taken: lcov refuses the whole file if no branch was taken from a line that ran.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from covcore.analysis.file import FileResult
from covcore.report import output
from covcore.report.names import line_name
from covcore.report.output import Options
from covcore.report.regions import MODULE, Part, functions
from covcore.report.results import Results
from covcore.store.database import Database


def lcov_command(options: Options) -> int:
    """Write the report; see output.file_command."""
    return output.file_command(options, "LCOV", pieces)


def pieces(results: Results, database: Database, options: Options) -> Iterator[str]:
    """The text of the report, file by file."""
    for path, result in results.shown(options):
        yield "\n".join(["TN:", f"SF:{line_name(path)}", *_functions(result), *_branches(result), *_lines(result)])
        yield "\nend_of_record\n"


def _functions(result: FileResult) -> Iterator[str]:
    """Those with statements.

    One begins with the first statement of its body: its header runs when it is defined, and lcov refuses a function that
    was never called with a line that ran.  It knows functions by that line, so of two such the outer one is told of.
    A function was called if anything in it ran, for what is defined in it cannot run otherwise.
    """
    ran = sorted(set(result.statements).difference(result.missing))
    by_line: dict[int, Part] = {}
    for part in functions(result):
        if part.name != MODULE and part.figures.statements:
            by_line.setdefault(min(part.executed[:1] + part.missing[:1]), part)
    called = {line: int(bisect_left(ran, line) < bisect_right(ran, part.end)) for line, part in by_line.items()}
    yield from (f"FN:{line},{part.end},{part.name}" for line, part in by_line.items())
    yield from (f"FNDA:{called[line]},{part.name}" for line, part in by_line.items())
    if by_line:
        yield f"FNF:{len(by_line)}"
        yield f"FNH:{sum(called.values())}"


def _branches(result: FileResult) -> Iterator[str]:
    n_found = n_taken = 0
    missing = set(result.missing)
    for line, targets in result.branches.items():
        missed = result.missing_branches.get(line, ())
        for number, to in enumerate(sorted(targets, key=lambda to: (to < 0, to))):
            taken = "-" if line in missing else "0" if to in missed else "1"
            yield f"BRDA:{line},0,{number},{taken}"
        n_found += len(targets)
        n_taken += len(targets) - len(missed)
        if len(missed) == len(targets) and line not in missing:
            yield f"BRDA:{line},e0,{len(targets)},1"
            n_found += 1
            n_taken += 1
    if n_found:
        yield f"BRF:{n_found}"
        yield f"BRH:{n_taken}"


def _lines(result: FileResult) -> Iterator[str]:
    missing = set(result.missing)
    yield from (f"DA:{line},{0 if line in missing else 1}" for line in result.statements)
    yield f"LF:{len(result.statements)}"
    yield f"LH:{len(result.statements) - len(missing)}"
