"""Combining: any number of databases and recordings become one database.

In whatever order they come, and however often, the result is the same bytes; what the output held before is one of them.
All are read before anything is written, nothing is written but a file that takes the output's place by a rename, and no
input goes before that is on the disk and has been read back.  So whatever ends this process, calling it again ends well.
"""

from __future__ import annotations

import contextlib
import os

from covcore._reader import decode_shape
from covcore.errors import CovcoreError
from covcore.platform import slashed
from covcore.store.collecting import Paused
from covcore.store.database import Database
from covcore.store.gathering import add_causes, add_lost, add_unrecorded
from covcore.store.header import check_header
from covcore.store.inputs import Input, Inputs
from covcore.store.locking import Lock
from covcore.store.notes import SUFFIX, find_notes
from covcore.store.processes import plural
from covcore.store.publish import recover, write_database
from covcore.store.recordings import RESULTS, folder_of
from covcore.store.spool import NoRoom, Spool
from covcore.store.union import UNKNOWN_HASH, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from covcore.store.recordings import Found

    type Reader = Callable[[Union, str], list[str]]  # adds a file to a union, and returns warnings

NAMED = 5  # of many files, so many are named


class Refused(CovcoreError):
    """Inputs cannot be combined; nothing has changed.

    Attributes:
        reasons: one line each.
    """

    def __init__(self, message: str, reasons: list[str]) -> None:
        super().__init__(message)
        self.reasons = reasons


class Combined:
    """What was combined.

    Attributes:
        taken: the inputs of which all data is in the output now.
        left_out: path and reason.
        older: of which files older texts were left out, one line each; if there are any, all inputs stay.
        notes, warnings: for standard error, one line each.
    """

    def __init__(self) -> None:
        self.taken: list[Input] = []
        self.left_out: list[tuple[str, str]] = []
        self.older: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def counts(self) -> str:
        """How many inputs there were: "2 databases, 1 recording"."""
        kinds = [one.kind for one in self.taken]
        return ", ".join(plural(kinds.count(kind), kind) for kind in ("database", "recording") if kind in kinds)


def combine(
    data: str,
    paths: Sequence[str],
    locate: Callable[[bytes], bytes] | None = None,
    *,
    keep: bool = False,
    allow_partial: bool = False,
    reader: Reader | None = None,
) -> Combined:
    """Combine databases and recordings into one database, together with what it holds.

    Args:
        data: absolute path of the database to be.
        paths: files and folders; none: the databases beside `data` that are named like it, with a dot and more behind.
        locate: where a file is here that is elsewhere in an input (PathMap).
        keep: do not remove the inputs.
        allow_partial: leave out what cannot be read, and older texts of files of which there are several.
        reader: how to read `paths` if they are another program's files; none of them is removed.

    Raises:
        Refused: there is no input, one cannot be read, or files differ between them.
        CovcoreError: the output cannot be read, or written.
    """
    check_header(data)
    result = Combined()
    if os.path.isdir(folder_of(data)):
        published = recover(data)
        result.notes += published.notes
        result.warnings += published.warnings
    with Lock(folder_of(data)), Paused():
        inputs = [Input(path) for path in paths] if reader else find_inputs(data, paths, result)
        merge(data, inputs, result, locate, allow_partial=allow_partial, reader=reader)
    if not (keep or reader) and not result.older:
        for one in result.taken:
            remove_input(one, result)
    return result


def find_inputs(data: str, paths: Sequence[str], result: Combined) -> list[Input]:
    """Find what is to be read, and say what is not.  Arguments and errors as combine."""
    inputs = Inputs(data)
    for path in paths:
        inputs.add_path(slashed(os.path.abspath(path)))
    if not paths:
        inputs.add_neighbours()
    result.left_out += inputs.bad
    if inputs.ignored:
        result.notes.append(f"no data of covcore: {some(inputs.ignored)}")
    if inputs.running:
        n = plural(len(inputs.running), "recording")
        result.notes.append(f"{n} of processes that still run stay as they are: {some(sorted(inputs.running))}")
    wanted = inputs.wanted
    if not (wanted or inputs.bad):
        where = some(list(paths)) if paths else f"{data}.*"
        raise Refused(f"nothing to combine: there is no data in {where}", [])
    return wanted


