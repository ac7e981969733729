"""Runs a program of SlipCover's benchmark.

    older.py FOLDER PROGRAM LOOPS OUT

Writes the seconds of CPU time that it took to OUT: import and first hits included, start-up and publishing not, which are figures of
their own.  FOLDER holds run_benchmark.py, as pyperformance has it, and for pprint the module that it is about; all programs but sudoku
come from there.  Everything is imported as modules are, since SlipCover takes no other way into the code.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType


def main() -> None:
    folder, program, loops, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    clock = ModuleType("pyperf")  # all that is asked of it
    clock.perf_counter = time.perf_counter  # type: ignore[attr-defined]
    sys.modules["pyperf"] = clock
    sys.modules.pop("pprint", None)  # which a tool may have imported; ours lies in the folder
    sys.path.insert(0, folder)
    started = time.process_time()
    run(program, loops)
    seconds = time.process_time() - started
    with open(out, "w") as file:
        file.write(str(seconds))


def run(program: str, loops: int) -> None:
    if program == "sudoku":
        import sudoku  # type: ignore[import-not-found]

        sudoku.solve_all(loops)
        return
    import run_benchmark as b  # type: ignore[import-not-found]

    match program:
        case "fannkuch":
            for _ in range(loops):
                b.fannkuch(9)
        case "mdp":
            b.bench_mdp(loops)
        case "pprint":
            b.p.pformat(b.printable[:loops])
        case "raytrace":
            b.bench_raytrace(loops, 100, 100, None)
        case "spectral_norm":
            b.bench_spectral_norm(loops)
        case _:  # a part of scimark
            function, *arguments = b.BENCHMARKS[program]
            function(loops, *arguments)


main()
