"""The suites that the packages' oracle runs: of real packages from PyPI, and of modules of the standard library."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from oracle_packages.measuring import Suite
from oracle_packages.sources import HERE, source_package, stdlib_tests

PACKAGES = {
    "attrs": ["src/attr", "src/attrs"],
    "click": ["src/click"],
    "jinja2": ["src/jinja2"],
    "mako": ["mako"],
    "marshmallow": ["src/marshmallow"],
}  # source package -> the folders that its suite tests
STDLIB = Path(sysconfig.get_path("stdlib"))


def package(name: str) -> Suite:
    """The suite of a package.

    Raises:
        Unavailable: its source package cannot be had.
    """
    root = source_package(name)
    folders = [root / folder for folder in PACKAGES[name]]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    command = ["pytest", "--hypothesis-seed=0"] if name == "attrs" else ["pytest"]
    return Suite(name, files, command, root, [folders[0].parent])


def modules() -> dict[str, list[str]]:
    """The modules that stdlib.txt lists, each with its tests."""
    rows = [line.split() for line in (HERE / "stdlib.txt").read_text().splitlines() if not line.startswith("#")]
    return {row[0]: row[1:] for row in rows}


def module(name: str, folder: Path) -> Suite:
    """The suite of a module or package of the standard library.

    Args:
        name: as stdlib.txt has it, `xml/dom` for one.
        folder: an empty one to run in.

    Raises:
        Unavailable: its tests cannot be had.
    """
    place = STDLIB / name
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    tests = [f"test.{test}" for test in modules()[name]]
    return Suite(name, files, ["unittest", *tests], folder, [stdlib_tests()])
