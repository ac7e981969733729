"""Files under a run's --source that were never imported: reported with 0 %."""

import os
from collections.abc import Container, Iterable, Iterator

from covcore.analysis.roots import Roots
from covcore.globs import matches
from covcore.store.database import Run

NOT_SOURCE = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})


def unseen(runs: Iterable[Run], seen: Container[str], roots: Roots | None = None) -> list[str]:
    """Find Python files that runs were asked to measure and that did not turn up.

    As coverage.py does, folders below a source folder count only if they are packages (hold an `__init__.py`).

    Args:
        runs: with their settings "source" (absolute paths), "include" and "omit" (compiled patterns, joined by "/").
        seen: the files that did turn up.
        roots: source folders outside of them are not searched; None: all are.

    Returns:
        Absolute paths, sorted; of a folder outside of the roots its own.
    """
    found: set[str] = set()
    for run in runs:
        include, omit = ([tuple(text.split("/")) for text in run.values(key)] for key in ("include", "omit"))
        for source in run.values("source"):
            if roots and not roots.hold(source):
                if source not in seen and os.path.lexists(source):
                    found.add(source)
                continue
            for path in _python_files(source):
                if path not in seen and (not include or matches(path, include)) and not matches(path, omit):
                    found.add(path)
    return sorted(found)


def _python_files(source: str) -> Iterator[str]:
    if source.endswith(".py") and os.path.isfile(source):
        yield source
    for folder, folders, files in os.walk(source):
        if folder != source and "__init__.py" not in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name[0] != "." and name not in NOT_SOURCE]
        yield from (os.path.join(folder, name) for name in files if name.endswith(".py"))
