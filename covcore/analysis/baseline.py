"""What has changed since another run: a database is compared with an older one, its *baseline*.

    changes = compare(baseline, [(path, result), ...], rules)
    changes[0].path         # the file that has got worse most
    changes[0].lines        # {12: "new-uncovered", 40: "lost"}
    changes[0].branches     # {(40, 42): "lost"}

Lines and branches are those of the text that is there now.  A database holds the hashes of texts alone: where a text has
changed since, the one of then is looked for in the git history, and a diff of the two says which lines are the same.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from covcore.analysis import source
from covcore.analysis.branches import Branch
from covcore.analysis.cache import Cache
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult
from covcore.analysis.history import former_texts
from covcore.analysis.project import analyse_jobs, job_of
from covcore.analysis.source import UNKNOWN_HASH
from covcore.config import current_folder
from covcore.store.database import Database, SourceFile
from covcore.store.mapping import OutsidePath, PathMap

# "new" stands for lines that were not there then and run now; what has no state is as it was.
type State = Literal["new-uncovered", "lost", "gained", "new"]
STATES: tuple[State, ...] = ("new-uncovered", "lost", "gained", "new")  # the worst first


class Change(NamedTuple):
    """What has changed in a file.

    Attributes:
        path: absolute.
        lines: statement, as in FileResult -> state.
        branches: as in FileResult -> state.
        is_known: False if the file has changed and its text of then is not to be had: then there are no states.
    """

    path: str
    lines: Mapping[int, State]
    branches: Mapping[Branch, State]
    is_known: bool = True

    def count(self, state: State) -> int:
        """How many lines and branches have a state."""
        return [*self.lines.values(), *self.branches.values()].count(state)


def compare(
    baseline: Database,
    files: Iterable[tuple[str, FileResult]],
    rules: Rules,
    contexts: Sequence[int] | None = None,
    paths: Mapping[str, Sequence[str]] | None = None,
) -> list[Change]:
    """Say what has changed since the baseline.

    Args:
        baseline: the older database; it may come from another machine (`covcore export`).
        files: path and result of each file of now.
        rules: what to exclude: the rules that the results were made with.
        contexts: only what the baseline hit under the contexts of these ids counts; None: all does.
        paths: the setting `paths`: what folders are called elsewhere.

    Returns:
        A change for each file, the worst first; the states are all empty where nothing changed.  A file that the baseline
        has nothing of is new, unless the git history says that it was there, and so did not run.
    """
    now = {path: (result, source.read(path)) for path, result in files}
    then = _files_of(baseline, contexts, paths or {})
    _follow_renames(then, {path: text.hash for path, (_, text) in now.items()})
    texts = {path: text for path, (_, text) in now.items() if path in then and then[path].hash == text.hash}
    wanted = {path: then[path].hash if path in then else UNKNOWN_HASH for path in now.keys() - texts.keys()}
    wanted = {path: hash for path, hash in wanted.items() if hash != UNKNOWN_HASH or path not in then}
    started = max((run.started for run in baseline.runs()), default=0) // 1_000_000_000
    texts |= former_texts(wanted, started)

    optimize = min((code.optimize for file in then.values() for code in file.codes), default=0)
    cache = Cache(baseline.name, rules)
    jobs = (
        job_of(path, text, then[path].codes if path in then else (), rules, optimize) for path, text in texts.items()
    )
    results = {path: found.result for path, found in analyse_jobs(jobs, cache).items() if found.result is not None}
    cache.save(texts)
    changes = []
    for path, (result, text) in now.items():
        if path in results:
            former = _Former(results[path], _same_lines(texts[path].text, text.text))
            changes.append(_change(path, result, former))
        elif path in then:
            changes.append(Change(path, {}, {}, is_known=False))
        else:
            changes.append(_change(path, result, _Former()))
    return sorted(changes, key=lambda change: (*(-change.count(state) for state in STATES[:2]), change.path))


def _files_of(
    baseline: Database, contexts: Sequence[int] | None, paths: Mapping[str, Sequence[str]]
) -> dict[str, SourceFile]:
    """The baseline's files by the paths that they have here."""
    here = PathMap(current_folder(), paths)
    found = {}
    for file in baseline.files(contexts):
        try:
            found[os.fsdecode(here(os.fsencode(file.path)))] = file
        except OutsidePath:
            continue
    return found


def _follow_renames(then: dict[str, SourceFile], now: Mapping[str, bytes]) -> None:
    """Bring files of then, by path, to the paths that they have now, if their hashes are the same."""
    gone = {file.hash: path for path, file in then.items() if path not in now}
    for path, hash in now.items():
        if path not in then and hash in gone:
            then[path] = then.pop(gone.pop(hash))


def _same_lines(then: str, now: str) -> Mapping[int, int]:
    """Line of then -> line of now, for those that a diff finds to be the same."""
    if then == now:
        n_lines = now.count("\n") + 2
        return dict(zip(range(n_lines), range(n_lines), strict=True))
    old, new = then.split("\n"), now.split("\n")
    same: dict[int, int] = {}
    for start, new_start, length in SequenceMatcher(None, old, new).get_matching_blocks():
        same.update(
            zip(range(start + 1, start + length + 1), range(new_start + 1, new_start + length + 1), strict=True)
        )
    return same


class _Former:
    """What ran then, by the lines of now; without arguments: of a file that was not there.

    Attributes:
        lines: statement -> whether it ran.
        ways: statement -> (where a branch leads, whether it was taken) for each; the line is 0 for the way out of the code
            object, and None if it is gone.
    """

    def __init__(self, result: FileResult | None = None, same: Mapping[int, int] | None = None) -> None:
        self.lines: dict[int, bool] = {}
        self.ways: dict[int, list[tuple[int | None, bool]]] = {}
        if result is None or same is None:
            return
        missing = set(result.missing)
        self.lines = {same[line]: line not in missing for line in result.statements if line in same}
        for line, targets in result.branches.items():
            if line in same:
                missed = result.missing_branches.get(line, ())
                self.ways[same[line]] = [(same.get(to) if to > 0 else 0, to not in missed) for to in targets]

    def taken(self, line: int, targets: Sequence[int]) -> list[bool | None]:
        """Whether each branch from a line was taken; None: there was none such.

        As many ways on as there were then are the same ones, even if some lead to other lines now: the first line of
        what they lead to has changed.
        """
        ways = dict(self.ways.get(line, ()))
        found = [ways.pop(max(to, 0), None) for to in targets]
        rest = [took for to, took in self.ways.get(line, ()) if to in ways or to is None]
        if len(rest) == found.count(None):
            left = iter(rest)
            found = [next(left) if took is None else took for took in found]
        return found


def _change(path: str, result: FileResult, former: _Former) -> Change:
    missing = set(result.missing)
    lines = {line: _state(former.lines.get(line), line not in missing) for line in result.statements}
    branches: dict[Branch, State | None] = {}
    for line, targets in result.branches.items():
        missed = result.missing_branches.get(line, ())
        for to, before in zip(targets, former.taken(line, targets), strict=True):
            branches[line, to] = _state(before, to not in missed)
    return Change(path, _changed(lines), _changed(branches))


def _changed[T](states: Mapping[T, State | None]) -> dict[T, State]:
    return {key: state for key, state in states.items() if state is not None}


def _state(before: bool | None, now: bool) -> State | None:
    """The state of what ran, or not, before (None: it was not there) and now."""
    if before is None:
        return "new" if now else "new-uncovered"
    if before == now:
        return None
    return "gained" if now else "lost"
