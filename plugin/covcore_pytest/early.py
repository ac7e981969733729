"""Modules that were imported before the session began.

Their functions are measured from then on; but what only an import runs, the lines of the module and of its classes,
has run already and counts as missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import SOURCE_SUFFIXES
from types import CodeType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.analysis.file import FileResult
    from covcore.measure.filters import Filter

SUFFIXES = tuple(SOURCE_SUFFIXES)  # on Windows also .pyw
FUNCTION = 0x1 | 0x2  # CO_OPTIMIZED and CO_NEWLOCALS


class EarlyModules:
    """paths: by name, the files that are measured."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    def note(self, filter: Filter) -> None:
        """Note which measured modules are there."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
            if isinstance(file, str) and file.endswith(SUFFIXES) and (path := filter.decide(file)):
                self.paths[name] = path

    def warning(self, results: Mapping[str, FileResult]) -> str:
        """Name the lines that could have run only before; "" if there is none such.

        results: by path
        """
        from covcore.report.lines import ranges

        found = []
        for name, path in sorted(self.paths.items()):
            if path in results and (lines := imported_lines(path).intersection(results[path].missing)):
                parts = [
                    f"{first}-{last}" if last > first else f"{first}"
                    for first, last in ranges(results[path].statements, lines)
                ]
                found.append(f"{name} ({', '.join(parts)})")
        if not found:
            return ""
        return (
            "imported before measuring began, so that lines which only an import runs count as missing: "
            f"{', '.join(found)}: `covcore run -m pytest` begins earlier"
        )


def imported_lines(path: str) -> set[int]:
    """The lines of a file that run when it is imported, unless something skips them; none if it cannot be compiled."""
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return set()
    return {line for part in _run_by_import(code) for *_, line in part.co_lines() if line}


def _run_by_import(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_flags & FUNCTION:
            yield from _run_by_import(constant)
