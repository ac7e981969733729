"""`covcore run`"""

import sys

from covcore.config import read_settings
from covcore.errors import CovcoreError
from covcore.measure.program import Missing, Program
from covcore.measure.quiet import bare_modules, quiet
from covcore.measure.session import Session
from covcore.options import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from covcore.config import Settings

USAGE = "name a script, -m MODULE, -c CODE or - (standard input) to run; `covcore run --help` has examples"


def run(line: "Sequence[str]") -> int:
    """Measure a program.

    line: what follows `covcore run`

    Returns the exit status if there is no program to start; else see Program.launch.
    Raises CovcoreError for what the command line, the configuration or the data path has wrong.
    """
    command = parse(line)
    if command.help:
        from covcore.commands import command as other_command

        return other_command(["run", "--help"])
    if command.program is None and sys.stdin is not None and sys.stdin.isatty():
        raise CovcoreError(USAGE)
    try:
        program = Program(command)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    with quiet(bare_modules(with_runpy=program.needs_runpy)):
        settings = read_settings()
        settings.say_remarks("warning")
        settings.update(command.settings)
        program.install()
        session = ProgramSession(settings, command.line, program)
        session.start()
        session.finish_at_exit()
    return program.launch()


class ProgramSession(Session):
    """A session that is over when its program is."""

    def __init__(self, settings: "Settings", line: "Sequence[str]", program: Program) -> None:
        super().__init__(settings, line, "run", program.path)
        self.program = program
        if program.place is not None and sys.path and sys.path[0] == program.place:
            self.place = program.place or settings.folder

    def finish(self) -> None:
        super().finish()
        self.program.keep_interrupt()

    def refuse(self, reason: str) -> None:
        self.warn(f"nothing is measured: {reason}")

    def _program_began(self) -> bool:
        begun = self.program.has_begun()
        self.program.main = None  # its objects are to be finalized when they would be without us
        return begun
