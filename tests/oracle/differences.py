"""What CPython saw and covcore did not, or the other way round, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ARMS = "LEFT (not taken, next item)", "RIGHT (taken, exhausted)"


def differences(truth: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """Everything in which two observations of one program are not the same.

    Args:
        truth: what truth.observe() gives.
        measured: what measured.observe() gives.
    """
    for answer in (truth, measured):
        if "failed" in answer:
            return [answer["failed"]]
    return [
        *_of_output(truth, measured),
        *_of_sites(truth, measured),
        *_of_items("line", _flat(truth["lines"]), _flat(measured["lines"])),
        *_of_items("arm", _flat(truth["arms"]), _flat(measured["arms"]) - (_flat(truth["excuses"]) - _flat(truth["arms"]))),
        *_of_statements(truth, measured),
        *_of_branches(truth, measured),
    ]  # fmt: skip


def _flat(observed: dict[str, dict[str, list[Any]]]) -> set[tuple[Any, ...]]:
    return {
        (context, code, *(item if isinstance(item, list) else [item]))
        for context, codes in observed.items()
        for code, items in codes.items()
        for item in items
    }


def _of_output(truth: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    if measured["error"] is not None:
        yield f"recording stopped: {measured['error']}"
    if truth["bare"] != truth["traced"]:
        yield f"the program is not the same twice: bare it prints\n{truth['bare']}\nand traced\n{truth['traced']}"
    if truth["bare"] != measured["measured"]:
        yield f"the program is not the same measured: bare it prints\n{truth['bare']}\nand measured\n{measured['measured']}"


def _of_sites(truth: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    """Of all code objects that ran; where two have one name, there is no telling them apart."""
    for code in truth["sites"].keys() & measured["sites"].keys():
        if truth["sites"][code] != measured["sites"][code]:
            yield f"{code} has its sites at {truth['sites'][code]}, covcore says at {measured['sites'][code]}"


def _of_items(word: str, expected: set[tuple[Any, ...]], got: set[tuple[Any, ...]]) -> Iterator[str]:
    def say(item: tuple[Any, ...]) -> str:
        context, code, *rest = item
        what = f"line {rest[0]}" if word == "line" else f"the {ARMS[rest[1]]} arm of the site at offset {rest[0]}"
        return f"{what} of {code}" + (f" in context {context}" if context else "")

    for item in sorted(expected - got):
        yield f"{say(item)} ran: covcore did not record it"
    for item in sorted(got - expected):
        yield f"{say(item)} did not run: covcore recorded it"


def _of_statements(truth: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    run, reported = set(truth["run"]), set(measured["run"])
    for line in sorted(run - reported):
        known = "missing" if line in measured["statements"] else "no statement"
        yield f"line {line} ran: the report has it as {known}"
    for line in sorted(reported - run):
        yield f"line {line} never ran: the report has it as run"


def _of_branches(truth: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    """A branch counts as taken if its arm was, and its line ran: by a LINE event, which CPython may not have sent."""
    possible = set(map(tuple, measured["branches"]))
    reported = {tuple(branch) for branch in measured["taken"] if branch[0] not in truth["one_liners"]}
    smooth = {(line, to) for line, to, raised in truth["taken"] if not raised}
    rough = {(line, to) for line, to, _ in truth["taken"]}
    for line, to in sorted(
        branch for branch in smooth & possible - reported if branch[1] < 0 or branch[1] in truth["run"]
    ):
        yield f"branch {line} -> {_place(to)} was taken: the report has it as missing"
    interrupted = {line for line, _, raised in truth["taken"] if raised}
    for line, to in sorted(branch for branch in reported - rough if branch[0] not in interrupted):
        yield f"branch {line} -> {_place(to)} was never taken: the report has it as taken"


def _place(to: int) -> str:
    return str(to) if to > 0 else f"out of the code of line {-to}"
