"""Settings of coverage.py's [run]: with covcore as the core they mean what they mean with the C tracer."""

from __future__ import annotations

import os

import pytest
from conftest import Place
from coveragepy_cores import CORES, ENGINES, report, settings

pytestmark = pytest.mark.once  # what differs between versions of Python is in test_core.py

FILES = {
    "pkg/__init__.py": "",
    "pkg/used.py": "def used(n):\n    if n > 1:\n        return n\n    return 0\n",
    "pkg/unused.py": "x = 1\n",
    "pkg/sub/__init__.py": "from pkg import used\nused.used(1)\n",
    "other.py": "import sys\nfrom pkg.used import used\nused(len(sys.argv))\n",
    "program.py": "import os, sys, other, pkg.sub\n"
    "if 'exec' in sys.argv:\n    os.execv(sys.executable, [sys.executable, 'other.py', 'a', 'b'])\n",
}
SETTINGS = {
    "nothing": "",
    "source": "source = pkg\n",
    "source_pkgs": "source_pkgs = pkg.sub\n",
    "source_pkgs that are not there": "source_pkgs = pkg, nosuch\n",
    "source_dirs": "source_dirs = pkg/sub\n",
    "include": "include = */pkg/*\n",
    "omit": "omit = */pkg/u*\n",
    "include-ignored": "source = pkg\ninclude = other.py\n",
    "relative_files": "relative_files = True\nsource = pkg\n",
    "context": "context = unit\n",
    "context, test_function": "context = unit\ndynamic_context = test_function\n",
    "data_file": "data_file = made/data\n",
    "cover_pylib": "cover_pylib = True\nomit = */coverage/*, */covcore*\ninclude = */pkg/*, */shutil.py\n",
    "execv": "patch = execv\nparallel = True\n",
    "subprocess": "patch = subprocess\n",
    "[paths]": "parallel = True\nsource = pkg\n[paths]\nhere =\n    moved\n    pkg\n",
}
NAMES = """
import coverage, glob, sys
names = set()
for path in sys.argv[1:]:
    data = coverage.CoverageData(path)
    data.read()
    for context in data.measured_contexts():
        data.set_query_context(context)
        names |= {(context, name, *data.lines(name)) for name in data.measured_files()}
print(*sorted(names), sep="\\n")
"""


def measured(place: Place, core: str, setting: str) -> tuple[str, str, str]:
    """Run the program.  Returns what was said, what each context ran of which name, and what a report has."""
    environment = {"COVERAGE_CORE": core} if core != "covcore" else {}
    environment["PYTHONPATH"] = os.pathsep.join([str(ENGINES), str(place.folder)])
    run = place.python("-m", "coverage", "run", "program.py", "exec" if setting == "execv" else "", **environment)
    assert run.status == 0, run.stderr
    parallel = [path.name for path in place.folder.glob(".coverage.*")]
    if parallel:
        assert place.python("-m", "coverage", "combine", "-q", **environment).status == 0
    data = "made/data" if setting == "data_file" else ".coverage"
    names = place.python("-c", NAMES, data)
    assert names.stderr == ""
    said = "".join(line for line in run.stderr.splitlines(keepends=True) if "CoverageWarning" in line)
    found = str(sorted(report(place).items()))
    (place.folder / data).unlink()
    return said, names.stdout, found


@pytest.mark.parametrize("setting", SETTINGS)
def test_means_what_it_means_with_ctrace(place: Place, setting: str) -> None:
    for name, text in FILES.items():
        place.write(name, text)
    settings(place, SETTINGS[setting])
    ours, theirs = (measured(place, core, setting) for core in CORES)
    assert ours == theirs
    assert "used.py" in ours[1] or setting in ("omit", "source_dirs", "source_pkgs"), ours
