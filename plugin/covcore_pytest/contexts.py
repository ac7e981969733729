"""One context for each test, or for each of its phases."""

from __future__ import annotations

from collections.abc import Generator

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.measure.session import Session


class Contexts:
    """Switches at the outermost layer of each hook, so that what other plugins run for a test is recorded under it.

    A test is one call of the protocol: reruns of it go under the same context.  What runs outside of all, collection
    and the reports between two tests say, is recorded under the empty context.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.session.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.session.switch_context("")


class Phases:
    """The same, with a context for each phase; what runs between two phases belongs to the one before."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now: tuple[str, ...] = ("", "")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item.nodeid, "setup")
        try:
            return (yield)
        finally:
            self._switch("", "")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item.nodeid, "setup")  # again, if this is a rerun
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item.nodeid, "run")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item.nodeid, "teardown")
        return (yield)

    def _switch(self, *context: str) -> None:
        if context != self.now:
            self.now = context
            self.session.switch_context(*context)


class Pauses:
    """Measures nothing of the bodies of tests with the marker or the fixture `no_cover`.

    Few suites have any, and a wrapper around each test's body costs all of them: it is there once such a test was collected.
    """

    NAME = "covcore_pauses"

    def __init__(self, session: Session) -> None:
        self.session = session

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if not _is_exempt(item):
            return (yield)
        self.session.pause()
        try:
            return (yield)
        finally:
            self.session.resume()


class Exempt:
    """Looks for such tests among those that are to run: click's suite has 2,400 of these, and leaves out 31,000."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        manager = session.config.pluginmanager
        if any(map(_is_exempt, session.items)) and not manager.hasplugin(Pauses.NAME):
            manager.register(Pauses(self.session), Pauses.NAME)


def _is_exempt(item: pytest.Item) -> bool:
    return item.get_closest_marker("no_cover") is not None or "no_cover" in getattr(item, "fixturenames", ())


def plugins(session: Session) -> list[object]:
    """What the session's settings ask for."""
    found: list[object] = [Exempt(session)]
    if session.settings.dynamic_contexts in ("test", "task"):
        found.append(Contexts(session))
    elif session.settings.dynamic_contexts == "phase":
        found.append(Phases(session))
    return found
