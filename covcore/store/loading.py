"""What every reading command begins with: the database, together with what has not been published."""

import _sqlite3 as sqlite3
import os

from covcore.errors import CovcoreError, say
from covcore.store import publish
from covcore.store.collecting import Paused
from covcore.store.database import Database
from covcore.store.gathering import Gathering
from covcore.store.header import check_header
from covcore.store.locking import Lock
from covcore.store.recordings import find, folder_of
from covcore.store.writing import write_union


def load(data: str, *, recover: bool = True) -> Database:
    """Open a database for reading.

    Runs that ended without publishing are published first, with a note on standard error.  What processes that still
    run have recorded is included, as if they ended now, and left to them.

    Args:
        data: path of the database.
        recover: whether to publish; if not, or if that fails, what is not published is included too.

    Returns:
        The database, to be closed by the caller.

    Raises:
        CovcoreError: there is no data, or it cannot be read.
    """
    check_header(data)
    folder = folder_of(data)
    said: set[str] = set()
    if recover and any(one.over for one in find([folder])):
        publish_ended(data, said)
    if not os.path.isdir(folder):
        return open_published(data)
    with Lock(folder, shared=True), Paused():
        return open_whole(data, said)


def publish_ended(data: str, said: set[str]) -> None:
    """Publish the runs that have ended, and say what is to be said, adding it to what was said."""
    try:
        report = publish.recover(data)
    except publish.Unwritable as error:
        say_once("warning", str(error), said)
        return
    for warning in report.warnings:
        say_once("warning", warning, said)
    for note in report.notes:
        say_once("note", note, said)


def open_published(data: str) -> Database:
    if not os.path.lexists(data):
        raise CovcoreError(f"no data at {data}: run `covcore run ...` first")
    return Database.open(data)


def open_whole(data: str, said: set[str]) -> Database:
    """Open the database, or in its place one in memory that has what is not published too."""
    found = find([folder_of(data)])
    if not found:
        return open_published(data)
    old = Database.open(data) if check_header(data) else None
    try:
        gathering = Gathering(found, old, with_running=True)
        gathering.add_all()
        for warning in gathering.warnings:
            say_once("warning", warning, said)
        for one in gathering.refused:
            say_once("warning", f"cannot read the recording {one.segments[0]}: {one.problem}", said)
        if not gathering.added:  # but replaced ones, or such as cannot be read
            database, old = old or open_published(data), None
            return database
    finally:
        if old:
            old.close()
    connection = sqlite3.connect(":memory:", isolation_level=None)
    write_union(connection, gathering.union)
    return Database(connection, data)


def say_once(kind: str, text: str, said: set[str]) -> None:
    if text not in said:
        said.add(text)
        say(kind, text)
