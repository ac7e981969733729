"""Writing a report to its file: whole or not at all, piece by piece."""

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable
from typing import IO, Protocol

from covcore.errors import CovcoreError, say
from covcore.platform import open_descriptor, set_mode
from covcore.report import command, results
from covcore.report.results import Results
from covcore.store.database import Database

STANDARD_OUTPUT = "-"


class Options(results.Options, Protocol):
    """What the command line says of a report that is written to a file."""

    output: str
    quiet: bool


def file_command[T: Options](options: T, name: str, pieces: Callable[[Results, Database, T], Iterable[str]]) -> int:
    """Write a report in some format.

    Args:
        options: what the command line says.
        name: of the format, for messages.
        pieces: makes the text, in UTF-8 once it is encoded.

    Returns, raises: see command.report.
    """

    def write_all(found: Results, database: Database) -> None:
        write(options.output, pieces(found, database, options))
        if options.output != STANDARD_OUTPUT and not options.quiet:
            say("note", f"wrote {name} report to {options.output}")

    return command.report(options, write_all)


def write(path: str, pieces: Iterable[str], option: str = "-o") -> None:
    """Write text to a file, or to standard output if path is "-".

    A file gets its name when it is complete: until then, and if anything goes wrong, the old one stays.  What is no
    regular file (a device, a pipe) is written as it is.

    Args:
        path: of the file.
        pieces: the text.
        option: what errors tell the user to name another file by.

    Raises:
        CovcoreError: it cannot be written.
    """
    if path == STANDARD_OUTPUT:
        write_pieces(sys.stdout.buffer, pieces)
        return
    try:
        path = os.path.realpath(path)
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                write_pieces(file, pieces)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            replace(path, pieces)
    except OSError as error:
        raise CovcoreError(f"cannot write {path}: {error.strerror}: {option} names another file") from None


def replace(path: str, pieces: Iterable[str]) -> None:
    """Write a regular file under another name, and rename it.  Raises OSError."""
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    descriptor = open_descriptor(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:
            if os.path.exists(path):
                set_mode(descriptor, stat.S_IMODE(os.stat(path).st_mode))
            write_pieces(file, pieces)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_pieces(file: IO[bytes], pieces: Iterable[str]) -> None:
    for piece in pieces:
        file.write(piece.encode())
    file.flush()
