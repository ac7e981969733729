"""Which files are measured.

`Filter.decide` is asked from inside an event callback, at any moment of a program that may have mocked open, os.getcwd
or os.path: it works on strings, with what it was given at the start, and touches no file.
"""

import os
import sys

from covcore.globs import compile_pattern, matches
from covcore.platform import IS_WINDOWS, folded, is_below, root_of, slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec

    from covcore.config import Settings
    from covcore.globs import Pattern

INSTALLED = ("/site-packages/", "/dist-packages/")
TEMPLATE_PARTS = 2  # behind the path in the name of a template
HERE = slashed(os.path.dirname(os.path.abspath(__file__)))  # covcore/measure, which must not measure itself
OURS = tuple({HERE + "/", slashed(os.path.realpath(HERE)) + "/"})
PACKAGES = tuple(os.path.dirname(folder[:-1]) + "/" for folder in OURS)
PACKAGES += tuple(f"{os.path.dirname(folder[:-1])}/plugin/" for folder in PACKAGES)  # where they lie in the source tree


class Source:
    """One item of --source.

    name: as given
    folder: the absolute path of the folder or file that it is or, not being found, might become
    parts: "a/b" for a name a.b that was not found, else ""
    """

    __slots__ = ("folder", "name", "parts")

    def __init__(self, name: str, folder: str, parts: str) -> None:
        self.name = name
        self.folder = folder
        self.parts = parts


class Filter:
    """What --source, --include and --omit say, for one process.

    sources: the items of --source; a name that leads to several folders has several
    met: called when a file is met whose path ends so
    """

    def __init__(self, settings: "Settings", main: str = "", windows: bool = IS_WINDOWS) -> None:
        """Args:
        settings: see there.
        main: the absolute path of the script that is run, if one is: a script may be called anything.
        windows: whether paths are those of Windows.
        """
        self.folder = settings.folder
        self.windows = windows
        self.spelt: dict[str, str] = {}  # on Windows, how paths were written that were met, by how they compare
        self.main = slashed(main, windows)
        self.aliases = _aliases(self.folder, settings.source, windows)
        self.include = [self._compile(pattern) for pattern in settings.include]
        self.omit = [self._compile(pattern) for pattern in settings.omit]
        self.sources = [found for name in settings.source for found in self._find_source(name)]
        self.standard = [folded(folder, windows) for folder in standard_library()]
        self.ours = tuple(folded(folder, windows) for folder in OURS)
        self.packages = [folded(folder, windows) for folder in PACKAGES]
        scripts = slashed(f"{sys.prefix}/{'Scripts' if windows else 'bin'}/", windows)
        self.scripts = folded(scripts, windows) if sys.prefix != sys.base_prefix else ""
        self.unmatched = {source.name for source in self.sources}  # items in which nothing was measured yet
        self.met: dict[str, Callable[[], None]] = {}

    def decide(self, filename: str) -> str | None:
        """Say under which absolute path a file is measured; None: it is not.

        filename: any co_filename, or the name of a template as covcore/measure/templates.py gives it: the path in that is made absolute
        """
        if not filename or filename[0] == "<":
            return None  # <string>, <frozen os>, <stdin>, ...
        filename, *template = filename.split("\0")
        if template and len(template) != TEMPLATE_PARTS:
            return None
        for ending, call in self.met.items():
            if filename.endswith(ending):
                call()
        path = self.canonical(filename)
        if not (template or self._is_python(path)) or folded(path, self.windows).startswith(self.ours):
            return None
        if self.sources:
            source = self._source_of(path)
            if source is None or self._is_installed(path, source.folder):
                return None
        elif not self.include and self._is_installed(path, self.folder):
            return None
        if (self.include and not matches(path, self.include, self.windows)) or matches(path, self.omit, self.windows):
            return None
        if self.sources and source is not None:
            self.unmatched.discard(source.name)
        return "\0".join((path, *template))

    def canonical(self, filename: str) -> str:
        """The absolute path of a file, the same whichever known way (a symbolic link on sys.path, say) leads to it."""
        path = normalise(filename, self.folder, self.windows)
        for alias, real in self.aliases:
            if folded(f"{path}/", self.windows).startswith(alias):
                path = (real + path[len(alias) :]).rstrip("/") or "/"
                break
        return self.spelt.setdefault(path.lower(), path) if self.windows else path

    def source_folders(self) -> list[str]:
        """The absolute paths of --source, as far as they are known."""
        return list(dict.fromkeys(source.folder for source in self.sources if not source.parts))

    def missing(self) -> list[str]:
        """The items of --source that are no folder and never were importable."""
        unmatched = {source.name for source in self.sources if not os.path.exists(source.folder)}
        return sorted(unmatched & self.unmatched)

    def describe(self) -> str:
        """Say what was looked for, as the end of a sentence that begins with "no code ran"."""
        if self.sources:
            return "in --source=" + ",".join(dict.fromkeys(source.name for source in self.sources))
        if self.include:
            return "that --include and --omit let through"
        return "outside the standard library and installed packages; --source=NAME measures any of them"

    # ---- the parts of the decision

    def _is_python(self, path: str) -> bool:
        """Whether a file may hold Python: a template that was compiled to it does not."""
        name = path[path.rfind("/") + 1 :]
        dot = name.rfind(".")
        return (
            dot <= 0
            or folded(name, self.windows).startswith(".py", dot)
            or folded(path, self.windows) == folded(self.main, self.windows)
        )

    def _is_installed(self, path: str, root: str) -> bool:
        """Whether a file is the standard library's, an installed package's or ours.

        root: the folder that the user points at: what is in it is so only by what lies between it and the file
        """
        path, root = folded(path, self.windows), folded(root, self.windows)
        inside = path[len(root) :] if is_below(path, root, self.windows) else path
        for part in INSTALLED:
            if part in inside:
                return True
        for folder in (*self.standard, *self.packages):
            if path.startswith(folder) and not (root + "/").startswith(folder):
                return True
        return bool(self.scripts) and path.startswith(self.scripts) and "." not in path[len(self.scripts) :]

    def _source_of(self, path: str) -> Source | None:
        """The item of --source that a file belongs to."""
        for source in self.sources:
            if is_below(path, source.folder, self.windows):
                return source
        for source in self.sources:
            if source.parts and (folder := self._locate(source.parts, path)):
                found = Source(source.name, folder, "")
                self.sources.append(found)
                return found
        return None

    def _locate(self, parts: str, path: str) -> str:
        """Where the module of these parts lies, if path is a file of it as sys.path stands now; else ""."""
        for entry in sys.path:
            if isinstance(entry, str):
                place = f"{self.canonical(entry).rstrip('/')}/{parts}"
                if folded(path, self.windows) == folded(place + ".py", self.windows):
                    return path
                if is_below(path, place, self.windows):
                    return place
        return ""

    # ---- at the start

    def _compile(self, text: str) -> "Pattern":
        pattern = compile_pattern(text, self.folder, self.windows)
        if pattern[0] or self.windows:
            return pattern
        return tuple(self.canonical("/".join(pattern)).split("/"))

    def _find_source(self, name: str) -> list[Source]:
        """A folder or file if there is one, then what an import of the name would find; else both come later."""
        path = self.canonical(name).rstrip("/") or "/"
        importable = all(part.isidentifier() for part in name.split("."))
        if os.path.exists(path) or not importable:
            return [Source(name, path, "")]
        places = _importable(name) or _importable(name, [self.folder, f"{self.folder}/src"])
        if places:
            return [Source(name, self.canonical(place), "") for place in places]
        return [Source(name, path, name.replace(".", "/"))]


