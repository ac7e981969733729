"""Whether an installed covcore measures a program, its children included, and reports it: what a wheel is tested by.

    python tests/installed.py

It needs nothing but that Python, and looks at nothing in the source tree.
"""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

MAIN = """\
import subprocess, sys

def greet(name):
    if name:
        print("hello", name)
    else:
        print("nobody")

greet("world")
subprocess.run([sys.executable, "child.py"], check=True)
"""
CHILD = """\
for number in range(3):
    if number > 5:
        print("never")
"""
EXPECTED = {"child.py": "3", "main.py": "7"}  # the lines that do not run


def run(folder: Path, *words: str) -> str:
    """What covcore says on standard output.  Ends the script if it fails."""
    command = [sys.executable, "-m", "covcore", *words]
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COVCORE_RUN", "COVCORE_DATA")
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode != 0 or "Traceback" in done.stderr:
        sys.exit(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def missing(report: str) -> dict[str, str]:
    """From each file in a report to the first line that is missing."""
    words = [line.split() for line in report.splitlines()]
    return {
        row[0]: row[-1] if "->" not in row[-1] else row[-2].rstrip(",")
        for row in words
        if row and row[0].endswith(".py")
    }


def main() -> None:
    files = {str(file) for file in distribution("covcore").files or ()}
    assert any("covcore_start.pth" in name or name.endswith("covcore.start") for name in files), files
    for name in ("covcore_pytest", "covcore_coverage"):
        assert find_spec(name), f"{name} is not installed"
    assert {entry.name for entry in distribution("covcore").entry_points} == {"covcore"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "main.py").write_text(MAIN)
        (folder / "child.py").write_text(CHILD)
        assert run(folder, "run", "--source=.", "main.py") == "hello world\n"
        report = run(folder, "report", "-m")
        assert missing(report) == EXPECTED, report
    print(f"covcore measures on {sys.platform}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
