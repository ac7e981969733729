"""The figures of a file by function and by class, as coverage.py cuts a file up.

A function has the lines of its body, without those of functions within; a class has those of its methods' bodies.
What is left belongs to the module.  So no line counts in two functions or in two classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from covcore.analysis.figures import Figures
from covcore.analysis.file import FileResult
from covcore.analysis.outline import Region

type Branch = tuple[int, int]

MODULE = ""  # the name of what is in no function, or in no class


@dataclass(slots=True)
class Part:
    """What is known of one function or class, or of the rest; lists are ascending.

    Attributes:
        name: unique among the parts: dotted, with `@` and the line of its header if another one has it too.
        start: line of `def` or `class`; for the rest the first line that is in no part.
        end: its last line; for the rest 0.
        conditions: indices into those of the file.
    """

    name: str
    start: int
    end: int = 0
    executed: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    excluded: list[int] = field(default_factory=list)
    taken_branches: list[Branch] = field(default_factory=list)
    missing_branches: list[Branch] = field(default_factory=list)
    n_waived: int = 0  # branches
    conditions: list[int] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)


def functions(result: FileResult) -> list[Part]:
    """The functions of a file in source order, and last what is in none."""
    return _parts(result, "function", list(_function_spans(result.regions)))


def classes(result: FileResult) -> list[Part]:
    """The classes of a file in source order, and last what is in no method."""
    return _parts(result, "class", list(_class_spans(result.regions)))


def whole(result: FileResult) -> Part:
    """The file in one part."""
    part = Part(MODULE, 1, figures=result.figures)
    _add_lines(result, lambda line: part)
    return part


type Span = tuple[int, int, int]  # first line, last line, index of the region that has them unless a later span does


def _function_spans(regions: Sequence[Region]) -> Iterator[Span]:
    for index, region in enumerate(regions):
        if region.kind == "function":
            yield region.body, region.end, index


def _class_spans(regions: Sequence[Region]) -> Iterator[Span]:
    around: list[int] = []  # indices of the regions that the next one may be in
    for index, region in enumerate(regions):
        while around and regions[around[-1]].end < region.first:
            around.pop()
        if region.kind == "function" and around and regions[around[-1]].kind == "class":
            yield region.body, region.end, around[-1]
        around.append(index)


def _parts(result: FileResult, kind: str, spans: Sequence[Span]) -> list[Part]:
    regions = result.regions
    chosen = [index for index, region in enumerate(regions) if region.kind == kind]
    place = {index: at for at, index in enumerate(chosen)}
    parts = [Part(it.name, it.header, it.end) for it in map(regions.__getitem__, chosen)]
    outside = _first_outside(spans)
    last = max([0, *result.statements[-1:], *(span[1] for span in spans)])
    parts.append(Part(MODULE, outside if outside <= last else 1))
    _share_out(result, parts, [(first, last, place[index]) for first, last, index in spans])
    _name(parts)
    return parts


def _first_outside(spans: Sequence[Span]) -> int:
    line = 1
    for first, last, _ in spans:
        if first <= line <= last:
            line = last + 1
    return line


def _share_out(result: FileResult, parts: list[Part], spans: Sequence[Span]) -> None:
    """Give a file's figures to the part of the last span that holds a line, or else to the last part."""
    places = (*result.statements, *result.excluded, *(condition.line for condition in result.conditions))
    part_of = [parts[-1]] * (max(places, default=0) + 1)
    for first, last, number in spans:
        part_of[first : last + 1] = [parts[number]] * (last + 1 - first)
    _add_lines(result, part_of.__getitem__)
    missing = set(result.missing)
    for part in parts:
        part.figures = _figures(part, result, missing)


def _add_lines(result: FileResult, owner: Callable[[int], Part]) -> None:
    missing = set(result.missing)
    for line in result.statements:
        part = owner(line)
        (part.missing if line in missing else part.executed).append(line)
    for line in sorted(result.excluded):
        owner(line).excluded.append(line)
    for line, targets in result.branches.items():
        part = owner(line)
        missed = result.missing_branches.get(line, ())
        waived = result.waived_branches.get(line, ())
        part.missing_branches += [(line, to) for to in missed]
        part.taken_branches += [(line, to) for to in targets if to not in missed and to not in waived]
        part.n_waived += len(waived)
    for index, condition in enumerate(result.conditions):
        owner(condition.line).conditions.append(index)


def _figures(part: Part, result: FileResult, missing: set[int]) -> Figures:
    conditions = [result.conditions[index] for index in part.conditions]
    return Figures(
        len(part.executed) + len(part.missing),
        len(part.missing),
        len(part.excluded),
        len(part.taken_branches) + len(part.missing_branches) + part.n_waived,
        len(part.missing_branches),
        sum(line not in missing for line, _ in part.missing_branches),
        sum(sum(condition.knowable) for condition in conditions),
        sum(len(condition.missing) for condition in conditions),
    )


def _name(parts: Sequence[Part]) -> None:
    """Make names unique: the first of several that has statements keeps the name, or else the first of all."""
    with_statements = {part.name for part in parts if part.figures.statements}
    used: set[str] = set()
    for part in parts:
        if part.name in used or (part.name in with_statements and not part.figures.statements):
            part.name = f"{part.name}@{part.start}"
        used.add(part.name)
