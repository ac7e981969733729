"""Other projects' sources and tests, fetched once into the cache and never copied in here.

The cache is COVCORE_CACHE, or covcore in the user's folder of caches, as for all that tools/ fetches.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
CACHE = Path(
    os.environ.get("COVCORE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "covcore"
)


class Unavailable(Exception):
    """Something cannot be fetched: str() says what, and why."""


@cache
def source_package(name: str) -> Path:
    """The folder of an unpacked source package that sources.txt names.

    Raises:
        Unavailable: PyPI does not hand it out.
    """
    pinned = next(line for line in (HERE / "sources.txt").read_text().splitlines() if line.startswith(f"{name}=="))
    full_name = pinned.split()[0].replace("==", "-")
    folder = CACHE / "suites" / full_name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{full_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not folder.is_dir():
            with TemporaryDirectory(dir=folder.parent) as temp:
                _download(pinned, Path(temp))
                with tarfile.open(Path(temp) / f"{full_name}.tar.gz") as archive:
                    archive.extractall(temp, filter="data")
                os.rename(Path(temp) / full_name, folder)
    return folder


def _download(pinned: str, folder: Path) -> None:
    (folder / "wanted.txt").write_text(pinned)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["--no-deps", "--no-binary=:all:", "--require-hashes", "-r", folder / "wanted.txt", "-d", folder]
    done = subprocess.run([*pip, "download", *wanted], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip gives no reason"])[-1]
        raise Unavailable(f"{pinned.split()[0]} cannot be had from PyPI: {reason}")


@cache
def stdlib_tests() -> Path:
    """The folder that holds `test`, the package of the tests of this interpreter's standard library.

    Raises:
        Unavailable: neither the interpreter nor Debian hands it out.
    """
    script = HERE.parent / "tools" / "stdlib-tests.sh"
    done = subprocess.run([script, sys.executable], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"{script} gives no reason"])[-1]
        raise Unavailable(f"the tests of the standard library cannot be had: {reason}")
    return Path(done.stdout.strip())
