"""`covcore tests`: which tests ran a file, a line or a branch."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from covcore.analysis import source
from covcore.analysis.by_test import ByTest, by_test
from covcore.analysis.roots import OUTSIDE, Roots
from covcore.analysis.source import UnusableSource
from covcore.errors import CovcoreError, printable, say
from covcore.platform import slashed
from covcore.report.context_names import Tests, members
from covcore.report.names import plain_name
from covcore.store.loading import load

_TARGET = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?:-(?P<last>\d+)|->(?P<to>\d+|exit))?", re.DOTALL)


class Options(Protocol):
    """What the command line says; see `covcore tests --help`."""

    data: str
    target: str
    source: Sequence[str]
    paths: Mapping[str, Sequence[str]]


class Target(NamedTuple):
    """What is asked about."""

    path: str  # absolute
    line: int = 0  # 0: the whole file
    last: int = 0  # of a range of lines; equal to `line` for one
    to: int | None = None  # of a branch; -1: any exit

    def __str__(self) -> str:
        name = plain_name(self.path)
        if self.to is not None:
            return f"{name}:{self.line}->{'exit' if self.to < 0 else self.to}"
        return f"{name}:{self.line}" + f"-{self.last}" * (self.last > self.line) if self.line else name


def tests_command(options: Options) -> int:
    """Print the tests, one a line, by name.

    Returns:
        The exit status 0.

    Raises:
        CovcoreError: there is no data, no such file in it, or the question makes no sense.
    """
    with load(options.data) as database:
        target = find_target(options.target, database.paths())
        hash, hits = database.hits_of(target.path)
        tests = Tests(database, {context for code in hits for _, ran in code.patterns for context in ran})
    text = _text(target.path, hash, Roots.of(options.source, options.paths))
    found = _asked(target, by_test(text, hits, tests.number_of))
    if not found:
        say("note", f"no test ran {target}")
    for number in members(found):
        print(printable(tests.names[number]))
    return 0


def find_target(text: str, paths: Iterable[str]) -> Target:
    """Find out which file, line or branch is meant.

    Args:
        text: FILE, FILE:LINE, FILE:LINE-LINE or FILE:LINE->LINE.  The file may be named by the end of its path.
        paths: of the files that were measured, absolute.

    Raises:
        CovcoreError: none is meant, or several.
    """
    paths = list(paths)
    match = None if slashed(os.path.abspath(text)) in paths else _TARGET.fullmatch(text)
    path = _find_path(match["file"] if match else text, paths)
    if match is None:
        return Target(path)
    line = int(match["line"])
    if match["to"]:
        return Target(path, line, line, -1 if match["to"] == "exit" else int(match["to"]))
    last = int(match["last"] or line)
    if not 0 < line <= last:
        raise CovcoreError(f"{text}: lines count from 1, and the first of a range is not after its last")
    return Target(path, line, last)


def _find_path(name: str, paths: list[str]) -> str:
    if (path := slashed(os.path.abspath(name))) in paths:
        return path
    ending = "/" + slashed(os.path.normpath(name)).lstrip("/")
    found = [path for path in paths if path.endswith(ending)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CovcoreError(
            f"{name} may be any of {', '.join(sorted(map(plain_name, found))[:5])}: name more of the path"
        )
    raise CovcoreError(f"nothing of {name} was measured: `covcore report` lists the files that were")


def _text(path: str, hash: bytes, roots: Roots) -> str | None:
    """The text that was measured, if it is still there.

    Args:
        path: of the file.
        hash: of the text, as Database.hits_of gives it.
        roots: where a file whose hash is not known may be read.
    """
    try:
        if hash == source.UNKNOWN_HASH and not roots.hold(path):
            raise UnusableSource("foreign", OUTSIDE)
        text, now = source.read(path)
    except UnusableSource as error:
        say("warning", f"{plain_name(path)} {error}")
        return None
    if hash not in (now, source.UNKNOWN_HASH):
        say("warning", f"{plain_name(path)} has changed since it was measured: lines are as they were then")
        return None
    return text


def _asked(target: Target, by: ByTest) -> int:
    """The bit set of the tests that a target asks for."""
    found = 0
    if target.to is not None:
        start = by.first[target.line] if target.line < len(by.first) else target.line
        for (line, to), tests in by.branches.items():
            if line == start and (to == target.to or (to < 0 and target.to < 0)):
                found |= tests
        return found
    wanted = {by.first[line] for line in range(target.line, min(target.last + 1, len(by.first)))}
    for line, tests in by.lines.items():
        if not target.line or line in wanted:
            found |= tests
    return found
