"""One stretch of measuring in this process: the tracer, where it records to, and publishing at the end."""

import os
import sys

from covcore.config import read_settings
from covcore.errors import CovcoreError, say
from covcore.measure import children
from covcore.measure.filters import Filter
from covcore.measure.origin import NO_CONTEXT
from covcore.measure.quiet import quiet, undisturbed
from covcore.platform import make_private_folder, temporary_places
from covcore.store.header import check_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from covcore.config import Settings
    from covcore.store.publish import PublishReport

# Seconds that busy threads of the program, daemons at its end, may keep us waiting each time that a file is read or written:
# with 20 of them and Python's own 5 ms publishing takes 6 s.
IMPATIENT = 1e-5

_getpid = os.getpid  # programs mock such things
# sys.settrace, but an object of our own: exit handlers are taken back by what is called.
_UNTRACE = sys.settrace.__call__  # type: ignore[operator]

_current: "Session | None" = None


def current() -> "Session | None":
    """The session under way in this process, if there is one."""
    return _current


def begin(values: "Mapping[str, object]") -> "Session":
    """Start a session on behalf of a running program: see covcore.start."""
    from covcore.config import check_values

    with quiet():
        settings = read_settings()
        settings.say_remarks("warning")
        settings.update(check_values("covcore.start()", values), "covcore.start()")
        session = Session(settings, sys.argv, "start")
        session.start()
        session.finish_at_exit()
    return session


