"""Settings: defaults, covcore.toml or `[tool.covcore]` of pyproject.toml, environment and options, the later winning."""

import os

from covcore.errors import CovcoreError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SORT_COLUMNS = ("name", "stmts", "miss", "branch", "brpart", "cover")
DATA_VARIABLE = "COVCORE_DATA"


class Settings:
    """The settings that commands share.

    source: folders, files and importable names to measure; empty: all but the standard library and installed packages
    include, omit: file name patterns (covcore/globs.py); omit wins
    data: path of the database
    context: static label of what a run records
    append: whether a run adds to the data of earlier runs, in place of replacing it
    subprocess: whether child processes are measured
    dynamic_contexts: "test" (one context a test), "phase" (one for each of its phases) or "none"
    show_missing, skip_covered, skip_empty, sort, precision: of the report's table
    fail_under: per cent below which a report ends with status 2: of the total, as a number; or of what the keys name,
        "total" or a file name pattern each; None: no threshold

    Paths and patterns are relative to `folder`, the absolute path of the folder that the command was called in.
    """

    source: Sequence[str] = ()
    include: Sequence[str] = ()
    omit: Sequence[str] = ()
    data = ".covcore"
    context = ""
    append = False
    subprocess = True
    dynamic_contexts = "test"
    show_missing = False
    skip_covered = False
    skip_empty = False
    sort = "name"
    precision = 0
    fail_under: float | Mapping[str, float] | None = None

    def __init__(self, folder: str, values: Mapping[str, object] | None = None) -> None:
        self.folder = folder
        self.update(values or {})

    def update(self, values: Mapping[str, object]) -> None:
        """Take over checked values."""
        for key, value in values.items():
            setattr(self, key, value)

    @property
    def data_path(self) -> str:
        """The absolute path of the database."""
        return os.path.normpath(os.path.join(self.folder, self.data))


def read_settings(folder: str | None = None) -> Settings:
    """Read the settings that hold for a folder: the current one by default.

    Raises CovcoreError: a file cannot be read, an unknown key or a value of the wrong type.
    """
    folder = folder or current_folder()
    settings = Settings(folder, _read_file(os.path.join(folder, "covcore.toml"), in_tool_table=False))
    if not os.path.exists(os.path.join(folder, "covcore.toml")):
        settings.update(_read_file(os.path.join(folder, "pyproject.toml"), in_tool_table=True))
    if data := os.environ.get(DATA_VARIABLE):
        settings.data = data
    return settings


def current_folder() -> str:
    """os.getcwd(), for which there must be one."""
    try:
        return os.getcwd()
    except OSError as error:
        raise CovcoreError(f"the current folder is gone ({error.strerror}): change to one that exists") from None


def _read_file(path: str, *, in_tool_table: bool) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CovcoreError(f"cannot read {path}: {error.strerror}") from None
    if in_tool_table and b"covcore" not in text:
        return {}  # tomllib, with re and datetime in its wake, costs as much as the rest of our start-up
    import tomllib

    try:
        table: object = tomllib.loads(text.decode())
    except ValueError as error:
        raise CovcoreError(f"{path} is not valid TOML: {error}") from None
    for name in ("tool", "covcore") if in_tool_table else ():
        table = table.get(name, {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        raise CovcoreError(f"{path}: tool.covcore must be a table: [tool.covcore]")
    return check_values(path, table)


def check_values(place: str, values: Mapping[str, object]) -> dict[str, object]:
    """Check settings that a user has written.

    place: where they stand, for messages

    Returns them as Settings has them.
    Raises CovcoreError: an unknown key or a value of the wrong type.
    """
    checked = {}
    for key, value in values.items():
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f": known are {', '.join(KEYS)}"
            raise CovcoreError(f"{place}: unknown key {key!r}{hint}")
        check, expected = KEYS[key]
        try:
            checked[key] = check(value)
        except ValueError:
            raise CovcoreError(f"{place}: {key} must be {expected}, not {value!r}") from None
    return checked


# ---- values: each function gives the value that the setting gets, or raises ValueError


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def _path(value: object) -> str:
    if not (text := _text(value)):
        raise ValueError
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError
    return [_path(item) for item in value]


def sort_column(value: object) -> str:
    """A column to sort by, with "-" before it to turn the order round.  Raises ValueError if there is none such."""
    text = _text(value)
    if text.removeprefix("-") not in SORT_COLUMNS:
        raise ValueError
    return text


def precision(value: object) -> int:
    """A number of decimals, also as text.  Raises ValueError unless it is between 0 and 9."""
    if isinstance(value, str):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 9:
        raise ValueError
    return value


def percentage(value: object) -> float:
    """A number of per cent, also as text.  Raises ValueError unless it is between 0 and 100."""
    if isinstance(value, str):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError
    return value


def thresholds(value: object) -> float | dict[str, float]:
    """Per cent of the total, or of what the keys of a table name.  Raises ValueError if a number is none of per cent."""
    if isinstance(value, dict):
        return {_path(key): percentage(number) for key, number in value.items()}
    return percentage(value)


KEYS: dict[str, tuple[Callable[[object], object], str]] = {
    "source": (_texts, "a list of folders or module names"),
    "include": (_texts, "a list of file name patterns"),
    "omit": (_texts, "a list of file name patterns"),
    "data": (_path, "a path"),
    "context": (_text, "text"),
    "append": (_flag, "true or false"),
    "subprocess": (_flag, "true or false"),
    "show_missing": (_flag, "true or false"),
    "skip_covered": (_flag, "true or false"),
    "skip_empty": (_flag, "true or false"),
    "sort": (sort_column, f"one of {', '.join(SORT_COLUMNS)}, with - before it for the other order"),
    "precision": (precision, "a number of decimals from 0 to 9"),
    "fail_under": (thresholds, "a number from 0 to 100, or a table of such numbers, by total or a file name pattern"),
}
