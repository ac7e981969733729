"""coverage.py's CoverageData, which takes in the first data file as it is where there is nothing yet.

`combine` copies row by row.  With a context for each test that takes a tenth of what the tests take, and pytest-cov has it done at the end
of each run, for the one file that its process has written a moment ago.  That file becomes the combined one by being copied as a whole.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from coverage.sqldata import CoverageData

from covcore_coverage import journal

if TYPE_CHECKING:
    from collections.abc import Callable

# Of what a file with a suffix of coverage.py's has.
OWN_META = "DELETE FROM meta WHERE key IN ('hash', 'sys_argv', 'when')"
COUNTER = slice(24, 28)  # in the header of an SQLite file: it changes with each transaction


class State(NamedTuple):
    """What tells whether anybody has written to a data file since."""

    inode: int
    size: int
    counter: bytes

    @classmethod
    def of(cls, path: str) -> State:
        """Raises OSError: there is no such file, or it cannot be read."""
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            return cls(status.st_ino, status.st_size, file.read(COUNTER.stop)[COUNTER])


_written: dict[str, State] = {}  # by this process, or by those that it was forked from


class AdoptingData(CoverageData):
    """See the module."""

    def write(self) -> None:
        """Ensure that the data is in its file, and remember that it is as we wrote it."""
        super().write()
        with suppress(OSError):
            _written[self.data_filename()] = State.of(self.data_filename())

    def update(self, other_data: CoverageData, map_path: Callable[[str], str] | None = None) -> None:
        """Add the data of another.

        map_path: from the names of its files to ours
        """
        if journal.recover(other_data.data_filename()):
            other_data.close(force=True)
        other_data.read()
        names_stay = all(_mapped(name, map_path) == name for name in other_data.measured_files())
        if self._is_settled() or not names_stay or not self._adopt(other_data.data_filename()):
            super().update(other_data, map_path)

    def erase(self, parallel: bool = False) -> None:
        """Remove the file, and its journal.

        parallel: also those that have its name and a suffix
        """
        super().erase(parallel)
        journal.erase(self.data_filename(), parallel=parallel)

    def _is_settled(self) -> bool:
        """Whether it has data or a file, or is of a kind that cannot become a copy: in memory, say, or with meta data of its own."""
        ours: Any = self
        names = ("_has_lines", "_has_arcs", "_no_disk", "_read_only", "_our_suffix")
        return os.path.lexists(self.data_filename()) or any(getattr(ours, name, True) for name in names)

    def _adopt(self, path: str) -> bool:
        """Copy a file to where ours is to be, if this process has written it: any other may hold anything, and is read with care.

        Returns whether that was done.
        """
        ours: Any = self
        copy = f"{self.data_filename()}-{os.getpid()}-adopted"  # no name that `combine` takes in
        try:
            if _written.get(path) != State.of(path):
                return False
            shutil.copyfile(path, copy)
            os.replace(copy, self.data_filename())
        except OSError:  # the disk is full, say: coverage.py's own way tells the user
            with suppress(OSError):
                os.unlink(copy)
            return False
        self.close(force=True)
        self.read()
        with ours._connect() as database:
            database.execute_void(OWN_META)
        return True


def _mapped(name: str, map_path: Callable[[str], str] | None) -> str:
    """The name that coverage.py has for another's file."""
    if map_path is not None:
        name = map_path(name)
    return name.replace("/", os.sep).replace("\\", os.sep)