class Session:
    """See the module.

    data: the absolute path of the database that it publishes into
    folder: that of its recordings
    run_id: 16 hex digits
    has_started: there was something to record into, and a tool id to record by
    has_measured: code was measured: in a worker, or at all once the session is over
    contexts_by: who switches its contexts; a pytest that runs inside of another's test leaves them alone
    report: what finish() published
    outer_run: what the environment said of the run that this session takes the process from
    variable: what the environment says of this session, for processes that are started
    origin: the test and phase under which this process was started by another; what it runs is theirs
    awaits_multiprocessing: that is to call us in its children
    is_hidden: in a pause: the environment would say of this session, but does not
    place: what stands first on the program's sys.path, and subinterpreters do not know of: we came in between; else ""
    """

    def __init__(self, settings: "Settings", line: "Sequence[str]", command: str, main: str = "") -> None:
        """Prepare; nothing is written yet.

        line: the program and its arguments, to be kept with the data
        command: which command measures
        main: the absolute path of the script that is run, if one is

        Raises CovcoreError if the data path can be neither used nor replaced.
        """
        self.settings = settings
        self.check_data()
        self.line = line
        self.command = command
        self.filter = Filter(settings, main)
        self.data = settings.data_path
        self.folder = self.data + ".d"
        self.run_id = os.urandom(8).hex()
        self.pid = os.getpid()
        self.contexts_by: object = None
        self.has_started = self.has_measured = False
        self.report: PublishReport | None = None
        self.undisturbed = undisturbed(self.filter.standard)
        self.outer_run: str | None = None
        self.variable = ""
        self.origin = NO_CONTEXT
        self.awaits_multiprocessing = self.is_hidden = False
        self.place = ""

    def check_data(self) -> None:
        """Raise CovcoreError if the data path can be neither used nor replaced."""
        check_header(self.settings.data_path, replacing=not self.settings.append)

    def start(self) -> None:
        """Begin to measure.

        Where nothing can be recorded beside the data path, a fallback is used and a warning names it.
        Raises CovcoreError if a session is under way; if other tools leave no tool id of sys.monitoring, see refuse().
        A child's session is no such: who asks for one of his own gets it.
        """
        global _current
        from covcore._tracer import Tracer
        from covcore.measure import templates

        if isinstance(_current, ChildSession):
            _current.finish()
        if _current is not None:
            raise CovcoreError("covcore is measuring this process already: call covcore.stop() first")
        by_task = self.settings.dynamic_contexts == "task"
        self.tracer = Tracer(self.filter.decide, by_task=by_task, templates=templates)
        self.switch_context("")
        try:
            self._start_somewhere()
        except RuntimeError as error:
            _remove_if_empty(self.folder)
            self.refuse(str(error))
        self.has_started = self.tracer.started
        _current = self
        children.announce(self)

    def refuse(self, reason: str) -> None:
        """Say that nothing can be measured: raise CovcoreError, or warn where the program is to run all the same."""
        raise CovcoreError(reason)

    def finish_at_exit(self) -> None:
        """Have finish() called when the process ends: after its threads, and after exit handlers registered later.

        A debugger that still traces does not step into it."""
        import atexit

        atexit.register(self.finish)
        atexit.register(_UNTRACE, None)  # called before it

    def finish_now(self) -> None:
        """finish(), and leave nothing to be done at exit, which would keep the session until then."""
        import atexit

        self.finish()
        atexit.unregister(self.finish)
        atexit.unregister(_UNTRACE)

    def finish(self) -> None:
        """End measuring and publish.

        Never raises: what goes wrong is said in one line, and the recording stays on disk.
        """
        global _current
        if _current is not self:
            return
        _current = None
        interval = sys.getswitchinterval()
        try:
            sys.setswitchinterval(IMPATIENT)
            children.withdraw(self)
            self._finish()
        except CovcoreError as error:
            self.warn(error)
        except KeyboardInterrupt:
            self.warn(f"interrupted: what was measured is in {self.folder}, the next covcore command takes it up")
        except MemoryError:
            self.warn(f"out of memory: what was measured is in {self.folder}, the next covcore command takes it up")
        except Exception as error:
            # The program may have left anything behind: a patched os, ...
            self.warn(f"{type(error).__name__}: {error}: what was measured is in {self.folder}")
        finally:
            sys.setswitchinterval(interval)

    def abandon(self) -> None:
        """Measure no more, and leave no trace: in a forked child that is not to be measured."""
        global _current
        _current = None
        self.tracer.stop()

    def restart(self) -> None:
        """Have every line and branch reported once more."""
        self.tracer.restart()

    def switch_context(self, label: str, phase: str = "") -> None:
        """Keep what runs from here on under another label; "" is the one that the session began with.

        The context is the process's, whoever calls; with dynamic_contexts = "task" each asyncio task has its own within it.
        """
        test, phase = (label, phase) if label else self.origin
        self.tracer.switch_context(self.settings.context, test, phase)

    def pause(self) -> None:
        """Measure nothing until resume(), processes that are started included."""
        self.is_hidden = children.hide(self)
        self.tracer.pause()

    def resume(self) -> None:
        """Go on where pause() left off."""
        self.tracer.resume()
        if self.is_hidden:
            children.show(self)

    def warn(self, text: object) -> None:
        """Say in one line what is not as it should be."""
        say("warning", text)

    def context(self, label: str, phase: str = "") -> "Context":
        """A context manager: what runs inside is kept under this label, and what runs after it under none."""
        return Context(self, label, phase)

    # ---- where to

    def _start_somewhere(self) -> None:
        try:
            _make_folder(self.folder)
            self.tracer.start([self.folder], self.run_id, self._encoded_settings())
            return
        except OSError as error:
            reason = error.strerror
        unusable = f"cannot record in {self.folder} ({reason})"
        name = self.data[1:].replace("/", "%").replace(":", "%")[-200:]
        for place in temporary_places():
            try:
                self.data = f"{make_private_folder(place)}/{name}"
                self.folder = self.data + ".d"
                _make_folder(self.folder)
                self.tracer.start([self.folder], self.run_id, self._encoded_settings())
            except OSError:
                _remove_if_empty(self.folder)
                continue
            self.warn(f"{unusable}: the data goes to {self.data}, name it with --data to read it")
            return
        self.warn(f"{unusable}, nor in a folder for temporary files: nothing is measured")

    def _encoded_settings(self) -> bytes:
        """The recording's settings: key NUL value NUL ..."""
        settings = self.settings
        pairs = [
            ("data", self.data),
            ("cwd", settings.folder),
            *(("argv", word) for word in self.line),
            *(("source", folder) for folder in self.filter.source_folders()),
            *(("include", "/".join(pattern)) for pattern in self.filter.include),
            *(("omit", "/".join(pattern)) for pattern in self.filter.omit),
            ("append", str(int(settings.append))),
            ("context", settings.context),
            ("command", self.command),
        ]
        return "".join(f"{key}\0{value}\0" for key, value in pairs).encode("utf-8", "surrogatepass")

    # ---- the end

    def _finish(self) -> None:
        if not self.tracer.started:
            return  # nothing could be recorded
        self.has_measured |= self.tracer.counts()["codes"] > 0
        self.tracer.stop()
        if _getpid() != self.pid:
            return  # a forked child: its recording is left to its parent, or to the next command
        if self.tracer.error:
            self.warn(f"measuring stopped early: {self.tracer.error}")
        if self.tracer.counts()["losses"]:
            self.warn(
                "another tool has freed or cleared covcore's tool ids of sys.monitoring: "
                "what ran from then to the next switch of contexts is missing"
            )
        with self.undisturbed:
            if not self._program_began():
                self._discard()
                return
            self._publish()
        self._say_what_is_missing(self.has_measured)

    def _publish(self) -> None:
        from covcore.store.publish import publish_run

        self.report = publish_run(self.data, [self.folder], self.run_id)
        self.has_measured |= self.report.has_measured
        for warning in self.report.warnings:
            self.warn(warning)

    def _program_began(self) -> bool:
        """Whether any of the program ran; if not, what earlier runs measured is left as it is."""
        return True

    def _discard(self) -> None:
        from covcore.store.recordings import find

        for recording in find([self.folder]):
            if recording.run_id == self.run_id:
                recording.delete()
        _remove_if_empty(self.folder)

    def _say_what_is_missing(self, measured: bool) -> None:
        missing = self.filter.missing()
        if missing:
            names = ", ".join(missing)
            self.warn(f"nothing was measured for --source={names}: no such folder, and no such module was imported")
        elif not measured:
            self.warn(f"nothing was measured: no code ran {self.filter.describe()}")


class ChildSession(Session):
    """That of an interpreter which a measured process has started: it leaves its recording, and says nothing."""

    def __init__(self, settings: "Settings", line: "Sequence[str]", main: str, command: str = "child") -> None:
        super().__init__(settings, line, command, main)

    def check_data(self) -> None:
        pass  # the run's first process has

    def warn(self, text: object) -> None:
        pass

    def _start_somewhere(self) -> None:
        self.tracer.start([self.folder], self.run_id, self._encoded_settings())

    def _finish(self) -> None:
        self.tracer.stop()


class Context:
    """What Session.context gives."""

    __slots__ = ("label", "phase", "session")

    def __init__(self, session: Session, label: str, phase: str) -> None:
        self.session = session
        self.label = label
        self.phase = phase

    def __enter__(self) -> None:
        self.session.switch_context(self.label, self.phase)

    def __exit__(self, *exception: object) -> None:
        self.session.switch_context("")


def _make_folder(folder: str) -> None:
    """Make a folder for recordings.

    It is as open as the user's umask has it, like the database beside it: recordings hold no more than that will, and a
    child that has changed its user must be able to add its own where the umask lets it.
    """
    os.makedirs(folder, exist_ok=True)


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        return  # it holds other recordings
