"""Paths of other machines: which folder here stands for which there.

    [tool.covcore.paths]
    source = ["src", "/ci/*/src", 'C:\\build\\src']

The first is the folder here, relative to the current folder; the others are what it may be called elsewhere.  Only the
leading part of a path is replaced, by the first entry that matches.  In a pattern `*` stands for any characters but a
separator and `**` for any; a pattern that begins with `*` matches below any folder.  One with a backslash or a drive is of
Windows: there "/" and "\\" are the same, and so are capital and small letters.
"""

from __future__ import annotations

import os
import re

from covcore.platform import IS_WINDOWS, slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    type Rule = tuple[
        bytes, list[tuple[re.Pattern[bytes], bool]]
    ]  # folder here; patterns elsewhere, whether of Windows

_DRIVE = re.compile(rb"[A-Za-z]:[\\/]|\\\\")


class OutsidePath(ValueError):
    """A path that is neither absolute nor below the folder that it is relative to."""


class PathMap:
    """See the module.  Called with a path of a database, it gives the path here; what it gave before stays as it is."""

    def __init__(self, folder: str, table: Mapping[str, Sequence[str]] | None = None) -> None:
        """Args:
        folder: the current one, absolute: what exported paths are relative to (covcore/store/exchange.py).
        table: the setting `paths`.
        """
        self.folder = os.fsencode(folder)
        self.rules: list[Rule] = []
        self.known: dict[bytes, bytes] = {}
        for here, *elsewhere in (table or {}).values():
            target = os.fsencode(slashed(os.path.normpath(os.path.join(folder, here))))
            self.rules.append((target, [_compiled(pattern) for pattern in elsewhere]))

    def __call__(self, path: bytes) -> bytes:
        """Raises OutsidePath."""
        found = self.known.get(path)
        if found is None:
            found = self.known[path] = self._mapped(self._absolute(path))
        return found

    def _absolute(self, path: bytes) -> bytes:
        if path.startswith((b"/", b"<")) or is_windows(path):
            return path
        if path == b".":  # a source folder: the one that the run was in
            return self.folder
        if not all(part not in (b"", b".", b"..") for part in path.split(b"/")) or b"\0" in path:
            raise OutsidePath("a relative path that is none of an export")
        return self.folder + b"/" + path

    def _mapped(self, path: bytes) -> bytes:
        if any(is_below(path, here) for here, _ in self.rules):
            return path
        for here, patterns in self.rules:
            for pattern, windows in patterns:
                if match := pattern.match(path.replace(b"\\", b"/") if windows else path):
                    rest = path[match.end() :]
                    return here + (rest.replace(b"\\", b"/") if windows else rest)
        return path


def is_windows(path: bytes) -> bool:
    return _DRIVE.match(path) is not None


def is_below(path: bytes, folder: bytes, windows: bool = IS_WINDOWS) -> bool:
    """Whether a file is in a folder, or is it."""
    if windows:
        path, folder = path.lower(), folder.lower()
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _compiled(pattern: str) -> tuple[re.Pattern[bytes], bool]:
    """A pattern for the beginning of a path, up to but without a separator; and whether it is of Windows."""
    raw = os.fsencode(pattern)
    windows = b"\\" in raw or is_windows(raw)
    if windows:
        raw = raw.replace(b"\\", b"/")
    raw = raw.rstrip(b"/")
    if raw.startswith(b"*") and not raw.startswith(b"**"):
        raw = b"*" + raw  # the leading part is as short as will do, see below
    pieces = []
    for piece in re.split(rb"(\*\*?|\?)", raw):
        pieces.append({b"*": b"[^/]*?", b"**": b".*?", b"?": b"[^/]"}.get(piece) or re.escape(piece))
    flags = re.DOTALL | (re.IGNORECASE if windows else 0)
    return re.compile(b"".join(pieces) + rb"(?=/|\Z)", flags), windows
