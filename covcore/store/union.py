"""The union of recordings and databases, in memory.

Each input adds; in which order they come makes no difference, and coming twice makes none either.
"""

import os

from covcore.store.processes import FINISHED, OUTCOMES, RUNNING, STOPPED, UNENDED, Process
from covcore.store.recordings import END_FINISHED, END_STOPPED
from covcore.store.shapes import either

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore._reader import Owner, Recording

type CodeKey = tuple[int, str, str, int, int, bytes]  # first line, qualified name, tag, optimize, flags, shape
type Patterns = dict[int, bytes]  # context (index into Union.contexts): bitmap
type Context = tuple[str, str, str]  # static, test, phase

UNKNOWN_HASH = bytes(32)  # of a source that could not be read
WORKER, MOVED_FROM, MOVED_TO = "worker", "moved_from", "moved_to"  # settings of a process that another one directs
LARGEST = 2**63 - 1  # integer in SQLite


class Revision:
    """What is known of one source file with one text.

    recorded: when its newest recording began, ns since 1970
    codes: its code objects, and under which contexts which of their slots were hit
    """

    __slots__ = ("codes", "recorded")

    def __init__(self) -> None:
        self.recorded = 0
        self.codes: dict[CodeKey, Patterns] = {}


class Union:
    """See the module.

    revisions: by path, as the file system's bytes, and SHA-256 of the newline-normalised text
    contexts: numbered as they came
    runs: run id: when its first process started, its settings
    """

    def __init__(self) -> None:
        self.revisions: dict[tuple[bytes, bytes], Revision] = {}
        self.contexts: dict[Context, int] = {("", "", ""): 0}
        self.runs: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        self.processes: dict[tuple[str, int, int, int], Process] = {}

    def newest(self) -> dict[bytes, tuple[bytes, Revision]]:
        """For each path, in order, the hash and the data of its newest text; an unreadable text is older than any."""
        order = sorted(
            (path, hash != UNKNOWN_HASH, revision.recorded, hash) for (path, hash), revision in self.revisions.items()
        )
        return {path: (hash, self.revisions[path, hash]) for path, _, _, hash in order}

    def changed(self) -> list[bytes]:
        """The paths of which there are several texts."""
        newest = self.newest()
        return sorted({path for path, hash in self.revisions if newest[path][0] != hash})

    def add_recording(self, recording: Recording, *, running: bool = False) -> Process:
        """Add one process's recording.

        running: it is not over: more will be appended
        Returns what it tells of the process.
        """
        process = process_of(recording["owner"], recording["end"], recording["error"], recording["problem"], running)
        self.add_process(process)
        is_worker = any(key == WORKER for key, _ in recording["settings"])  # on a machine whose clock may be behind
        self.add_run(process.run_id, LARGEST if is_worker else process.started, recording["settings"])
        moves = moves_of(recording["settings"])
        files = [
            self.add_file(
                moved(path, moves), hash, min(process.started + position, LARGEST)
            )  # a later record is of a later revision
            for position, (path, hash) in enumerate(recording["files"])
        ]
        tag, optimize = process.tag, process.optimize
        codes = [
            files[file].setdefault((first_line, text(qualname), tag, optimize, flags, shape), {})
            for file, first_line, flags, qualname, shape in recording["codes"]
        ]
        contexts = [self.add_context(static, test, phase) for static, test, phase in recording["contexts"]]
        contexts.append(0)  # index -1: the empty one
        for context, code, bits in recording["hits"]:
            add_hit(codes[code], contexts[context], bits)
        return process

    def add_run(self, run_id: str, started: int, settings: list[tuple[str, str]]) -> None:
        """Add a run: the settings of its first process are the run's."""
        mine = (started, [(text(key), text(value)) for key, value in settings])
        self.runs[run_id] = min(self.runs.get(run_id, mine), mine)

    def add_process(self, process: Process) -> None:
        """Add a process: of two statements on the same one the surer holds."""
        key = (process.boot_id, process.pid, process.start_ticks, process.started)
        known = self.processes.get(key)
        if known is None or _certainty(process) < _certainty(known):
            self.processes[key] = process

    def add_context(self, static: str, test: str, phase: str) -> int:
        return self.contexts.setdefault((text(static), text(test), text(phase)), len(self.contexts))

    def add_file(self, path: bytes, hash: bytes, recorded: int) -> dict[CodeKey, Patterns]:
        """Add a revision of a file.  Returns where its code objects go."""
        revision = self.revisions.setdefault((path, hash), Revision())
        revision.recorded = max(revision.recorded, recorded)
        return revision.codes


def moves_of(settings: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Where the folders of a process that worked on copies are to be looked for: from, to."""
    try:
        old, new = (
            [os.fsencode(value) for key, value in settings if key == wanted] for wanted in (MOVED_FROM, MOVED_TO)
        )
    except UnicodeEncodeError:
        return []  # no file system has such names
    return list(zip(old, new, strict=False))


def moved(path: bytes, moves: Iterable[tuple[bytes, bytes]]) -> bytes:
    for old, new in moves:
        if path.startswith(old + b"/"):
            return new + path[len(old) :]
    return path


def add_hit(patterns: Patterns, context: int, bits: bytes) -> None:
    known = patterns.get(context)
    if known is None:
        patterns[context] = bits
    elif known != bits:
        patterns[context] = either(known, bits)


def process_of(owner: Owner, end: int, error: int = 0, problem: str | None = None, running: bool = False) -> Process:
    """What a recording tells of its process.

    Args:
        owner, end, error, problem: as in Recording.
        running: it is not over.
    """
    outcome = RUNNING if running else UNENDED
    if end == END_FINISHED:
        outcome = FINISHED
    elif end == END_STOPPED:
        outcome = STOPPED
        problem = problem or os.strerror(error)
    return Process(
        owner["run_id"],
        owner["boot_id"],
        min(owner["pid"], LARGEST),
        min(owner["start_ticks"], LARGEST),
        min(owner["started_ns"], LARGEST),
        tag_of(owner),
        owner["optimize"],
        outcome,
        text(problem or ""),
    )


def tag_of(owner: Owner) -> str:
    """The interpreter's name in file names, such as "cpython-314"; "" if it is not known."""
    if not owner["hexversion"]:
        return ""
    return f"cpython-{owner['hexversion'] >> 24}{owner['hexversion'] >> 16 & 0xFF}"


def _certainty(process: Process) -> tuple[int, str, str]:
    return OUTCOMES.index(process.outcome), process.problem, process.run_id


def text(value: str) -> str:
    """A string that SQLite takes as TEXT: lone surrogates become \\udcxx."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
