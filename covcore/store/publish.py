"""Publishing: recordings become a database, which takes the place of the old one by a rename.

Whatever kills the publisher, there is the old database or the new one, and no recording is gone before its data is on
the disk.  What a killed publisher leaves, the next one removes or does again.
"""

from __future__ import annotations

import _sqlite3 as sqlite3
import errno
import os

from covcore._reader import EXCLUDE, lock
from covcore.errors import CovcoreError
from covcore.platform import open_descriptor, rename_open, set_mode, slashed, sync, sync_folder
from covcore.store.collecting import Paused
from covcore.store.database import Database
from covcore.store.gathering import Gathering
from covcore.store.header import check_header
from covcore.store.limits import Spared
from covcore.store.locking import Lock
from covcore.store.processes import STOPPED, UNENDED, plural
from covcore.store.recordings import find, folder_of
from covcore.store.seal import write_seal
from covcore.store.union import process_of
from covcore.store.writing import write_union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from covcore._reader import Owner
    from covcore.store.processes import Process
    from covcore.store.recordings import Found
    from covcore.store.union import Union
    from covcore.store.writing import Written

UNFINISHED = ".new"  # put behind the name of a database while it is written


class Unwritable(CovcoreError):
    """The database cannot be written; nothing has changed, and no recording is lost."""


class PublishReport:
    """What was published.

    Attributes:
        data: path of the database.
        processes: those of the run, also those that still run and whose data is not in the database yet.
        recovered: those of other runs, which ended without publishing.
        has_measured: whether any code of the run was measured.
        notes, warnings: for standard error, one line each.
    """

    __slots__ = ("data", "has_measured", "notes", "processes", "recovered", "warnings")

    def __init__(self, data: str) -> None:
        self.data = data
        self.has_measured = False
        self.processes: list[Process] = []
        self.recovered: list[Process] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []


def publish_run(data: str, directories: Sequence[str], run_id: str) -> PublishReport:
    """Publish a run whose main process has ended its recording, and with it what earlier runs left.

    Recordings of processes that still run stay, to be published by a later command.

    Args:
        data: absolute path of the database.
        directories: absolute paths of the folders that hold recordings of the run.
        run_id: of the run.

    Raises:
        Unwritable: for one reason or another; the old database and all recordings are as before.
        CovcoreError: the path holds something else, or a damaged database that the run was to add to.
    """
    return publish(data, directories, run_id)


def recover(data: str) -> PublishReport:
    """Publish on their behalf the runs none of whose processes still runs.  Arguments and errors as publish_run."""
    return publish(data, (folder_of(data),), "")


def publish(data: str, directories: Sequence[str], own: str) -> PublishReport:
    """Do both: as publish_run with a run of our own, else as recover."""
    report = PublishReport(data)
    with Lock(folder_of(data)), Paused(), Spared():
        found = find(dict.fromkeys((folder_of(data), *directories)))
        gathering = gather(data, found, own, report)
        if gathering.added:
            n_malformed = write_database(data, gathering.union, gathering.replaced).n_malformed
            if n_malformed:
                report.warnings.append(f"{plural(n_malformed, 'code object')} left out: malformed")
        for process in gathering.processes:
            (report.processes if process.run_id == own else report.recovered).append(process)
        report.has_measured = own in gathering.measured
        tell(report, gathering, own)
        clear_away(gathering, report)
    return report


def gather(data: str, found: list[Found], own: str, report: PublishReport) -> Gathering:
    """Take together what the next database is to hold.

    Raises:
        CovcoreError: the old one is not ours, or is damaged and the run was to add to it.
    """
    old = damage = None
    if check_header(data, replacing=True):
        try:
            old = Database.open(data)
        except CovcoreError as error:
            damage = error
    try:
        gathering = Gathering(found, old, own)
        if damage and gathering.chosen and not gathering.replaces:
            raise damage
        gathering.add_all()
    finally:
        if old:
            old.close()
    if damage and gathering.added:
        report.warnings.append(f"{str(damage).rpartition(':')[0]}, and is replaced")
    ended = {_process_id(one.owner) for one in found if one.owner and one.over}
    for one in found:
        if one.owner and one.run_id == own and not one.over and _process_id(one.owner) not in ended:
            process = process_of(one.owner, 0, running=True)
            gathering.union.add_process(process)
            report.processes.append(process)
    return gathering


def _process_id(owner: Owner) -> tuple[str, int, int]:
    """The same for a process and those of its subinterpreters that go on until it ends."""
    return owner["boot_id"], owner["pid"], owner["start_ticks"]


