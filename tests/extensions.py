"""Extensions that tests measure programs with: built once for each Python, and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

COMPILERS = Path(sys.prefix) / "compilers"  # where `make build` puts them: see pyproject.toml


def built(sources: dict[str, str], program: str) -> Path:
    """A folder with sources and what a program, run there with the compilers at hand, has built of them.

    It is in COVCORE_CACHE, or in covcore in the user's folder of caches, as is all that tools/ fetches.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("COVCORE_CACHE") or caches / "covcore") / "extensions"
    versions = sorted(path.name for path in COMPILERS.glob("*.dist-info"))
    made_of = repr((sys.version, sysconfig.get_config_var("CC"), versions, sources, program))
    folder = cache / hashlib.sha256(made_of.encode()).hexdigest()[:24]
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            _build(Path(unfinished), sources, program)
            shutil.rmtree(Path(unfinished) / "build", ignore_errors=True)
            made = Path(unfinished).rename(folder.with_name(f"{folder.name}-{os.getpid()}"))
            Path(unfinished).mkdir()
        try:
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)  # another process was faster
    return folder


def _build(folder: Path, sources: dict[str, str], program: str) -> None:
    for name, text in sources.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(COMPILERS), "CFLAGS": "-O0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