def normalise(path: str, folder: str, windows: bool = IS_WINDOWS) -> str:
    """The absolute path without ".", ".." and empty parts, and with "/" on Windows, too.

    folder: what a relative path is relative to
    """
    path = slashed(path, windows)
    root = root_of(path, windows)
    if not root:
        path = f"{folder}/{path}"
    elif windows and not root.endswith("/"):  # relative, to the current folder of a drive, of which only one is known
        path = f"{folder if folder.startswith(root) else root}/{path[len(root) :]}"
    elif windows and root == "/":
        path = root_of(folder, windows) + path[1:]
    if not windows and "//" not in path and "/." not in path and not path.endswith("/"):
        return path
    root = root_of(path, windows)
    parts: list[str] = []
    for part in path[len(root) :].split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return root + "/".join(parts)


def standard_library() -> list[str]:
    """The folders, and the archive, that the standard library may lie in, each with "/" at its end."""
    major, minor = sys.version_info[:2]
    parents = [f"{prefix}/{sys.platlibdir}" for prefix in (sys.base_prefix, sys.base_exec_prefix)]
    folders = [
        f"{parent}/{name}" for parent in parents for name in (f"python{major}.{minor}", f"python{major}{minor}.zip")
    ]
    folders += [os.path.dirname(os.__file__), getattr(sys, "_stdlib_dir", None) or ""]
    folders += [os.path.realpath(folder) for folder in folders if folder]
    return list(dict.fromkeys(slashed(folder) + "/" for folder in folders if folder))


def _aliases(folder: str, sources: "Sequence[str]", windows: bool) -> list[tuple[str, str]]:
    """Folders that are reached through symbolic links, and where they really are: each pair with "/" at its ends."""
    aliases: dict[str, str] = {}
    for path in (os.environ.get("PWD", ""), *sources, *sys.path):
        if isinstance(path, str) and path:
            path = normalise(path, folder, windows)
            real = slashed(os.path.realpath(path), windows)
            if real != path and os.path.isdir(real):
                aliases[folded(path, windows) + "/"] = real + "/"
    return sorted(aliases.items(), key=lambda pair: -len(pair[0]))


def _importable(name: str, path: "Sequence[str] | None" = None) -> list[str]:
    """The folders, or the one file, that an import of a module would read, found without importing anything.

    path: where to look for it; default: as the import system does
    """
    cached = set(sys.path_importer_cache)
    try:
        parts = name.split(".")
        for i in range(len(parts)):
            spec = _find_spec(".".join(parts[: i + 1]), path)
            if spec is None:
                return []
            path = [os.path.abspath(place) for place in spec.submodule_search_locations or ()]
            origin = spec.origin or ""
    finally:
        for entry in set(sys.path_importer_cache) - cached:  # what a finder has seen in a folder goes stale
            del sys.path_importer_cache[entry]
    return list(path or ()) or ([origin] if origin.endswith(".py") else [])


def _find_spec(name: str, path: "Sequence[str] | None") -> "ModuleSpec | None":
    for finder in sys.meta_path:
        try:
            spec: ModuleSpec | None = finder.find_spec(name, path)
        except Exception:  # a hook of whoever installed one
            continue
        if spec is not None and spec.origin not in ("built-in", "frozen"):
            return spec
    return None