def write_database(data: str, union: Union, replaced: Iterable[str], safe: str = "") -> Written:
    """Put a database in the place of the old one, if any, once it is on the disk and has been read back.

    Args:
        data: its path.
        union, replaced: as write_union takes them; the result is as it gives it.
        safe: where the data stays if that fails, to be said.

    Raises:
        Unwritable: the old one is as before.
    """
    # A link stays, and what it leads to is replaced.
    path = slashed(os.path.realpath(data)) if os.path.islink(data) else data
    new = path + UNFINISHED
    try:
        descriptor = create(new, path)
        try:
            written = write_file(new, union, replaced)
            sync(descriptor)
            verify(new, written)
        except BaseException:
            os.close(descriptor)
            raise
        rename_open(descriptor, new, path)
        sync_folder(path.rpartition("/")[0] or "/")
        return written
    except BlockingIOError:
        safe = safe or f"the recordings stay in {folder_of(data)} for the next command to publish"
        raise Unwritable(f"cannot write {data}: another command writes it; {safe}") from None
    except BaseException as error:
        remove(new)
        if not isinstance(error, (OSError, sqlite3.Error)):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        safe = safe or f"the recordings stay in {folder_of(data)} for the next command to publish"
        raise Unwritable(f"cannot write {data}: {reason}; {safe}") from None


def verify(path: str, written: Written) -> None:
    """Read a database that was just written.  Raises OSError if it is not what was to be written."""
    try:
        with Database.open(path) as database:
            faults = "" if database.counts() == written.n_rows else "rows are missing"
    except CovcoreError as error:
        faults = str(error)
    if faults:
        raise OSError(errno.EIO, f"it does not read back as it was written ({faults})")


def create(new: str, path: str) -> int:
    """Make a file that takes the place of another later.

    It is locked as long as it is open.  DATA.d/lock keeps two publishers apart, but whoever removes that folder while a run
    publishes takes the lock away; then the second would write into what the first renames.

    Returns:
        Its descriptor.

    Raises:
        OSError: it cannot be made, or another publisher writes it.
    """
    try:
        left = open_descriptor(new, os.O_RDWR)
    except OSError:
        remove(new)  # it is not there, or nothing that a publisher makes
    else:
        try:
            take(left)  # it is of a publisher that was killed
            remove(new)
        finally:
            os.close(left)
    descriptor = open_descriptor(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        take(descriptor)
        if not os.path.samestat(os.stat(new, follow_symlinks=False), os.fstat(descriptor)):
            raise BlockingIOError
    except OSError:
        os.close(descriptor)
        raise
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = os.fstat(descriptor).st_mode
    set_mode(descriptor, mode & 0o777 | 0o600)
    return descriptor


def take(descriptor: int) -> None:
    """Lock a file, where the file system knows locks.  Raises BlockingIOError: another process holds it."""
    try:
        lock(descriptor, EXCLUDE)
    except BlockingIOError:
        raise
    except OSError:
        return


def write_file(new: str, union: Union, replaced: Iterable[str]) -> Written:
    """Write a union to an empty file, as write_union does."""
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")  # nobody reads the file before it is whole
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        written = write_union(connection, union, replaced)
    finally:
        connection.close()
    write_seal(new)
    return written


def remove(path: str) -> bool:
    """Remove a file.  Returns whether it was there and could be removed."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def tell(report: PublishReport, gathering: Gathering, own: str) -> None:
    """Put into words what is not as it should be."""
    report.warnings += gathering.warnings
    if own and own not in gathering.chosen and own not in gathering.known:
        report.warnings.append(f"nothing was recorded: was {folder_of(report.data)} removed meanwhile?")
    pids = [str(process.pid) for process in gathering.processes if process.outcome == UNENDED]
    if pids:
        report.notes.append(
            f"recovered the data of {plural(len(pids), 'process', 'es')} that {UNENDED} (pid {', '.join(pids)})"
        )
    for process in gathering.processes:
        if process.outcome == STOPPED and process.pid != os.getpid():  # this process itself has been told
            report.warnings.append(f"recording stopped early in pid {process.pid}: {process.problem}")


def clear_away(gathering: Gathering, report: PublishReport) -> None:
    """Remove the recordings whose data is published or replaced, and put aside what cannot be read."""
    for one in gathering.added + gathering.dropped:
        try:
            if not one.spoiled:
                one.delete()
        except OSError as error:
            report.warnings.append(f"cannot remove {error.filename}: {error.strerror}")
    for notes in gathering.notes:
        if notes.over:
            remove(notes.path)
    for one in gathering.refused:
        path = one.segments[0]
        try:
            kept = f"; kept as {one.keep_aside()}" if one.spoiled else ""
        except OSError as error:
            kept = f"; cannot rename {error.filename}: {error.strerror}"
        report.warnings.append(f"cannot read the recording {path}: {one.problem}{kept}")
