r"""File name patterns as --include and --omit take them.

`*` and `?` stand for any characters and any one character but "/", `[a-z]` for one of them, `**` for any number of
folders.  A pattern that begins with `*` or `?` matches anywhere; any other is relative to the current folder.  A pattern
that matches a folder matches all that is in it: `tests`, `tests/*` and `tests/**` are one.

On Windows "\" is as good as "/", and capital and small letters are the same.

Only string operations: a pattern may be asked in the middle of a program that has patched re, fnmatch or os.
"""

from covcore.platform import IS_WINDOWS, folded, root_of, slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    type Pattern = tuple[str, ...]  # the parts of an absolute path, "" or a drive first, or "**" first


def compile_pattern(pattern: str, folder: str, windows: bool = IS_WINDOWS) -> "Pattern":
    """Prepare a pattern.

    folder: the absolute path that it is relative to
    """
    pattern = folded(slashed(pattern, windows), windows)
    if not root_of(pattern, windows) and pattern[:1] not in ("*", "?"):
        pattern = f"{folded(folder, windows)}/{pattern}"
    elif windows and pattern.startswith("/") and not pattern.startswith("//"):
        pattern = root_of(folded(folder, windows), windows) + pattern
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in (".", "..") and (part or not parts) and (part != "**" or parts[-1:] != ["**"]):
            parts.append(part)
    if parts[0] and parts[0] != "**" and not root_of(parts[0], windows):
        if parts[0] == "*":
            parts.pop(0)
        parts.insert(0, "**")
    return tuple(parts)


def matches(path: str, patterns: "Iterable[Pattern]", windows: bool = IS_WINDOWS) -> bool:
    """Whether any of the patterns matches this absolute path, or a folder that it is in."""
    parts = folded(path, windows).removeprefix("/" if path.startswith("//") else "").split("/")
    return any(_match(pattern, parts, 0, 0) for pattern in patterns)


def _match(pattern: "Pattern", parts: "Sequence[str]", i: int, j: int) -> bool:
    """Whether pattern[i:] matches a beginning of parts[j:]."""
    while i < len(pattern):
        if pattern[i] == "**":
            return any(_match(pattern, parts, i + 1, k) for k in range(j, len(parts)))
        if j == len(parts) or not _match_part(pattern[i], parts[j]):
            return False
        i += 1
        j += 1
    return True


def _match_part(pattern: str, name: str) -> bool:
    """Match one part of a path.  A `*` takes as little as will do, and on a mismatch the last one takes one more."""
    i = j = 0
    star = -1  # where in pattern the last `*` was
    taken = 0  # how far in name it reaches
    while j < len(name):
        if i < len(pattern) and pattern[i] == "*":
            star, taken = i, j
            i += 1
        elif i < len(pattern) and (width := _match_character(pattern, i, name[j])):
            i += width
            j += 1
        elif star >= 0:
            taken += 1
            i, j = star + 1, taken
        else:
            return False
    return not pattern[i:].strip("*")


def _match_character(pattern: str, i: int, character: str) -> int:
    """The length of what matches the character at pattern[i]: `?`, `[...]` or itself; 0 if nothing does."""
    if pattern[i] == "[":
        end = pattern.find("]", i + 2)
        if end > 0:
            return end + 1 - i if _is_in_set(character, pattern[i + 1 : end]) else 0
    return 1 if pattern[i] in ("?", character) else 0


def _is_in_set(character: str, members: str) -> bool:
    negated = members[0] == "!"
    k, found = int(negated), False
    while k < len(members):
        if members[k + 1 : k + 2] == "-" and k + 2 < len(members):
            found = found or members[k] <= character <= members[k + 2]
            k += 3
        else:
            found = found or members[k] == character
            k += 1
    return found != negated
