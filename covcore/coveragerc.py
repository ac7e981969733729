"""coverage.py's configuration files, read as settings of ours, so that a project can try covcore as it is.

docs/configuration.md lists what becomes of each key.  Nothing here is an error: what cannot be used is said in a remark
and stays at its default, for the file is another tool's.
"""

import os
import re
from configparser import ConfigParser
from configparser import Error as IniError

from covcore.config import check_values
from covcore.errors import CovcoreError
from covcore.platform import root_of, slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import TypeIs

    from covcore.config import Settings

    # by the names that coverage.py's documentation gives them: the headers as they are written, and what is below them
    type Sections = dict[str, tuple[str, Mapping[str, object]]]

SECTIONS = ("run", "report", "paths", "html", "xml", "json", "lcov")  # others are of plugins
FORMATS = ("html", "xml", "json", "lcov")  # where the reports go, and how they look: options of our commands

TAKEN = {  # coverage.py's key -> ours, and how it is written: as text, a list, lines (of a list), or a flag
    "run:source": ("source", "list"),
    "run:source_pkgs": ("source_pkgs", "list"),
    "run:source_dirs": ("source_dirs", "list"),
    "run:include": ("include", "list"),
    "run:omit": ("omit", "list"),
    "run:context": ("context", "text"),
    "run:dynamic_context": ("dynamic_contexts", "text"),
    "report:include": ("report_include", "list"),
    "report:omit": ("report_omit", "list"),
    "report:exclude_lines": ("exclude_lines", "lines"),
    "report:exclude_also": ("exclude_also", "lines"),
    "report:partial_branches": ("partial_branches", "lines"),
    "report:partial_also": ("partial_also", "lines"),
    "report:partial_branches_always": ("partial_branches_always", "lines"),
    "report:show_missing": ("show_missing", "flag"),
    "report:skip_covered": ("skip_covered", "flag"),
    "report:skip_empty": ("skip_empty", "flag"),
    "report:sort": ("sort", "text"),
    "report:precision": ("precision", "text"),
    "report:format": ("format", "text"),
    "report:fail_under": ("fail_under", "text"),
}
KEPT = {  # what covcore does anyway: the value with which a key asks for nothing else, None for any
    "run:branch": True,
    "run:concurrency": None,
    "run:cover_pylib": False,
    "run:parallel": None,
    "run:patch": None,
    "run:relative_files": False,
    "run:sigterm": None,
    "run:timid": False,
    "report:ignore_errors": None,
    "report:include_namespace_packages": False,
}
FLAGS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<bare>\w+)|\{(?P<name>\w+)(?:(?P<strict>\?)|-(?P<default>[^}]*))?\})")


