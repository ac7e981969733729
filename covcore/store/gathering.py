"""Which recordings go into the next database, in place of what, and what becomes of each.

A run whose settings say "append" adds to the data of earlier runs; any other replaces it.  A recording of a run whose
data is in the database already adds to it in any case: it is of a process that outlived its run, or of a publisher that
was killed before it removed what it had published.  For the same reason the database remembers the runs whose data was
replaced while there were recordings of theirs (Database.replaced): those are dropped, and replace nothing.
"""

from __future__ import annotations

import os

from covcore.store.notes import describe_lost, find_notes
from covcore.store.processes import LOST, REPLACED, SIGNALLED, UNENDED, Process, is_running, plural
from covcore.store.recordings import owner_of
from covcore.store.union import Union, process_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore._reader import Recording
    from covcore.store.database import Database
    from covcore.store.notes import Notes
    from covcore.store.recordings import Found


class Gathering:
    """See the module.

    Attributes:
        union: the data, once `add_all` was called.
        replaced: ids of the runs for the next database to remember.
        replaces: whether the data of the old database goes.
        known: ids of the runs whose data the old database holds.
        chosen: run id -> its recordings that go in, oldest run first.
        dropped: recordings whose data was replaced.
        added: recordings whose data is in the union.
        refused: recordings that could not be read to the end; what could be is in the union.
        processes: of the recordings that were added, and those that left none.
        notes: those that were added; also that of dropped recordings.
        measured: ids of the runs of which code was measured.
        warnings: what was left out, in one line each.
    """

    def __init__(
        self, found: Iterable[Found], old: Database | None, own: str = "", *, with_running: bool = False
    ) -> None:
        """Choose.

        Args:
            found: all recordings there are.
            old: the database there is.
            own: id of the run that has just ended, though its process goes on.
            with_running: choose recordings of processes that still run too.
        """
        self.union = Union()
        self.old = old
        self.replaces = False
        self.chosen: dict[str, list[Found]] = {}
        self.dropped: list[Found] = []
        self.added: list[Found] = []
        self.refused: list[Found] = []
        self.processes: list[Process] = []
        self.notes: list[Notes] = []
        self.measured: set[str] = set()
        self.warnings: list[str] = []
        self._read: dict[str, Recording] = {}

        by_run: dict[str, list[Found]] = {}
        for one in found:
            if one.problem:
                self._refuse(one, one.problem)
            else:
                by_run.setdefault(one.run_id, []).append(one)
        self.by_run = by_run
        if own in by_run:
            by_run[own] = by_run.pop(own)  # the last to end
        self.known = {run.run_id for run in old.runs()} if old else set()
        self.replaced = old.replaced() if old else set()
        for run_id, ones in by_run.items():
            over = [one for one in ones if one.over]
            is_replaced = run_id in self.replaced or (self.replaces and run_id in self.known)
            if is_replaced and run_id != own:
                self.dropped += over
            elif with_running:
                self._choose(run_id, ones)
            elif run_id == own or not any(one.running for one in ones):
                self._choose(run_id, over)
        if self.replaces:
            self.replaced |= self.known
        self.replaced |= {one.run_id for one in self.dropped}
        self.replaced &= by_run.keys() - self.chosen.keys()

    def _choose(self, run_id: str, ones: list[Found]) -> None:
        if not ones:
            return
        if run_id not in self.known and not self._appends(ones):
            self.replaces = True
            for others in self.chosen.values():
                self.dropped += others
            self.chosen.clear()
        self.chosen[run_id] = ones

    def _appends(self, ones: list[Found]) -> bool:
        """Whether a run adds to the data of earlier ones; so does one that was killed before it could say."""
        for one in ones:
            try:
                recording = self._read[one.name] = one.read()
            except (OSError, ValueError):
                continue  # said when it is added
            if recording["settings"]:
                return dict(recording["settings"]).get("append", "0") != "0"
        return True

    def add_all(self) -> None:
        """Fill the union, if there is anything to add."""
        if not self.chosen:
            return
        if self.old and not self.replaces:
            self.old.add_to(self.union)
        for ones in self.chosen.values():
            for one in ones:
                self._add(one)
        self._add_notes()
        if changed := self.union.changed():
            names = ", ".join(os.fsdecode(path) for path in changed[:5]) + ", ..." * (len(changed) > 5)
            files = plural(len(changed), "file")
            self.warnings.append(f"{files} changed between two runs: only the data of the newer text is kept: {names}")

    def _add(self, one: Found) -> None:
        try:
            recording = self._read.pop(one.name, None) or one.read()
        except FileNotFoundError:
            return  # its process has just removed it
        except OSError as error:
            self._refuse(one, error.strerror or str(error))
            return
        except ValueError as error:
            one.spoiled = True
            self._refuse(one, str(error))
            return
        if recording["codes"]:
            self.measured.add(one.run_id)
        self.processes.append(self.union.add_recording(recording, running=not one.over))
        self.added.append(one)
        if recording["problem"] and one.over:
            one.spoiled = True
            self._refuse(one, f"{recording['problem']} (what comes before that counts)")

    def _add_notes(self) -> None:
        """Add what processes have noted on others: who left no record, and who was killed."""
        found = [one for ones in self.by_run.values() for one in ones]
        gone = self.chosen.keys() | {one.run_id for one in self.dropped}
        self.notes = [
            notes
            for notes in find_notes(found, self.chosen)
            if notes.owner["run_id"] in gone or notes.owner["run_id"] not in self.by_run
        ]
        judged = [notes for notes in self.notes if notes.over and notes.owner["run_id"] in self.chosen]
        for notes in judged:
            self._add_lost(notes)
        self.processes += add_unrecorded(self.union, judged)
        add_causes(self.union, self.notes)

    def _add_lost(self, notes: Notes) -> None:
        self.processes += add_lost(self.union, notes)
        if notes.lost:
            self.warnings.append(
                f"{plural(len(notes.lost), 'child', 'ren')} of process {notes.owner['pid']} left no record: "
                + describe_lost(notes.lost)
            )

    def _refuse(self, one: Found, problem: str) -> None:
        one.problem = problem
        self.refused.append(one)


