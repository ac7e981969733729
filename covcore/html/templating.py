"""The templates and what they may use."""

import os
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import covcore
from covcore.analysis.figures import display

SCRIPTS = {  # of the pages: in the order in which they stand there
    "file": ("report.js", "tests.js", "file.js", "map.js", "start.js"),
    "index": ("report.js", "tests.js", "index.js", "start.js"),
    "single": ("report.js", "tests.js", "index.js", "file.js", "map.js", "start.js"),
}
FOLDER = os.path.dirname(__file__)
STATIC = os.path.join(FOLDER, "static")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(os.path.join(FOLDER, "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals |= {"version": covcore.__version__, "policy": POLICY, "percent": percent, "display": display}
    return made


def render(template: str, **values: object) -> str:
    """The text of a page.  What comes of data is escaped."""
    return environment().get_template(template).render(values)


def static(name: str) -> str:
    """The text of a script or style sheet."""
    with open(os.path.join(STATIC, name), encoding="utf-8") as file:
        return file.read()


def percent(part: int, total: int) -> str:
    return f"{display(100.0 * part / total)}%" if total else "\N{EN DASH}"
