"""A pytest plugin for by_test.py: makes a suite run the same way each time, so that two runs can be laid side by side.

Random numbers are those of one seed in each phase of a test.  The garbage collector comes after each test, and at no other time: with it
come callbacks of weak references and ends of generators, and it would come when so many objects have been made, the core's own among them.
"""

from __future__ import annotations

import gc
import os
import random

import pytest


def pytest_collection_finish() -> None:
    gc.disable()
    gc.collect()
    gc.freeze()  # what has been there all along is looked at no more: a collection takes a millisecond


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    random.seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    random.seed(0)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Collect under the context that pytest-cov is still in: tests/witness.py asks this variable."""
    os.environ["PYTEST_CURRENT_TEST"] = f"{item.nodeid} (teardown)"
    gc.collect()
    del os.environ["PYTEST_CURRENT_TEST"]
