"""The commands `covcore combine`, `export` and `import`.

An export is one database file with all there is: what is published, and the recordings beside it.  Files below the
current folder have relative paths in it, so that whoever takes it in, on another machine, finds them below theirs.
A data file of coverage.py can be written and taken in as well: plugin/covcore_coverage does that, where it is installed.
"""

from __future__ import annotations

import os

from covcore.config import current_folder
from covcore.errors import CovcoreError, say
from covcore.platform import nearer, slashed
from covcore.store.collecting import Paused
from covcore.store.combine import Refused, combine
from covcore.store.header import MAGIC
from covcore.store.loading import load
from covcore.store.mapping import PathMap, is_below
from covcore.store.processes import plural
from covcore.store.publish import write_database
from covcore.store.recordings import read_file
from covcore.store.spool import Spool
from covcore.store.union import Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from covcore.store.combine import Combined, Reader

MOST_SAID = 50  # reasons, of which there may be as many as inputs
LOOKED_AT = 1 << 16  # bytes of a file: SQLite begins with the schema
APPLICATION = slice(68, 72)  # bytes that covcore marks its own databases by


def combine_command(options: Namespace) -> int:
    """Combine databases and recordings.

    Args:
        options: `inputs` (paths), `keep`, `allow_partial`; `data` and the setting `paths`, as all commands have them.

    Returns:
        The exit status: 0.

    Raises:
        CovcoreError: nothing was changed.
    """
    result = combined(options, options.inputs, keep=options.keep, allow_partial=options.allow_partial)
    print(f"Combined {result.counts()} into {nearer(options.data, os.getcwd())}")
    return 0


def import_command(options: Namespace) -> int:
    """Add an exported file, or a data file of coverage.py, to the data; the file stays.

    Args:
        options: `file`; `data` and the settings `paths` and `source`.

    Returns:
        The exit status: 0.

    Raises:
        CovcoreError: nothing was changed.
    """
    if os.path.isdir(options.file):
        raise CovcoreError(f"{options.file} is a folder: `covcore combine` takes folders")
    path = slashed(os.path.abspath(options.file))
    reader = coverage_reader(options) if looks_like_coverage(path) else None
    combined(options, [path], keep=True, reader=reader)
    print(f"Added {options.file} to {nearer(options.data, os.getcwd())}")
    return 0


def combined(
    options: Namespace,
    paths: Sequence[str],
    *,
    keep: bool,
    allow_partial: bool = False,
    reader: Reader | None = None,
) -> Combined:
    """Combine, and say what is to be said."""
    locate = PathMap(current_folder(), options.paths)
    try:
        result = combine(options.data, paths, locate, keep=keep, allow_partial=allow_partial, reader=reader)
    except Refused as error:
        if len(paths) == len(error.reasons) == 1:
            raise CovcoreError(error.reasons[0]) from None
        for reason in error.reasons[:MOST_SAID]:
            say("error", reason)
        if len(error.reasons) > MOST_SAID:
            say("error", f"... and {plural(len(error.reasons) - MOST_SAID, 'more')}".removesuffix("s"))
        raise
    for note in result.notes:
        say("note", note)
    for warning in result.warnings:
        say("warning", warning)
    return result


def export_command(options: Namespace) -> int:
    """Write one file with all data.

    Args:
        options: `output` (path), `kind` ("covcore", "coverage", or None: as the name says), and `data`.

    Returns:
        The exit status: 0.

    Raises:
        CovcoreError: there is no data, or the file cannot be written.
    """
    output = slashed(os.path.abspath(options.output))
    if os.path.exists(output) and not os.path.isfile(output):
        raise CovcoreError(f"{options.output} is not a regular file: name another with -o")
    if os.path.realpath(output) == os.path.realpath(options.data):
        raise CovcoreError(f"{options.output} is the database itself: name another file with -o")
    if (options.kind or format_of(output)) == "coverage":
        export_to_coverage(options.data, output)
    else:
        export(options.data, output, current_folder())
    print(f"Wrote {options.output}")
    return 0


def format_of(path: str) -> str:
    """The format that the name of a file to write asks for: coverage.py's own are called `.coverage` and `.coverage.HOST`."""
    name = os.path.basename(path)
    return "coverage" if name.endswith(".coverage") or name.startswith(".coverage.") else "covcore"


def looks_like_coverage(path: str) -> bool:
    """Whether a file may be a data file of coverage.py; what is in it is checked by whoever reads it."""
    try:
        head = read_file(path, LOOKED_AT)
    except OSError:
        return False
    return head.startswith(MAGIC) and not any(head[APPLICATION]) and b"coverage_schema" in head


def coverage_reader(options: Namespace) -> Reader:
    """What reads data files of coverage.py.  Raises CovcoreError: there is no coverage.py."""
    try:
        from covcore_coverage.importing import reader
    except ImportError as error:
        raise needs_coverage(f"{options.file} is coverage.py's: reading it", error) from None
    found: Reader = reader(options.source, options.paths)
    return found


def needs_coverage(what: str, error: ImportError) -> CovcoreError:
    return CovcoreError(f"{what} needs coverage.py 7.16 or later: pip install covcore[coverage] ({error})")


def export_to_coverage(data: str, output: str) -> None:
    """Write a data file of coverage.py.

    Args:
        data, output: as export() has them.

    Raises:
        CovcoreError: there is no data, the file cannot be written, or there is no coverage.py.
    """
    try:
        from covcore_coverage.exchange import write
    except ImportError as error:
        raise needs_coverage("writing coverage.py's format", error) from None
    with load(data) as database, Paused():
        write(database, output)


def export(data: str, output: str, folder: str) -> None:
    """Write an export.

    Args:
        data: absolute path of the database.
        output: that of the file to write; one that is there is replaced.
        folder: paths below it become relative to it.

    Raises:
        CovcoreError: there is no data, or the file cannot be written.
    """
    raw = os.fsencode(folder)

    def relative(path: bytes) -> bytes:
        return path[len(raw) :].lstrip(b"/") or b"." if is_below(path, raw) else path

    spool = Spool()
    try:
        union = Union(spool, relative)
        with load(data) as database, Paused():
            database.add_to(union)
        write_database(output, union, (), safe="nothing was written")
    finally:
        spool.close()
