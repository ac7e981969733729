"""The command `covcore`: `run` for the measured process, and the door to covcore.commands for the rest."""

import sys

from covcore.errors import CovcoreError, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run a command.

    arguments: what follows the command's name; default: sys.argv's

    Returns the exit status.  `run` returns one only if no program was started: see measure.program.launch.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["run"]:
            from covcore.measure.run import run

            return run(arguments[1:])
        from covcore.commands import command

        _escape_unencodable()
        return command(arguments)
    except CovcoreError as error:
        say("error", error)
        return 1
    except MemoryError:
        say("error", "out of memory")
        return 1


def _escape_unencodable() -> None:
    """Have standard output escape what its encoding (cp1252, say) does not have, as standard error does, in place of failing there."""
    if getattr(sys.stdout, "errors", "") == "strict" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
