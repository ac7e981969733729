"""The analysis of one file: a pure function of its text, its code objects and the rules."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from covcore.analysis import branches, codes, conditions, exclusions
from covcore.analysis.codes import Code
from covcore.analysis.conditions import Condition
from covcore.analysis.exclusions import Rules
from covcore.analysis.figures import Figures
from covcore.analysis.mcdc import Decision
from covcore.analysis.outline import Region
from covcore.analysis.source import UnusableSource
from covcore.analysis.templates import engine_of, parsed


class FileResult:
    """What is known of one file; statements and lines are logical lines, numbered by their first.

    Attributes:
        statements: all that count, ascending.
        missing: those that never ran, ascending.
        excluded: statements that do not count -> the pattern that says so.
        branches: from -> to, ascending; `to` is minus the first line of a code object for the way out of it.
        missing_branches: those of them that were never taken.
        waived_branches: never taken too, but not missing, because of a rule for partial branches.
        regions: functions and classes in source order.
        conditions: those on lines that count, in source order.
        decisions: those of their decisions of which outcomes show MC/DC; conditions refer to them by index.
        engine: of a template what makes code of it; "" if the file is Python.
    """

    def __init__(
        self,
        statements: Sequence[int],
        missing: Sequence[int],
        excluded: dict[int, str],
        all_branches: dict[int, list[int]],
        missing_branches: dict[int, list[int]],
        regions: Sequence[Region] = (),
        all_conditions: Sequence[Condition] = (),
        decisions: Sequence[Decision] = (),
        waived_branches: dict[int, list[int]] | None = None,
        engine: str = "",
    ) -> None:
        self.statements = statements
        self.missing = missing
        self.excluded = excluded
        self.branches = all_branches
        self.missing_branches = missing_branches
        self.waived_branches = waived_branches or {}
        self.regions = regions
        self.conditions = all_conditions
        self.decisions = decisions
        self.engine = engine

    @cached_property
    def figures(self) -> Figures:
        missing = set(self.missing)
        return Figures(
            len(self.statements),
            len(self.missing),
            len(self.excluded),
            sum(map(len, self.branches.values())),
            sum(map(len, self.missing_branches.values())),
            sum(len(to) for line, to in self.missing_branches.items() if line not in missing),
            sum(sum(condition.knowable) for condition in self.conditions),
            sum(len(condition.missing) for condition in self.conditions),
        )


def statement_at(statements: Sequence[int], line: int) -> int:
    """The statement that a physical line is of, 0 if it stands before the first: each reaches to the next one.

    Args:
        statements: their first lines, ascending.
        line: the physical line.
    """
    at = bisect_right(statements, line)
    return statements[at - 1] if at else 0


def analyse(text: str, ran: Sequence[Code], rules: Rules, optimize: int = -1) -> FileResult:
    """Analyse one file.

    Args:
        text: the source, with newlines as \\n alone.
        ran: its recorded code objects; the text must be the one that was measured.
        rules: what to exclude.
        optimize: the level of -O that the code ran under, -1 for that of this interpreter.

    Raises:
        UnusableSource: the text is not Python ("not Python").
    """
    engine = engine_of(code.qualname for code in ran)
    try:
        tree, outline = parsed(text, engine)
        ran = [code for code in ran if code.fits(text.count("\n") + 1)]
        all_codes = ran if engine else codes.whole(tree, ran, optimize)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        raise UnusableSource("not Python", f"is not Python: {reason}{where}") from error

    first = outline.first
    lines = {line for code in all_codes for line in code.shape[0] if line > 0} - outline.docstrings
    run = {first[line] for code in all_codes for line in code.hit_lines()}
    with_code = {first[line] for line in lines}
    excluded = exclusions.excluded(rules.exclude, text, tree, outline, with_code)
    statements = sorted(with_code - excluded.keys())

    found = branches.find(all_codes, outline, run)
    never_missed = {first[line] for line in exclusions.matches(rules.partial, text)}
    counted: dict[int, list[int]] = {}
    missed: dict[int, list[int]] = {}
    waived: dict[int, list[int]] = {}
    for line in sorted(found.possible.keys() - excluded.keys()):
        targets = sorted(found.possible[line] - excluded.keys())
        if len(targets) > 1:
            counted[line] = targets
            not_taken = [to for to in targets if (line, to) not in found.taken]
            if not_taken:
                (waived if line in never_missed else missed)[line] = not_taken
    left_out = excluded.keys() | never_missed
    return FileResult(
        statements,
        [line for line in statements if line not in run],
        excluded,
        counted,
        missed,
        outline.regions,
        *conditions.find(all_codes, tree, text, lambda line: first[line] not in left_out),
        waived_branches=waived,
        engine=engine,
    )