def add_lost(union: Union, notes: Notes) -> list[Process]:
    """Add to a union the children of a process that left no record.  Returns them."""
    lost = []
    for number, command in enumerate(notes.lost):
        process = process_of(notes.owner, 0, problem=command)
        process.pid, process.outcome = 0, LOST
        process.started += number
        union.add_process(process)
        lost.append(process)
    return lost


def add_unrecorded(union: Union, found: Iterable[Notes]) -> list[Process]:
    """Add to a union, which has all that was recorded, the children that noted themselves and have no recording.

    They were killed before they could make one, or could not; or they are about to.

    Returns:
        These.
    """
    known = {(process.run_id, process.pid, process.start_ticks) for process in union.processes.values()}
    added = []
    for notes in found:
        run_id, folder = notes.owner["run_id"], os.path.dirname(notes.path)
        for pid, start_ticks in sorted(notes.begun):
            recording = f"{folder}/{run_id}-{pid}-{start_ticks}.0"
            if (run_id, pid, start_ticks) not in known and not os.path.lexists(recording):
                owner = owner_of(run_id, pid, start_ticks)
                process = process_of(owner, 0, running=is_running(owner))
                union.add_process(process)
                added.append(process)
    return added


def add_causes(union: Union, found: Iterable[Notes]) -> None:
    """Say of processes that ended without an end mark why that was, as far as others have noted it."""
    found = list(found)
    signals = {(notes.owner["run_id"], pid): number for notes in found for pid, number in notes.signals.items()}
    successors = {(notes.owner["run_id"], notes.owner["pid"]): notes.successor for notes in found}
    for process in union.processes.values():
        key = (process.run_id, process.pid)
        if process.outcome == UNENDED and not process.problem:
            if key in signals:
                process.problem = f"{SIGNALLED}{signals[key]}"
            elif successors.get(key):
                process.problem = REPLACED + os.path.basename(successors[key])
