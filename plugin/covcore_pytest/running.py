"""A pytest run that is measured: on its own, as a worker of pytest-xdist, or within `covcore run`.

Who begins the session ends it: `Owner` publishes and reports, `Worker` leaves its recording to the controller, `Guest`
lives in a session of somebody else's.  The contexts are switched in all three (covcore_pytest/contexts.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from covcore_pytest import WORKER_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.measure.session import Session
    from covcore_pytest.sessions import OwnSession
    from covcore_pytest.workers import Workers

NAME = "covcore_running"  # of the plugin object
CHILD = "child"  # command of the session of a process that a measured one has started


def begin(config: pytest.Config) -> None:
    """Begin to measure, or to switch contexts where something measures already.  Does nothing the second time.

    Raises pytest.UsageError for settings or a data path that cannot be.
    """
    manager = config.pluginmanager
    if manager.hasplugin(NAME):
        return
    with unrewritten(config):
        from covcore.errors import CovcoreError
        from covcore.measure.quiet import quiet
        from covcore.measure.session import current

        try:
            with quiet():
                role = _role(config, current())
        except CovcoreError as error:
            raise pytest.UsageError(f"covcore: {error}") from None
        if role is None:
            return
        from covcore_pytest.contexts import plugins

    role.session.contexts_by = role
    for plugin in plugins(role.session):
        manager.register(plugin)
    manager.register(role, NAME)
    config.add_cleanup(role.close)


def _role(config: pytest.Config, session: Session | None) -> Owner | Worker | Guest | None:
    order = os.environ.pop(WORKER_VARIABLE, None)
    asked = order is not None or config.known_args_namespace.covcore is not None
    if session is not None and not (asked and session.command == CHILD):
        # A pytest inside of a test, as pytester starts it, or in a process of a test, has no say: its tests are part of the outer one.
        return Guest(config, session) if session.contexts_by is None and not any(session.origin) else None
    from covcore_pytest import sessions

    if order is not None:
        return Worker(config, sessions.of_worker(order, session))
    return Owner(config, sessions.begin_own(config))


@contextmanager
def unrewritten(config: pytest.Config) -> Iterator[None]:
    """Import past pytest's hook, which would compile each module of a plugin's distribution to rewrite its asserts."""
    hook: object = config.pluginmanager.rewrite_hook
    finders = sys.meta_path[:]
    sys.meta_path[:] = [finder for finder in finders if finder is not hook]
    try:
        yield
    finally:
        sys.meta_path[:] = finders


def _workers(config: pytest.Config, session: Session) -> Workers:
    """What deals with the workers, if there are any."""
    from covcore_pytest.workers import Workers

    workers = Workers(session)
    config.pluginmanager.register(workers, "covcore_workers")
    return workers


class Guest:
    """A run inside of a session that is not its own: that of `covcore run`, or of a program that calls pytest.main()."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self.session = session
        self.workers = _workers(config, session)

    def pytest_configure(self, config: pytest.Config) -> None:
        if config.option.covcore is not None and self.session.command == "run":
            self.session.warn("`covcore run` measures this run: the options of --covcore have no effect")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            self.workers.gather()

    def close(self) -> None:
        self.session.contexts_by = None


class Worker:
    """A worker of pytest-xdist: what it records goes to the controller's run."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self.config = config
        self.session = session

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            from covcore_pytest.sessions import finish_worker

            output = finish_worker(self.session)
            if hasattr(self.config, "workeroutput"):
                self.config.workeroutput["covcore"] = output

    def close(self) -> None:
        self.session.finish()


class Owner:
    """A run that measures itself, and publishes and reports when its tests have run."""

    def __init__(self, config: pytest.Config, session: OwnSession) -> None:
        self.config = config
        self.session = session
        self.workers = _workers(config, session)
        self.lines: list[str] = []  # of reports
        self.errors: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        self.session.has_begun = True

    # The innermost wrapper: whatever else pytest does at the end is measured, but comes before the summary.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            self._finish()
            if self.errors and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.lines:
            terminalreporter.section("covcore")
            for line in self.lines:
                terminalreporter.write_line(line)
        for kind, texts, colour in (("warning", self.session.warnings, "yellow"), ("error", self.errors, "red")):
            for text in texts:
                terminalreporter.write_line(f"covcore: {kind}: {text}", **{colour: True})
            texts.clear()

    def close(self) -> None:
        """End what did not end, and say what the terminal's summary did not."""
        self._finish()
        from covcore.errors import say

        for kind, texts in (("warning", self.session.warnings), ("error", self.errors)):
            for text in texts:
                say(kind, text)

    def _finish(self) -> None:
        if self.session.is_over:
            return
        self.session.is_over = True
        self.workers.gather()
        self.session.finish()
        if self.session.has_begun:
            with self.session.undisturbed:
                from covcore_pytest.reports import report

                report(self.session, self.config.option, self.lines, self.errors)
