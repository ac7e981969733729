"""Which files a report may read: a database may have been written by anybody, and may name any file.

A file that ran is read wherever it is, for its text counts only if its SHA-256 is the one in the database: whoever wrote
that knew the text.  Where the database has no hash of a file (it was in an archive, or gone), or names a whole folder
(--source, for the files that never ran), nothing but these roots is read: the current folder, the folders that
the configuration names under `source` and `paths`, the standard library and the installed packages.
"""

from __future__ import annotations

import os
import sysconfig

from covcore.config import current_folder
from covcore.platform import is_below, slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OUTSIDE = "is outside of the current folder and of those that the configuration names as source, and was not read"


class Roots:
    """See the module."""

    def __init__(self, folders: Iterable[str] = ()) -> None:
        """folders: beside the current one and those of the interpreter; relative ones are below the current one."""
        here = current_folder()
        libraries = (path for name, path in sysconfig.get_paths().items() if name in ("stdlib", "purelib", "platlib"))
        found = [here, *(os.path.join(here, folder) for folder in folders), *libraries]
        self.folders = sorted({slashed(os.path.realpath(folder)) for folder in found})

    @classmethod
    def of(cls, source: Sequence[str], paths: Mapping[str, Sequence[str]]) -> Roots:
        """Those of a configuration; what is no folder, but the name of a module, adds nothing."""
        return cls([*source, *(folders[0] for folders in paths.values())])

    def hold(self, path: str) -> bool:
        """Whether a file or folder is in them, links followed."""
        real = slashed(os.path.realpath(path))
        return any(is_below(real, root) for root in self.folders)
