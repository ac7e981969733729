"""What covcore says of a program: the real tracer, its recording read back, and the analysis of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from recording_files import hits_of

from covcore import _reader, _tracer
from covcore.analysis.codes import recorded
from covcore.analysis.exclusions import Rules
from covcore.analysis.file import FileResult, analyse
from covcore.store.shapes import either, flags
from oracle.support import Support, execute

MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # thousands of short recordings
NO_RULES = Rules.configured(exclude_lines=[], partial_branches=[])

type Observed = dict[str, dict[str, list[Any]]]  # context -> code -> what ran


def observe(path: str, text: str, seed: int, rounds: int) -> dict[str, Any]:
    """Run a program measured.  Returns what it printed, lines, arms and sites, and what a report would say."""
    # Every other program has all its code silenced at once and armed again; the others mostly run on what is to spare.
    tracer = _tracer.Tracer(lambda filename: filename if filename == path else None, spare=seed % 2 == 0)
    support = Support(seed, rounds, lambda label: tracer.switch_context("", label, ""))
    with tempfile.TemporaryDirectory(prefix="oracle-", dir=MEMORY) as folder:
        printed = execute(text, path, support, lambda: tracer.start([folder], "0"), tracer.stop)
        recording = read(Path(folder))
    error = tracer.error or recording["problem"]
    return {"measured": printed, "error": error, **told(recording), **reported(recording, text)}


def read(folder: Path) -> _reader.Recording:
    """The one recording of a folder."""
    names = sorted(os.listdir(folder), key=lambda name: int(name.rpartition(".")[2]))
    return _reader.read_recording([(folder / name).read_bytes() for name in names])


def told(recording: _reader.Recording) -> dict[str, Any]:
    """Lines and arms of each context and code object, and the sites of each code object."""
    lines: Observed = {}
    arms: Observed = {}
    shapes = [_reader.decode_shape(code[4]) for code in recording["codes"]]
    names = [f"{code[3]}:{code[1]}" for code in recording["codes"]]
    for code_id, context, bits in hits_of(recording):
        label = recording["contexts"][context][1] if context >= 0 else ""
        code_lines, sites, _ = shapes[code_id]
        for slot, flag in enumerate(flags(bits)[: len(code_lines) + 2 * len(sites)]):
            if flag == "0":
                continue
            if slot < len(code_lines):
                lines.setdefault(label, {}).setdefault(names[code_id], []).append(code_lines[slot])
            else:
                site, arm = divmod(slot - len(code_lines), 2)
                arms.setdefault(label, {}).setdefault(names[code_id], []).append((sites[site][0], arm))
    sites_of = {name: [site[0] for site in shape[1]] for name, shape in zip(names, shapes, strict=True)}
    return {"lines": lines, "arms": arms, "sites": sites_of}


def reported(recording: _reader.Recording, text: str) -> dict[str, Any]:
    """Statements that ran, and branches with those that were taken, as a report of the recording has them."""
    bits: dict[int, bytes] = {}
    for code_id, _, hit in hits_of(recording):
        bits[code_id] = either(bits[code_id], hit) if code_id in bits else hit
    ran = [
        recorded(qualname, first_line, _reader.decode_shape(shape), bits[number])
        for number, (_, first_line, _, qualname, shape) in enumerate(recording["codes"])
        if number in bits
    ]
    return figures(analyse(text, ran, NO_RULES))


def figures(result: FileResult) -> dict[str, Any]:
    """What of a report's figures is compared, as JSON would give it."""
    branches = [[line, to] for line, targets in result.branches.items() for to in targets]
    missed = [[line, to] for line, targets in result.missing_branches.items() for to in targets]
    return {
        "statements": list(result.statements),
        "run": [line for line in result.statements if line not in set(result.missing)],
        "branches": branches,
        "taken": [branch for branch in branches if branch not in missed],
    }
