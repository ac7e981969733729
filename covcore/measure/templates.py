"""Code that template engines have made: of which template it is, and which of its lines are which of the template's.

Jinja2 and Mako make Python of a template, and keep for their tracebacks which line of the one comes of which line of the other: Jinja2 as
`debug_info` in the namespace that the code runs in, Mako in a comment at the end of the module that it writes.  The tracer asks here
about code that starts in a namespace with the mark of either (src/discovery.c), and takes the answer in place of its co_filename:

    PATH NUL ENGINE NUL LINES

with the template's path, and LINES in the form that Jinja2 has: `1=12&4=17`, line 1 of the template begins at line 12 of the code.
covcore/store/templates.py makes lines of the template of what was recorded.

It is asked at any moment of the program: nothing is imported, and of the program's objects no more is done than to look.
"""

import sys

from covcore.platform import UNINHERITED, UNWAITING, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType, FunctionType

    type Namespace = Mapping[str, object]
else:
    FunctionType = type(lambda: None)  # the module types may not be imported yet
    CodeType = type((lambda: None).__code__)

UNMEASURED = ""
MOST = 16 << 20  # bytes of a module of Mako's
JINJA2_NAMES = frozenset(("name", "blocks", "debug_info"))
GETS_FRAME = ("_getframe",)  # all that code does which Cython runs, named like its source, for a traceback's frame
MAKO_NAMES = frozenset(("_magic_number", "_template_filename", "_template_uri"))


def name_of(code: "CodeType", namespace: "Namespace") -> str:
    """The name that code is to be decided on by: see the module.

    Args:
        code: that starts.
        namespace: its globals.

    Returns:
        co_filename if it is no template's; UNMEASURED if the template has no file, or the code only defines its functions, or is nobody's.
    """
    if code.co_names == GETS_FRAME:
        return UNMEASURED
    if code.co_name == "<module>":
        return UNMEASURED if _defines_template(code, namespace) else code.co_filename
    # With a __name__ it is a module that Jinja2 wrote for good.
    if "__jinja_template__" in namespace and "__name__" not in namespace:
        path, engine, lines = namespace.get("__file__"), "Jinja2", namespace.get("debug_info")
        is_ours = path == code.co_filename
    elif namespace.keys() >= MAKO_NAMES:
        path, engine, lines = namespace.get("_template_filename"), "Mako", _lines_of_mako(namespace)
        is_ours = code.co_filename in (namespace.get("__file__"), namespace.get("__name__"))
    else:
        return code.co_filename
    if not is_ours:
        return code.co_filename
    if isinstance(path, str) and isinstance(lines, str) and not path.startswith("<") and "\0" not in path + lines:
        return f"{path}\0{engine}\0{lines}"
    return UNMEASURED


def codes_of(code: "CodeType", namespace: "Namespace") -> "list[CodeType]":
    """All code of a template, ran or not; arguments as name_of, for code that is one's."""
    found: dict[int, CodeType] = {}
    for function in list(namespace.values()):
        for one in _codes_of(function):
            if one.co_filename == code.co_filename:
                found |= {id(each): each for each in _nested(one)}
    return list(found.values())


def _codes_of(function: object) -> "Iterator[CodeType]":
    """The code of a function, and of those that a wrapper has around: Mako's decorators make such."""
    if isinstance(function, FunctionType):
        yield function.__code__
        for cell in function.__closure__ or ():
            try:
                inner = cell.cell_contents
            except ValueError:
                continue  # it is empty
            if isinstance(inner, FunctionType):
                yield inner.__code__


def _nested(code: "CodeType") -> "Iterator[CodeType]":
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _defines_template(code: "CodeType", namespace: "Namespace") -> bool:
    names = frozenset(code.co_names)
    return names >= MAKO_NAMES or (names >= JINJA2_NAMES and "environment" in namespace and "__name__" not in namespace)


def _lines_of_mako(namespace: "Namespace") -> str | None:
    """LINES of a module of Mako's, or None if they cannot be had."""
    modules = getattr(getattr(sys.modules.get("mako.template"), "ModuleInfo", None), "_modules", {})
    for key in ("__file__", "__name__"):
        info = modules.get(namespace.get(key))
        if info is not None and vars(info.module) is namespace:  # names are not unique
            source = info.module_source
            if source is None:
                source = _content(info.module_filename)
            return _line_map(source if isinstance(source, str) else bytes(source).decode("latin-1"))
    return None


def _content(path: str) -> bytes:
    """A file, as the program found it a moment ago; b"" if it cannot be read."""
    try:
        descriptor = system.open(path, system.O_RDONLY | UNINHERITED | UNWAITING)
    except OSError:
        return b""
    try:
        content = b""
        while len(content) < MOST and (part := system.read(descriptor, MOST)):
            content += part
        return content
    except OSError:
        return b""
    finally:
        system.close(descriptor)


def _line_map(source: str) -> str | None:
    """The `line_map` of the JSON behind __M_BEGIN_METADATA: {"16": 0, "21": 1}, lines of the module to lines of the template."""
    _, begun, metadata = source.rpartition("__M_BEGIN_METADATA")
    pairs = metadata.partition('"line_map": {')[2].partition("}")[0]
    lines = []
    for pair in pairs.split(", "):
        line, colon, template_line = pair.partition(": ")
        if not (colon and line.strip('"').isdecimal() and template_line.isdecimal()):
            return None
        lines.append(f"{template_line}={line.strip('"')}")
    return "&".join(lines) if begun else None
