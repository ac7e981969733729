"""Former texts of files, from the git repository around the current folder.

A database holds the hashes of sources, not their texts.  A text counts only if it has the hash that is asked for, so it
does not matter where in the history it was found.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from covcore.analysis import source
from covcore.analysis.source import UNKNOWN_HASH, Source, UnusableSource
from covcore.platform import slashed

MOST_COMMITS = 2_000  # of those that touch the files in question

# No setting of the repository starts a program here, and nothing is fetched.
ENVIRONMENT = {"GIT_LITERAL_PATHSPECS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
LOG = ("log", "--all", "--stdin", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-show-signature", "--no-ext-diff")


class Version(NamedTuple):
    """A text that a file had."""

    time: int  # when it was committed, seconds since 1970
    blob: bytes  # its name in the repository; zeros if the file was removed


def former_texts(wanted: Mapping[str, bytes], before: int) -> dict[str, Source]:
    """Find texts that files had.

    Args:
        wanted: absolute path -> hash of the text; UNKNOWN_HASH: the text that was committed last before `before`.
        before: seconds since 1970.

    Returns:
        What was found, by path: nothing where there is no git, or no repository.
    """
    found: dict[str, Source] = {}
    try:
        up = _git(["rev-parse", "--show-cdup"]).decode().rstrip("\n")
        top = slashed(os.path.normpath(os.path.join(os.getcwd(), up))).rstrip("/") + "/"
        names = {os.fsencode(path.removeprefix(top)): path for path in wanted if path.startswith(top)}
        with _Blobs() as blobs:
            for name, versions in _versions(top, names).items():
                path = names[name]
                for version in _candidates(versions, wanted[path], before):
                    text = blobs.text(version.blob)
                    if text and wanted[path] in (text.hash, UNKNOWN_HASH):
                        found[path] = text
                        break
    except (OSError, subprocess.SubprocessError, ValueError):
        pass  # no git, no repository, or a damaged one: what was found until then is good
    return found


def _candidates(versions: Sequence[Version], hash: bytes, before: int) -> Sequence[Version]:
    if hash != UNKNOWN_HASH:
        return versions
    earlier = [version for version in versions if version.time <= before]
    return [max(earlier, key=lambda version: version.time)] if earlier else []


def _versions(top: str, names: Iterable[bytes]) -> dict[bytes, list[Version]]:
    """The versions of files in any branch, by name below the folder `top`, newest commit first."""
    asked = b"".join(name + b"\n" for name in names if b"\n" not in name)
    if not asked:
        return {}
    options = ["--format=%x01%ct", f"--max-count={MOST_COMMITS}"]
    words = iter(_git([*LOG, *options], b"--\n" + asked, top).split(b"\0"))
    found: dict[bytes, list[Version]] = {}
    time = 0
    for word in words:
        if word.startswith(b"\1"):
            time = int(word[1:])
        elif word:  # ":100644 100644 OLD NEW M", and the name
            found.setdefault(next(words, b""), []).append(Version(time, word.split()[3]))
    return found


class _Blobs:
    """Contents by their names; a context manager."""

    def __enter__(self) -> _Blobs:
        self._git = subprocess.Popen(
            ["git", "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | ENVIRONMENT,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._git.communicate()

    def text(self, blob: bytes) -> Source | None:
        assert self._git.stdin and self._git.stdout
        self._git.stdin.write(blob + b"\n")
        self._git.stdin.flush()
        _, kind, *size = self._git.stdout.readline().split()
        if not size:  # "NAME missing"
            return None
        content = self._git.stdout.read(int(size[0]) + 1)[:-1]
        try:
            return source.of_bytes(content) if kind == b"blob" else None
        except UnusableSource:
            return None


def _git(arguments: Sequence[str], standard_input: bytes = b"", folder: str | None = None) -> bytes:
    """What git prints.  Raises OSError, subprocess.SubprocessError."""
    done = subprocess.run(
        ["git", *arguments],
        input=standard_input,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        check=True,
    )
    return done.stdout
