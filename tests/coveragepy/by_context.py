"""Run programs that switch contexts under coverage.py, and print what its own analysis says of each context.

    python by_context.py CORE < {name: text} as JSON

CORE: covcore, or one of coverage.py's.  Output, as JSON: {name: {context: [lines run, branches taken, lines under way at the switch]}}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import coverage


def measure(core: str, name: str, text: str) -> dict[str, list[object]]:
    """Run a program; a name `switch` in it begins a context."""
    path = Path(f"{name}.py").absolute()
    path.write_text(text)
    settings = Path("rc")
    plugin = "plugins = covcore_coverage" if core == "covcore" else f"core = {core}"
    settings.write_text(f"[run]\nbranch = True\n{plugin}\n")
    measuring = coverage.Coverage(data_file=None, config_file=str(settings), include=[str(path)])
    code = compile(text, str(path), "exec")
    under_way: dict[str, set[int]] = {}

    def switch(label: str) -> None:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == str(path):
                under_way.setdefault(label, set()).add(frame.f_lineno)
            frame = frame.f_back
        for value in namespace.values():  # a generator that will go on
            if getattr(value, "gi_frame", None) is not None:
                under_way.setdefault(label, set()).add(value.gi_frame.f_lineno)
        measuring.switch_context(label)

    namespace: dict[str, Any] = {"__name__": name, "__file__": str(path), "switch": switch}
    with measuring.collect():
        try:
            exec(code, namespace)
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
    data = measuring.get_data()
    found = {}
    for context in sorted(data.measured_contexts()):
        data.set_query_context(context)
        if not data.lines(str(path)):
            continue  # coverage.py looks at all contexts then
        analysis = measuring._analyze(str(path))
        taken = {
            line: set(to) - set(analysis.missing_branch_arcs().get(line, ())) for line, to in possible(analysis).items()
        }
        found[context] = [
            sorted(analysis.executed),
            sorted((line, to) for line, tos in taken.items() for to in tos),
            sorted(under_way.get(context, ())),
        ]
    return found


def possible(analysis: coverage.results.Analysis) -> dict[int, list[int]]:  # type: ignore[name-defined]
    """The branches of a file."""
    ways: dict[int, list[int]] = {}
    for line, to in analysis.arc_possibilities:
        ways.setdefault(line, []).append(to)
    return {line: to for line, to in ways.items() if analysis.exit_counts.get(line, 0) > 1}


def main() -> None:
    """See the module."""
    programs = json.load(sys.stdin)
    json.dump({name: measure(sys.argv[1], name, text) for name, text in programs.items()}, sys.stdout)


if __name__ == "__main__":
    main()
