"""The page of a file: its source with what ran of it, and the data that its script needs."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from covcore.analysis.baseline import Change
from covcore.analysis.conditions import Condition
from covcore.analysis.figures import Figures
from covcore.analysis.file import FileResult
from covcore.analysis.ran_by import Parsed, RanBy
from covcore.errors import printable
from covcore.html.data import packed
from covcore.html.highlight import highlighted, spans_of
from covcore.html.records import Grouped, Owners, record
from covcore.html.ways import PHRASES, UNKNOWN, Decision, decisions
from covcore.report import regions

RUN, PART, MISS, EXCLUDED = "run", "part", "miss", "excl"  # classes of lines
SIGNS = {RUN: "✓", PART: "◐", MISS: "✗", EXCLUDED: "⊘", "": ""}
WORDS = {RUN: "ran", PART: "ran in part", MISS: "never ran", EXCLUDED: "excluded", "": ""}


class Way(NamedTuple):
    """A branch, at the end of the line that it leaves."""

    to: str  # the line, or "exit"
    anchor: int  # the line to jump to
    is_taken: bool
    never: Markup  # what it means if it is not
    rule: str = ""  # by which it does not matter whether it is
    change: str = ""  # since the baseline


class Row(NamedTuple):
    """A physical line."""

    number: int
    state: str
    sign: str  # of the state; "": it goes on from a line above, or has no state
    word: str  # the same for who cannot see it
    code: Markup
    ways: Sequence[Way] = ()
    conditions: Sequence[tuple[int, str, str]] = ()  # index, text, the outcomes that never happened
    decisions: Sequence[tuple[int, Sequence[str]]] = ()  # index, the operands for which MC/DC is not shown
    note: str = ""
    n_tests: int = 0
    change: str = ""  # since the baseline
    is_first_change: bool = False  # of a stretch


class Function(NamedTuple):
    """What the index says of a function or class."""

    name: str
    line: int
    figures: Figures
    complexity: int  # cyclomatic: ways on from its statements, less their number, and 1
    class_number: int = 0  # of a function: which of the file's classes it belongs to


class Page(NamedTuple):
    """What a page is made of.

    Attributes:
        rows: its lines.
        data: what its script needs.
        record: see covcore.html.records; b"" without tests.
        text_hash: of the source.
        functions, classes: of the file, the last is what is in none.
    """

    rows: Sequence[Row]
    data: Mapping[str, object]
    record: bytes
    text_hash: str
    functions: Sequence[Function]
    classes: Sequence[Function]


def page(parsed: Parsed, result: FileResult, found: RanBy, change: Change | None = None) -> Page:
    """Make the page of a file.

    Args:
        parsed: its text.
        result: its analysis.
        found: which tests ran what.
        change: since the baseline, if there is one.
    """
    grouped = Grouped(found, result)
    functions, classes, owners = _functions(result)
    lines = parsed.text.split("\n")
    meanings = decisions(parsed.tree, parsed.outline, lines)
    data: dict[str, object] = {
        "statements": result.statements,
        "groups": grouped.statements,
        "branches": [
            [line, to, *groups, int((line, to) in grouped.always), _meaning(meanings, line, to)]
            for (line, to), groups in grouped.ways.items()
        ],
        "conditions": [
            [it.line, printable(it.text), *it.outcomes, *map(int, it.knowable), *groups, int(_has_chip(it, result))]
            for it, groups in zip(result.conditions, grouped.outcomes, strict=True)
        ],
        "missing": [missing_words(it) for it in result.conditions],
    }
    if change:
        data["changes"] = change.lines
        data["changed_branches"] = [change.branches.get(branch, "") for branch in grouped.ways]
    raw = record(grouped, result, owners)
    if found.tests:
        data["record"] = packed(raw)
        data["phrases"] = PHRASES
        data["quotes"] = {line: meanings[line].quote for line in result.branches if line in meanings}
        data["decisions"] = _diagrams(result)
    return Page(
        list(_rows(parsed, result, grouped, meanings, change)),
        data,
        raw,
        hashlib.sha256(parsed.text.encode("utf-8", "surrogatepass")).hexdigest(),
        functions,
        classes,
    )


def _meaning(meanings: Mapping[int, Decision], line: int, to: int) -> int:
    return meanings[line].meaning(to) if line in meanings else UNKNOWN


def _has_chip(condition: Condition, result: FileResult) -> bool:
    """Whether its line has something to say of it; of the whole test of a statement its branches say all."""
    return not (condition.kind == "test" and condition.line in result.branches)


def _diagrams(result: FileResult) -> list[list[list[int]]]:
    """For each decision its steps: the index of a condition, and what comes next (covcore.analysis.mcdc)."""
    return [
        [[number, *following] for number, following in zip(it.conditions, it.next, strict=True)]
        for it in result.decisions
    ]


def _functions(result: FileResult) -> tuple[list[Function], list[Function], Owners]:
    functions, classes = regions.functions(result), regions.classes(result)
    class_of = {line: number for number, part in enumerate(classes) for line in (*part.executed, *part.missing)}
    lines: dict[int, int] = {}
    conditions = [len(functions) - 1] * len(result.conditions)
    for number, part in enumerate(functions):
        lines.update(dict.fromkeys((*part.executed, *part.missing), number))
        for index in part.conditions:
            conditions[index] = number
    described = []
    for part in functions:
        at = next(iter((*part.executed, *part.missing)), 0)
        described.append(_function(part, result)._replace(class_number=class_of.get(at, len(classes) - 1)))
    return described, [_function(part, result) for part in classes], Owners(lines, conditions)


def _function(part: regions.Part, result: FileResult) -> Function:
    lines = (*part.executed, *part.missing)
    complexity = 1 + sum(len(result.branches[line]) - 1 for line in lines if line in result.branches)
    return Function(printable(part.name), part.start, part.figures, complexity)


def _rows(
    parsed: Parsed,
    result: FileResult,
    grouped: Grouped,
    meanings: Mapping[int, Decision],
    change: Change | None,
) -> Iterator[Row]:
    first = parsed.outline.first
    lines = parsed.text.split("\n")
    ways = _ways(result, grouped, meanings, change)
    chips: dict[int, list[tuple[int, str, str]]] = {}
    for index, condition in enumerate(result.conditions):
        if condition.missing and _has_chip(condition, result):
            chip = index, printable(condition.text), missing_words(condition)
            chips.setdefault(condition.line, []).append(chip)
    decisions: dict[int, list[tuple[int, list[str]]]] = {}
    for index, decision in enumerate(result.decisions):
        operands = zip(decision.conditions, decision.shown, strict=True)
        left = [printable(result.conditions[number].text) for number, shown in operands if not shown]
        decisions.setdefault(decision.line, []).append((index, left))
    code = highlighted(parsed.text, spans_of(result.conditions, lines), result.engine)
    states = dict.fromkeys(result.statements, RUN) | dict.fromkeys(result.missing, MISS)
    states |= dict.fromkeys(result.excluded, EXCLUDED)
    states |= {line: PART for line in result.missing_branches if states.get(line) == RUN}
    n_tests = {
        line: grouped.groups.size(group) for line, group in zip(result.statements, grouped.statements, strict=True)
    }
    changes = change.lines if change else {}
    rule = before = ""
    for number in range(1, len(lines) + (lines[-1] != "")):
        statement = first[number]
        excluding = result.excluded.get(statement, "")
        note = f"excluded by {printable(excluding)}" if excluding and excluding != rule else ""
        rule = excluding if statement in states else rule
        changed = changes.get(statement, "")
        state = states.get(statement, "")
        yield Row(
            number,
            state,
            SIGNS[state] if statement == number else "",
            WORDS[state],
            Markup(code[number - 1]),
            ways.get(number, ()),
            chips.get(number, ()),
            decisions.get(number, ()),
            note,
            n_tests.get(number, 0),
            changed,
            changed not in ("", before),
        )
        before = changed if statement in states else before


def _ways(
    result: FileResult, grouped: Grouped, meanings: Mapping[int, Decision], change: Change | None
) -> dict[int, list[Way]]:
    changes = change.branches if change else {}
    found: dict[int, list[Way]] = {}
    for line, targets in result.branches.items():
        missing = result.missing_branches.get(line, ())
        waived = result.waived_branches.get(line, ())
        for to in targets:
            never = Markup()
            if to in missing and line in meanings:
                phrase = Markup(PHRASES[meanings[line].meaning(to)])
                never = Markup(": ") + phrase.format(Markup("<code>{}</code>").format(meanings[line].quote))
            name = str(to) if to > 0 else "exit"
            is_taken = to not in missing and to not in waived
            rule, changed = grouped.always.get((line, to), ""), changes.get((line, to), "")
            found.setdefault(line, []).append(Way(name, abs(to), is_taken, never, printable(rule), changed))
    return found


def missing_words(condition: Condition) -> str:
    """What is to be said of the outcomes that never happened; "" if both did."""
    if len(condition.missing) == sum(condition.knowable) > 1:
        return "never evaluated"
    return f"never {condition.missing[0]}" if condition.missing else ""
