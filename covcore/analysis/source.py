"""Source files as they were measured: their text, and whether it is still the same."""

import errno
import hashlib
import os
import re
import stat
import zipimport
from typing import NamedTuple

from covcore.platform import open_descriptor

_DECLARED_ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=]")  # PEP 263, in one of the first two lines
UNKNOWN_HASH = bytes(32)
LARGEST = 256 << 20  # bytes: parsing so much takes 20 times as many


class Source(NamedTuple):
    """The text of one file."""

    text: str  # with newlines as \\n alone
    hash: bytes  # SHA-256 of the file's bytes with newlines as \\n alone


class UnusableSource(Exception):
    """A file whose text cannot be had or is not Python: `mark` in a word for a table, str() in a line."""

    def __init__(self, mark: str, message: str) -> None:
        super().__init__(message)
        self.mark = mark


def read(path: str) -> Source:
    """Read a source file, or a member of a zip file (`code.zip/package/module.py`).

    Raises:
        UnusableSource: it is gone, cannot be read ("no source"), or cannot be decoded ("not Python").
    """
    return of_bytes(_raw(path))


def of_bytes(raw: bytes) -> Source:
    """The source that these bytes of a file are.

    Raises:
        UnusableSource: they cannot be decoded ("not Python").
    """
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = raw.decode(_encoding(raw))
    except (LookupError, SyntaxError, ValueError) as error:
        raise UnusableSource("not Python", f"cannot be decoded: {error}") from error
    return Source(text, hashlib.sha256(raw).digest())


def _raw(path: str) -> bytes:
    try:
        return _content(path)
    except OSError as error:
        member = _zip_member(path)
        if member is None:
            raise UnusableSource("no source", f"cannot be read: {error.strerror}") from error
        return member


def _content(path: str) -> bytes:
    """What a regular file holds; whoever opens a FIFO waits for ever, and a device has no end.  Raises OSError."""
    with open(path, "rb", opener=lambda name, flags: open_descriptor(name, flags, follow=True)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > LARGEST:
            raise OSError(errno.EFBIG, "it is too large")
        return file.read(LARGEST)


def _zip_member(path: str) -> bytes | None:
    archive = os.path.dirname(path)
    while archive and not os.path.lexists(archive):
        archive = os.path.dirname(archive)
    if not os.path.isfile(archive):
        return None
    try:
        return zipimport.zipimporter(archive).get_data(path)
    except (zipimport.ZipImportError, OSError):
        return None


def _encoding(raw: bytes) -> str:
    """The name of the encoding that Python reads this source in."""
    head = raw.split(b"\n", 2)[:2]
    if not raw.startswith(b"\xef\xbb\xbf") and not any(map(_DECLARED_ENCODING.match, head)):
        return "utf-8"
    from tokenize import detect_encoding  # here, because hardly any file declares one

    lines = iter([line + b"\n" for line in head])
    return detect_encoding(lambda: next(lines, b""))[0]
