"""The options of `covcore run`: one table for the small parser below and for `covcore run --help`.

argparse is left out of the measured process: it would be imported there for us alone, and takes 6 ms.
"""

from covcore.errors import CovcoreError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Option:
    """One option.

    names: as written, the best known first
    key: the setting that it sets (covcore.config.Settings), or "" for none
    value: what help calls its value; "" if it takes none
    constant: what the setting gets if the option takes no value
    choices: the values there are, or () for any
    is_list: the value is comma-separated, and more of them add up
    """

    __slots__ = ("choices", "constant", "help", "is_list", "key", "names", "value")

    def __init__(
        self,
        names: "Sequence[str]",
        key: str,
        value: str,
        help: str,
        *,
        constant: bool = True,
        choices: "Sequence[str]" = (),
        is_list: bool = False,
    ) -> None:
        self.names = names
        self.key = key
        self.value = value
        self.help = help
        self.constant = constant
        self.choices = choices
        self.is_list = is_list


RUN_OPTIONS = (
    Option(
        ["--source"],
        "source",
        "DIR|PKG,..",
        "measure these folders or importable names, and report their files even if they never run; without it, "
        "everything that runs but the standard library and installed packages",
        is_list=True,
    ),
    Option(["--include"], "include", "GLOB,..", "measure only files that match one of these patterns", is_list=True),
    Option(["--omit"], "omit", "GLOB,..", "leave out files that match one of these patterns", is_list=True),
    Option(["--data"], "data", "FILE", "the database; default: COVCORE_DATA in the environment, else .covcore"),
    Option(["--append", "-a"], "append", "", "add to what earlier runs measured; without it, a run replaces that"),
    Option(["--context"], "context", "LABEL", "keep what this run measures under a label of its own"),
    Option(
        ["--dynamic-contexts"],
        "dynamic_contexts",
        "WHICH",
        "test: under pytest, one context a test (default); phase: one for each of its phases; task: one for each of its asyncio "
        "tasks, or of the program's, by name; none",
        choices=("test", "phase", "task", "none"),
    ),
    Option(
        ["--no-subprocess"],
        "subprocess",
        "",
        "do not measure child processes (but subinterpreters of this one)",
        constant=False,
    ),
    Option(["--branch"], "", "", "nothing: branches are always measured"),
)

PROGRAMS = {"-m": "MODULE", "-c": "CODE"}  # what may stand in place of a script
HELP = ("-h", "--help")


class Command:
    """A command line, understood.

    settings: by key, what its options set
    kind: "-m", "-c" or "" (script)
    program: module name, code or path; "-" is standard input; None: nothing was named
    arguments: those of the program
    line: the program and its arguments as they were typed
    help: help was asked for
    """

    __slots__ = ("arguments", "help", "kind", "line", "program", "settings")

    def __init__(self) -> None:
        self.settings: dict[str, object] = {}
        self.kind = ""
        self.program: str | None = None
        self.arguments: list[str] = []
        self.line: list[str] = []
        self.help = False


def parse(line: "Sequence[str]") -> Command:
    """Understand what stands behind `covcore run`.

    Raises CovcoreError: an unknown option, or one without its value.
    """
    command = Command()
    rest = list(line)
    while rest:
        word = rest[0]
        if word == "--":
            del rest[0]
            break
        if word == "-" or not word.startswith("-"):
            break
        if word in HELP:
            command.help = True
            return command
        if word[:2] in PROGRAMS and not word.startswith("--"):
            command.line = rest[:]
            command.kind = word[:2]
            command.program = word[2:] or _value(rest, word[:2], PROGRAMS[word[:2]])
            command.arguments = rest[1:]
            return command
        _take_option(command.settings, rest)
    command.line = rest[:]
    if rest:
        command.program, *command.arguments = rest
    return command


def _take_option(settings: dict[str, object], rest: list[str]) -> None:
    """Take the first option off the rest, with its value."""
    name, equals, text = rest[0].partition("=")
    option = next((option for option in RUN_OPTIONS if name in option.names), None)
    if option is None:
        names = [name for option in RUN_OPTIONS for name in option.names]
        raise CovcoreError(f"unknown option {name}{did_you_mean(name, names) or ': `covcore run --help` lists all'}")
    value: object = option.constant
    if not option.value and equals:
        raise CovcoreError(f"{name} takes no value")
    if option.value:
        text = text if equals else _value(rest, name, option.value)
        if option.choices and text not in option.choices:
            raise CovcoreError(f"{name} must be one of {', '.join(option.choices)}, not {text!r}")
        value = text
    if option.is_list:
        lists = settings.setdefault(option.key, [])
        assert isinstance(lists, list)
        lists += split_list(text)
    elif option.key:
        settings[option.key] = value
    del rest[0]


def _value(rest: list[str], name: str, kind: str) -> str:
    """The value of an option that stands in a word of its own; it is taken off the rest."""
    if len(rest) < 2:
        raise CovcoreError(f"{name} needs a value: {name} {kind}")
    return rest.pop(1)


def split_list(text: str) -> list[str]:
    """The items of a comma-separated value."""
    return [item for part in text.split(",") if (item := part.strip())]
