"""What earlier reports have found, so that a file is analysed once.

One file beside the recordings, DATA.d/analysis.  It begins with a stamp of all that every result depends on (this
covcore, this Python, the rules) and a hash of what follows it; whatever does not fit, is cut short or spoilt is left
unread.  It is replaced whole, by a rename, so that reports at the same time cannot spoil it: the last one's stays.

    stamp, hash of the rest         32 bytes each
    length of the index             8 bytes
    index: JSON, path -> [key, length]
    results, in the order of the index: what `encode` makes of them

A result's key is a hash of its text, its code objects and their hits.  Nothing but JSON is read from the file.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Container
from typing import Any

import covcore
from covcore.analysis.conditions import Condition
from covcore.analysis.exclusions import Rules
from covcore.analysis.figures import Figures
from covcore.analysis.file import FileResult
from covcore.analysis.mcdc import Decision
from covcore.analysis.outline import Region
from covcore.platform import open_descriptor
from covcore.store.recordings import RESULTS, folder_of, read_file

HASH_BYTES = 32
HEADER_BYTES = 2 * HASH_BYTES + 8
LARGEST = 256 << 20  # bytes; more is neither written nor read


class Cache:
    """The results of earlier reports on a database, and those that this one adds."""

    def __init__(self, data: str, rules: Rules) -> None:
        """Read what there is.

        Args:
            data: path of the database.
            rules: what to exclude.
        """
        self._path = os.path.join(folder_of(data), RESULTS)
        self._stamp = _stamp(rules)
        self._entries: dict[str, tuple[str, bytes]] = {}  # path -> key, encoded result
        self._is_new = False
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            if os.stat(self._path, follow_symlinks=False).st_size <= LARGEST:
                self._entries = _entries(read_file(self._path), self._stamp)

    def get(self, path: str, key: str) -> FileResult | None:
        """The result for a file, if its key is the same as then."""
        known, encoded = self._entries.get(path, ("", b""))
        if known != key:
            return None
        try:
            return decode(encoded)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            return None

    def put(self, path: str, key: str, encoded: bytes) -> None:
        """Keep a result."""
        self._entries[path] = key, encoded
        self._is_new = True

    def save(self, known: Container[str]) -> None:
        """Write it anew, with the results for the known paths; does nothing if nothing is new, or if it cannot be written."""
        if not self._is_new:
            return
        kept = {path: entry for path, entry in self._entries.items() if path in known}
        index = json.dumps({path: [key, len(encoded)] for path, (key, encoded) in kept.items()}).encode()
        rest = b"".join([len(index).to_bytes(8), index, *(encoded for _, encoded in kept.values())])
        if len(rest) > LARGEST - HEADER_BYTES:
            return
        unfinished = f"{self._path}.new-{os.getpid()}"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            try:
                with open(unfinished, "wb", opener=lambda name, _: open_descriptor(name, flags)) as file:
                    file.write(self._stamp + hashlib.sha256(rest).digest() + rest)
                os.replace(unfinished, self._path)
            except BaseException:
                os.unlink(unfinished)
                raise


def _entries(content: bytes, stamp: bytes) -> dict[str, tuple[str, bytes]]:
    """Raises ValueError, TypeError, AttributeError, RecursionError: it is not what we write."""
    rest = content[2 * HASH_BYTES :]
    if content[:HASH_BYTES] != stamp or content[HASH_BYTES : 2 * HASH_BYTES] != hashlib.sha256(rest).digest():
        return {}
    at = 8 + int.from_bytes(rest[:8])
    entries = {}
    for path, (key, length) in json.loads(rest[8:at]).items():
        entries[path] = key, rest[at : at + length]
        at += length
    return entries


def _stamp(rules: Rules) -> bytes:
    """A hash of what all results depend on; of this covcore, also of how it is edited while its version stays."""
    folder = os.path.dirname(__file__)
    modules = sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(folder) if entry.is_file())
    return hashlib.sha256(repr((covcore.__version__, sys.version, modules, rules)).encode()).digest()


# ---- results as bytes


def encode(result: FileResult) -> bytes:
    """A result as JSON, its conditions in a text of their own: few reports want them."""
    conditions = json.dumps([result.conditions, result.decisions])
    fields = {
        "figures": result.figures,
        "statements": result.statements,
        "missing": result.missing,
        "excluded": list(result.excluded.items()),
        "branches": list(result.branches.items()),
        "missing_branches": list(result.missing_branches.items()),
        "waived_branches": list(result.waived_branches.items()),
        "regions": result.regions,
        "engine": result.engine,
    }
    return json.dumps([fields, conditions], separators=(",", ":")).encode("utf-8", "surrogatepass")


def decode(encoded: bytes) -> FileResult:
    """A result from its JSON.  Raises ValueError, TypeError, KeyError: it is none."""
    fields, conditions = json.loads(encoded)
    return KeptResult(fields, conditions)


class KeptResult(FileResult):
    """A result of an earlier report.

    Its conditions are made when they are asked for.
    """

    def __init__(self, fields: dict[str, Any], conditions: str) -> None:
        super().__init__(
            fields["statements"],
            fields["missing"],
            dict(fields["excluded"]),
            dict(fields["branches"]),
            dict(fields["missing_branches"]),
            [Region(*region) for region in fields["regions"]],
            waived_branches=dict(fields["waived_branches"]),
            engine=fields["engine"],
        )
        self.figures = Figures(*fields["figures"])
        self._kept = conditions
        del self.conditions, self.decisions

    def __getattr__(self, name: str) -> Any:
        if name not in ("conditions", "decisions"):
            raise AttributeError(name, name=name, obj=self)
        conditions, decisions = json.loads(self._kept)
        self.conditions = [Condition._make(map(_hashable, fields)) for fields in conditions]
        self.decisions = [Decision._make(map(_hashable, fields)) for fields in decisions]
        return self.__dict__[name]


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
