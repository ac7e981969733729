"""Cells of notebooks, and code by the thousand with invented names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from conftest import Place

NOTEBOOKS = str(Path(sys.prefix) / "notebooks")  # where `make build` puts ipykernel and nbclient: see pyproject.toml
LIBRARY = "def choose(x):\n    if x:\n        return 1\n    return 2\n"
CELLS = """\
import library
def f(a):
    if a:
        return library.choose(a)
    return 0
#
print(f(1))
#
import missing_module
#
%cd -q .
print(f(0))
"""
EXECUTE = """
import logging, sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, kernel_name="here", allow_errors=True, extra_arguments=["--log-level=50"]).execute()
for cell in book.cells:
    print("".join(output.get("text", output.get("ename", "")) for output in cell.outputs))
"""
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_cell("def f(a):\\n    if a:\\n        return 1\\n    return 2\\n")
shell.run_cell("print(f(0)); 1 / 0").error_in_exec
shell.run_cell("%time f(1)")
"""
MANY = """
import collections, dataclasses
for i in range(3000):
    exec(compile(f"def f(x):\\n    return x + {i}\\nf(1)\\n", f"made/{i}.py", "exec"))
    exec(compile(f"y = {i}", f"<made {i}>", "exec"))
for i in range(300):
    made = dataclasses.make_dataclass(f"D{i}", ["x"], order=True)
    made(1) < made(2)
    collections.namedtuple(f"N{i}", "a b")(1, 2)
"""


def test_a_notebook(place: Place) -> None:
    """The kernel is a process like any other; its cells are one row, for their text is in no file of their name."""
    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "here",
        "language": "python",
    }
    place.write("jupyter/kernels/here/kernel.json", json.dumps(kernel))
    cells = [
        {"cell_type": "code", "id": f"c{i}", "execution_count": None, "metadata": {}, "outputs": [], "source": text}
        for i, text in enumerate(CELLS.split("#\n"))
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    place.write("book.ipynb", json.dumps(book))
    place.write("library.py", LIBRARY)
    place.write("execute.py", EXECUTE)
    place.environment |= {
        "PYTHONPATH": NOTEBOOKS,
        "JUPYTER_PATH": str(place.folder / "jupyter"),
        "IPYTHONDIR": str(place.folder / "ipython"),
    }
    bare = place.python("execute.py", "book.ipynb")
    assert "ModuleNotFoundError" in bare.stdout, bare.stderr
    done = place.covcore("run", "--omit=*/notebooks/*", "execute.py", "book.ipynb")
    assert (done.status, done.stdout) == (0, bare.stdout)
    report = place.covcore("report", "-m")
    assert report.status == 0
    rows = {
        Path(row[0]).name.rstrip("0123456789"): row[1:] for row in map(str.split, report.stdout.splitlines()) if row
    }
    assert rows.keys() - {"Name", "TOTAL"} - {name for name in rows if set(name) == {"-"}} == {
        "library.py",
        "execute.py",
        "ipykernel_",
    }
    assert rows["library.py"] == ["4", "1", "2", "1", "67%", "4"]
    assert rows["ipykernel_"] == ["notebook"]
    assert report.stderr.count("stands for 4 cells of a notebook") == report.stderr.count("warning") == 1
    assert "2 processes: 2 finished" in report.stderr
    for command in ("html", "xml", "lcov", "json"):
        assert place.covcore(command).status == 0


def test_cells_of_ipython(place: Place) -> None:
    """They are called <ipython-input-1-...>: nobody's."""
    place.write("program.py", SHELL)
    done = place.covcore(
        "run", "--omit=*/notebooks/*", "program.py", PYTHONPATH=NOTEBOOKS, IPYTHONDIR=str(place.folder / "ipython")
    )
    assert done.status == 0, done.stderr
    assert "ZeroDivisionError" in done.stdout
    report = place.covcore("report")
    assert (report.status, report.stderr) == (0, "")
    assert [row.split()[0] for row in report.stdout.splitlines() if "%" in row] == ["program.py", "TOTAL"]


def test_names_by_the_thousand(place: Place) -> None:
    """What has no source is named up to a point, and counted."""
    place.write("program.py", MANY)
    done = place.covcore("run", "program.py")
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    report = place.covcore("report")
    assert report.status == 0
    assert len(report.stderr.splitlines()) == 11
    assert report.stderr.endswith("warning: 2990 more left out of the total: no source\n")
    assert "program.py" in report.stdout
