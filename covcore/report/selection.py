"""Which files and which contexts a report is about."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from covcore.config import current_folder
from covcore.globs import compile_pattern, matches
from covcore.store.database import Database


def file_chooser(include: Iterable[str], omit: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether a file, by absolute path, is wanted; patterns are relative to the current folder."""
    folder = current_folder()
    included = [compile_pattern(pattern, folder) for pattern in include]
    omitted = [compile_pattern(pattern, folder) for pattern in omit]
    return lambda path: (not included or matches(path, included)) and not matches(path, omitted)


def chosen_contexts(database: Database, patterns: Iterable[str]) -> list[int] | None:
    """The ids of contexts whose label, test or `label|test|phase` matches a pattern; None if there is no pattern."""
    patterns = list(patterns)
    if not patterns:
        return None
    return [
        id
        for id, (static, test, phase) in database.contexts().items()
        if any(fnmatchcase(name, p) for p in patterns for name in (static, test, f"{static}|{test}|{phase}"))
    ]