def merge(
    data: str,
    inputs: list[Input],
    result: Combined,
    locate: Callable[[bytes], bytes] | None,
    *,
    allow_partial: bool,
    reader: Reader | None = None,
) -> None:
    """Write the output.  Arguments and errors as combine."""
    spool = Spool()
    try:
        union = Union(spool, locate)
        replaced: set[str] = set()
        if check_header(data):
            with Database.open(data) as old:
                old.add_to(union)
                replaced = old.replaced()
        origins = Origins(union)
        origins.note(data)
        for one in inputs:
            add(one, union, spool, result, reader)
            origins.note(one.path)
        add_notes(result, union)
        result.older = origins.changed()
        refuse_unless(allow_partial, result)
        written = write_database(data, union, replaced, safe="no input was removed")
    finally:
        spool.close()
    result.warnings += [f"left out {path}: {reason}" for path, reason in result.left_out]
    if result.older:
        result.notes.append("no input was removed, as not all of their data is in the output")
    result.warnings += [f"left out older text: {reason}" for reason in result.older]
    if written.n_malformed:
        result.warnings.append(f"{plural(written.n_malformed, 'code object')} left out: malformed")


def add(one: Input, union: Union, spool: Spool, result: Combined, reader: Reader | None) -> None:
    """Add an input to the union, or, if it cannot be read, nothing of it.  Raises CovcoreError: there is no room."""
    mark, hits = union.mark(), spool.mark()
    try:
        if reader:
            result.warnings += reader(union, one.path)
        elif one.recording:
            add_recording(one.recording, union)
        else:
            with Database.open(one.path, follow=False) as database:
                database.add_to(union)
    except NoRoom:
        raise
    except CovcoreError as error:
        reason = str(error).removeprefix(f"{one.path} ")
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError as error:
        reason = str(error)
    else:
        if not one.is_unchanged():
            raise Refused(f"{one.path} changed while it was read: nothing was combined, call again", [])
        result.taken.append(one)
        return
    result.left_out.append((one.path, reason))
    union.undo(mark)
    spool.undo(hits)


def add_recording(found: Found, union: Union) -> None:
    """Add a recording.  Raises OSError or ValueError, before anything was added: it cannot be read to its end."""
    recording = found.read()
    if recording["problem"]:
        raise ValueError(recording["problem"])
    for *_, shape in recording["codes"]:
        decode_shape(shape)
    union.add_recording(recording)


def add_notes(result: Combined, union: Union) -> None:
    """Add what processes have noted on those that they started, where their recordings were added."""
    recordings = {one.recording.name: one.recording for one in result.taken if one.recording}
    found = [
        notes
        for notes in find_notes(recordings.values(), ())
        if os.path.basename(notes.path).removesuffix(SUFFIX) in recordings
    ]
    for notes in found:
        add_lost(union, notes)
    add_unrecorded(union, found)
    add_causes(union, found)


class Origins:
    """From which input each text of a source file came first."""

    def __init__(self, union: Union) -> None:
        self.union = union
        self.paths: list[str] = []  # by number of the revision

    def note(self, path: str) -> None:
        """Say from where the texts are that the union has now and had not before."""
        self.paths += [path] * (len(self.union.recorded) - len(self.paths))

    def changed(self) -> list[str]:
        """For each file of which there are several texts, where they are from; one line each."""
        newest = self.union.newest()
        lines = []
        for (path, hash), number in sorted(self.union.revisions.items()):
            newest_hash, newest_number = newest[path]
            if hash != newest_hash:
                other, one = self.paths[number], self.paths[newest_number]
                what = "it could not be read" if hash == UNKNOWN_HASH else "it had another text"
                lines.append(f"{os.fsdecode(path)}: {what} when {other} was measured than for {one}")
        return lines


def refuse_unless(allow_partial: bool, result: Combined) -> None:
    """Raises Refused if something would be left out that may not be, or nothing would be left."""
    reasons = [f"cannot read {path}: {reason}" for path, reason in sorted(result.left_out)] + result.older
    hint = "--allow-partial leaves that out, and `covcore erase` drops what was there before"
    if reasons and not allow_partial:
        n_unread = len(result.left_out)
        faults = [f"{plural(n_unread, 'input')} cannot be read"] * bool(n_unread)
        faults += [f"{plural(len(result.older), 'file')} changed between the inputs"] * bool(result.older)
        raise Refused(f"nothing was combined, and nothing removed: {' and '.join(faults)}: {hint}", reasons)
    if not result.taken:
        raise Refused("nothing was combined: no input can be read", reasons)


def remove_input(one: Input, result: Combined) -> None:
    """Remove an input whose data is safe, unless it is no longer what was read."""
    folder = os.path.dirname(one.path) if one.recording else folder_of(one.path)
    try:
        has_folder = os.path.isdir(folder) and not os.path.islink(folder)
        with Lock(folder) if has_folder else contextlib.nullcontext():
            if one.is_unchanged():
                if one.recording:
                    one.recording.delete()
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(folder, one.recording.name + SUFFIX))
                else:
                    os.unlink(one.path)
        left = set(os.listdir(folder)) if has_folder else {""}
        if left <= {"lock", RESULTS}:
            for name in left:
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        result.warnings.append(f"cannot remove {one.path}: {error.strerror}")


def some(paths: list[str]) -> str:
    """The first few of many paths."""
    return ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
