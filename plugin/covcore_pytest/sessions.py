"""The sessions that the plugin begins: a run's own, and that of a worker."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import pytest

from covcore.config import Settings, current_folder, read_settings
from covcore.errors import printable
from covcore.measure.session import Session
from covcore.options import split_list
from covcore.platform import make_private_folder, temporary_places
from covcore.store.union import MOVED_FROM, MOVED_TO, WORKER
from covcore_pytest import workers
from covcore_pytest.early import EarlyModules


class PluginSession(Session):
    """A session of which pytest's summary says the warnings.

    has_begun: it came to running tests; if not, what earlier runs measured is left as it is
    is_over: finish() was called
    """

    def __init__(self, settings: Settings, line: list[str]) -> None:
        self.warnings = [text for kind, text in settings.remarks if kind == "warning"]
        self.has_begun = self.is_over = False
        super().__init__(settings, line, "pytest")

    def warn(self, text: object) -> None:
        self.warnings.append(printable(str(text)))

    def refuse(self, reason: str) -> None:
        self.warn(f"nothing is measured: {reason}")

    def _program_began(self) -> bool:
        return self.has_begun


class OwnSession(PluginSession):
    """That of a run of its own, or of the controller of workers.

    early: the modules that were imported before it began
    """

    def __init__(self, settings: Settings, line: list[str]) -> None:
        super().__init__(settings, line)
        self.early = EarlyModules()

    def start(self) -> None:
        super().start()
        self.early.note(self.filter)


class WorkerSession(PluginSession):
    """That of a worker, which publishes nothing.

    place: the controller's folder of recordings
    moved: the folders that are copies of the controller's: from, to
    """

    def __init__(self, settings: Settings, order: Mapping[str, object], moved: list[tuple[str, str]]) -> None:
        super().__init__(settings, [])
        self.run_id = str(order["run_id"])
        self.moved = moved
        self.place = self.folder = str(order["folder"])
        here = workers.identity(self.place)
        if not here or here != order["identity"]:
            temporary = temporary_places()[0]
            self.folder = f"{make_private_folder(temporary)}/{self.run_id}-{os.getpid()}.d"
        self.has_begun = True

    def _encoded_settings(self) -> bytes:
        pairs = [(WORKER, os.environ.get("PYTEST_XDIST_WORKER", ""))]
        for there, here in self.moved:
            pairs += [(MOVED_FROM, there), (MOVED_TO, here)]
        text = "".join(f"{key}\0{value}\0" for key, value in pairs)
        return super()._encoded_settings() + text.encode("utf-8", "surrogatepass")

    def _publish(self) -> None:
        pass  # the controller does

    def _say_what_is_missing(self, measured: bool) -> None:
        pass  # nor does it know what other workers measured


def begin_own(config: pytest.Config) -> OwnSession:
    """Begin what the command line and the configuration say.  Raises CovcoreError."""
    options = config.known_args_namespace
    settings = read_settings()
    if sources := [item for text in options.covcore for item in split_list(text)]:
        settings.update({"source": sources})
    if options.covcore_append:
        settings.update({"append": True})
    if options.covcore_contexts:
        settings.update({"dynamic_contexts": options.covcore_contexts})
    session = OwnSession(settings, ["pytest", *map(str, config.invocation_params.args)])
    session.start()
    return session


def of_worker(text: str, child: Session | None) -> Session:
    """Begin what the controller has ordered (workers.order).

    child: the session that this process has as a child of the controller's; where it fits, it will do

    Raises CovcoreError.
    """
    order = json.loads(text)
    if child is not None and child.run_id == order["run_id"] and not order["roots"]:
        return child
    here = current_folder()
    moved = [(f"{here}/{name}", root) for name, root in order["roots"]]
    there = [(root, copy) for copy, root in moved]
    values = order["settings"]
    for key in workers.PATHS:
        values[key] = [workers.moved(item, there) for item in values[key]]
    session = WorkerSession(Settings(workers.moved(order["cwd"], there), values), order, moved)
    session.start()
    return session


def finish_worker(session: Session) -> dict[str, object]:
    """End a worker's session.  Returns what the controller is to know, in types that execnet can send."""
    measured = session.has_measured or session.tracer.counts()["codes"] > 0
    session.finish()
    output = {"recordings": [], "missing": session.filter.missing(), "measured": measured, "warnings": []}
    if isinstance(session, WorkerSession):
        output["warnings"] = session.warnings
        if session.folder != session.place:
            output["recordings"] = workers.take_away(session.folder)
    return output
