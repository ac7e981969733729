"""Changing published databases as their author would not, but with a checksum that is right."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from covcore.store.seal import write_seal


def forge(path: Path | str, *statements: str) -> None:
    """Run SQL on a database, which may change its schema too."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    write_seal(str(path))
