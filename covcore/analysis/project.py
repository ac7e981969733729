"""All files of a database: each analysed, or marked with the reason why it cannot be."""

import gc
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from covcore.analysis import codes, source
from covcore.analysis.cache import Cache, KeptResult, encode
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.analysis.roots import OUTSIDE, Roots
from covcore.analysis.source import Source, UnusableSource
from covcore.analysis.unseen import unseen
from covcore.analysis.workers import spread
from covcore.store.database import Code, Database, SourceFile

CELL = re.compile(r"(.*/ipykernel_\d+)/\d+\.py")  # what ipykernel calls a cell: its process, a hash of the text
WORTH_SPREADING = 1_000_000  # characters of source: about half a second


class Analysed(NamedTuple):
    """One file of a report."""

    path: str  # absolute
    result: FileResult | None  # None: see mark and problem
    mark: str = ""  # why there is no result, in two words or less
    problem: str = ""  # the same as the end of a sentence that begins with the path


def analyse_all(
    database: Database,
    rules: Rules,
    wanted: Callable[[str], bool],
    contexts: Sequence[int] | None = None,
    n_workers: int | None = None,
    roots: Roots | None = None,
) -> list[Analysed]:
    """Analyse the files of a database, and those of its runs' --source that never ran.

    Args:
        database: where the recorded code objects are; what is found is kept beside it.
        rules: what to exclude.
        wanted: whether a report wants a path.
        contexts: only hits under the contexts of these ids count; None: all do.
        n_workers: how many processes share the work, if there is much; None: one for each core.
        roots: what may be read of files without a hash; None: those of no configuration.
    """
    files = {file.path: file for file in database.files(contexts)}
    optimize = min((code.optimize for file in files.values() for code in file.codes), default=0)
    roots = roots or Roots()
    for path in unseen(database.runs(), files, roots):
        files[path] = SourceFile(path, source.UNKNOWN_HASH)
    cache = Cache(database.name, rules)
    found: dict[str, Analysed] = {}

    def jobs() -> Iterator[Job]:
        for path in filter(wanted, files):
            job = take_up(files[path], rules, optimize, roots)
            if isinstance(job, Job):
                yield job
            else:
                found[path] = job

    found |= analyse_jobs(jobs(), cache, n_workers)
    cache.save(files)
    return [found[path] for path in sorted(grouped(found))]


def grouped(found: dict[str, Analysed]) -> dict[str, Analysed]:
    """Have one entry for all cells of a notebook: each has a file's name, but there is no file."""
    cells: dict[str, list[str]] = {}
    for path, file in found.items():
        notebook = None if file.result else CELL.match(path)
        if notebook:
            cells.setdefault(notebook[1], []).append(path)
    for folder, paths in cells.items():
        for path in paths:
            del found[path]
        n_cells = f"{len(paths)} cell{'s' * (len(paths) > 1)} of a notebook"
        found[folder] = Analysed(folder, None, "notebook", f"stands for {n_cells}, whose text is kept nowhere")
    return found


class Job(NamedTuple):
    """A file that can be analysed."""

    path: str
    text: str
    codes: Sequence[Code]
    rules: Rules
    optimize: int  # the level of -O that code which never ran is compiled with
    key: str  # a hash of all that the result depends on, the rules and covcore apart


def take_up(file: SourceFile, rules: Rules, optimize: int, roots: Roots | None = None) -> Job | Analysed:
    """Read a file; if it cannot be analysed, the answer says why."""
    if file.hash == source.UNKNOWN_HASH and roots and not roots.hold(file.path):
        return Analysed(file.path, None, "foreign", OUTSIDE)
    try:
        text, hash = source.read(file.path)
    except UnusableSource as error:
        return Analysed(file.path, None, error.mark, str(error))
    if file.hash not in (hash, source.UNKNOWN_HASH):
        return Analysed(file.path, None, "stale", "has changed since it was measured")
    return job_of(file.path, Source(text, hash), file.codes, rules, optimize)


def job_of(path: str, text: Source, ran: Sequence[Code], rules: Rules, optimize: int) -> Job:
    """The job of analysing a text; see Job."""
    facts = [(code.qualname, code.first_line, code.tag, code.encoded, code.bits) for code in ran]
    key = hashlib.sha256(repr((text.hash, optimize, facts)).encode("utf-8", "surrogatepass")).hexdigest()
    return Job(path, text.text, ran, rules, optimize, key)


def analyse_jobs(jobs: Iterable[Job], cache: Cache, n_workers: int | None = None) -> dict[str, Analysed]:
    """Analyse files, unless the cache has what is found; it gets the rest, and has yet to be saved.

    Args:
        jobs: each of another path.
        cache: of the database that they come from.
        n_workers: how many processes share the work, if there is much; None: one for each core.
    """
    found: dict[str, Analysed] = {}
    to_do = []
    with _without_garbage_collection():
        for job in jobs:
            known = cache.get(job.path, job.key)
            if known is None:
                to_do.append(job)
            else:
                found[job.path] = Analysed(job.path, known)
        to_do.sort(key=lambda job: len(job.text), reverse=True)
        if sum(len(job.text) for job in to_do) < WORTH_SPREADING:
            n_workers = 1
        for job, encoded in zip(to_do, spread(analyse_job, to_do, n_workers), strict=True):
            found[job.path] = decoded(job.path, encoded)
            if found[job.path].result is not None:
                cache.put(job.path, job.key, encoded)
    return found


def analyse_job(job: Job) -> bytes:
    """The result for a file as `encode` makes it; if there is none, a JSON list of its mark and its problem."""
    ran = [
        codes.recorded(code.qualname, code.first_line, code.shape, code.bits, codes.minor_of(code.tag))
        for code in job.codes
    ]
    try:
        return encode(analyse(job.text, ran, job.rules, job.optimize))
    except UnusableSource as error:
        return json.dumps([error.mark, str(error)]).encode()


def decoded(path: str, encoded: bytes) -> Analysed:
    """What analyse_job says of a file."""
    first, second = json.loads(encoded)
    return Analysed(path, None, first, second) if isinstance(first, str) else Analysed(path, KeptResult(first, second))


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
