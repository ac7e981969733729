"""Run the programs of a folder again and again, switching contexts, with another tool beside.

As a script: `python stage.py FOLDER ROUNDS TOOL [late]`.  FOLDER/*.py may call `switch(label)`, of which covcore is told if it
measures the process.  With TOOL `-` there is none.  `late`: one round runs under the tool alone, then covcore begins; in a bare
run (`late-bare`) it does not.  Prints as JSON how many switches there were and what the tool has heard, before and after
that.
"""

from __future__ import annotations

import asyncio  # noqa: F401  (so that a profiler does not hear the programs import it)
import builtins
import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any


class Stage:
    """Where programs run.

    n_switches: how often they switched contexts
    """

    def __init__(self, folder: str) -> None:
        self.n_switches = 0
        self.programs: list[tuple[Path, CodeType]] = [
            (path, compile(path.read_text(), path, "exec")) for path in sorted(Path(folder).glob("*.py"))
        ]
        self.tell: Callable[[str], None] = lambda label: None
        self.tool: Any = None
        self.stem = ""
        vars(builtins)["switch"] = self.switch

    def switch(self, label: str) -> None:
        self.n_switches += 1
        if self.tool is not None:
            self.tool.at_switch()
        self.tell(f"{self.stem} {label}")

    def play(self, rounds: int) -> None:
        gc.freeze()
        for _ in range(rounds):
            for path, code in self.programs:
                gc.collect()  # so that suspended generators always end here
                self.tell("")
                if self.tool is not None:
                    self.tool.between()
                self.stem = path.stem
                vars(builtins)["PROGRAM"] = str(path)
                exec(code, {"__name__": "program", "__file__": str(path), "__builtins__": builtins})


def main() -> None:
    folder, rounds, name, *when = sys.argv[1:]
    stage = Stage(folder)
    if "covcore" in sys.modules:  # as `covcore run` has it
        import covcore

        stage.tell = covcore.current().switch_context
    if name != "-":
        from tools import TOOLS

        stage.tool = TOOLS[name](folder)
        stage.tool.start()
    before: dict[str, int] = {}
    if when:
        stage.play(1)
        before = stage.tool.result()
        if when == ["late"]:
            import covcore

            stage.tell = covcore.start(include=[f"{folder}/*"]).switch_context
    stage.play(int(rounds))
    heard: dict[str, int] = {}
    if stage.tool is not None:
        stage.tool.stop()
        heard = stage.tool.result()
    print(json.dumps({"switches": stage.n_switches, "before": before, "heard": heard}))


if __name__ == "__main__":
    main()
