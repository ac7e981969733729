"""`python -m oracle.plant [NAME ..]`, in tests/: plants defects in copies of the tree, and tells whether the oracle sees each."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED = [
    "covcore",
    "plugin",
    "src",
    "tests/oracle",
    "tests/strategies.py",
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
]
PROGRAMS = 400


class Defect(NamedTuple):
    """What is replaced, once, in a file of the tree."""

    file: str
    right: str
    wrong: str


DEFECTS = {
    "left-is-right": Defect("src/tracer.c", "events->branch_left, on_left}", "events->branch_left, on_right}"),
    "arms-swapped": Defect("src/shape.c", "2 * (int64_t)index + arm;", "2 * (int64_t)index + !arm;"),
    "offset-shifted": Defect("src/sites.c", ".left = 2 * left,", ".left = 2 * left + 2,"),
    "line-dropped": Defect(
        "src/tracer.c",
        "        hit(self, state, FROM_LINE, number_of(args[1]));",
        "        if (number_of(args[1]) % 16 != 7) hit(self, state, FROM_LINE, number_of(args[1]));",
    ),
    "no-jump": Defect("src/tracer.c", "    hit_start(self, state, destination);\n", ""),
    "lines-given-up-early": Defect("src/tracer.c", "--state->lines_left == 0", "--state->lines_left == 1"),
    "contexts-forgotten": Defect(
        "src/tracer.c", "if (arcs_at(&self->arcs, id)->serial != self->serial)", "if (is_new)"
    ),
    "run-without-event": Defect(
        "covcore/analysis/file.py", "for line in code.hit_lines()}", "for line in code.shape[0]}"
    ),
    "wrong-arm": Defect("covcore/analysis/branches.py", "code.hits[slot + arm]", "code.hits[slot + 1 - arm]"),
    "either-arm": Defect("covcore/analysis/branches.py", "code.hits[slot + arm]", "any(code.hits[slot : slot + 2])"),
    "with-is-next": Defect(
        "covcore/analysis/branches.py", "self._own_header) and statement not in passed_over", "self._own_header)"
    ),
}


def plant(name: str, folder: Path) -> str:
    """Copy the tree, spoil the copy, build it and let the oracle see it.

    Args:
        name: of the defect; "" for none.
        folder: where to copy to.

    Returns:
        The first line of what the oracle said, or "" if it found nothing wrong.
    """
    for each in NEEDED:
        target = folder / each
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / each, target)
    if name:
        defect = DEFECTS[name]
        path = folder / defect.file
        text = path.read_text()
        assert text.count(defect.right) == 1, f"{name}: {defect.file} has changed"
        path.write_text(text.replace(defect.right, defect.wrong))
    if name and defect.file.startswith("src/"):
        build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        subprocess.run(build, cwd=folder, check=True, capture_output=True)
    command = [sys.executable, "-m", "oracle", str(PROGRAMS), "--seed=1", "--jobs=1", "--jit=0"]
    done = subprocess.run(command, cwd=folder / "tests", capture_output=True, text=True)
    lines = done.stdout.splitlines()
    said = [line.strip() for index, line in enumerate(lines) if index and lines[index - 1].endswith("differ:")]
    return said[0] if said else done.stderr if done.returncode else ""


def main() -> int:
    """0 if the tree passes and each defect is seen."""
    unseen = 0
    for name in ["", *(sys.argv[1:] or DEFECTS)]:
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            said = plant(name, Path(folder))
        unseen += bool(said) != bool(name)
        print(f"{name or '(no defect)'}: {said or 'nothing seen'}", flush=True)
    return int(unseen > 0)


if __name__ == "__main__":
    sys.exit(main())
