"""The program that is measured, set up as the interpreter would and started so that it cannot tell.

The interpreter's own part of this is in C, in main.c and pythonrun.c of CPython; what it does to `__main__`, prints and
returns is left to the same C functions (src/launch.c).
"""

import _frozen_importlib
import builtins
import os
import stat
import sys

from covcore import _launch
from covcore.platform import UNINHERITED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

    from covcore.options import Command


class Missing(Exception):
    """There is no such program.  The message is the interpreter's, and its exit status 2."""


class Launch(BaseException):
    """Carries nothing: it leaves our frames, below which the program starts."""


class Program:
    """A program, not started yet.

    path: the absolute path of the script, folder or archive; "" for a module, code or standard input
    needs_runpy: the interpreter would run it by runpy
    """

    __slots__ = ("argument", "arguments", "function", "main", "needs_runpy", "path", "place")

    def __init__(self, command: "Command") -> None:
        """Look for the program.  Raises Missing if it is a script that cannot be opened."""
        self.path = ""
        self.place: str | None = ""  # for sys.path[0]
        self.needs_runpy = False
        self.main: ModuleType | None = None
        self.function: Callable[[str], int] = _launch.run_command
        program = command.program or ""
        self.argument = dedent(program) if command.kind == "-c" and sys.version_info >= (3, 14) else program
        self.arguments = [command.kind or program, *command.arguments]
        if command.kind == "-m":
            self.function, self.needs_runpy = _launch.run_module, True
            self.place = _working_folder()
        elif command.kind == "" and command.program in (None, "-"):
            self.function = _launch.run_stdin
        elif command.kind == "":
            self._look_for_script(program)

    def install(self) -> None:
        """Make sys.argv, sys.path and sys.modules["__main__"] the program's."""
        global _former_main
        _former_main = sys.modules["__main__"]
        if sys.path and sys.path[0] == _own_place(_former_main):
            sys.path_importer_cache.pop(sys.path.pop(0), None)
        if self.place is not None and ((self.needs_runpy and self.path) or not sys.flags.safe_path):
            sys.path.insert(0, self.place)
        sys.argv[:] = self.arguments
        sys.modules["__main__"] = self.main = _fresh_main()

    def launch(self) -> int:
        """Start the program.

        Called from the command itself, this does not return: it raises Launch, and once that has left the outermost
        frame the program starts, with no frame below its own, and its exit status becomes the process's.  Called by
        another program (a profiler that runs covcore), it returns the exit status, but not from SystemExit.
        """
        if _called_by_interpreter():
            _launch.defer(self.function, self.argument)
            raise Launch
        return self.function(self.argument)

    def has_begun(self) -> bool:
        """Whether any code of it ran: not so if no such module was found, or if it has a syntax error."""
        if self.main is None:
            return False
        if self.needs_runpy:
            names = self.main.__dict__
            # pdb puts its script in the place of itself.
            return names.get("__spec__") is not None or "__file__" in names
        error = getattr(sys, "last_exc", None)
        return not isinstance(error, SyntaxError) or error.__traceback__ is not None

    def keep_interrupt(self) -> None:
        """Call this at exit once strings may have been evaluated: what a KeyboardInterrupt ended is to end by SIGINT all the same.

        Before 3.14 each string that is evaluated takes back the interpreter's mark of that, and namedtuple evaluates one.
        """
        if sys.version_info < (3, 14) and type(getattr(sys, "last_exc", None)) is KeyboardInterrupt:
            _launch.mark_interrupted()

    def _look_for_script(self, path: str) -> None:
        self.argument = self.path = os.path.join(_working_folder() or "", path) if path else _working_folder() or ""
        if _has_importer(self.path):  # a folder or an archive, whose __main__ is to be run
            self.function, self.argument, self.place, self.needs_runpy = _launch.run_module, "", self.path, True
            return
        self.function = _launch.run_script
        try:
            if stat.S_ISREG(os.stat(self.path).st_mode):  # opening a FIFO and closing it would end its writer
                os.close(os.open(self.path, os.O_RDONLY | UNINHERITED))
        except OSError as error:
            message = f"can't open file {self.path!r}: [Errno {error.errno}] {error.strerror}"
            raise Missing(f"{sys.orig_argv[0]}: {message}") from None
        try:
            self.place = os.path.dirname(os.path.realpath(path, strict=True))
        except OSError:  # such as /dev/fd/63 for a pipe
            self.place = os.path.dirname(path)


def dedent(source: str) -> str:
    """Source text without the white space that all its lines begin with, as `python -c` has it."""
    lines = [line if line.strip(" \t") else "" for line in source.split("\n")]
    indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line]
    low, high = min(indents, default=""), max(indents, default="")
    margin = next((i for i in range(len(low)) if low[i] != high[i]), len(low))
    return "\n".join(line[margin:] for line in lines) if margin else source


# The module whose frame started us.  The interpreter goes on using its dictionary, of which it holds no reference, once
# a script has ended.
_former_main: "ModuleType | None" = None


def _fresh_main() -> "ModuleType":
    """`__main__` as the interpreter makes it."""
    module = type(sys)("__main__")
    module.__loader__ = _frozen_importlib.BuiltinImporter
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    module.__dict__["__builtins__"] = builtins
    return module


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _own_place(main: "ModuleType") -> str | None:
    """What the interpreter put in sys.path[0] for covcore's sake."""
    if sys.flags.safe_path:
        return None
    if getattr(main, "__spec__", None) is not None:  # python -m covcore
        return _working_folder()
    return os.path.dirname(os.path.realpath(sys.argv[0]))


def _has_importer(path: str) -> bool:
    """Whether modules can be imported from this path; sys.path_importer_cache knows then, as in a bare run."""
    cache = sys.path_importer_cache
    if path not in cache:
        finder = None
        for hook in sys.path_hooks:
            try:
                finder = hook(path)
                break
            except ImportError:
                pass
        cache[path] = finder
    return cache[path] is not None


def _called_by_interpreter() -> bool:
    """Whether nobody's frames are on the stack but ours and those that start a command."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        is_main = name == "__main__" and frame.f_code.co_name == "<module>"
        if not (is_main or name == "runpy" or name.startswith("covcore.")):
            return False
        frame = frame.f_back
    return True
