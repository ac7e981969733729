"""Settings: defaults, a file, environment and options, the later winning.

The file is covcore.toml, or pyproject.toml if it has a table `[tool.covcore]`; without either it is coverage.py's
(covcore/coveragerc.py), so that a project can try covcore as it is.
"""

import os

from covcore.errors import CovcoreError, did_you_mean, say
from covcore.platform import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORMATS = ("text", "markdown", "total", "badge", "github", "gitlab")
HTML_FOLDER, HTML_TITLE = "htmlcov", "Coverage report"  # of `covcore html`
CONTEXTS = ("test", "phase", "task", "none")
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
    dynamic_contexts: "test" (one context a test), "phase" (one for each of its phases), "task" (one for each of its asyncio tasks, of a
        program's where there is no test) or "none"
    report_include, report_omit: narrow reports further, where something is to be measured and not reported
    exclude_lines, exclude_also, partial_branches, partial_also: regular expressions (covcore/analysis/exclusions.py); the
        first and the third are None where covcore's own rules hold
    show_missing, skip_covered, skip_empty, sort, precision, format: of the report's table
    fail_under: per cent below which a report ends with status 2: of the total, as a number; or of what the keys name,
        "total" or a file name pattern each; None: no threshold

    paths: by any name, a folder here and patterns for what it is called elsewhere (covcore/store/mapping.py)

    Paths and patterns are relative to `folder`, the absolute path of the folder that the command was called in.

    file: the path of the configuration file; "" for none
    origins: by key, where a value comes from if it is no default
    remarks: what is to be said of the file, as ("warning" or "note", text)
    """

    source: "Sequence[str]" = ()
    include: "Sequence[str]" = ()
    omit: "Sequence[str]" = ()
    data = ".covcore"
    context = ""
    append = False
    subprocess = True
    dynamic_contexts = "test"
    report_include: "Sequence[str]" = ()
    report_omit: "Sequence[str]" = ()
    exclude_lines: "Sequence[str] | None" = None
    exclude_also: "Sequence[str]" = ()
    partial_branches: "Sequence[str] | None" = None
    partial_also: "Sequence[str]" = ()
    show_missing = False
    skip_covered = False
    skip_empty = False
    sort = "name"
    precision = 0
    format = "text"
    fail_under: "float | Mapping[str, float] | None" = None
    paths: "Mapping[str, Sequence[str]]" = {}  # noqa: RUF012, it is a Mapping

    def __init__(self, folder: str, values: "Mapping[str, object] | None" = None) -> None:
        self.folder = folder
        self.file = ""
        self.origins: dict[str, str] = {}
        self.remarks: list[tuple[str, str]] = []
        self.update(values or {})

    def update(self, values: "Mapping[str, object]", origin: str = "command line") -> None:
        """Take over checked values.

        origin: where they come from
        """
        for key, value in values.items():
            setattr(self, key, value)
            self.origins[key] = origin

    def of_report(self, key: str) -> object:
        """The value of a setting in commands that report."""
        if key == "include":
            return self.report_include or self.include
        if key == "omit":
            return [*self.omit, *self.report_omit]
        return getattr(self, key)

    def say_remarks(self, *kinds: str) -> None:
        """Say what there is to be said of the configuration file; kinds: only of these kinds."""
        for kind, text in self.remarks:
            if kind in kinds:
                say(kind, text)

    @property
    def data_path(self) -> str:
        """The absolute path of the database."""
        return slashed(os.path.normpath(os.path.join(self.folder, self.data)))


def read_settings(folder: str | None = None) -> Settings:
    """Read the settings that hold for a folder: the current one by default.

    Raises CovcoreError: covcore.toml or pyproject.toml cannot be read, an unknown key or a value of the wrong type.
    """
    settings = Settings(folder or current_folder())
    if not _read_own_file(settings):
        _read_foreign_file(settings)
    if data := os.environ.get(DATA_VARIABLE):
        settings.update({"data": data}, f"environment, {DATA_VARIABLE}")
    return settings


def current_folder() -> str:
    """os.getcwd(), for which there must be one, with "/" on Windows, too."""
    try:
        return slashed(os.getcwd())
    except OSError as error:
        raise CovcoreError(f"the current folder is gone ({error.strerror}): change to one that exists") from None


def _read_own_file(settings: Settings) -> bool:
    """Read covcore.toml, or else `[tool.covcore]`; return whether there is one."""
    for name, where in ("covcore.toml", ()), ("pyproject.toml", ("tool", "covcore")):
        path = os.path.join(settings.folder, name)
        try:
            text = _content(path)
        except OSError as error:
            raise CovcoreError(f"cannot read {path}: {error.strerror}") from None
        if text is None or (where and b"covcore" not in text):
            continue  # tomllib, with re and datetime in its wake, costs as much as the rest of our start-up
        import tomllib

        try:
            table: object = tomllib.loads(text.decode())
        except ValueError as error:
            raise CovcoreError(f"{path} is not valid TOML: {error}") from None
        for part in where:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict):
            settings.file = path
            settings.update(check_values(path, table), f"{name} [tool.covcore]" if where else name)
            return True
        if table is not None:
            raise CovcoreError(f"{path}: tool.covcore must be a table: [tool.covcore]")
    return False


def _read_foreign_file(settings: Settings) -> None:
    """Read the first file that has settings for coverage.py, in its order."""
    named = os.environ.get("COVERAGE_RCFILE")
    for name in (named or ".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml"):
        path = os.path.join(settings.folder, name)
        is_whole = name == named or name.startswith(".coveragerc")
        try:
            text = _content(path)
        except OSError as error:
            settings.remarks.append(("warning", f"cannot read {path}: {error.strerror}"))
            continue
        if text is None:
            if name == named:
                settings.remarks.append(("warning", f"COVERAGE_RCFILE names a file that is not there: {path}"))
        elif is_whole or _may_be_of_use(text, is_toml=name.endswith(".toml")):
            from covcore.coveragerc import take

            if take(settings, path, text, is_whole=is_whole):
                return


def _may_be_of_use(text: bytes, *, is_toml: bool) -> bool:
    """Whether a file that others share may have settings for coverage.py: parsing most that do not would cost 10 ms."""
    if not is_toml:
        return b"[coverage:" in text
    quoted = b'"coverage"' in text or b"'coverage'" in text
    return quoted or any(b"coverage" in line and line.lstrip().startswith(_HEADS) for line in text.splitlines())


_HEADS = (b"[", b"tool", b"coverage")


def _content(path: str) -> bytes | None:
    """What a file holds; None if it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def check_values(place: str, values: "Mapping[str, object]") -> dict[str, object]:
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
        except CovcoreError as error:
            raise CovcoreError(f"{place}: {key}: {error}") from None
    return checked


# ---- values: each function gives the value that the setting gets, or raises ValueError (or CovcoreError, to say more)


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


def _expressions(value: object) -> list[str]:
    """Regular expressions without white space around them, as coverage.py has them.

    Raises CovcoreError for one that is none, so that this comes out before a long run and not after it.
    """
    import re
    import warnings

    found = [text.strip() for text in _texts(value)]
    with warnings.catch_warnings(action="ignore"):  # "possible nested set": what it means today is what is meant
        for text in found:
            try:
                re.compile(text, re.MULTILINE)
            except (re.error, OverflowError, RecursionError) as error:
                raise CovcoreError(f"{text!r} is not a regular expression: {error}") from None
    if not all(found):
        raise ValueError
    return found


def _one_of(choices: "Sequence[str]") -> "Callable[[object], str]":
    def check(value: object) -> str:
        if value not in choices:
            raise ValueError
        return _text(value)

    return check


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


def path_table(value: object) -> dict[str, list[str]]:
    """A folder here and patterns for what it is called elsewhere, by any name."""
    if not isinstance(value, dict):
        raise ValueError
    table = {name: _texts(folders) for name, folders in value.items()}
    if not all(table.values()):
        raise ValueError
    return table


KEYS: "dict[str, tuple[Callable[[object], object], str]]" = {
    "source": (_texts, "a list of folders or module names"),
    "include": (_texts, "a list of file name patterns"),
    "omit": (_texts, "a list of file name patterns"),
    "data": (_path, "a path"),
    "context": (_text, "text"),
    "append": (_flag, "true or false"),
    "subprocess": (_flag, "true or false"),
    "dynamic_contexts": (_one_of(CONTEXTS), f"one of {', '.join(CONTEXTS)}"),
    "report_include": (_texts, "a list of file name patterns"),
    "report_omit": (_texts, "a list of file name patterns"),
    "exclude_lines": (_expressions, "a list of regular expressions"),
    "exclude_also": (_expressions, "a list of regular expressions"),
    "partial_branches": (_expressions, "a list of regular expressions"),
    "partial_also": (_expressions, "a list of regular expressions"),
    "show_missing": (_flag, "true or false"),
    "skip_covered": (_flag, "true or false"),
    "skip_empty": (_flag, "true or false"),
    "sort": (sort_column, f"one of {', '.join(SORT_COLUMNS)}, with - before it for the other order"),
    "precision": (precision, "a number of decimals from 0 to 9"),
    "format": (_one_of(FORMATS), f"one of {', '.join(FORMATS)}"),
    "fail_under": (thresholds, "a number from 0 to 100, or a table of such numbers, by total or a file name pattern"),
    "paths": (
        path_table,
        'a table of lists, each a folder here and patterns for it elsewhere: source = ["src", "*/src"]',
    ),
}
