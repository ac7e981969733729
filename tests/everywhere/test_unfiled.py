"""Code that is no function of a file on the disk: what is measured of it, and that nothing of it ends a run or a report."""

from __future__ import annotations

import zipfile

from conftest import Place

MODULE = "def choose(x):\n    if x:\n        return 1\n    return 2\n"
INVENTED = r"""
import dataclasses, collections
names = ["<string>", "<invented>", "", "invented.txt", "a\nb\tc.py", "gone/missing.py", "sur\udc80.py", "/", ".", "x" * 5000, "https://a.b/c.py"]
for name in names:
    exec(compile("x = 1\ny = 2\n", name, "exec"))
@dataclasses.dataclass(order=True)
class Point:
    x: int
print(Point(1) < Point(2), collections.namedtuple("Pair", "a b")(1, 2))
"""


def test_invented_names(place: Place) -> None:
    """Those in <> are nobody's; others are files without source, and count for nothing."""
    place.write("program.py", INVENTED)
    bare, done = place.python("program.py"), place.covcore("run", "program.py")
    assert (done.status, done.stdout, done.stderr) == (bare.status, bare.stdout, bare.stderr)
    report = place.covcore("report", "-m")
    assert report.status == 0
    assert "Traceback" not in report.stderr
    assert report.stderr.count("it is left out of the total\n") == 7
    assert place.covcore("report", "--format=total").stdout == "100\n"


def test_modules_of_an_archive(place: Place) -> None:
    """Their text is read from it: the figures are those of files."""
    with zipfile.ZipFile(place.folder / "library.zip", "w") as archive:
        archive.writestr("package/__init__.py", MODULE)
    place.write("program.py", "import sys\nsys.path.insert(0, 'library.zip')\nimport package\npackage.choose(1)\n")
    assert place.covcore("run", "program.py").status == 0
    [row] = [line for line in place.covcore("report", "-m").stdout.splitlines() if "package" in line]
    assert row.split() == ["library.zip/package/__init__.py", "4", "1", "2", "1", "67%", "4"]


def test_modules_without_source(place: Place) -> None:
    """Their lines are recorded; without the text there are no figures."""
    place.write("only.py", MODULE)
    assert place.python("-m", "compileall", "-q", "-b", "only.py").status == 0
    (place.folder / "only.py").unlink()
    place.write("program.py", "import only\nonly.choose(1)\n")
    assert place.covcore("run", "program.py").status == 0
    assert place.lines()["only.py"] == {1, 2, 3}
    report = place.covcore("report")
    assert report.status == 0
    assert "only.py cannot be read" in report.stderr


def test_a_package_without_source(place: Place) -> None:
    """As a module: its files are named in the report, and count for nothing."""
    place.write("package/__init__.py", "from package.part import choose\n")
    place.write("package/part.py", MODULE)
    assert place.python("-m", "compileall", "-q", "-b", "package").status == 0
    for source in (place.folder / "package").glob("*.py"):
        source.unlink()
    place.write("program.py", "import package\npackage.choose(0)\n")
    assert place.covcore("run", "program.py").status == 0
    assert (place.lines()["__init__.py"], place.lines()["part.py"]) == ({1}, {1, 2, 4})
    rows = [line.split(maxsplit=1) for line in place.covcore("report").stdout.splitlines() if "package" in line]
    assert rows == [["package/__init__.py", "no source"], ["package/part.py", "no source"]]


def test_frozen_modules(place: Place) -> None:
    """They run as ever, and none is in the data: those of Python's start-up, and one that the program imports."""
    place.write(
        "program.py",
        "import __hello__, __phello__.spam, zipimport\n__hello__.main()\nprint(__hello__.__spec__.origin)\n",
    )
    bare, done = place.python("program.py"), place.covcore("run", "program.py")
    assert (done.status, done.stdout, done.stderr) == (bare.status, bare.stdout, bare.stderr)
    assert bare.stdout.endswith("\nfrozen\n")
    assert place.lines() == {"program.py": {1, 2, 3}}
