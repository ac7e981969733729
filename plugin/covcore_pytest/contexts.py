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
        self.mode = session.settings.dynamic_contexts
        self.now = ("", "")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item, "setup")
        try:
            return (yield)
        finally:
            self._switch(None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item, "setup")
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item, "run")
        if item.get_closest_marker("no_cover") is None and "no_cover" not in getattr(item, "fixturenames", ()):
            return (yield)
        self.session.pause()
        try:
            return (yield)
        finally:
            self.session.resume()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item, "teardown")
        return (yield)

    def _switch(self, item: pytest.Item | None, phase: str = "") -> None:
        if self.mode == "none":
            return
        test = "" if item is None else item.nodeid
        wanted = (test, phase if self.mode == "phase" else "")
        if wanted != self.now:
            self.now = wanted
            self.session.switch_context(*wanted)