def take(settings: "Settings", path: str, text: bytes, *, is_whole: bool) -> bool:
    """Take over what a file says.

    settings: get the values, and remarks about those that cannot be used
    path, text: the file and what it holds
    is_whole: it is coverage.py's alone, so that sections need no prefix

    Returns whether it is the file that coverage.py would use.
    """
    parse = _toml_sections if path.endswith(".toml") else _ini_sections
    try:
        sections = parse(text.decode(), is_whole)
    except (IniError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        settings.remarks.append(("warning", f"{path} is not valid: {reason}: nothing of it is used"))
        settings.file = path
        return True
    if not is_whole and not any(options for _, options in sections.values()):
        return False
    settings.file = path
    _Taking(settings, path).take(sections)
    return True


def _ini_sections(text: str, is_whole: bool) -> "Sections":
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    sections: Sections = {}
    for prefix in ("", "coverage:") if is_whole else ("coverage:",):  # the later wins
        for name in SECTIONS:
            if (header := prefix + name) in parser:
                sections[name] = f"[{header}]", parser[header]
    return sections


def _toml_sections(text: str, is_whole: bool) -> "Sections":
    import tomllib

    whole = tomllib.loads(text)
    sections: Sections = {}
    for prefix in ("", "tool.coverage.") if is_whole else ("tool.coverage.",):  # the later wins
        for name in SECTIONS:
            table: object = whole
            for part in (header := prefix + name).split("."):
                table = table.get(part) if isinstance(table, dict) else None
            if isinstance(table, dict):
                sections[name] = f"[{header}]", table
    return sections


class _Taking:
    """Taking over one file."""

    def __init__(self, settings: "Settings", path: str) -> None:
        self.settings = settings
        self.path = path
        self.values: dict[str, object] = {}  # by our keys
        self.places: dict[str, str] = {}  # where they stand, by our keys
        self.unused: dict[str, list[str]] = {}  # header -> options

    def take(self, sections: "Sections") -> None:
        for section, (header, options) in sections.items():
            if section == "paths":
                self._take_paths(header, options)
            elif section not in FORMATS:
                for option, value in options.items():
                    self._take_option(section, header, option, value)
        self._combine()
        for key, value in self.values.items():
            place = self.places[key]
            try:
                checked = check_values(f"{self.path} {place.partition(' ')[0]}", {key: value})
            except CovcoreError as error:
                self._warn(f"{error}: the default holds")
            else:
                self.settings.update(checked, f"{os.path.basename(self.path)} {place}")
        if self.unused:
            names = "; ".join(f"{header} {', '.join(options)}".rstrip() for header, options in self.unused.items())
            self.settings.remarks.append(("note", f"{self.path}: covcore does without {names}"))

    def _take_paths(self, header: str, options: "Mapping[str, object]") -> None:
        """Take over what folders are called elsewhere; the first of each is the one here, as with us."""
        table = {}
        for name, raw in options.items():
            try:
                value = _converted(_substituted(raw, os.environ), "list")
            except ValueError as error:
                self._warn(f"{self.path} {header}: {name}: {error}: the default holds")
            else:
                if value:
                    table[name] = value
        if table:
            self.values["paths"], self.places["paths"] = table, header

    def _take_option(self, section: str, header: str, option: str, raw: object) -> None:
        name = f"{section}:{option}"
        try:
            value = _substituted(raw, os.environ)
        except ValueError as error:
            self._warn(f"{self.path} {header}: {option}: {error}: the default holds")
            return
        if name in TAKEN:
            key, kind = TAKEN[name]
            if value != "":  # `sort =` asks for nothing
                self.values[key] = _converted(value, kind)
                self.places[key] = f"{header} {option}"
        elif name not in KEPT or KEPT[name] not in (None, FLAGS.get(str(value).lower())):
            self._leave(f"{header} {option}")

    def _leave(self, place: str) -> None:
        """Take note of an option that is not taken over."""
        header, _, option = place.partition(" ")
        self.unused.setdefault(header, []).append(option)

    def _warn(self, text: str) -> None:
        self.settings.remarks.append(("warning", text))

    def _combine(self) -> None:
        """Bring together what is several keys there and one here, and say in our words what is said otherwise."""
        values, places = self.values, self.places
        self._append("source", "source_pkgs")
        self._append("source", "source_dirs", prefix="./")
        self._append("partial_also", "partial_branches_always")
        if values.get("source") and "include" in values:  # as coverage.py has it
            self._leave(places.pop("include"))
            del values["include"]
        for key in ("include", "omit", "report_include", "report_omit"):
            if _is_texts(patterns := values.get(key)):
                values[key] = [_pattern(pattern) for pattern in patterns]
        if isinstance(column := values.get("sort"), str):
            values["sort"] = column.lower().removeprefix("+")
        if (value := values.pop("dynamic_contexts", None)) is not None:
            if value == "test_function":
                values["dynamic_contexts"] = "test"
            else:
                self._leave(places["dynamic_contexts"])

    def _append(self, key: str, other: str, prefix: str = "") -> None:
        """Append the items of another list to those of a key."""
        if other not in self.values:
            return
        more = self.values.pop(other)
        place = self.places.pop(other)
        mine = self.values.get(key, [])
        if _is_texts(more) and _is_texts(mine):
            self.values[key] = mine + [item if root_of(slashed(item)) else prefix + item for item in more]
        else:  # one of them will be refused
            self.values[key] = mine if _is_texts(more) else more
        self.places[key] = f"{self.places[key]}, {place}" if key in self.places else place


def _converted(value: object, kind: str) -> object:
    """A value as check_values() wants it; what makes no sense is left for that to refuse."""
    if kind == "flag" and isinstance(value, str):
        return FLAGS.get(value.lower(), value)
    if kind == "list" and isinstance(value, str):
        value = value.replace(",", "\n").splitlines()
    elif kind == "lines" and isinstance(value, str):
        value = value.splitlines()
    if _is_texts(value):
        return [stripped for item in value if (stripped := item.strip())]
    return value


def _is_texts(value: object) -> "TypeIs[list[str]]":
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _pattern(text: str) -> str:
    """A file name pattern in our words: there, a mere file name means files of that name in all folders."""
    if "/" in text or "." not in text or text.startswith(("*", "?")):
        return text
    return f"**/{text}"


def _substituted(value: object, variables: "Mapping[str, str]") -> object:
    """Replace `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME?}` and `$$` in a text or a list of texts.

    Raises ValueError: `${NAME?}` where there is no such variable.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["bare"] or match["name"]
        if name not in variables and match["strict"]:
            raise ValueError(f"the variable {name} is not set")
        return variables.get(name, match["default"] or "")

    if isinstance(value, list):
        return [_substituted(item, variables) for item in value]
    return VARIABLE.sub(replace, value) if isinstance(value, str) else value
