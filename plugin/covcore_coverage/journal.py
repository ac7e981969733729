"""Contexts that wait to be stored until the end, in a file beside the data file.

To store them one after another takes many times what it takes at once; but a process may be killed.  So what waits is appended to a
journal, which holds it in a few bytes, and which is gone once all is stored.  Should it be there when data files are combined, and its
process be gone, what it holds is put into the data file first.

Lines of JSON: whose it is; [name of a file, line, to, line, to, ...] for what a code object has run, counted from 0; and
{context: those numbers}.
"""

from __future__ import annotations

import glob
import json
import os
from contextlib import closing, suppress
from itertools import batched, chain
from typing import TYPE_CHECKING, Any

from coverage.exceptions import CoverageException
from coverage.sqldata import CoverageData

from covcore._reader import boot_id, is_process
from covcore._tracer import find_process
from covcore.platform import open_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from covcore_coverage.arcs import Arc, Part
    from covcore_coverage.storing import InContext

VERSION = 1
PREFIX = ".covcore-contexts-"  # nothing that `combine` takes for a data file
MARK = "INSERT OR REPLACE INTO meta (key, value) VALUES ('covcore_journal', ?)"
UNMARK = "DELETE FROM meta WHERE key = 'covcore_journal'"


class Journal:
    """A journal of this process.

    n_parts: how often a part of a context is in it
    """

    def __init__(self, covdata: CoverageData) -> None:
        """Begin one for a data file that no other process writes to.

        Raises OSError: there can be none.
        """
        ours: Any = covdata
        if not getattr(covdata, "_our_suffix", False) or not hasattr(covdata, "_connect"):
            raise OSError("the data file may be that of several processes")
        ours.add_arcs({})  # which makes the file
        self.n_parts = 0
        self._path = path_for(covdata.data_filename())
        self._numbers: dict[int, str] = {}  # of parts, by their id(); the collector has them for as long as we are
        self._pid = pid = os.getpid()
        owner = [VERSION, boot_id(), pid, find_process(pid)[1]]
        self._append([json.dumps(owner)], os.O_CREAT | os.O_TRUNC)
        # `combine` leaves out a file that is like another, as two may be that are not filled yet.
        with ours._connect() as database:
            database.execute_void(MARK, (str(owner),))

    def keep(self, contexts: InContext[list[Part]]) -> None:
        """Append contexts.  Raises OSError: that cannot be, or it is gone."""
        lines = []
        numbers = self._numbers
        for context, files in contexts:
            for name, parts in files.items():
                for part in parts:
                    if id(part) not in numbers:
                        numbers[id(part)] = str(len(numbers))
                        lines.append(json.dumps([name, *chain.from_iterable(part.arcs)]))
            ran = [numbers[id(part)] for parts in files.values() for part in parts]
            self.n_parts += len(ran)
            lines.append(f"{{{json.dumps(context or '')}:[{','.join(ran)}]}}")
        self._append(lines)

    def remove(self) -> None:
        """Have it be gone: all is stored.  In a forked process it is the parent's, and stays."""
        if os.getpid() == self._pid:
            with suppress(OSError):
                os.unlink(self._path)

    def _append(self, lines: Iterable[str], flags: int = 0) -> None:
        """Write lines.  The file is open no longer than that: a program may close what it has not opened."""
        content = "".join(f"{line}\n" for line in lines).encode()
        descriptor = open_descriptor(self._path, os.O_WRONLY | os.O_APPEND | flags)
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError("not all could be written")
        finally:
            os.close(descriptor)


def path_for(data_file: str) -> str:
    """Where the journal of a data file is."""
    folder, name = os.path.split(data_file)
    return os.path.join(folder, PREFIX + name)


def recover(data_file: str) -> bool:
    """Put into a data file what its journal holds, if it has one whose process is gone, and remove that.

    Returns whether it had.
    """
    path = path_for(data_file)
    if not os.path.exists(path) or not os.path.exists(data_file):
        return False
    with suppress(OSError, CoverageException, OverflowError):
        with open(open_descriptor(path), encoding="ascii", errors="replace") as file:
            contexts = list(read(file))
        data = CoverageData(data_file)
        with closing(data):
            data.read()  # else the first that is added would be all
            store: Any = data
            with store._connect() as database:
                for context, files in contexts:
                    data.set_context(context)
                    data.add_arcs(files)
                database.execute_void(UNMARK)
        os.unlink(path)
        return True
    return False


def read(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, set[Arc]]]]:
    """The contexts in a journal, up to where it was torn.

    Raises OSError: its process is there, and will store them, or it is none that we know.
    """
    known: list[tuple[str, list[Arc]]] = []
    with suppress(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        for number, line in enumerate(lines):
            found = json.loads(line)
            if number == 0:
                version, boot, pid, start = found
                if version != VERSION or (boot == boot_id() and is_process(pid, start)):
                    raise OSError("it is not to be read now")
            elif isinstance(found, list):
                known.append((str(found[0]), [(int(one), int(to)) for one, to in batched(found[1:], 2)]))
            elif line.endswith("\n"):
                ((context, numbers),) = found.items()
                files: dict[str, set[Arc]] = {}
                for name, arcs in map(known.__getitem__, numbers):
                    files.setdefault(name, set()).update(arcs)
                yield context, files


def erase(data_file: str, *, parallel: bool) -> None:
    """Remove the journal of a data file.

    parallel: also those of data files that have its name and a suffix
    """
    path = path_for(data_file)
    for found in [path, *(glob.glob(f"{glob.escape(path)}.*") if parallel else ())]:
        with suppress(OSError):
            os.unlink(found)
