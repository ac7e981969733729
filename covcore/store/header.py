"""What the first bytes of a data file tell, without SQLite: a measured process looks before its program starts."""

import os
import stat

from covcore.errors import CovcoreError
from covcore.platform import open_descriptor
from covcore.store.schema import APPLICATION_ID, VERSION

MAGIC = b"SQLite format 3\0"


def check_header(data: str, *, replacing: bool = False, any_version: bool = False) -> bool:
    """Whether there is a database at a path, so that it may be read or replaced.

    Args:
        data: the path.
        replacing: whether one of an older covcore will do, as it is not going to be read.
        any_version: whether one of a newer covcore will do, too.

    Returns:
        False: nothing, or an empty file, is there.

    Raises:
        CovcoreError: something else is there, or it cannot be read.
    """
    try:
        descriptor = open_descriptor(data, follow=True)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CovcoreError(f"cannot read {data}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise CovcoreError(f"{data} is a folder: name a file with --data")
        if not stat.S_ISREG(status.st_mode):
            raise CovcoreError(f"{data} is not a regular file: name another with --data")
        header = os.read(descriptor, 100)
    finally:
        os.close(descriptor)
    if not header:
        return False
    try:
        check_bytes(header, replacing=replacing, any_version=any_version)
    except BadData as error:
        raise CovcoreError(f"{data} {error}: {error.hint}") from None
    return True


class BadData(ValueError):
    """What a file is, if it is no database of covcore's ("is empty", say), and what to do then."""

    def __init__(self, what: str, hint: str = "name another file with --data, or move it away") -> None:
        super().__init__(what)
        self.hint = hint


def check_bytes(header: bytes, *, replacing: bool = False, any_version: bool = False) -> None:
    """Check the first 100 bytes of a file.  Arguments as of check_header; raises BadData."""
    if not header:
        raise BadData("is empty")
    if not header.startswith(MAGIC) or len(header) < 100:
        raise BadData("is not a database of covcore")
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise BadData("is another program's SQLite database")
    version = int.from_bytes(header[60:64])
    schemas = f"(schema {version}, not {VERSION})"
    if version > VERSION and not any_version:
        raise BadData(f"was written by a newer covcore {schemas}", "upgrade covcore")
    if 0 < version < VERSION and not (any_version or replacing):
        raise BadData(f"was written by an older covcore {schemas}", "measure again, or read it with that covcore")
