"""Workers of pytest-xdist: what the controller tells them, and what they send back.

A worker that sees the controller's folder of recordings adds its own there, where it is safe whatever becomes of it.
Any other (on another machine, in a container) keeps it in a folder for temporary files and sends it when it ends: names
and bytes, which the controller puts into its folder.  They are read there with the distrust that any recording is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from covcore.platform import IS_WINDOWS, is_below, slashed
from covcore.store.processes import this_boot
from covcore.store.recordings import find, read_file
from covcore_pytest import WORKER_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.measure.session import Session

PATHS = ("source", "include", "omit")  # settings that may hold absolute paths
SEGMENT = re.compile(r"[0-9a-f]{1,31}-\d{1,10}-\d{1,20}(-\d{1,20})*\.\d{1,9}", re.ASCII)
ORDERED = ("source", "include", "omit", "data", "context", "append", "dynamic_contexts", "subprocess")  # settings


class Workers:
    """The controller's part."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.nodes: list[Any] = []  # xdist.workermanage.WorkerController

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: Sequence[Any]) -> None:
        manager = getattr(config.pluginmanager.getplugin("dsession"), "nodemanager", None)
        roots = [(os.path.basename(root), slashed(str(root))) for root in getattr(manager, "roots", ())]
        for spec in specs:
            has_copies = not spec.popen or spec.chdir
            spec.env[WORKER_VARIABLE] = order(self.session, roots if has_copies else [])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        self.nodes.append(node)

    def gather(self) -> None:
        """Take what the workers sent, once they have ended."""
        nodes, self.nodes = self.nodes, []
        for number, node in enumerate(nodes):
            output = getattr(node, "workeroutput", {}).get("covcore")
            if output is not None:
                self._take(number, node.gateway.id, output)
            elif node.gateway.spec.popen and not node.gateway.spec.via:
                self.session.warn(f"worker {node.gateway.id} was lost: what it recorded until then counts")
            else:
                self.session.warn(f"worker {node.gateway.id} was lost, and what it recorded with it")

    def _take(self, number: int, name: str, output: dict[str, Any]) -> None:
        """output: as sessions.finish_worker() makes it, but by whom?"""
        for text in output["warnings"]:
            self.session.warn(f"worker {name}: {text}")
        if output["recordings"]:
            self.session.tracer.note(("sent",))  # for the accounting: it has left a record, if not by itself
        for file, content in output["recordings"]:
            self._keep(number, name, str(file), bytes(content))
        for source in self.session.filter.missing():
            if source not in output["missing"]:
                self.session.filter.unmatched.discard(source)
        self.session.has_measured |= output["measured"]

    def _keep(self, number: int, worker: str, file: str, content: bytes) -> None:
        """Put a segment of a recording into our folder, under a name that tells processes of other machines apart."""
        stem, _, segment = file.rpartition(".")
        if not SEGMENT.fullmatch(file) or not stem.startswith(f"{self.session.run_id}-"):
            self.session.warn(f"worker {worker} sent a file that is no recording of this run: {file[:100]}")
            return
        path = os.path.join(self.session.folder, f"{stem}-{number}.{segment}")
        try:
            with open(path, "xb") as target:
                target.write(content)
        except OSError as error:
            self.session.warn(f"what worker {worker} recorded is lost: cannot write {path}: {error.strerror}")


def order(session: Session, roots: Iterable[tuple[str, str]]) -> str:
    """What a worker is to do, as text for its environment.

    roots: the folders that are copied into the worker's: name there, path here
    """
    settings = session.settings
    values = {key: getattr(settings, key) for key in ORDERED} | {"data": session.data}
    values |= {key: [slashed(item) for item in values[key]] for key in PATHS}
    return json.dumps(
        {
            "run_id": session.run_id,
            "folder": session.folder,
            "identity": identity(session.folder),
            "cwd": settings.folder,
            "settings": values,
            "roots": list(roots),
        }
    )


def identity(folder: str) -> list[object]:
    """What tells a folder from any other, also on other machines and in containers; empty if it cannot be used."""
    try:
        status = os.stat(folder)
    except OSError:
        return []
    machine = this_boot() or os.environ.get("COMPUTERNAME", "")  # nothing names a start of Windows
    return [machine, status.st_dev, status.st_ino] if machine and os.access(folder, os.W_OK) else []


def moved(path: str, pairs: Iterable[tuple[str, str]], windows: bool = IS_WINDOWS) -> str:
    """Where a path leads once folders have moved.  pairs: from, to; both, and the path, as slashed() has them"""
    for old, new in pairs:
        if is_below(path, old, windows):
            return new + path[len(old) :]
    return path


def take_away(folder: str) -> list[tuple[str, bytes]]:
    """The recordings in a folder, as names and bytes of their segments; the folder goes."""
    found = [(os.path.basename(path), read_file(path)) for one in find([folder]) for path in one.segments]
    shutil.rmtree(folder, ignore_errors=True)
    return found
