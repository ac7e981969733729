"""One publisher at a time: an advisory lock on DATA.d/lock, which ends with its process however that ends."""

import os
import time

from covcore._reader import EXCLUDE, SHARE, UNLOCK, lock
from covcore.errors import CovcoreError
from covcore.platform import open_descriptor

PATIENCE = 60.0  # seconds: publishing takes less than one
WAIT = 0.01  # seconds between two tries


class Lock:
    """Held inside `with`: alone for who publishes, shared by who only reads, so that no recording vanishes meanwhile.

    Where the folder cannot be written, or its file system knows no locks, nothing is held: nobody publishes there
    either, or nobody can be kept from it.
    """

    __slots__ = ("descriptor", "folder", "path", "shared")

    def __init__(self, folder: str, *, shared: bool = False) -> None:
        """folder: of the recordings; made where it is missing, unless shared."""
        self.folder = folder
        self.path = f"{folder}/lock"
        self.shared = shared
        self.descriptor = -1

    def __enter__(self) -> None:
        """Wait for the lock.  Raises CovcoreError if another process keeps it for PATIENCE seconds."""
        n_tries = 0
        while (descriptor := self._open()) >= 0:
            self.descriptor = descriptor
            while not self._take():
                if n_tries > PATIENCE / WAIT:
                    self.__exit__()
                    raise CovcoreError(f"another covcore command holds {self.path}: wait until it ends, or end it")
                time.sleep(WAIT)
                n_tries += 1
            if self._is_there():
                return
            self.__exit__()  # `covcore erase` removed the file while we waited

    def __exit__(self, *exception: object) -> None:
        if self.descriptor >= 0:
            # A child that another thread forked meanwhile has the descriptor too: closing ours would not be enough.
            lock(self.descriptor, UNLOCK)
            os.close(self.descriptor)
            self.descriptor = -1

    def _open(self) -> int:
        if not self.shared:
            try:
                os.mkdir(self.folder)
            except FileExistsError:
                pass
            except OSError:
                return -1
        for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
            try:
                return open_descriptor(self.path, flags)
            except OSError:
                pass
        return -1

    def _take(self) -> bool:
        try:
            lock(self.descriptor, SHARE if self.shared else EXCLUDE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    def _is_there(self) -> bool:
        mine = os.fstat(self.descriptor)
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)
