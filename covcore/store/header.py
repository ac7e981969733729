"""What the first bytes of a data file tell, without SQLite: a measured process looks before its program starts."""

import os
import stat

from covcore.errors import CovcoreError
from covcore.store.schema import APPLICATION_ID, VERSION

MAGIC = b"SQLite format 3\0"


def check_header(data: str, *, any_version: bool = False) -> bool:
    """Whether there is a database at a path, so that it may be read or replaced.

    Args:
        data: the path.
        any_version: whether one of a newer covcore will do.

    Returns:
        False: nothing, or an empty file, is there.

    Raises:
        CovcoreError: something else is there, or it cannot be read.
    """
    try:
        descriptor = os.open(data, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
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
    if not header.startswith(MAGIC) or len(header) < 100:
        raise CovcoreError(f"{data} is not a database of covcore: name another file with --data, or move it away")
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise CovcoreError(
            f"{data} is another program's SQLite database: name another file with --data, or move it away"
        )
    version = int.from_bytes(header[60:64])
    if version > VERSION and not any_version:
        raise CovcoreError(f"{data} was written by a newer covcore (schema {version}, not {VERSION}): upgrade covcore")
    return True
