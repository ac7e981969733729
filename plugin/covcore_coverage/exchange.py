"""covcore's data as a data file of coverage.py, contexts included: `covcore export --format=coverage`."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from coverage.data import CoverageData
from coverage.exceptions import CoverageException

from covcore.errors import CovcoreError
from covcore.platform import native
from covcore.store.templates import is_template
from covcore_coverage.arcs import Arc, Shape, Source

if TYPE_CHECKING:
    from covcore.store.database import Database


def write(database: Database, output: str) -> None:
    """Write a data file of coverage.py.

    Args:
        database: what to write; each file by its absolute path, each context as `static|test|phase`.
        output: the absolute path of the file to write; one that is there is replaced.

    Raises:
        CovcoreError: it cannot be written; what was there is as it was.
    """
    unfinished = f"{output}.{os.getpid()}.part"
    try:
        data = CoverageData(basename=unfinished)
        data.erase()
        data.add_arcs({})
        for context, arcs in _arcs(database).items():
            data.set_context(context)
            data.add_arcs(arcs)
        data.close(force=True)
        os.replace(unfinished, output)
    except (OSError, CoverageException) as error:
        raise CovcoreError(f"cannot write {output}: {error}") from None
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


def _arcs(database: Database) -> dict[str, dict[str, set[Arc]]]:
    """{context: {path: arcs}}"""
    labels = {id: "|".join(filter(None, context)) for id, context in database.contexts().items()}
    found: defaultdict[str, defaultdict[str, set[Arc]]] = defaultdict(lambda: defaultdict(set))
    for path in database.paths():
        if any("\ud800" <= character <= "\udfff" for character in path):
            continue  # coverage.py keeps no file whose name is not UTF-8
        codes = database.hits_of(path)[1]
        if is_template(code.qualname for code in codes):
            continue  # it would take them for Python
        source, name = Source(path), native(path)
        for code in codes:
            shape = Shape(code.first_line, code.shape, source)
            for bits, contexts in code.patterns:
                for context in contexts:
                    found[labels[context]][name].update(shape.arcs(bits))
    return {context: dict(arcs) for context, arcs in found.items()}
