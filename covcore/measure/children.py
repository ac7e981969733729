"""What a session does for the processes that its own starts, so that they are measured and accounted for.

Started interpreters find the run in the one environment variable that we set, and begin by themselves (child.py), under the
context that started them (origin.py). Forked ones go on measuring, in a recording of their own.  What is started and signalled
is noted beside the recording: src/children.c, and covcore/store/notes.py for who reads it.
"""

import os
import sys

from covcore.measure.origin import context_of, recording_of
from covcore.platform import register_at_fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from covcore.measure.session import Session

VARIABLE = "COVCORE_RUN"
FORMAT = "1"  # of its value
LISTS = ("source", "include", "omit")
NOTES = ".children"  # put behind the path of a recording
UNKNOWN = "-" * 16  # as long as a place in a recording
FROM = " from="  # begins what differs from process to process
NAME_ROOM = 96  # bytes for the name of a recording
FILLER = "."  # behind it
LAST = -(10**9)  # exit priority, of multiprocessing

_watched: "Session | None" = None
_hooked: set[str] = set()  # for what hooks of os.register_at_fork were set


def announce(session: "Session") -> None:
    """Have the processes that this one starts from now on measured into the session's run, if its settings say so.

    What the environment holds already is another run's, whose process this is: it is put back by withdraw().
    """
    global _watched
    _watched = session
    _notice_forks(measured=session.settings.subprocess)
    session.outer_run = os.environ.get(VARIABLE)
    if not session.settings.subprocess:
        if session.outer_run is None:
            show(session)
        return
    session.tracer.follow_forks()
    session.filter.met = {"/subprocess.py": session.tracer.watch, "/multiprocessing/util.py": _await_multiprocessing}
    show(session)


def withdraw(session: "Session") -> None:
    """Take back what announce() did, where the program has not changed it."""
    global _watched
    if _watched is not session:
        return
    _watched = None
    if hide(session) and session.outer_run is not None:
        os.environ[VARIABLE] = session.outer_run


def show(session: "Session") -> None:
    """Say in the environment what started interpreters are to know; where no other process is measured, those of this one."""
    os.environ[VARIABLE] = session.variable = encode(session)
    # An audit hook makes id() and sys._getframe() 15 ns slower, so there is none while nothing can be started.
    if "subprocess" in sys.modules and session.settings.subprocess:
        session.tracer.watch()


def hide(session: "Session") -> bool:
    """Take back what show() did.  Returns False, and does nothing, if the program has changed it."""
    if not session.variable or os.environ.get(VARIABLE) != session.variable:
        return False
    del os.environ[VARIABLE]
    return True


# ---- forks


def _notice_forks(*, measured: bool) -> None:
    """Have our hooks called; which cannot be taken back, so that each looks whether there is anything for it to do.

    measured: whether forked children are
    """
    if not measured:
        _register("unmeasured", after_in_child=_in_unmeasured_child)
        return
    from covcore._tracer import before_fork, in_forked_child

    _register("measured", before=before_fork, after_in_child=in_forked_child)
    if "multiprocessing.util" in sys.modules:
        _await_multiprocessing()


def _register(name: str, **hooks: "Callable[[], None]") -> None:
    if name not in _hooked:
        _hooked.add(name)
        register_at_fork(**hooks)


def _in_unmeasured_child() -> None:
    if _watched is not None and not _watched.settings.subprocess:
        _watched.abandon()


def _await_multiprocessing() -> None:
    """Be called in children of multiprocessing: they leave by os._exit(), and forget exit handlers of their parents."""
    _register("multiprocessing", before=_before_fork_of_multiprocessing)


def _before_fork_of_multiprocessing() -> None:
    session = _watched
    if session is None or not session.settings.subprocess or session.awaits_multiprocessing:
        return
    try:
        sys.modules["multiprocessing.util"].register_after_fork(session, _in_child_of_multiprocessing)
        session.awaits_multiprocessing = True
    except (KeyError, AttributeError, MemoryError):
        return  # it is not imported to its end, or not any more


def _in_child_of_multiprocessing(session: "Session") -> None:
    """Have it put its end mark once all its other finalizers have run.

    It may be the fork server's, which began for another test than that which wants a process now.
    """
    sys.modules["multiprocessing.util"].Finalize(None, session.finish, exitpriority=LAST)
    if (parent := sys.modules["multiprocessing.process"].parent_process()) is None or parent.pid == os.getppid():
        return
    try:
        recording = recording_of(session.folder, session.run_id, parent.pid)
    except OSError:
        return
    session.origin = context_of(recording)
    session.switch_context("")


# ---- the variable's value: words, of printable ASCII


def encode(session: "Session") -> str:
    """What a started interpreter is to know."""
    settings = session.settings
    pairs = [
        ("only", "" if settings.subprocess else str(session.pid)),  # this process; covcore_start.pth looks for it first
        ("run", session.run_id),
        ("data", session.data),
        ("folder", session.folder),
        ("cwd", settings.folder),
        ("main", session.filter.main),
        ("place", session.place),
        *((key, item) for key in LISTS for item in getattr(settings, key)),
        ("context", settings.context),
        ("append", "1" if settings.append else ""),
        ("dynamic_contexts", settings.dynamic_contexts),
    ]
    return " ".join([FORMAT, *(f"{key}={quote(value)}" for key, value in pairs if value)]) + _end(session)


def _end(session: "Session") -> str:
    """The end of the value: this process's recording, and its place there.

    src/children.c writes over it, in what C has as the environment: the place at each switch, the recording in a forked child.
    """
    name = session.tracer.path.rpartition("/")[2]
    return f"{FROM}{name:{FILLER}<{NAME_ROOM}} at={UNKNOWN}"


def decode(text: str) -> "Iterator[tuple[str, str]]":
    """The pairs of a value; none if it is not of our format."""
    version, *words = text.split(" ")
    if version == FORMAT:
        for word in words:
            key, _, value = word.partition("=")
            yield key, unquote(value)


def quote(text: str) -> str:
    codes = text.encode("utf-8", "surrogatepass")
    return "".join(chr(c) if 0x20 < c < 0x7F and c != 0x25 else f"%{c:02x}" for c in codes)


def unquote(text: str) -> str:
    first, *rest = text.split("%")
    codes = first.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in rest)
    return codes.decode("utf-8", "surrogatepass")
