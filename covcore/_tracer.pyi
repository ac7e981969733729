"""The C tracer: see src/tracer.c."""

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Protocol

def note(path: str, words: tuple[str | bytes | int, ...], /) -> None:
    """Append a note to another process's notes, if they are there; what fails is let be."""

def find_process(pid: int, /) -> tuple[int, int]:
    """The parent of a process, and when it began (start_ticks of its recording).  Raises OSError: there is none, or nothing tells."""

def before_fork() -> None:
    """Where a tracer follows forks: take a note of the one that comes, and notes on what is started from now on."""

def in_forked_child() -> None:
    """Where a tracer follows forks: go on in a recording of the child's own, and have C's environment name that one, where it named
    the parent's.  What fails is in `error`."""

class Templates(Protocol):
    """The module covcore.measure.templates."""

    def name_of(self, code: CodeType, namespace: dict[str, object], /) -> str: ...
    def codes_of(self, code: CodeType, namespace: dict[str, object], /) -> list[CodeType]: ...

class Tracer:
    """Records the lines and arcs of this interpreter's code objects.  At most one is started at a time."""

    def __init__(
        self,
        decide: Callable[[str], str | None],
        *,
        spare: bool = True,
        by_task: bool = False,
        templates: Templates | None = None,
    ) -> None:
        """decide: called once per co_filename; gives the absolute path to measure it under, or None to leave it alone.
        spare: leave code armed that a context runs seldom, which is cheaper than arming it again; False is for tests.
        by_task: each task of asyncio has a context of its own, a switch at each of its steps; nothing is silenced.
        templates: what knows code of templates: decide() is given their names, not the co_filename.
        """

    def start(self, directories: Sequence[str], run_id: str, settings: bytes = b"") -> int:
        """Open a recording and arm.

        directories: absolute paths; the first one that takes the recording is used, its index is returned.
        run_id: at most 31 hex digits.  settings: key NUL value NUL ..., kept in the recording's RUN record.

        Raises OSError if no directory takes it, RuntimeError if no two tool ids are free (naming who holds them) or if
        it is started already.
        """

    def start_tally(self, *, branches: bool = True, resume: bool = False) -> None:
        """Arm without a recording: hits are kept in memory until take().

        Frames that run already are not measured, but for those of code known from before a pause.  decide() is called by
        whatever of a file starts first.

        branches: whether branches are wanted, besides lines
        resume: go on after stop() with what decide() said before it; default: ask it anew

        Raises RuntimeError if no tool id is free (naming who holds them) or if a tracer is started already.
        """

    def take(self) -> list[tuple[tuple[str, int, bytes], bytes]]:
        """Give, for each code object hit since the last take() or restart(), ((path, first line, shape), bitmap over slots), and
        forget the hits.  What was hit is not heard of again before restart()."""

    def stop(self) -> None:
        """Disarm, free the tool ids and put the end mark.  Does nothing when not started."""

    def restart(self) -> None:
        """Arm again whatever of ours was silenced; other tools do not notice."""

    def switch_context(self, static: str, test: str, phase: str) -> None:
        """Record from here on under another context."""

    def pause(self) -> None:
        """Record nothing until resume(), and take no notes of what is started."""

    def resume(self) -> None:
        """Record again, under the same context."""

    @property
    def meet(self) -> Callable[[CodeType], object] | None:
        """Called with each code object that is decided on, at a start of it."""

    @meet.setter
    def meet(self, value: Callable[[CodeType], object] | None) -> None: ...
    @property
    def started(self) -> bool: ...
    @property
    def error(self) -> str | None:
        """What stopped recording early, in one line, or None."""

    def watch(self) -> None:
        """Until stop() take notes on the processes that this one starts and signals: covcore/store/children.py."""

    def follow_forks(self) -> None:
        """Until stop() have the hooks of this module, once they are registered, measure forked children too."""

    def note(self, words: tuple[str | bytes | int, ...], /) -> None:
        """Take a note; what fails is let be."""

    @property
    def path(self) -> str:
        """The path of the recording without the number of a segment; "" if nothing is recorded."""

    def counts(self) -> dict[str, int]:
        """files, codes, arcs, unknown (events that fit no slot), losses (times that our tool ids turned out to be freed or
        cleared by another tool), rearmed (code objects), arc_bytes (memory of the arc set)."""
