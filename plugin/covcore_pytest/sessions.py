"""The sessions that the plugin begins: a run's own, and that of a worker."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import pytest

from covcore.config import Settings, read_settings
from covcore.errors import printable
from covcore.measure.session import Session, make_private_folder
from covcore.options import split_list
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

    is_shared: it records into the controller's own folder
    """

    def __init__(self, settings: Settings, order: Mapping[str, object], moved: list[tuple[str, str]]) -> None:
        super().__init__(settings, [])
        self.run_id = str(order["run_id"])
        self.moved = moved
        self.measured = False
        self.place = str(order["folder"])
        if workers.identity(self.place) == order["identity"]:
            self.folder = self.place
        else:
            temporary = os.environ.get("TMPDIR") or "/tmp"
            self.folder = os.path.join(make_private_folder(temporary), f"{self.run_id}-{os.getpid()}.d")
        self.has_begun = True

    def output(self) -> dict[str, object]:
        """What the controller is to know, in types that execnet can send."""
        is_shared = self.folder == self.place
        return {
            "recordings": [] if is_shared else workers.take_away(self.folder, self.run_id),
            "missing": self.filter.missing(),
            "measured": self.measured,
            "warnings": self.warnings,
        }

    def _encoded_settings(self) -> bytes:
        pairs = [(WORKER, os.environ.get("PYTEST_XDIST_WORKER", ""))]
        for there, here in self.moved:
            pairs += [(MOVED_FROM, there), (MOVED_TO, here)]
        text = "".join(f"{key}\0{value}\0" for key, value in pairs)
        return super()._encoded_settings() + text.encode("utf-8", "surrogatepass")

    def _publish(self) -> None:
        pass  # the controller does

    def _say_what_is_missing(self, measured: bool) -> None:
        self.measured = measured


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


def begin_worker(text: str) -> WorkerSession:
    """Begin what the controller has ordered (workers.order).  Raises CovcoreError."""
    order = json.loads(text)
    moved = [(os.path.join(os.getcwd(), name), root) for name, root in order["roots"]]
    settings = Settings(workers.moved(order["cwd"], [(here, there) for there, here in moved]), order["settings"])
    session = WorkerSession(settings, order, moved)
    session.start()
    return session
