"""`python -m plants [NAME ..]`, in tests/ (`make plants`): plants defects in copies of the tree, and tells which tests see each.

A copy has an environment of its own, so that whatever its tests start imports what was planted.  What was seen goes into
docs/oracles.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from plants_everywhere import EVERYWHERE
from plants_plugin import PLUGIN

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ["covcore", "plugin", "src", "tests", "Makefile", "setup.py", "pyproject.toml", "README.md", "LICENSE"]
PAGE = ROOT / "docs" / "oracles.md"
BEGIN, END = "<!-- what `make plants` saw -->\n", "<!-- end -->\n"
USUAL = "3.14"
TIMEOUT = 600  # seconds: a defect may have a test wait for ever

# What looks at a copy.  Other words are tests, as pytest has them.
ORACLE, C_ARCS, C_RECORDING, C_SITES = "the oracle", "c/test_arcs", "c/test_recording", "c/test_sites"
TRACER, READER, BUSY = "test_tracer.py", "test_reader.py", "coexistence/test_tools.py::test_beside_busy_code"


class Change(NamedTuple):
    """What is replaced, once, in a file of the tree."""

    file: str
    right: str
    wrong: str


class Defect(NamedTuple):
    """Changes, who is to see each of them, and on which Python: that of an environment of the tree."""

    about: str
    changes: tuple[Change, ...]
    watchers: tuple[str, ...]
    version: str = USUAL


def of_oracle(about: str, *change: str) -> Defect:
    return Defect(about, (Change(*change),), (ORACLE,))


def of_tracer(about: str, *change: str, file: str = "src/tracer.c", by: str = TRACER, on: str = USUAL) -> Defect:
    return Defect(about, (Change(file, *change),), (by,), on)


DEFECTS = {
    "left-is-right": Defect(
        "BRANCH_LEFT handled as BRANCH_RIGHT",
        (
            Change(
                "src/tracer.c", "HAS_EVENT_PER_ARM ? on_left : on_branch", "HAS_EVENT_PER_ARM ? on_right : on_branch"
            ),
        ),
        (ORACLE, TRACER),
    ),
    "arms-swapped": of_oracle(
        "slots of LEFT and RIGHT", "src/shape.c", "2 * (int64_t)index + arm;", "2 * (int64_t)index + !arm;"
    ),
    "offset-shifted": of_oracle("LEFT's destination by 2", "src/sites.c", ".left = 2 * left,", ".left = 2 * left + 2,"),
    "line-dropped": of_oracle(
        "one line in 16",
        "src/tracer.c",
        "    if (!heard_line(&state->heard, line)) {",
        "    if (!heard_line(&state->heard, line) && line % 16 != 7) {",
    ),
    "no-jump": of_oracle("JUMP tells of no line", "src/tracer.c", "    hit_start(self, state, destination);\n", ""),
    "lines-given-up-early": of_oracle(
        "LINE dropped with one to come", "src/tracer.c", "--state->lines_left == 0", "--state->lines_left == 1"
    ),
    "contexts-forgotten": Defect(
        "a hit counts in its first context alone",
        (Change("src/tracer.c", "if (arcs_at(&self->arcs, id)->serial != self->serial)", "if (is_new)"),),
        (ORACLE, TRACER),
    ),
    "run-without-event": of_oracle(
        "every line of code that ran",
        "covcore/analysis/file.py",
        "for line in code.hit_lines()}",
        "for line in code.shape[0]}",
    ),
    "wrong-arm": of_oracle(
        "the other arm's hit", "covcore/analysis/branches.py", "code.hits[slot + arm]", "code.hits[slot + 1 - arm]"
    ),
    "either-arm": of_oracle(
        "any arm's hit", "covcore/analysis/branches.py", "code.hits[slot + arm]", "any(code.hits[slot : slot + 2])"
    ),
    "with-is-next": of_oracle(
        "the exits of `with` count as next lines",
        "covcore/analysis/branches.py",
        "self._own_header) and statement not in passed_over",
        "self._own_header)",
    ),
    "restarts-everyone": of_tracer(
        "`restart_events` in place of arming what was touched",
        "tracer_keep_ids(self) < 0 || tracer_rearm_touched(self) < 0",
        'PyObject_CallMethod(PySys_GetObject("monitoring"), "restart_events", NULL) == NULL',
        file="src/module.c",
    ),
    "remembers-by-context": Defect(
        "what was touched is remembered by the context, not by the switch",
        (
            Change(
                "src/module.c",
                "    tracer_begin_serial(self);\n    self->switching = true;",
                "    self->serial = 1000 + (uint32_t)recording_place(&self->recording);\n    self->switching = true;",
            ),
            Change(
                "src/tracer.c",
                "        enter(self, state);\n    }\n    if (state->spare == 0 && state->touched.next == NULL) {\n"
                "        (void)registry_touch(state);\n    }\n",
                "        enter(self, state);\n        (void)registry_touch(state);\n    }\n",
            ),
        ),
        (TRACER,),
    ),
    "silenced-untouched": of_tracer(
        "PY_START is silenced before its code counts as touched",
        "    if (state->lines_left == NOT_COUNTED && prepare(self, state) < 0) {\n        return silence",
        "    if (state->lines_left == NOT_COUNTED) {\n        registry_untouch(state);\n    }\n"
        "    if (state->lines_left == NOT_COUNTED && prepare(self, state) < 0) {\n        return silence",
    ),
    "hot-untouched": of_tracer(
        "code that has used up its events is silenced but not touched",
        "    state->n_hot = state->hot_for;\n    (void)registry_touch(state);\n",
        "    state->n_hot = state->hot_for;\n",
    ),
    "paused-untouched": of_tracer(
        "what a pause silences is not touched",
        "    if (self->paused) {\n        (void)registry_touch(state);\n",
        "    if (self->paused) {\n",
    ),
    "no-loops-in-lines": of_tracer(
        "JUMP is not armed again where a loop lies within a line",
        "if (!state->shape.has_inline_loops) {",
        "if (true) {",
        file="src/arming.c",
    ),
    "armed-without-line": of_tracer(
        "LINE is not armed again",
        "tracer_arm(self, state, events_on(self, state)) < 0;",
        "tracer_arm(self, state, events_on(self, state) & ~self->monitoring.events.line) < 0;",
        file="src/arming.c",
    ),
    "running-not-met": of_tracer(
        "frames that exist at start are not looked for",
        "tracer_discover_registered(self) < 0 || tracer_discover_running(self) < 0) {\n        PyObject *exception",
        "tracer_discover_registered(self) < 0) {\n        PyObject *exception",
        file="src/module.c",
    ),
    "left-by-source": of_tracer(
        "LEFT known by its source, which other tools' events shift",
        "    const uint32_t unit = unit_of(args[2]);",
        "    const uint32_t unit = unit_of(args[1]) + 2;",
    ),
    "met-once-with-one-id": of_tracer(
        "with one id, PY_START is silenced", "needed ? Py_None", "needed && 0 ? Py_None", file="src/discovery.c"
    ),
    "arms-the-thief": of_tracer(
        "a switch does not look whose the ids are", "if (unchanged != 0) {", "if (unchanged != 2) {", file="src/ids.c"
    ),
    "changes-over-beside-others": of_tracer(
        "INSTRUCTION in place of LINE though another tool is there",
        "    if (alone == 0) {\n",
        "    if (false) {\n",
        by=BUSY,
    ),
    "more-beyond-a-segment": of_tracer(
        "a run of hits goes on in the next segment as if it were the same one",
        "r->capacity - r->length >= WORD && is_ours(r)",
        "is_ours(r)",
        file="src/recording.c",
        by=C_RECORDING,
    ),
    "hit-lost-at-growth": of_tracer(
        "the hit that did not fit into a segment is lost",
        "    if (!recording_ready(r) || grow(r, n_words) < 0) {\n        return NULL;\n    }\n",
        "    if (!recording_ready(r) || grow(r, n_words) < 0) {\n        return NULL;\n    }\n"
        "    r->length += n_words == 1 ? WORD : 0;\n",
        file="src/recording.c",
        by=C_RECORDING,
    ),
    "serial-stays": of_tracer(
        "a switch begins no new serial",
        "    tracer_begin_serial(self);\n    self->switching = true;",
        "    self->switching = true;",
        file="src/module.c",
    ),
    "spare-by-one": of_tracer(
        "the last event to spare is silenced, and its code object is not touched",
        "    if (state->spare == 0) {\n        return Py_NewRef(self->monitoring.disable);",
        "    if (state->spare <= 1) {\n        return Py_NewRef(self->monitoring.disable);",
    ),
    "heard-for-good": of_tracer(
        "what was heard of is not forgotten at a switch", "    heard_clear(&state->heard);\n", ""
    ),
    "heard-by-eights": of_tracer(
        "one bit for eight lines",
        "(uint8_t)(1 << number % 8)",
        "(uint8_t)1",
        file="src/heard.h",
    ),
    "heard-over-lines": of_tracer(
        "arms are remembered where lines are",
        "heard_bit(h, h->n_lines + unit)",
        "heard_bit(h, unit)",
        file="src/heard.h",
    ),
    "given-up-for-good": of_tracer(
        "code that has given up LINE is not armed again",
        "if (state->file != NULL && tracer_rearm(self, state) < 0) {\n            return -1;\n        }\n        self->n_rearmed++;",
        "if (state->file != NULL && !(state->lines_left == 0 && state->shape.has_inline_targets)\n"
        "            && tracer_rearm(self, state) < 0) {\n            return -1;\n        }\n        self->n_rearmed++;",
        file="src/arming.c",
    ),
    "starts-not-armed": of_tracer(
        "PY_START is not armed again where LINE needs it",
        "if (!state->shape.has_lines_by_resume && !state->shape.has_inline_targets) {",
        "if (!state->shape.has_inline_targets) {",
        file="src/arming.c",
    ),
    "right-by-destination": Defect(
        "RIGHT known by its destination alone",
        (
            Change(
                "src/shape.c",
                "    if (exact >= 0 && s->sites[exact].right == destination) {",
                "    if (exact == INT64_MAX) {",
            ),
            Change("src/shape.c", "s->sites[n - 1].kind == SITE_FOR && s->sites[n - 1].right", "s->sites[n - 1].right"),
        ),
        (TRACER, C_SITES),
    ),
    "stale-source": of_tracer(
        "the end of a loop whose event has another source is not looked up",
        "for (uint32_t n = n_sites_before(s, destination); n > 0; n--) {",
        "for (uint32_t n = 0; n > 0; n--) {",
        file="src/shape.c",
    ),
    "guess-unchecked": of_tracer(
        "the arc after the last one is taken for the one that was hit",
        "if (!arcs_is(&self->arcs, id, state->id, from, to)) {",
        "if (id >= self->arcs.n_entries) {",
    ),
    "tags-alone": of_tracer(
        "arcs with one tag are one arc",
        "            if (arcs_is(set, (held & ids) - 1, code, from, to)) {",
        "            if (arcs_is(set, (held & ids) - 1, code, from, to) || held != 0) {",
        file="src/arcs.c",
        by=C_ARCS,
    ),
    "newest-lost-at-growth": of_tracer(
        "the newest arc is left out of a larger index",
        "    for (uint32_t id = 0; id < set->n_entries; id++) {\n        const arc_entry *e = arcs_at(set, id);\n        place",
        "    for (uint32_t id = 0; id + 1 < set->n_entries; id++) {\n        const arc_entry *e = arcs_at(set, id);\n        place",
        file="src/arcs.c",
        by=C_ARCS,
    ),
    "child-writes-on": of_tracer(
        "a forked child goes on in its parent's recording",
        "    return r->fork_count == atomic_load_explicit(&forks, memory_order_relaxed);",
        "    return r->fork_count <= atomic_load_explicit(&forks, memory_order_relaxed);",
        file="src/recording.c",
        by=C_RECORDING,
    ),
    "more-of-another": of_tracer(
        "a run of arcs goes on in another code object",
        "r->next_arc == NO_ARC && code_id == r->arc_code && slot == r->next_slot",
        "r->next_arc == NO_ARC && slot == r->next_slot",
        file="src/recording.c",
        by=C_RECORDING,
    ),
    "place-not-told": of_tracer(
        "a switch back does not tell where its context stands",
        "    stand(r, r->places[context_id]);\n",
        "",
        file="src/recording.c",
        by=C_RECORDING,
    ),
    "bits-of-last-context": of_tracer(
        "hits of a context go into the bitmap of the one before",
        "    if (pattern == NO_PATTERN || h->patterns[pattern].context != h->context) {",
        "    if (pattern == NO_PATTERN) {",
        file="src/hits.c",
        by=READER,
    ),
    "bits-of-another": of_tracer(
        "a run of hits goes into the bitmap of its first code object",
        "if (bits == NULL || arc.code != code) {",
        "if (bits == NULL) {",
        file="src/hits.c",
        by=READER,
    ),
}
DEFECTS |= {
    name: of_tracer(about, right, wrong, file=file, by=by) for name, (about, file, right, wrong, by) in PLUGIN.items()
}
DEFECTS |= {
    name: of_tracer(about, right, wrong, file=file, by=by, on=on)
    for name, (about, file, right, wrong, by, on) in EVERYWHERE.items()
}


def copy_tree(folder: Path) -> None:
    for each in NEEDED:
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / each, folder / each)


def spoil(folder: Path, name: str) -> None:
    """Make the changes of a defect.

    Raises:
        ValueError: if the tree does not have their text once.
    """
    for file, right, wrong in DEFECTS[name].changes:
        text = (folder / file).read_text()
        if text.count(right) != 1:
            raise ValueError(f"{name}: {file} has changed")
        (folder / file).write_text(text.replace(right, wrong))


def build(folder: Path, name: str, version: str) -> Path:
    """Build a copy, and make an environment where it is what `import covcore` finds, whatever the variables are.

    Args:
        name: of the defect; where that is in Python, the extensions are those of the tree.
        version: of Python.

    Returns:
        Its interpreter.
    """
    home = ROOT / ".venv" / version
    if not name or any(change.file.startswith("src/") for change in DEFECTS[name].changes):
        subprocess.run(
            [home / "bin" / "python", "setup.py", "--quiet", "build_ext", "--inplace"],
            cwd=folder,
            check=True,
            capture_output=True,
            env=os.environ | {"CFLAGS": "-O0"},
        )
    environment = folder / ".venv"
    subprocess.run([home / "bin" / "python", "-m", "venv", "--without-pip", environment], check=True)
    ours, theirs = (each / "lib" / f"python{version}" / "site-packages" for each in (home, environment))
    (theirs / "_covcore_tree.pth").write_text(
        f"{folder}\n{folder / 'plugin'}\n{ours}\n"
    )  # ours: its .pth files are not read
    for start in [ROOT / "plugin" / "covcore_start.pth", *ours.glob("a1_coverage.pth")]:
        shutil.copy(start, theirs)
    for others in ["plugins", "tools", "engines"]:
        (environment / others).symlink_to(home / others)
    python = environment / "bin" / "python"
    found = subprocess.check_output(
        [python, "-c", "from covcore import _tracer; print(_tracer.__file__)"], text=True, cwd=environment
    )
    assert found.startswith(f"{folder}/"), found
    return python


def look(folder: Path, python: Path, watcher: str) -> str:
    """Have a watcher look at a copy.

    Returns:
        What it says first, or "" if it sees nothing.
    """
    command: list[str | Path] = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n2",
        "--maxfail=1",
        "-p",
        "no:cacheprovider",
        *watcher.split(),
    ]
    if watcher == ORACLE:
        command = [python, "-m", "oracle", "400", "--seed=1", "--jobs=1", "--jit=0"]
    elif watcher.startswith("c/"):
        subprocess.run(["make", "-s", f"build/{watcher}"], cwd=folder, check=True)
        command = [folder / "build" / watcher]
    try:
        done = subprocess.run(command, cwd=folder / "tests", capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    said = [line.strip() for index, line in enumerate(lines) if index and lines[index - 1].endswith("differ:")]
    failed = [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines if line.startswith("FAILED")]
    return (said or failed or lines[-1:] or ["it failed"])[0]


def plant(name: str, version: str, watchers: tuple[str, ...]) -> dict[str, str]:
    """Copy the tree, spoil the copy, build it and have it looked at.

    Args:
        name: of the defect; "" for none.
        version: of Python.
        watchers: who looks.

    Returns:
        What each watcher said, or "".
    """
    with tempfile.TemporaryDirectory(prefix="plant-") as temp:
        folder = Path(temp).resolve()
        copy_tree(folder)
        if name:
            spoil(folder, name)
        python = build(folder, name, version)
        return {watcher: look(folder, python, watcher) for watcher in watchers}


def rows(name: str, said: Mapping[str, str]) -> str:
    """The rows of a defect in the table."""
    files = ", ".join(sorted({Path(change.file).name for change in DEFECTS[name].changes}))
    cells = {watcher: (text or "**nothing**").replace("|", "\\|").replace("<", "\\<") for watcher, text in said.items()}
    on = "" if DEFECTS[name].version == USUAL else f", {DEFECTS[name].version}"
    return "".join(
        f"| `{name}`: {DEFECTS[name].about} ({files}) | {watcher}{on} | {text} |\n" for watcher, text in cells.items()
    )


def write(seen: Mapping[str, Mapping[str, str]]) -> None:
    """Put what was seen into the page, and leave what it says of other defects."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    table = {name: "".join(re.findall(rf"^\| `{name}`:.*\n", old, re.MULTILINE)) for name in DEFECTS}
    table |= {name: rows(name, said) for name, said in seen.items()}
    header = "\n| defect | who was to see it | the first that was said |\n|---|---|---|\n"
    PAGE.write_text(before + BEGIN + header + "".join(table.values()) + "\n" + END + after)


def main() -> int:
    """0 if the tree passes and each defect is seen by all who are to see it."""
    names = sys.argv[1:] or list(DEFECTS)
    for name in [name for name in names if not (ROOT / ".venv" / DEFECTS[name].version).is_dir()]:
        print(f"{name}: left out, there is no Python {DEFECTS[name].version}")
        names.remove(name)
    watchers: dict[str, dict[str, None]] = {}  # by version
    for name in names:
        watchers.setdefault(DEFECTS[name].version, {}).update(dict.fromkeys(DEFECTS[name].watchers))
    looks = [("", version, tuple(those)) for version, those in watchers.items()]
    looks += [(name, DEFECTS[name].version, DEFECTS[name].watchers) for name in names]
    wrong = 0
    for name, version, those in looks:
        started = time.monotonic()
        said = plant(name, version, those)
        wrong += sum(bool(text) != bool(name) for text in said.values())
        for watcher, text in said.items():
            print(
                f"{name or '(no defect)'}: {watcher}, {version}: {text or 'nothing'} ({time.monotonic() - started:.0f} s)",
                flush=True,
            )
        if name:
            write({name: said})
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
