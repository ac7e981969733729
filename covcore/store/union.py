"""The union of recordings and databases, in memory.

Each input adds; in which order they come makes no difference, and coming twice makes none either.
"""

from __future__ import annotations

import os

from covcore.platform import IS_WINDOWS
from covcore.store.mapping import is_below, is_windows
from covcore.store.processes import FINISHED, OUTCOMES, RUNNING, STOPPED, UNENDED, Process
from covcore.store.recordings import END_FINISHED, END_STOPPED
from covcore.store.shapes import either
from covcore.store.templates import MARK, Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from covcore._reader import Owner, Recording

    type Settings = list[tuple[str, str]]
    type Mark = tuple[list[int], int, int]

type CodeKey = tuple[
    int, int, str, str, int, int, bytes
]  # revision, first line, qualified name, tag, optimize, flags, shape
type Hit = tuple[
    int, dict[bytes, list[int]]
]  # number of a code object; bitmap -> the contexts in which just that was hit
type Context = tuple[str, str, str]  # static, test, phase

UNKNOWN_HASH = bytes(32)  # of a source that could not be read
WORKER, MOVED_FROM, MOVED_TO = "worker", "moved_from", "moved_to"  # settings of a process that another one directs
SUBINTERPRETER = ("command", "interpreter")  # a setting of its recording, beside that of its process
IMPORTED = (
    " from coverage.py"  # ends the tag of code whose hits are from data of coverage.py's, which has no conditions
)
LARGEST = 2**63 - 1  # integer in SQLite


class Hits:
    """Which slots of which code object were hit under which contexts, in memory (covcore/store/spool.py: on disk)."""

    def __init__(self) -> None:
        self.patterns: dict[int, Patterns] = {}

    def add(self, hits: Iterable[Hit]) -> None:
        """Add what was hit.  The dictionaries are ours from then on."""
        for code, contexts_of in hits:
            known = self.patterns.get(code)
            if known:
                known.add(contexts_of)
            else:
                self.patterns[code] = Patterns(contexts_of)

    def of(self, code: int) -> dict[bytes, list[int]]:
        """What was hit of a code object: bitmap -> the contexts in which just that was; each context once."""
        patterns = self.patterns.get(code)
        return patterns.unique() if patterns else {}


class Patterns:
    """What was hit of one code object: bitmap -> contexts.  A context may be under several bitmaps for a while."""

    __slots__ = ("contexts_of", "most")

    def __init__(self, contexts_of: dict[bytes, list[int]]) -> None:
        self.contexts_of = contexts_of
        self.most = 100 + len(contexts_of)  # bitmaps: with more, many may be of contexts that others have, too

    def add(self, contexts_of: dict[bytes, list[int]]) -> None:
        for bits, contexts in contexts_of.items():
            known = self.contexts_of.setdefault(bits, contexts)
            if known is not contexts:
                known += contexts
        if len(self.contexts_of) > self.most:
            self.most = 100 + 2 * len(self.unique())

    def unique(self) -> dict[bytes, list[int]]:
        """Have each context once, under the bitmap of all that was hit in it.  Returns bitmap -> contexts."""
        if len(set().union(*self.contexts_of.values())) < sum(map(len, self.contexts_of.values())):
            bits_of: dict[int, bytes] = {}
            for bits, contexts in self.contexts_of.items():
                for context in contexts:
                    known = bits_of.get(context, bits)
                    bits_of[context] = bits if known == bits else either(known, bits)
            self.contexts_of = {}
            for context, bits in bits_of.items():
                self.contexts_of.setdefault(bits, []).append(context)
        return self.contexts_of


