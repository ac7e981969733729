"""The arrows of ARCHITECTURE.md: each room imports only rooms to its left, and the measured process imports nothing it need not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
ROOMS = ["store", "analysis", "report", "html"]  # left to right
FOUNDATION = {
    "_reader",
    "_tracer",
    "_launch",
    "errors",
    "globs",
    "config",
    "platform",
    "__init__",
}  # on which each room may stand
PLAIN_C = [
    "arcs",
    "crc32",
    "sha256",
    "shape",
    "sites",
    "locations",
    "handlers",
    "proofs",
    "joins",
    "recording",
    "recording_read",
    "owner",
    "platform",
    "platform_posix",
    "platform_windows",
    "hits",
    "tally",
    "columns",
    "pages",
]


def covcore_imports(path: Path, *, late: bool = True) -> set[str]:
    """The first components below `covcore` that a module imports; without late ones, inside of functions."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names |= {node.module} if node.module != "covcore" else {f"covcore.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("covcore.")}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_to_their_left(room: str) -> None:
    allowed = FOUNDATION | set(ROOMS[: ROOMS.index(room) + 1])
    for path in (ROOT / "covcore" / room).glob("*.py"):
        assert covcore_imports(path) <= allowed, path


def test_the_measured_process_imports_no_command() -> None:
    """covcore.measure reaches help and database by late imports only: before the program starts, or after it has ended."""
    for path in (ROOT / "covcore" / "measure").glob("*.py"):
        assert covcore_imports(path, late=False) <= FOUNDATION | {"measure", "options", "store"}, path


def test_plain_c_never_includes_python() -> None:
    for name in PLAIN_C:
        for path in (ROOT / "src").glob(f"{name}.[ch]"):
            assert not re.search(r"#\s*include\s*[<\"]Python\.h", path.read_text()), path


SYSTEMS = re.compile(
    r"#\s*include\s*<(sys/|unistd|fcntl|pthread|signal|sched|time\.h|dirent|windows|io\.h)"
    r"|^\s*#\s*(el)?if.*(_WIN32|MS_WINDOWS|_MSC_VER|__APPLE__|__linux__)",
    re.MULTILINE,
)


def test_operating_systems_differ_in_one_place() -> None:
    found = {path.name for path in (ROOT / "src").glob("*.[ch]") if SYSTEMS.search(path.read_text())}
    assert found == {"platform.h", "platform_posix.c", "platform_windows.c"}


def test_python_code_asks_for_the_operating_system_in_one_place() -> None:
    """`make lint` has mypy look at all of it as on macOS and on Windows, too."""
    asks = re.compile(r"sys\.platform\b|\bos\.name\b|import (fcntl|msvcrt|nt|posix|pwd|resource)\b|\"/(proc|dev|tmp)\b")
    files = [*(ROOT / "covcore").rglob("*.py"), *(ROOT / "plugin").rglob("*.py")]
    assert {path.name for path in files if asks.search(path.read_text())} == {"platform.py"}


def test_c_files_can_be_read_in_one_sitting() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "src").glob("*.[ch]")}
    assert {name: n for name, n in lengths.items() if n > 700} == {}


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    """Those that are evaluated where Python is older than 3.14, unless the module imports `annotations`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [
                *child.args.posonlyargs,
                *child.args.args,
                *child.args.kwonlyargs,
                child.args.vararg,
                child.args.kwarg,
            ]
            yield from (each.annotation for each in arguments if each and each.annotation)
            if child.returns:
                yield child.returns
        else:
            if isinstance(child, ast.AnnAssign):
                yield child.annotation
            yield from _annotations(child)


def test_annotations_can_be_evaluated_before_python_3_14() -> None:
    """What is only imported for types is not there then: annotations that name it are strings, or the module makes all of them so."""
    for path in [*(ROOT / "covcore").rglob("*.py"), *(ROOT / "plugin").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
            continue
        for_types: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                for each in ast.walk(node):
                    if isinstance(each, ast.alias):
                        for_types.add(each.asname or each.name)
                    elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                        for_types.add(each.id)
        for annotation in _annotations(tree):
            names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
            assert not names & for_types, f"{path}:{annotation.lineno}"
