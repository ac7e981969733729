"""What goes wrong in the user's reach, and how it is said."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_listener: "Callable[[str, str], object] | None" = None  # takes what is said, in place of standard error


class CovcoreError(Exception):
    """Says in one line what is wrong and what to do.

    The command prints it as `covcore: error: ...` and ends with status 1.
    """


def say(kind: str, text: object) -> None:
    """Write one line to standard error; nothing happens if there is none.

    kind: "error" or "warning"
    """
    if _listener is not None:
        _listener(kind, printable(str(text)))
        return
    stream = sys.__stderr__  # the process's, where a program may have put one of its own in sys.stderr
    try:
        print(f"covcore: {kind}: {printable(str(text))}", file=stream, flush=True)
    except (OSError, ValueError):
        return  # it is closed


class diverted:
    """Inside this context what is said goes to a function, as kind and text, and not to standard error."""

    __slots__ = ("function", "outer")

    def __init__(self, function: "Callable[[str, str], object]") -> None:
        self.function = function

    def __enter__(self) -> None:
        global _listener
        self.outer = _listener
        _listener = self.function

    def __exit__(self, *exception: object) -> None:
        global _listener
        _listener = self.outer


def printable(text: str) -> str:
    """Escape what could move a cursor, end the line or not be encoded: paths and labels may hold anything."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def did_you_mean(word: str, known: "Iterable[str]") -> str:
    """Name the nearest of the known words, if any is near, to continue a message: ": did you mean --source?"."""
    from difflib import get_close_matches

    nearest = get_close_matches(word, list(known), 1)
    return f": did you mean {nearest[0]}?" if nearest else ""
