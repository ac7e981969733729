"""A process that a measured one has started, or an interpreter within one: the start-up hook (plugin/covcore_start.pth) calls begin()."""

import os
import sys

from covcore.measure.children import FILLER, LISTS, NOTES, VARIABLE, decode
from covcore.measure.origin import context_of, nearest_recording, recording_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.measure.origin import Context
    from covcore.measure.session import Session

RESOURCE_TRACKER = "from multiprocessing.resource_tracker import main"  # runs no code of anybody's, and ends after all


def begin() -> None:
    """Measure this process, or this subinterpreter, as the run in its environment says.

    Never raises and says nothing, whatever is wrong: the program is not ours.  Its parent has noted that it was started,
    so that what is not measured is missed.
    """
    try:
        _begin(dict_of(os.environ[VARIABLE]))
    except Exception:
        return


def dict_of(text: str) -> dict[str, str | list[str]]:
    """The variable's value; a key of LISTS has a list."""
    values: dict[str, str | list[str]] = {key: [] for key in LISTS}
    for key, value in decode(text):
        known = values.get(key)
        if isinstance(known, list):
            known.append(value)
        else:
            values[key] = value
    return values


def _begin(values: dict[str, str | list[str]]) -> None:
    if (
        "folder" not in values
        or values.get("only") not in (None, str(os.getpid()))
        or any(word.startswith(RESOURCE_TRACKER) for word in sys.orig_argv)
    ):
        return
    from covcore.measure.quiet import quiet

    with quiet():
        if _is_subinterpreter():
            _begin_in_interpreter(values)
            return
        if "only" in values:
            return  # this process was measured, and exec() leaves it its number
        _tell_parent(str(values["folder"]), str(values["run"]))
        from covcore.measure.session import current

        if current() is None:
            _session(values)


def _is_subinterpreter() -> bool:
    if sys.version_info < (3, 13):
        import _xxsubinterpreters  # type: ignore[import-not-found]

        return bool(_xxsubinterpreters.get_current() != _xxsubinterpreters.get_main())
    else:
        from _interpreters import get_current, get_main

        return bool(get_current()[0] != get_main()[0])


def _begin_in_interpreter(values: dict[str, str | list[str]]) -> None:
    """Measure a subinterpreter, into a recording of its own.

    Environment and processes are its main interpreter's business: what it starts is measured by what that one says there.
    """
    if place := values.get("place"):
        # CPython puts what it had at the start, the folder of our own command, before this one.
        sys.path.insert(0, str(place))
    _session(values, "interpreter")


def _session(values: dict[str, str | list[str]], command: str = "child") -> "Session":
    from covcore.config import Settings
    from covcore.measure.session import ChildSession

    settings = Settings(
        str(values["cwd"]), {key: value for key, value in values.items() if key in (*LISTS, "data", "context")}
    )
    settings.append = "append" in values
    settings.dynamic_contexts = str(values["dynamic_contexts"])
    settings.subprocess = command != "interpreter"
    session = ChildSession(settings, sys.orig_argv, str(values.get("main", "")), command)
    session.run_id, session.folder = str(values["run"]), str(values["folder"])
    name, place = str(values.get("from", "")).rstrip(FILLER), str(values.get("at", ""))
    if command == "interpreter":
        session.origin = context_of(f"{session.folder}/{name}", place)
    else:
        session.origin = _origin(session, name, place)
    session.start()
    session.finish_at_exit()
    return session


def _origin(session: "Session", name: str, place: str) -> "Context":
    """Under what this process was started.

    A copy of `os.environ` has no place, and the name may be that of a process which has forked off the one that started this.
    """
    recording = f"{session.folder}/{name}"
    if not place.isalnum():
        nearest = nearest_recording(session.folder, session.run_id)
        if not recording.startswith(nearest):  # a process may have several, one after the other
            recording = nearest
    return context_of(recording, place)


def _tell_parent(folder: str, run_id: str) -> None:
    """Note with the process that started this one, if it is measured, that we have begun."""
    from covcore._tracer import note

    pid = os.getpid()
    try:
        recording = recording_of(folder, run_id, os.getppid())
        start_ticks = recording_of(folder, run_id, pid).rpartition("-")[2]
    except OSError:
        return
    note(recording + NOTES, ("began", pid, start_ticks, *sys.orig_argv))
