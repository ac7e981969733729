"""What measured processes noted on those that they started: RECORDING.children, beside the recording, and in it the forks.

A note is a line of words with a space between them; %XX is a byte (src/children.c).

    born PID START                  a forked child, by itself, if it could not say so in the recording; START: in clock ticks after boot
    popen|spawn ENV PROGRAM WORD..  a program is about to be started; ENV 1: its environment knows of the run
    began PID START WORD..          an interpreter that this process started, by itself
    exec ENV PROGRAM WORD..         another program is about to take this one's place
    kill PID SIGNAL                 a signal is about to be sent
    sent                            a worker of pytest-xdist that cannot write here has sent its recording

A child of which there is no note by itself has left no record: it was killed before it could, or is not measured.
The note comes before the child's recording, so that one that dies in between is known to have been there.
"""

from __future__ import annotations

import os
import time

from covcore.store.processes import ORDERLY, SIGNALLED, is_running, plural
from covcore.store.recordings import owner_by_name, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from covcore._reader import Owner
    from covcore.store.recordings import Found

SUFFIX = ".children"
PATIENCE = 1.0  # seconds in which an interpreter that has just been started says so
WAIT = 0.02  # seconds between two looks
LARGEST = 64 * 2**20  # bytes: what is longer is not ours
PYTHON = r"(python|pypy)[0-9.]*[a-z]?"
GATEWAY = "import sys;exec(eval(sys.stdin.readline()))"  # what execnet has its Pythons run
NO_PROGRAM = {"-V", "-VV", "--version", "-h", "-?", "--help", "--help-all", "--help-env", "--help-xoptions"}


class Notes:
    """The notes of one process.

    Attributes:
        path: of the file.
        owner: whose they are.
        over: whether there will be none any more.
        lost: the commands of children that left no record; "" for a fork.
        begun: PID and START of those that noted themselves.
        signals: which were sent, and to which processes.
        successor: the program that has taken its place, as far as is known, or "".
    """

    def __init__(self, path: str, owner: Owner, *, over: bool, wait: bool, recording: Found | None = None) -> None:
        """Read them.  Raises OSError.

        wait: for children that have just been started to say so, if these are all the notes there will be.
        recording: that of the process, which was read, if it is there.
        """
        self.path = path
        self.owner = owner
        self.over = over
        self._read(recording)
        while wait and over and self.lost and self._age(recording) < PATIENCE:
            time.sleep(WAIT)
            if recording and not all(pid for _, pid, _ in recording.forks):
                recording.read()  # a forked child says so there
            self._read(recording)

    def _read(self, recording: Found | None) -> None:
        self.signals: dict[int, int] = {}
        self.successor = ""
        self.begun: set[tuple[int, int]] = set()
        n_sent = 0
        started: list[tuple[str, list[str]]] = []
        began: dict[str, list[str]] = {}
        forks = recording.forks if recording else []
        self.begun.update((pid, start_ticks) for _, pid, start_ticks in forks if pid)
        born = {str(pid) for pid, _ in self.begun}
        for kind, *words in map(split, self._text(may_lack=bool(forks)).splitlines()):
            self.successor = words[1] if kind == "exec" and len(words) > 1 else ""
            if kind in ("born", "began") and len(words) > 1 and all(map(is_number, words[:2])):
                self.begun.add((int(words[0]), int(words[1])))
            if kind == "sent":
                n_sent += 1
            elif kind == "born":
                born.update(words[:1])
            elif kind == "began" and len(words) > 1:
                began.setdefault(words[0], words[2:])
            elif kind == "kill" and len(words) == 2 and all(map(is_number, words)):
                self.signals[int(words[0])] = int(words[1])
            elif kind == "popen" and len(words) > 2:
                started.append((words[1], words[2:]))
            elif kind == "spawn" and len(words) > 2 and (words[1], words[2:]) not in started[-1:]:
                started.append((words[1], words[2:]))  # subprocess, too, spawns
        lost = unmatched(started, began.values())
        for command in [command for command in lost if command.endswith(GATEWAY)][:n_sent]:
            lost.remove(command)
        told_to_end = {str(pid) for pid, number in self.signals.items() if f"{SIGNALLED}{number}" in ORDERLY}
        ended = told_to_end - born - began.keys()  # before they began, as a Pool's workers may be
        self.lost = [""] * (len(forks) - len(born) - len(ended)) + lost

    def _text(self, *, may_lack: bool) -> bytes:
        try:
            return read_file(self.path, LARGEST)
        except FileNotFoundError:
            if may_lack:
                return b""
            raise

    def _age(self, recording: Found | None) -> float:
        """How long ago the newest note was taken, in seconds."""
        forked = max((when for when, pid, _ in recording.forks if not pid), default=0) if recording else 0
        try:
            written = os.stat(self.path, follow_symlinks=False).st_mtime
        except FileNotFoundError:
            written = 0.0
        return time.time() - max(forked / 1e9, written)


