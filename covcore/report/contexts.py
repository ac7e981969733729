"""Which contexts ran which statement."""

from collections.abc import Mapping
from itertools import compress

from covcore.analysis.codes import is_counted
from covcore.analysis.file import FileResult, statement_at
from covcore.report.context_names import members
from covcore.store.database import Database
from covcore.store.shapes import flags


def contexts_by_line(
    database: Database, path: str, result: FileResult, place: Mapping[int, int]
) -> dict[int, list[int]]:
    """The contexts of each statement of a file.

    Args:
        database: where the hits are.
        path: of the file, absolute.
        result: its analysis.
        place: context id -> number to give in its place; others do not count.

    Returns:
        Statement that ran -> numbers, ascending.
    """
    sets: dict[int, int] = {}  # physical line -> its contexts as a bit set: one `or` a pattern, however many there are
    for code in database.hits_of(path)[1]:
        if is_counted(code.qualname):
            for bits, ids in code.patterns:
                contexts = sum(1 << place[id] for id in ids if id in place)
                for line in compress(code.shape[0], [flag == "1" for flag in flags(bits)]):
                    sets[line] = sets.get(line, 0) | contexts
    statements = sorted([*result.statements, *result.excluded])
    of_statement: dict[int, int] = {}
    for line, contexts in sets.items():
        if statement := statement_at(statements, line):
            of_statement[statement] = of_statement.get(statement, 0) | contexts
    ran = set(result.statements).difference(result.missing)
    return {line: members(of_statement[line]) for line in sorted(of_statement.keys() & ran)}
