"""The door of covcore's pytest plugin: its options, and the marker and the fixture `no_cover`.

Every pytest in an environment with covcore loads this module, so it imports nothing but what pytest has; the rest of
the package comes in once a run is to be measured: covcore_pytest/running.py.

PYTEST_DONT_REWRITE: pytest would warn, in some suites with an error, that this module was imported before its time.
"""

import os
import sys
from argparse import ArgumentTypeError

import pytest

OPTION = "--covcore"
WORKER_VARIABLE = "COVCORE_PYTEST_WORKER"  # tells a worker of pytest-xdist what to do; gone before its tests run
REPORTS = ("term", "term-missing", "html", "xml", "json", "lcov", "markdown")


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.getgroup("covcore", "branch coverage per test (covcore)").addoption
    add(
        OPTION,
        action="append",
        nargs="?",
        const="",
        metavar="=SRC",
        help="measure: these folders or importable names (may be repeated), or what the configuration says",
    )
    add(
        "--covcore-report",
        action="append",
        type=_report,
        metavar="TYPE[:DEST]",
        help=f"report when the tests have run: {', '.join(REPORTS)}; may be repeated, empty: none (default: term)",
    )
    add(
        "--covcore-contexts",
        choices=("test", "phase", "task", "none"),
        help="what to tell apart: tests, their phases setup, run and teardown, their asyncio tasks, or nothing (default: test)",
    )
    add(
        "--covcore-fail-under",
        type=_percentage,
        metavar="N",
        help="end with status 1 if the total is below this per cent",
    )
    add("--covcore-append", action="store_true", help="add to what earlier runs measured; without it, replace that")
    add("--no-covcore", action="store_true", help="measure nothing, whatever other options say")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "no_cover: covcore does not measure the test's own body")
    _begin(config)  # for who loads the plugin by `pytest_plugins` in a conftest.py


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    if OPTION in args:
        _keep_apart(early_config, parser, args)
    _begin(early_config)


@pytest.fixture
def no_cover() -> None:
    """covcore does not measure the body of a test that asks for this."""


def _begin(config: pytest.Config) -> None:
    """Measure this run, if it is to be measured and is not yet."""
    options = config.known_args_namespace
    if options.no_covcore or options.collectonly:
        return
    if options.covcore is not None or WORKER_VARIABLE in os.environ or _is_measured():
        from covcore_pytest.running import begin

        begin(config)


def _is_measured() -> bool:
    """Whether covcore measures this process already, as `covcore run` does."""
    session = sys.modules.get("covcore.measure.session")
    return session is not None and session.current() is not None


def _keep_apart(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Give back the word behind a bare --covcore, which argparse has taken for its value."""
    end = args.index("--") if "--" in args else len(args)
    args[:end] = [f"{OPTION}=" if word == OPTION else word for word in args[:end]]
    known = config.known_args_namespace
    again = parser.parse_known_args(args)
    known.covcore, known.file_or_dir = again.covcore, again.file_or_dir


def _report(text: str) -> str:
    if text and text.partition(":")[0] not in REPORTS:
        raise ArgumentTypeError(f"{text!r} is not TYPE or TYPE:DEST with a TYPE of {', '.join(REPORTS)}")
    return text


def _percentage(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 100:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return number
