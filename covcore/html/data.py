"""Data for scripts: JSON that can stand in a script of its own and in a page."""

import base64
import json
import zlib
from collections.abc import Iterable

_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}  # else data could end the element around it


def as_json(value: object) -> str:
    """ASCII without any character that markup knows."""
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)


def as_script(key: str, value: object) -> str:
    """A script that hands over a value under a key: pages under file:// can load nothing else."""
    return f"covcore.data({as_json(key)},{as_json(value)});\n"


def packed(raw: bytes) -> str:
    """Bytes, compressed, as text."""
    return base64.b64encode(zlib.compress(raw, 6)).decode()


def front_coded(names: Iterable[str]) -> str:
    """Names, each as the length of what it has in common with the one before, a blank, and the rest; lines end in NUL."""
    before = ""
    found = []
    for name in names:
        shared = 0
        for one, other in zip(before, name, strict=False):
            if one != other:
                break
            shared += 1
        found.append(f"{shared} {name[shared:]}\0")
        before = name
    return "".join(found)
