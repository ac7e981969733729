"""How files are called in reports: relative to the current folder, and so that a name can say nothing but a name."""

import re

from covcore.config import current_folder
from covcore.errors import printable
from covcore.platform import below

# What build servers take for commands of theirs anywhere in a line of output (Azure, GitHub's old form, TeamCity).
_COMMAND = re.compile(r"##(?=\[|vso\[|teamcity\[)")


def display_name(path: str) -> str:
    """A path relative to the current folder if it is below it."""
    return below(path, current_folder())


def line_name(path: str) -> str:
    r"""The name of a file as part of a line: printable, and no command to a build server.

    What does not print is escaped: `\n`, `\x1b`, `\u202e`.
    """
    return _COMMAND.sub(r"\\x23#", printable(display_name(path)))


def plain_name(path: str) -> str:
    """The name of a file for the beginning of a line, too: GitHub obeys lines that begin with `::`."""
    name = line_name(path)
    return f"./{name}" if name.lstrip().startswith("::") else name
