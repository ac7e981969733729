"""Writing past RLIMIT_FSIZE fails, and sends SIGXFSZ, which by its default action ends the process."""

from __future__ import annotations

# The module signal first makes enumerations, which takes longer than to publish a small run.
import _signal as signal  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Spared:
    """Within `with`, a write that fails by the limit does no more than fail.

    Python ignores the signal from its start; a program may have asked for the default.  Outside the main thread nothing
    can be done about it.
    """

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before: Callable[..., object] | int | None = None
        if not hasattr(signal, "SIGXFSZ"):
            return  # Windows has no such limit
        try:
            self.before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        except ValueError:
            return

    def __exit__(self, *exception: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGXFSZ, self.before)
