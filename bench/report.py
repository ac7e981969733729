"""Reports of 1,000 generated files of 200 lines, beside coverage.py's: the first, the next, and JSON."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Cost, Estimate, estimate, interleaved, ratios, run
from bench.results import Options, Result, Row
from bench.tools import COVCORE, SYSMON, Tool

BLOCK = """\
def work_{i}(numbers, limit={i}):
    total = 0
    for number in numbers:
        if number > limit and number % 2:
            total += number
        elif number < -limit:
            total -= number
        else:
            continue
    while total > 100:
        total //= 2
        if total == limit:
            break
    try:
        total = 100 // (total - limit)
    except ZeroDivisionError:
        total = 0
    with_name = "x" if total else "y"
    return [with_name for n in numbers if n != total]

"""
LINES = 200
NEXT = "covcore, next report"


def measure(options: Options) -> Result:
    rows = []
    n_files = 100 if options.quick else 1000
    for python in options.pythons:
        tools = {name: Tool(name, python) for name in (COVCORE, SYSMON)}
        with TemporaryDirectory() as temp:
            folder = Path(temp)
            program = generate(folder / "program", n_files)
            for tool in tools.values():
                run(tool.command([str(program)], str(program.parent), folder), cwd=folder, env=tool.environment(folder))
            variants = {
                COVCORE: partial(first_report, tools[COVCORE], folder),
                NEXT: partial(report, tools[COVCORE], folder),
                SYSMON: partial(report, tools[SYSMON], folder),
            }
            taken = interleaved(variants, options.pairs, f"report, {python}")
            variants = {name: partial(json_report, tool, folder) for name, tool in tools.items()}
            json_taken = interleaved(variants, options.pairs, f"json, {python}")
        cpu = {name: [cost.cpu for cost in costs] for name, costs in taken.items()}
        figures: dict[str, Estimate | str] = {name: estimate(cpu[name]) for name in tools}
        files = f"{n_files:,} files of {LINES} lines"
        rows.append(Row(f"report of {files}, CPU time, {python}", "s", figures, detail=True))
        share: dict[str, Estimate | str] = {COVCORE: ratios(cpu[COVCORE], cpu[SYSMON]), SYSMON: estimate([1.0])}
        rows.append(Row(f"report of {files}, over coverage.py's, {python}", "x", share, 1.0))
        again: dict[str, Estimate | str] = {COVCORE: ratios(cpu[NEXT], cpu[COVCORE])}
        rows.append(Row(f"next report of {files} that are unchanged, over the first, {python}", "x", again, 0.1))
        json_wall: dict[str, Estimate | str] = {
            name: estimate([cost.wall for cost in costs]) for name, costs in json_taken.items()
        }
        rows.append(Row(f"JSON of {files}, {python}", "s", json_wall, 5.0))
    return Result("report", options, rows)


def generate(folder: Path, n_files: int, n_lines: int = LINES) -> Path:
    """Write modules and a program that imports them all and calls every other function."""
    folder.mkdir()
    blocks = [BLOCK.format(i=i) for i in range(n_lines // (BLOCK.count("\n")) + 1)]
    lines = "".join(blocks).splitlines(keepends=True)
    body = lines[: n_lines - n_lines % BLOCK.count("\n")]
    n_functions = len(body) // BLOCK.count("\n")
    body += [f"VALUE_{i} = {i}\n" for i in range(n_lines - len(body))]
    for i in range(n_files):
        (folder / f"module_{i:04}.py").write_text("".join(body))
    called = range(0, n_functions, 2)
    program = folder / "main.py"
    program.write_text(
        "".join(f"import module_{i:04}\n" for i in range(n_files))
        + "".join(f"module_{i:04}.work_{j}(range(8))\n" for i in range(n_files) for j in called)
    )
    return program


def forget(folder: Path) -> None:
    """Have the next command of covcore's analyse everything anew."""
    (folder / "covcore.d" / "analysis").unlink(missing_ok=True)


def first_report(tool: Tool, folder: Path, number: int) -> Cost:
    forget(folder)
    return report(tool, folder, number)


def json_report(tool: Tool, folder: Path, number: int) -> Cost:
    out = folder / f"{tool.name}.json"
    if tool.name == COVCORE:
        forget(folder)
        command: list[str | Path] = [tool.folder / "bin/covcore", "json", f"--data={folder}/covcore", "-o", out]
    else:
        command = [tool.folder / "bin/coverage", "json", f"--rcfile={folder}/empty.coveragerc", "-o", out]
    cost = run(command, cwd=folder, env=tool.environment(folder))
    if not out.stat().st_size:
        raise SystemExit(f"bench: no JSON:\n{cost.output[-1000:]}")
    return cost


def report(tool: Tool, folder: Path, number: int) -> Cost:
    if tool.name == COVCORE:
        command: list[str | Path] = [tool.folder / "bin/covcore", "report", "-m", f"--data={folder}/covcore"]
    else:
        command = [tool.folder / "bin/coverage", "report", "-m", f"--rcfile={folder}/empty.coveragerc"]
    cost = run(command, cwd=folder, env=tool.environment(folder))
    if "TOTAL" not in cost.output:
        raise SystemExit(f"bench: no report:\n{cost.output[-1000:]}")
    return cost
