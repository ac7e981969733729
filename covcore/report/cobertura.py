"""`covcore xml`: Cobertura's format, as its DTD 04 describes it and as coverage.py fills it.

One attribute is not in the DTD: `missing-branches` of `line`, which coverage.py writes and others read.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import covcore
from covcore.analysis.conditions import Condition
from covcore.analysis.figures import Figures
from covcore.analysis.file import FileResult, statement_at
from covcore.config import current_folder
from covcore.platform import below
from covcore.report import output
from covcore.report.output import Options
from covcore.report.results import Reported, Results
from covcore.store.database import Database

HEAD = '<?xml version="1.0" ?>\n'


class Class(NamedTuple):
    """A file, which is what the format calls a class."""

    folder: str  # below the source folder, "." for that itself
    filename: str  # below the source folder
    result: FileResult


def xml_command(options: Options) -> int:
    """Write the report; see output.file_command."""
    return output.file_command(options, "XML", pieces)


def pieces(results: Results, database: Database, options: Options) -> Iterator[str]:
    """The text of the report, file by file."""
    shown = results.shown(options)
    return document(shown, _sources(database, shown))


def document(files: Sequence[Reported], sources: Sequence[str], *, with_conditions: bool = True) -> Iterator[str]:
    """The text of a report, file by file; it is ASCII.

    Args:
        files: those that it is about.
        sources: the folders that file names are relative to.
        with_conditions: whether it has `<conditions>`.
    """
    packages: dict[str, list[Class]] = {}
    for file in files:
        one = _class(file, sources)
        packages.setdefault(one.folder, []).append(one)
    total = sum((file.result.figures for file in files), Figures())
    yield HEAD
    yield _tag("coverage", _head(total)) + "\n\t<sources>\n"
    yield from (f"\t\t<source>{_text(source)}</source>\n" for source in sources)
    yield "\t</sources>\n\t<packages>\n"
    for folder in sorted(packages):
        yield from _package(folder, sorted(packages[folder]), with_conditions)
    yield "\t</packages>\n</coverage>\n"


def _sources(database: Database, files: Sequence[Reported]) -> list[str]:
    """The folders that file names are relative to: those of the runs' --source, and the current one if others need it."""
    given = {source for run in database.runs() for source in run.values("source") if os.path.isdir(source)}
    folders = sorted((folder for folder in given if _is_used(folder, files)), key=lambda folder: (-len(folder), folder))
    if any(_below(file.path, folders) is None for file in files):
        folders.append(current_folder())
    return folders


def _is_used(folder: str, files: Sequence[Reported]) -> bool:
    return any(_below(file.path, [folder]) is not None for file in files)


def _below(path: str, folders: Sequence[str]) -> str | None:
    """The path relative to the first of the folders that it is below; None if it is below none."""
    for folder in folders:
        if (inside := below(path, folder)) != path:
            return inside
    return None


def _class(file: Reported, sources: Sequence[str]) -> Class:
    filename = _below(file.path, sources) or file.path
    return Class(os.path.dirname(filename) or ".", filename, file.result)


def _head(total: Figures) -> Mapping[str, str]:
    return {
        "version": covcore.__version__,
        "timestamp": str(time.time_ns() // 1_000_000),
        "lines-valid": str(total.statements),
        "lines-covered": str(total.statements - total.missing),
        "branches-valid": str(total.branches),
        "branches-covered": str(total.branches - total.missing_branches),
    } | _rates(total)


def _rates(it: Figures) -> dict[str, str]:
    return {
        "line-rate": _rate(it.statements - it.missing, it.statements),
        "branch-rate": _rate(it.branches - it.missing_branches, it.branches),
        "complexity": "0",
    }


def _rate(part: int, total: int) -> str:
    """A share from 0 to 1 in four digits: "0" and "1" are said of nothing and all alone."""
    if part == total:
        return "1"
    return f"{min(max(part / total, 0.0001), 0.9999):.4g}" if part else "0"


def _package(folder: str, classes: Sequence[Class], with_conditions: bool) -> Iterator[str]:
    figures = sum((one.result.figures for one in classes), Figures())
    yield (
        "\t\t"
        + _tag("package", {"name": folder.strip("/").replace("/", "."), **_rates(figures)})
        + "\n\t\t\t<classes>\n"
    )
    for one in classes:
        name = os.path.basename(one.filename)
        yield "\t\t\t\t" + _tag("class", {"name": name, "filename": one.filename, **_rates(one.result.figures)}) + "\n"
        yield "\t\t\t\t\t<methods/>\n\t\t\t\t\t<lines>\n"
        yield "".join(_lines(one.result, with_conditions))
        yield "\t\t\t\t\t</lines>\n\t\t\t\t</class>\n"
    yield "\t\t\t</classes>\n\t\t</package>\n"


def _lines(result: FileResult, with_conditions: bool) -> Iterator[str]:
    missing = set(result.missing)
    conditions = _conditions_by_line(result) if with_conditions else {}
    for line in result.statements:
        start = f'\t\t\t\t\t\t<line number="{line}" hits="{0 if line in missing else 1}"'
        targets = result.branches.get(line)
        if not targets:
            yield start + "/>\n"
            continue
        missed = result.missing_branches.get(line, ())
        taken = len(targets) - len(missed)
        percent = 100 * taken // len(targets)
        start += f' branch="true" condition-coverage="{percent}% ({taken}/{len(targets)})"'
        if missed:
            start += f' missing-branches="{",".join(str(to) if to > 0 else "exit" for to in missed)}"'
        if line not in conditions:
            yield start + "/>\n"
            continue
        yield start + ">\n\t\t\t\t\t\t\t<conditions>\n"
        for number, condition in enumerate(conditions[line]):
            percent = 100 * (sum(condition.hits)) // 2
            yield f'\t\t\t\t\t\t\t\t<condition number="{number}" type="jump" coverage="{percent}%"/>\n'
        yield "\t\t\t\t\t\t\t</conditions>\n\t\t\t\t\t\t</line>\n"


def _conditions_by_line(result: FileResult) -> Mapping[int, Sequence[Condition]]:
    """The conditions of each statement, without those of which one outcome cannot be told."""
    found: dict[int, list[Condition]] = {}
    for condition in result.conditions:
        statement = statement_at(result.statements, condition.line)
        if statement and all(condition.knowable):
            found.setdefault(statement, []).append(condition)
    return found


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    """A start tag."""
    return f"<{name} {' '.join(f'{key}="{_text(value)}"' for key, value in attributes.items())}>"


_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_NEITHER = re.compile(r"[^A-Za-z0-9 !$%()*+,\-./:;=?@\[\]^_`{|}~'\\]")  # neither a letter nor a sign without a meaning


def _text(text: str) -> str:
    """Any text in ASCII; what XML cannot hold at all is escaped as Python does."""
    return _NEITHER.sub(lambda match: _reference(match.group()), text)


def _reference(character: str) -> str:
    code = ord(character)
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in "\t\n\r" or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF:
        return f"&#{code};"
    return character.encode("unicode_escape").decode()
