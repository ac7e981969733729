"""All files of a database: each analysed, or marked with the reason why it cannot be."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from covcore.analysis import codes, source
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.source import UnusableSource
from covcore.analysis.unseen import unseen
from covcore.store.database import Code, Database, SourceFile


class Analysed(NamedTuple):
    """One file of a report."""

    path: str  # absolute
    result: FileResult | None  # None: see mark and problem
    mark: str = ""  # why there is no result, in two words or less
    problem: str = ""  # the same as the end of a sentence that begins with the path


def analyse_all(
    database: Database, rules: Rules, wanted: Callable[[str], bool], contexts: Sequence[int] | None = None
) -> list[Analysed]:
    """Analyse the files of a database, and those of its runs' --source that never ran.

    Args:
        database: where the recorded code objects are.
        rules: what to exclude.
        wanted: whether a report wants a path.
        contexts: only hits under the contexts of these ids count; None: all do.
    """
    files = database.files(contexts)
    optimize = min((code.optimize for file in files for code in file.codes), default=0)
    known = {file.path: file for file in files}
    results = []
    with _without_garbage_collection():
        for path in sorted(known.keys() | unseen(database.runs(), known)):
            if wanted(path):
                file = known.get(path) or SourceFile(path, source.UNKNOWN_HASH)
                results.append(analyse_file(path, file.hash, file.codes, rules, optimize))
    return results


def analyse_file(path: str, hash: bytes, measured: Sequence[Code], rules: Rules, optimize: int) -> Analysed:
    """Analyse one file: nothing but its text on disk counts beside the arguments.

    Args:
        path: absolute.
        hash: of the text that was measured; 32 zero bytes if that is not known.
        measured: its recorded code objects.
        rules: what to exclude.
        optimize: the level of -O that code which never ran is compiled with.
    """
    try:
        text, now = source.read(path)
        if hash not in (now, source.UNKNOWN_HASH):
            return Analysed(path, None, "stale", "has changed since it was measured")
        ran = [codes.recorded(code.qualname, code.first_line, code.shape, code.bits) for code in measured]
        return Analysed(path, analyse(text, ran, rules, optimize))
    except UnusableSource as error:
        return Analysed(path, None, error.mark, str(error))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Trees of syntax are many objects and no cycles: looking for cycles would take a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
