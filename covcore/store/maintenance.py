"""The commands `covcore erase` and `covcore debug`."""

from __future__ import annotations

import _sqlite3
import os
import platform
import sys

import covcore
from covcore.config import KEYS, read_settings
from covcore.errors import CovcoreError, printable, say
from covcore.platform import nearer, slashed
from covcore.store.database import Database
from covcore.store.header import check_header
from covcore.store.locking import Lock
from covcore.store.notes import SUFFIX
from covcore.store.processes import plural, summary
from covcore.store.publish import UNFINISHED
from covcore.store.recordings import RESULTS, SPOILED, Found, find, folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

type Facts = Iterator[tuple[str, object]]  # a name, and what is to be said of it

N_TOOLS = 6  # ids that sys.monitoring has


# ---- erase


def erase_command(options: Namespace) -> int:
    """Remove the database, the recordings of processes that have ended, and what killed publishers left.

    Args:
        options: `data`, the absolute path of the database.

    Returns:
        The exit status: 0.

    Raises:
        CovcoreError: the path holds something else, or a file cannot be removed.
    """
    data: str = options.data
    check_header(data, any_version=True)
    folder = folder_of(data)
    with Lock(folder, shared=not os.path.isdir(folder)):  # a shared lock makes no folder
        try:
            running = erase(data, folder)
        except OSError as error:
            raise CovcoreError(f"cannot remove {error.filename}: {error.strerror}") from None
    if running:
        pids = ", ".join(str(one.owner["pid"]) for one in running if one.owner)
        say("note", f"kept {plural(len(running), 'recording')} of processes that still run (pid {pids})")
    return 0


def erase(data: str, folder: str) -> list[Found]:
    """Remove what erase_command does; the recordings first, or a command that comes between would publish them.

    Returns:
        The recordings that stay.

    Raises:
        OSError: a file cannot be removed.
    """
    found = find([folder])
    for one in found:
        if not one.running:
            one.delete()
    path = slashed(os.path.realpath(data))
    kept = {one.name + SUFFIX for one in found if one.running}
    others = [
        os.path.join(folder, name)
        for name in list_folder(folder)
        if name.endswith((SPOILED, SUFFIX)) and name not in kept or name.partition(".")[0] == RESULTS
    ]
    for leftover in [*others, path + UNFINISHED, path]:
        if os.path.lexists(leftover):
            os.unlink(leftover)
    if list_folder(folder) == ["lock"]:
        os.unlink(os.path.join(folder, "lock"))
        os.rmdir(folder)
    return [one for one in found if one.running]


def list_folder(folder: str) -> list[str]:
    """The names in a folder; none if it is not there."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


# ---- debug


def debug_command(options: Namespace) -> int:
    """Print what helps to find out why something is not as expected.

    Args:
        options: `topic`: "sys", "config" or "data"; `data`, the absolute path of the database; for "config" the value of
            each setting that commands share.

    Returns:
        The exit status: 0.
    """
    facts = {"sys": system_facts, "config": config_facts, "data": data_facts}[options.topic](options)
    for name, value in facts:
        for line in str(value).splitlines() or [""]:
            print(f"{name and printable(name) + ':':<24}{printable(line)}".rstrip())
            name = ""
    return 0


def system_facts(options: Namespace) -> Facts:
    """Versions, the interpreter, the tools beside us."""
    yield "covcore", covcore.__version__
    yield "covcore in", os.path.dirname(os.path.abspath(covcore.__file__))
    for name in "_tracer", "_reader":
        yield f"covcore.{name}", extension_fact(f"covcore.{name}")
    yield "Python", f"{platform.python_implementation()} {sys.version.replace(chr(10), ' ')}"
    yield "executable", sys.executable
    yield "prefix", sys.prefix if sys.prefix == sys.base_prefix else f"{sys.prefix} (of {sys.base_prefix})"
    yield "cache tag", sys.implementation.cache_tag
    yield "GIL", "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    jit = getattr(sys, "_jit", None)
    yield "JIT", "none" if not (jit and jit.is_available()) else "on" if jit.is_enabled() else "off"
    yield "SQLite", _sqlite3.sqlite_version
    yield "platform", platform.platform()
    yield "file system encoding", f"{sys.getfilesystemencoding()}, {sys.getfilesystemencodeerrors()}"
    tools = {id: tool for id in range(N_TOOLS) if (tool := sys.monitoring.get_tool(id)) is not None}
    yield "tool ids in use", ", ".join(f"{id} {tool}" for id, tool in tools.items()) or "none"
    yield "trace function", "set" if sys.gettrace() else "none"
    yield "current folder", os.getcwd()
    yield "data", options.data
    yield "recordings", folder_of(options.data)
    for name in sorted(os.environ):
        if name.startswith(("COVCORE_", "PYTHON")):
            yield name, os.environ[name]


def extension_fact(name: str) -> str:
    """Where an extension module was loaded from, or why it cannot be."""
    try:
        return str(__import__(name, fromlist=["__file__"]).__file__)
    except ImportError as error:
        return f"cannot be imported: {error}"


def config_facts(options: Namespace) -> Facts:
    """Each setting, and where its value comes from."""
    settings = read_settings()
    yield "folder", settings.folder
    yield "configuration file", nearer(settings.file, settings.folder) if settings.file else "no file"
    yield from settings.remarks
    for key in KEYS:
        value = getattr(settings, key)
        origin = settings.origins.get(key, "default")
        if key == "data":
            value = options.data
            if value != settings.data_path:
                origin = "command line"
        yield key, f"{value!r} ({origin})"


def data_facts(options: Namespace) -> Facts:
    """What the database holds, and which recordings wait to be published."""
    data: str = options.data
    yield "database", data
    try:
        yield from database_facts(data)
    except CovcoreError as error:
        yield "problem", error
    folder = folder_of(data)
    yield "recordings", folder if os.path.isdir(folder) else f"{folder} (none)"
    found = find([folder])
    for one in found:
        size = sum(os.stat(path).st_size for path in one.segments)
        yield one.name, f"{size:,} bytes, {state_of(one)}"
    names = {os.path.basename(path) for one in found for path in one.segments} | {"lock"}
    for name in list_folder(folder):
        if name.endswith(SUFFIX):
            yield name, "notes on the processes that this one started"
        elif name not in names:
            yield name, "results of earlier reports" if name == RESULTS else "not read"


def database_facts(data: str) -> Facts:
    """What the database holds.  Raises CovcoreError: it cannot be read."""
    if not os.path.lexists(data):
        yield "size", "none: it is not there"
        return
    yield "size", f"{os.stat(data).st_size:,} bytes"
    with Lock(folder_of(data), shared=True):
        database = Database.open(data)
    with database:
        for table, n_rows in database.counts().items():
            yield f"rows of {table}", f"{n_rows:,}"
        for run in database.runs():
            yield f"run {run.run_id}", "\n".join(f"{key} = {value!r}" for key, value in run.settings) or "no settings"
        processes = database.processes()
        yield "processes", summary(processes)
        for process in processes:
            yield f"process {process.pid}", f"{process.tag} {process.outcome} {process.problem}".rstrip()


def state_of(one: Found) -> str:
    """In which state a recording is, in a few words."""
    if one.problem:
        return f"cannot be read: {one.problem}"
    state = "over" if one.over else "under way"
    return f"run {one.run_id}, {state}, its process {'still runs' if one.running else 'has ended'}"
