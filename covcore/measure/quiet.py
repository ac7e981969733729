"""Imports of ours that the program does not see, and that do not see the program's."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from types import ModuleType

OURS = ("covcore", "covcore_pytest")
ENOUGH_RECURSION = 1000  # as the interpreter begins with


class quiet:
    """What is imported inside this context is forgotten at its end, unless it is ours: the program imports it anew.

    known: names of the modules to keep; default: those that are there at the beginning
    """

    def __init__(self, known: "Collection[str] | None" = None) -> None:
        self.known = known

    def __enter__(self) -> None:
        if self.known is None:
            self.known = set(sys.modules)

    def __exit__(self, *exception: object) -> None:
        assert self.known is not None
        forgotten = [name for name in sys.modules if name not in self.known and not is_ours(name)]
        modules = {name: sys.modules.pop(name) for name in forgotten}
        for name, module in modules.items():
            parent, _, child = name.rpartition(".")
            # Packages that are forgotten themselves stay whole: `undisturbed` may have them for the end.
            if parent in sys.modules and getattr(sys.modules[parent], child, None) is module:
                delattr(sys.modules[parent], child)


def is_ours(name: str) -> bool:
    return name.partition(".")[0] in OURS


def bare_modules(*, with_runpy: bool) -> set[str]:
    """The names of the modules that a program finds which the interpreter runs without us.

    with_runpy: the program is a module, folder or archive, for which the interpreter imports runpy

    sys.modules is in the order in which imports ended: `site` (or, without it, the empty `__main__`) is the last that
    the interpreter imports before it turns to its program, and `runpy` the next if that is a module.
    """
    names = list(sys.modules)
    last = "__main__" if sys.flags.no_site else "site"
    if with_runpy and "runpy" in names:
        last = "runpy"
    return set(names[: names.index(last) + 1] if last in names else names)


class undisturbed:
    """Inside this context imports of ours and of the standard library are answered as if no program had run.

    A program may have put a folder with a datetime.py of its own in front of sys.path, have import hooks, a mock in
    sys.modules, or have cleared that; or have left hardly any recursion.
    """

    __slots__ = ("found", "hidden", "known", "limit", "machinery", "standard")

    def __init__(self, standard: "Iterable[str]") -> None:
        """standard: the folders of the standard library, each with "/" at its end"""
        self.standard = tuple(standard)
        path = [entry for entry in sys.path if isinstance(entry, str) and f"{entry}/".startswith(self.standard)]
        self.machinery = (path, sys.meta_path[:], sys.path_hooks[:])
        self.found = self.machinery
        self.limit = sys.getrecursionlimit()
        self.known = {name: module for name, module in sys.modules.items() if name != "__main__"}
        self.hidden: dict[str, ModuleType] = {}

    def __enter__(self) -> None:
        self.limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(self.limit, ENOUGH_RECURSION))
        self.found = (sys.path, sys.meta_path, sys.path_hooks)
        sys.path, sys.meta_path, sys.path_hooks = self.machinery
        for name in [name for name in sys.modules if name.partition(".")[0] in sys.stdlib_module_names]:
            if not self._is_genuine(name):
                self.hidden[name] = sys.modules.pop(name)
        for name, module in self.known.items():
            sys.modules.setdefault(name, module)

    def __exit__(self, *exception: object) -> None:
        sys.path, sys.meta_path, sys.path_hooks = self.found
        sys.modules.update(self.hidden)
        sys.setrecursionlimit(self.limit)

    def _is_genuine(self, name: str) -> bool:
        """Whether the module of this name is the standard library's."""
        if name in ("sys", "builtins"):
            return True  # there is but one
        module = sys.modules[name]
        if not isinstance(module, type(sys)):
            return False
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        return origin in ("built-in", "frozen") or (isinstance(origin, str) and origin.startswith(self.standard))