def split(line: bytes) -> list[str]:
    """The words of a note."""
    return [os.fsdecode(_unquoted(word) if b"%" in word else word) for word in line.split(b" ")]


def _unquoted(word: bytes) -> bytes:
    first, *rest = word.split(b"%")
    try:
        return first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in rest)
    except ValueError:
        return word  # nobody of ours has written it


def is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 18


def unmatched(started: list[tuple[str, list[str]]], began: Iterable[list[str]]) -> list[str]:
    """The commands of started Pythons that did not begin to be measured.

    Args:
        started: program and words of what was started, in order.
        began: the words of interpreters that began.
    """
    pythons = [(words, is_script(program)) for program, words in started if is_python(program, words)]
    for words in began:
        for one in pythons:
            if words == one[0] or (one[1] and one[0][1:] == words[len(words) - len(one[0]) + 1 :]):
                pythons.remove(one)
                break
    return [" ".join(words) for words, _ in pythons]


def is_python(program: str, words: list[str]) -> bool:
    """Whether a program is a Python, or a script of one, that runs some code."""
    import re
    import shutil  # here, because few programs start any, and these two take 10 ms

    if re.fullmatch(PYTHON, os.path.basename(program)):
        return NO_PROGRAM.isdisjoint(words[1:2]) and shutil.which(program) is not None
    return is_script(program)


def is_script(program: str) -> bool:
    """Whether a program is a script that names Python in its first line."""
    import shutil

    path = shutil.which(program)
    try:
        first = read_file(os.path.realpath(path), 256).partition(b"\n")[0] if path else b""
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first


def find_notes(found: Iterable[Found], runs: Iterable[str]) -> list[Notes]:
    """Read the notes of processes.

    Args:
        found: their recordings, which were read; processes that have none any more are looked for in the same folders.
        runs: the ids of those of which it matters who left no record.
    """
    by_folder: dict[str, dict[str, Found]] = {}
    for one in found:
        by_folder.setdefault(os.path.dirname(one.segments[0]), {})[one.name] = one
    notes = []
    for folder, recordings in by_folder.items():
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        stems = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
        for stem in sorted(stems.union(name for name, one in recordings.items() if one.forks)):
            recording = recordings.get(stem)
            try:
                owner = (recording and recording.owner) or owner_by_name(stem)
                over = recording.over if recording else not is_running(owner)
                wait = owner["run_id"] in runs
                notes.append(Notes(f"{folder}/{stem}{SUFFIX}", owner, over=over, wait=wait, recording=recording))
            except (OSError, ValueError):
                continue  # not ours
    return notes


def describe_lost(lost: list[str]) -> str:
    """Say what left no record, in one line."""
    n_forks = lost.count("")
    commands = [command for command in lost if command]
    words = [f"{plural(n_forks, 'forked child', 'ren')}"] if n_forks else []
    words += commands[:3] + [f"{len(commands) - 3} more"] * (len(commands) > 3)
    return "; ".join(words)
