"""What differs between operating systems, for the Python code, as src/platform.h has it for C.  Nothing else looks at sys.platform.

Of the standard library the measured process imports nothing for it but what every interpreter has.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

IS_WINDOWS = sys.platform == "win32"

if sys.platform == "win32":
    import nt as system

    UNINHERITED = os.O_NOINHERIT | os.O_BINARY
    UNWAITING = UNLINKED = 0
    TEMPORARY = ("TEMP", "TMP")
    SHARED_PLACES: tuple[str, ...] = ()
    CAN_FORK = False
else:
    import posix as system

    UNINHERITED = os.O_CLOEXEC  # a flag of os.open: started processes do not get the descriptor
    UNWAITING = os.O_NONBLOCK | os.O_NOCTTY  # whoever opens a FIFO waits for ever, and a terminal may become one's own
    UNLINKED = os.O_NOFOLLOW  # a symbolic link leads anywhere
    TEMPORARY = ("TMPDIR",)  # variables that name a folder for temporary files
    SHARED_PLACES = ("/tmp", "/var/tmp")  # such folders, where everybody may write
    CAN_FORK = True

__all__ = ["system"]  # the module that os is made of: programs replace functions of os


# ---- paths: strings only, and as on either system, so that those of Windows can be tested anywhere


def slashed(path: str, windows: bool = IS_WINDOWS) -> str:
    r"""A path as covcore keeps it: with "/" between its parts, on Windows, too, where drives get capital letters.

    `\\?\` in front, which says that a path is to be taken as it is, is left out.
    """
    if not windows:
        return path
    path = path.replace("\\", "/")
    if path.startswith(("//?/", "//./")):
        path = path[4:] if path[4:8].upper() != "UNC/" else "//" + path[8:]
    return path[0].upper() + path[1:] if path[1:2] == ":" else path


def native(path: str, windows: bool = IS_WINDOWS) -> str:
    """A path of slashed() as other programs of this system write it; one of another system stays as it is."""
    return path.replace("/", "\\") if windows and root_of(path, windows) not in ("", "/") else path


def folded(path: str, windows: bool = IS_WINDOWS) -> str:
    """A path to compare: on Windows capital and small letters are the same."""
    return path.lower() if windows else path


def root_of(path: str, windows: bool = IS_WINDOWS) -> str:
    """What a path of slashed() begins with.

    Returns:
        "/", "C:/" or "//server/share/" if it is absolute, "" if it is relative; on Windows also "/" for the root of the current drive
        and "C:" for the current folder of a drive.
    """
    if windows and path.startswith("//"):
        return "/".join([*path.split("/")[:4], ""])
    if windows and path[1:2] == ":":
        return path[:3] if path[2:3] == "/" else path[:2]
    return "/" if path.startswith("/") else ""


def is_below(path: str, folder: str, windows: bool = IS_WINDOWS) -> bool:
    """Whether a file is in a folder, or is it."""
    path, folder = folded(path, windows), folded(folder, windows)
    return path == folder or path.startswith(folder if folder.endswith("/") else folder + "/")


def below(path: str, folder: str, windows: bool = IS_WINDOWS) -> str:
    """A path relative to a folder if it is below it, else as it is: there is no other way from one drive to another."""
    return path[len(folder.rstrip("/")) + 1 :] if path != folder and is_below(path, folder, windows) else path


def nearer(path: str, folder: str, flavour: "ModuleType" = os.path) -> str:
    """The way from a folder to a file, for people to read; the path itself where there is none: from one drive to another.

    flavour: posixpath or ntpath
    """
    try:
        return str(flavour.relpath(path, folder))
    except ValueError:
        return path


# ---- files


def open_descriptor(path: str, flags: int = os.O_RDONLY, mode: int = 0o666, *, follow: bool = False) -> int:
    """Open a file that started processes do not inherit, without waiting for anything.

    Args:
        path: of the file.
        flags: of os.open.
        mode: of a new file.
        follow: whether it may be a symbolic link.

    Returns:
        The descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, flags | UNINHERITED | UNWAITING | (0 if follow else UNLINKED), mode)


def read_at(descriptor: int, n_bytes: int, place: int) -> bytes:
    """Read from a place in a file; fewer bytes at its end.  Raises OSError."""
    if sys.platform == "win32":
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.read(descriptor, n_bytes)
    else:
        return os.pread(descriptor, n_bytes, place)


def write_at(descriptor: int, content: bytes, place: int) -> None:
    """Write to a place in a file.  Raises OSError."""
    if sys.platform == "win32":
        os.lseek(descriptor, place, os.SEEK_SET)
        os.write(descriptor, content)
    else:
        os.pwrite(descriptor, content, place)


def set_mode(descriptor: int, mode: int) -> None:
    """Say who may read and write a file, where a mode says that.  Raises OSError."""
    if sys.platform != "win32":
        os.fchmod(descriptor, mode)


def sync(descriptor: int) -> None:
    """Have what was written outlast a crash of the machine.  Raises OSError."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there leaves it in the disk's own memory
            return
        except OSError:
            pass  # the file system cannot
    os.fsync(descriptor)


def sync_folder(folder: str) -> None:
    """Have a rename outlast a crash of the machine, where the file system can do that.  Raises OSError."""
    if sys.platform != "win32":
        import errno

        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            return  # who may write to a folder need not be allowed to read it
        try:
            sync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(descriptor)


def rename_open(descriptor: int, old: str, new: str) -> None:
    """Give an open file the name of another, and close it: before that where an open file cannot be renamed.  Raises OSError."""
    if sys.platform == "win32":
        os.close(descriptor)
        os.replace(old, new)
    else:
        try:
            os.replace(old, new)
        finally:
            os.close(descriptor)


def temporary_places() -> list[str]:
    """Folders for temporary files, the likeliest first."""
    named = (os.environ.get(name, "") for name in TEMPORARY)
    return [slashed(place) for place in (*named, *SHARED_PLACES) if os.path.isabs(place)]


def make_private_folder(place: str) -> str:
    """Make a folder of this user's alone where everybody may write.

    Raises OSError, also if another user has put something in its place.
    """
    if sys.platform == "win32":
        folder = f"{place}/covcore"  # each user has a place of their own
        os.makedirs(folder, exist_ok=True)
        return folder
    else:
        folder = f"{place}/covcore-{os.getuid()}"
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            status = os.lstat(folder)
            if status.st_uid != os.getuid() or status.st_mode & 0o170077 != 0o040000:
                raise
        return folder


def is_locked(descriptor: int) -> bool:
    """Whether another process has a lock of fcntl's on a file, such as that on a recording; False where there are none."""
    if sys.platform == "win32":
        return False
    else:
        try:
            os.lockf(descriptor, os.F_TEST, 0)
        except (PermissionError, BlockingIOError):
            return True
        except OSError:
            return False  # no locks here
        return False


# ---- processes


def register_at_fork(**hooks: "Callable[[], object]") -> None:
    """os.register_at_fork, where there are forks."""
    if sys.platform != "win32":
        os.register_at_fork(**hooks)


def fork() -> int:
    """os.fork, where CAN_FORK says that there is one."""
    if sys.platform == "win32":
        raise OSError("Windows does not fork")
    else:
        return os.fork()


def kill(pid: int) -> None:
    """End a process at once.  Raises OSError."""
    import signal

    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)  # which ends it, whatever it does with signals
    else:
        os.kill(pid, signal.SIGKILL)


def start_ticking(tick: "Callable[..., None]", first: float, interval: float) -> bool:
    """Have a function called every now and then in the main thread, without another thread.

    Args:
        tick: the function.
        first: seconds until its first call.
        interval: seconds between two.

    Returns:
        Whether that will be: not where there is no such signal, or where the program uses it.
    """
    if sys.platform == "win32":
        return False
    else:
        import signal

        if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            return False
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, first, interval)
        return True


def stop_ticking() -> None:
    """Undo start_ticking()."""
    if sys.platform != "win32":
        import signal

        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