class Union:
    """See the module.  What may come many times is numbered as it came first.

    revisions: by path, as the file system's bytes, and SHA-256 of the newline-normalised text
    recorded: for each revision, when its newest recording began, ns since 1970
    codes: the code objects
    contexts: static label, test and phase
    hits: of code objects under contexts
    locate: where a file is here that is elsewhere in an input (covcore/store/mapping.py)
    bitmap_bytes: how long the bitmaps of a code object are, as far as its shape was looked at
    runs: run id: when its first process started, its settings
    """

    def __init__(self, hits: Hits | None = None, locate: Callable[[bytes], bytes] | None = None) -> None:
        self.locate = locate
        self.revisions: dict[tuple[bytes, bytes], int] = {}
        self.recorded: list[int] = []
        self.codes: dict[CodeKey, int] = {}
        self.contexts: dict[Context, int] = {("", "", ""): 0}
        self.hits = hits or Hits()
        self.bitmap_bytes: dict[int, int] = {}
        self.runs: dict[str, tuple[int, Settings]] = {}
        self.processes: dict[tuple[str, int, int, int], Process] = {}

    def newest(self) -> dict[bytes, tuple[bytes, int]]:
        """For each path, in order, the hash and the number of its newest text; an unreadable text is older than any."""
        order = sorted(
            (path, hash != UNKNOWN_HASH, self.recorded[number], hash) for (path, hash), number in self.revisions.items()
        )
        return {path: (hash, self.revisions[path, hash]) for path, _, _, hash in order}

    def changed(self) -> list[bytes]:
        """The paths of which there are several texts."""
        newest = self.newest()
        return sorted({path for path, hash in self.revisions if newest[path][0] != hash})

    def codes_of_revisions(self) -> list[list[tuple[CodeKey, int]]]:
        """The code objects of each revision, and their numbers, in order."""
        result: list[list[tuple[CodeKey, int]]] = [[] for _ in self.recorded]
        for key, number in self.codes.items():
            result[key[0]].append((key, number))
        for codes in result:
            codes.sort()
        return result

    def add_recording(self, recording: Recording, *, running: bool = False) -> Process:
        """Add one process's recording.

        running: it is not over: more will be appended
        Returns what it tells of the process.
        """
        process = process_of(recording["owner"], recording["end"], recording["error"], recording["problem"], running)
        if SUBINTERPRETER not in recording["settings"] or process.outcome == STOPPED:
            # How a subinterpreter ended says nothing of its process, but that data is missing.
            self.add_process(process)
        is_worker = any(key == WORKER for key, _ in recording["settings"])  # on a machine whose clock may be behind
        self.add_run(process.run_id, LARGEST if is_worker else process.started, recording["settings"])
        moves = moves_of(recording["settings"])
        named = [(*Template.split(name), hash) for name, hash in recording["files"]]
        files = [
            self.add_file(
                moved(path, moves), hash, min(process.started + position, LARGEST)
            )  # a later record is of a later revision
            for position, (path, _, hash) in enumerate(named)
        ]
        contexts = [self.add_context(static, test, phase) for static, test, phase in recording["contexts"]]
        contexts.append(0)  # index -1: the empty one
        hits = []
        for (file, first_line, flags, qualname, shape), indices_of in zip(
            recording["codes"], recording["hits"], strict=True
        ):
            contexts_of = {bits: [contexts[index] for index in indices] for bits, indices in indices_of.items()}
            template = named[file][1]
            if template:
                translation = template.translated(first_line, shape)
                if translation is None:
                    continue
                first_line, shape = translation.first_line, translation.encoded
                contexts_of = translation.hits(contexts_of)
                qualname = f"{template.engine}{MARK}{qualname}"
            key = (files[file], first_line, text(qualname), process.tag, process.optimize, flags, shape)
            hits.append((self.add_code(key), contexts_of))
        self.hits.add(hits)
        return process

    def add_run(self, run_id: str, started: int, settings: Settings) -> None:
        """Add a run: the settings of its first process are the run's."""
        if run_id in self.runs and self.runs[run_id][0] < started:
            return
        mine = (started, [(text(key), text(self._located(key, value))) for key, value in settings])
        self.runs[run_id] = min(self.runs.get(run_id, mine), mine)

    def _located(self, key: str, value: str) -> str:
        if key == "source" and self.locate:
            try:
                return os.fsdecode(self.locate(os.fsencode(value)))
            except ValueError:
                return value  # no file system has such a name, or it leads out of the folder: nothing is found there
        return value

    def add_process(self, process: Process) -> None:
        """Add a process: of two statements on the same one the surer holds."""
        key = (process.boot_id, process.pid, process.start_ticks, process.started)
        known = self.processes.get(key)
        if known is None or _certainty(process) < _certainty(known):
            self.processes[key] = process

    def known_processes(self) -> list[Process]:
        """The processes, without what others have told of those that have recordings of their own."""
        recorded = {(one.run_id, one.pid, one.start_ticks) for one in self.processes.values() if one.started}
        return [
            one
            for one in self.processes.values()
            if one.started or (one.run_id, one.pid, one.start_ticks) not in recorded
        ]

    def add_context(self, static: str, test: str, phase: str) -> int:
        return self.contexts.setdefault((text(static), text(test), text(phase)), len(self.contexts))

    def add_file(self, path: bytes, hash: bytes, recorded: int) -> int:
        """Add a revision of a file.  Returns its number.  Raises ValueError: no path of ours."""
        if self.locate:
            path = self.locate(path)
        number = self.revisions.setdefault((path, hash), len(self.recorded))
        if number == len(self.recorded):
            self.recorded.append(recorded)
        else:
            self.recorded[number] = max(self.recorded[number], recorded)
        return number

    def mark(self) -> Mark:
        """The state before an input is added, to go back to if it turns out to be damaged."""
        return self.recorded.copy(), len(self.codes), len(self.contexts)

    def undo(self, mark: Mark) -> None:
        """Forget the files, code objects and contexts that were added since; hits are for their keeper to forget."""
        self.recorded, n_codes, n_contexts = mark
        drop_last(self.revisions, len(self.recorded))
        drop_last(self.codes, n_codes)
        drop_last(self.contexts, n_contexts)
        drop_last(self.bitmap_bytes, 0)  # in no order; what is asked for is found again

    def add_code(self, key: CodeKey) -> int:
        return self.codes.setdefault(key, len(self.codes))


def drop_last(numbered: dict[Any, Any], length: int) -> None:
    """Shorten a dictionary to what came first."""
    while len(numbered) > length:
        numbered.popitem()


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
        if is_below(path, old, windows=IS_WINDOWS or is_windows(old)):
            return new + path[len(old) :]
    return path


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


def _certainty(process: Process) -> tuple[int, bool, str, str, str, int]:
    """Less is surer; no two are equal that differ, or the order of inputs would tell."""
    problem = process.problem
    return OUTCOMES.index(process.outcome), not problem, problem, process.run_id, process.tag, process.optimize


def text(value: str) -> str:
    """A string that SQLite takes as TEXT: lone surrogates become \\udcxx."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()
