"""`covcore json`: coverage.py's JSON format 3 and more; docs/formats.md has every key, docs/report.schema.json too."""

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import covcore
from covcore.analysis.conditions import Condition
from covcore.analysis.figures import Figures, display
from covcore.analysis.file import FileResult
from covcore.analysis.mcdc import Decision
from covcore.report import output, regions
from covcore.report.contexts import contexts_by_line
from covcore.report.names import display_name
from covcore.report.regions import Part
from covcore.report.results import Results
from covcore.store.database import Database

FORMAT = 3  # coverage.py's number
INDENT = 4

type Object = dict[str, object]


class Options(output.Options, Protocol):
    """What the command line says; see `covcore json --help`."""

    pretty_print: bool
    show_contexts: bool


def json_command(options: Options) -> int:
    """Write the report; see output.file_command."""
    return output.file_command(options, "JSON", pieces)


def pieces(results: Results, database: Database, options: Options) -> Iterator[str]:
    """The text of the report, file by file: none of it is kept."""
    indent = INDENT if options.pretty_print else None
    precision = options.precision
    top = _Members(1, indent)
    yield "{" + top.member("meta", _meta(options))
    place: dict[int, int] | None = None
    if options.show_contexts:
        contexts = database.contexts()
        chosen = [id for id in contexts if results.contexts is None or id in results.contexts]
        place = {id: number for number, id in enumerate(chosen)}
        named = [dict(zip(("static", "test", "phase"), contexts[id], strict=True)) for id in chosen]
        yield top.member("contexts", named)
    yield top.opened("files")
    files = _Members(2, indent)
    for path, result in results.shown(options):
        described = _file(result, precision)
        if place is not None:
            described["contexts"] = contexts_by_line(database, path, result, place)
        yield files.member(display_name(path), described)
    yield files.closed()
    left_out = {display_name(file.path): file.problem for file in results.files if file.result is None}
    yield top.member("left_out", left_out)
    yield top.member("totals", _summary(results.total, precision))
    yield top.closed() + "\n"


class _Members:
    """The members of an object, text by text, laid out as json.dumps would the whole."""

    def __init__(self, depth: int, indent: int | None) -> None:
        """Args:
        depth: how many objects are around the members.
        indent: spaces a level; None: all on one line.
        """
        self._indent = indent
        self._start = "" if indent is None else "\n" + " " * (indent * depth)
        self._end = "" if indent is None else "\n" + " " * (indent * (depth - 1))
        self._is_first = True

    def member(self, key: str, value: object) -> str:
        separators = (",", ":") if self._indent is None else (",", ": ")
        text = json.dumps({key: value}, indent=self._indent, separators=separators)
        inner = (
            text[1:-1]
            if self._indent is None
            else text[2 + self._indent : -2].replace("\n", self._start[: -self._indent])
        )
        # "##vso[...]" in a name is a command to a build server that sees it pass by.
        return self._separator() + inner.replace("##", "\\u0023#")

    def opened(self, key: str) -> str:
        """The beginning of a member that is an object."""
        return self._separator() + json.dumps(key) + (":{" if self._indent is None else ": {")

    def closed(self) -> str:
        """The end of the object."""
        return "}" if self._is_first else self._end + "}"

    def _separator(self) -> str:
        separator = self._start if self._is_first else "," + self._start
        self._is_first = False
        return separator


def _meta(options: Options) -> Object:
    return {
        "format": FORMAT,
        "version": covcore.__version__,
        "timestamp": datetime.datetime.now().isoformat(),
        "branch_coverage": True,
        "show_contexts": options.show_contexts,
        "generator": "covcore",
    }


def _file(result: FileResult, precision: int) -> Object:
    whole = _part(regions.whole(result), precision)
    del whole["start_line"]
    patterns: dict[str, list[int]] = {}
    for line, pattern in sorted(result.excluded.items()):
        patterns.setdefault(pattern, []).append(line)
    return whole | {
        "excluded_by": patterns,
        "conditions": [_condition(condition) for condition in result.conditions],
        "decisions": [_decision(decision) for decision in result.decisions],
        "functions": _parts(regions.functions(result), precision),
        "classes": _parts(regions.classes(result), precision),
    }


def _parts(parts: Iterable[Part], precision: int) -> Mapping[str, Object]:
    return {part.name: _part(part, precision) for part in parts}


def _part(part: Part, precision: int) -> Object:
    return {
        "executed_lines": part.executed,
        "summary": _summary(part.figures, precision),
        "missing_lines": part.missing,
        "excluded_lines": part.excluded,
        "start_line": part.start,
        "executed_branches": part.taken_branches,
        "missing_branches": part.missing_branches,
        "conditions": part.conditions,
    }


def _summary(it: Figures, precision: int) -> Object:
    executed, taken = it.statements - it.missing, it.branches - it.missing_branches
    of_statements, of_branches = _percent(executed, it.statements), _percent(taken, it.branches)
    return {
        "covered_lines": executed,
        "num_statements": it.statements,
        "percent_covered": it.percent,
        "percent_covered_display": display(it.percent, precision),
        "missing_lines": it.missing,
        "excluded_lines": it.excluded,
        "percent_statements_covered": of_statements,
        "percent_statements_covered_display": display(of_statements, precision),
        "num_branches": it.branches,
        "num_partial_branches": it.partial_branches,
        "covered_branches": taken,
        "missing_branches": it.missing_branches,
        "percent_branches_covered": of_branches,
        "percent_branches_covered_display": display(of_branches, precision),
        "num_condition_outcomes": it.conditions,
        "missing_condition_outcomes": it.missing_conditions,
    }


def _percent(part: int, total: int) -> float:
    return 100.0 * part / total if total else 100.0


def _condition(it: Condition) -> Object:
    """The outcomes are true, false or, where no event would tell, null."""
    outcomes = zip(it.outcomes, it.hits, it.knowable, strict=True)
    return _place(it) | {
        "kind": it.kind,
        "outcomes": {word: hit if knowable else hit or None for word, hit, knowable in outcomes},
        "decision": it.decision if it.decision >= 0 else None,
    }


def _decision(it: Decision) -> Object:
    return _place(it) | {"conditions": it.conditions, "mcdc": it.shown}


def _place(it: Condition | Decision) -> Object:
    return {
        "line": it.line,
        "column": it.column,
        "end_line": it.end_line,
        "end_column": it.end_column,
        "text": it.text,
    }
