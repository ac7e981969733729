"""Templates of Jinja2 and Mako: shown as template files, by the lines that the engine itself says that code comes of."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from conftest import Outcome, Place

from covcore._reader import decode_shape, describe
from covcore.analysis.codes import nested
from covcore.store.shapes import encode_shape
from covcore.store.templates import Template

ENGINES = str(Path(sys.prefix) / "engines")  # where `make build` puts Mako: see pyproject.toml
BASE = """\
<title>{% block title %}none{% endblock %}</title>
{% block body %}
{% endblock %}
"""
PAGE = """\
{% extends "base.html" %}
{% macro field(name) %}
  <b>{{ name }}</b>
{% endmacro %}
{% macro never(name) %}
  <i>{{ name|upper }}</i>
{% endmacro %}
{% block title %}{{ title }}{% endblock %}
{% block body %}
{% if user %}
  Hello {{ user }}!
{% elif guest %}
  {{ guest }}
{% else %}
  Nobody
{% endif %}
{% for item in items %}
  {{ field(item) }}
{% endfor %}
{% set x = 1 %}
{{ x }}
{% endblock %}
{% block unused %}
  {{ not_here }}  {# pragma: no cover #}
{% endblock %}
"""
RENDER = """\
import jinja2
from jinja2 import Environment, FileSystemLoader
pages = Environment(loader=FileSystemLoader("templates"))
def render(name="page.html", **values):
    return pages.get_template(name).render(values)
"""
ROWS = """\
<%def name="account(x)">
  Account ${x}
</%def>
<%def name="unused(x)">
  Unused ${x}
</%def>
<%!
def choose(a):
    if a:
        return 1
    return 2
%>
% for i in rows:
  ${account(i)} ${choose(i)}
  % if i > 1:
    big
  % else:
    small
  % endif
% endfor
<%
  y = 1
  if y == 2:
      y = 3
%>
${y}
"""


DECORATED = """\
<%!
def loud(function):
    def wrapped(context, *args):
        context.write("!")
        return function(*args)
    return wrapped
%>
<%def name="never()" decorator="loud">
  Never ${x}
</%def>
${a}
"""


def measured(place: Place, program: str, *options: str) -> Outcome:
    """Run a program, bare and measured; what both give is to be the same, and nothing is to be said."""
    place.write("program.py", program)
    bare = place.python("program.py", PYTHONPATH=ENGINES)
    assert bare.status == 0, bare.stderr
    done = place.covcore("run", *(options or ["--include=."]), "program.py", PYTHONPATH=ENGINES)
    assert (done.status, done.stdout, done.stderr) == (bare.status, bare.stdout, bare.stderr)
    return done


def pages(place: Place) -> None:
    place.write("templates/base.html", BASE)
    place.write("templates/page.html", PAGE)


def report_of(place: Place, name: str) -> dict[str, list[object]]:
    """What the report says of a file, as JSON."""
    done = place.covcore("json", "-o", "-")
    assert (done.status, done.stderr) == (0, "")
    return json.loads(done.stdout)["files"][name]  # type: ignore[no-any-return]


def branches(place: Place, name: str) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]]]:
    """The branches that were taken, and those that were not."""
    report = report_of(place, name)
    taken, missing = (
        {tuple(pair) for pair in report[key] if isinstance(pair, list)}
        for key in ("executed_branches", "missing_branches")
    )
    return taken, missing


# ---- what a user sees


def test_lines_and_branches_of_jinja2(place: Place) -> None:
    pages(place)
    measured(place, RENDER + "print(render(title='T', user='u', items=[1, 2]))\n")
    report = place.covcore("report", "-m")
    rows = {row[0]: row[1:] for row in map(str.split, report.stdout.splitlines()) if row}
    assert rows["templates/base.html"] == ["2", "0", "0", "0", "100%"]
    assert rows["templates/page.html"] == ["16", "4", "6", "1", "68%", "6,", "12-13,", "23"]
    assert branches(place, "templates/page.html") == ({(10, 11), (17, 18), (17, 20)}, {(10, 12), (12, 13), (12, 17)})


def test_every_format(place: Place) -> None:
    pages(place)
    measured(place, RENDER + "print(render(guest='g'))\n")
    assert "templates/page.html" in place.covcore("report").stdout
    xml = place.covcore("xml", "-o", "-").stdout
    assert 'filename="templates/page.html"' in xml
    assert '<line number="13" hits="1"' in xml
    lcov = place.covcore("lcov", "-o", "-").stdout
    assert "SF:templates/page.html" in lcov
    assert "DA:13,1" in lcov
    assert "DA:11,0" in lcov
    assert place.covcore("html", "-d", "html").status == 0
    [page] = [text for path in (place.folder / "html").glob("**/*.html") if "Nobody" in (text := path.read_text())]
    assert '<i class="k">elif</i> guest' in page


def test_lines_and_branches_of_mako(place: Place) -> None:
    place.write("rows.txt", ROWS)
    measured(place, "from mako.template import Template\nprint(Template(filename='rows.txt').render(rows=[0, 1]))\n")
    report = report_of(place, "rows.txt")
    assert report["missing_lines"] == [4, 5, 16, 24]
    assert report["executed_lines"] == [1, 2, 3, 6, 9, 10, 11, 12, 13, 14, 15, 18, 22, 23, 25, 26]
    assert branches(place, "rows.txt") == (
        {(9, 10), (9, 11), (13, 14), (13, 22), (15, 18), (23, 25)},
        {(15, 16), (23, 24)},
    )
    assert list(json.loads(place.covcore("json", "-o", "-").stdout)["files"]) == ["program.py", "rows.txt"]


TESTS = """\
from program import render
def test_user(): assert "Hello u" in render(user="u")
def test_guest(): assert "g" in render(guest="g", items=[1])
"""


def test_coverage_py_gets_none(place: Place) -> None:
    """Its own data has templates by plugins alone: it would take these for Python."""
    pages(place)
    measured(place, RENDER + "render()\n")
    done = place.covcore("export", "--format=coverage", "-o", "exported")
    assert done.status == 0, done.stderr
    report = place.python("-m", "coverage", "report", "--data-file=exported")
    assert (report.status, "program.py" in report.stdout, "page.html" in report.stdout) == (0, True, False)


def test_which_test_ran_which_line(place: Place) -> None:
    pages(place)
    place.write("program.py", RENDER)
    place.write("test_it.py", TESTS)
    done = place.covcore("run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert done.status == 0, done.stdout
    with sqlite3.connect(place.data) as connection:
        query = "SELECT DISTINCT test FROM line_hit WHERE path LIKE '%page.html' AND line = ?"
        found = {line: {test for (test,) in connection.execute(query, (line,))} for line in (10, 11, 13, 18)}
    connection.close()
    user, guest = "test_it.py::test_user", "test_it.py::test_guest"
    assert found == {10: {user, guest}, 11: {user}, 13: {guest}, 18: {guest}}
    assert place.covcore("tests", "templates/page.html:13").stdout.split() == [guest]
    assert place.covcore("html", "-d", "html").status == 0
    shown = place.covcore("json", "--show-contexts", "-o", "-").stdout
    assert "test_guest" in shown


def test_what_is_excluded(place: Place) -> None:
    pages(place)
    measured(place, RENDER + "render()\n")
    assert report_of(place, "templates/page.html")["excluded_lines"] == [24]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--source=."], {"program.py", "templates/base.html", "templates/page.html"}),
        (["--source=templates"], {"templates/base.html", "templates/page.html"}),
        (["--source=.", "--omit=*/page.html"], {"program.py", "templates/base.html"}),
        (["--include=program.py"], {"program.py"}),
    ],
)
def test_which_are_measured(place: Place, options: list[str], expected: set[str]) -> None:
    pages(place)
    measured(place, RENDER + "render()\n", *options)
    assert set(json.loads(place.covcore("json", "-o", "-").stdout)["files"]) == expected


def test_those_of_installed_packages_are_not(place: Place) -> None:
    pages(place)
    (place.folder / "templates").rename(place.folder / "site-packages")
    measured(place, RENDER.replace('"templates"', '"site-packages"') + "render()\n", "--omit=*/engines/*")
    assert list(json.loads(place.covcore("json", "-o", "-").stdout)["files"]) == ["program.py"]


def test_those_without_a_file(place: Place) -> None:
    """They are in no report, and nothing is said of them."""
    measured(
        place,
        """
import jinja2
from mako.template import Template
print(jinja2.Template("{% if a %}{{ a }}{% endif %}").render(a=1))
print(jinja2.Environment(loader=jinja2.DictLoader({"x.html": "{{ a }}"})).get_template("x.html").render(a=1))
print(Template("${a}").render(a=1), Template("${a}", uri="some/uri.txt").render(a=1))
""",
    )
    report = place.covcore("report")
    assert (report.status, report.stderr) == (0, "")
    assert [row for row in report.stdout.splitlines() if "%" in row][-1].split()[-1] == "100%"
    assert list(json.loads(place.covcore("json", "-o", "-").stdout)["files"]) == ["program.py"]


# ---- the ways that engines have to load templates


def test_modules_of_mako(place: Place) -> None:
    """Mako may write its modules to a folder and import them: the template is shown, and no module."""
    place.write("templates/rows.txt", ROWS)
    program = """
from mako.lookup import TemplateLookup
lookup = TemplateLookup(["templates"], module_directory="modules")
print(lookup.get_template("rows.txt").render(rows=[0, 1]))
"""
    for _ in range(2):  # the second time they are there
        measured(place, program, "--source=.")
        assert report_of(place, "templates/rows.txt")["missing_lines"] == [4, 5, 16, 24]
        assert set(json.loads(place.covcore("json", "-o", "-").stdout)["files"]) == {"program.py", "templates/rows.txt"}


def test_two_of_mako_with_one_name(place: Place) -> None:
    """What Mako knows of a module goes by its name; that of another is not taken for it."""
    for folder, text in ("one", "${a}\n"), ("two", "\n\n% if a:\n${a}\n% endif\n"):
        place.write(f"{folder}/it.txt", text)
    measured(
        place,
        """
from mako.lookup import TemplateLookup
one, two = [TemplateLookup([folder]).get_template("it.txt") for folder in ("one", "two")]
print(two.render(a=1), one.render(a=1))
""",
    )
    assert report_of(place, "two/it.txt")["executed_lines"] == [1, 3, 4]
    assert "one/it.txt" not in json.loads(place.covcore("json", "-o", "-").stdout)["files"]


def test_bytecode_cache_and_modules_of_jinja2(place: Place) -> None:
    pages(place)
    (place.folder / "cache").mkdir()
    program = RENDER.replace('("templates")', '("templates"), bytecode_cache=jinja2.FileSystemBytecodeCache("cache")')
    for _ in range(2):
        measured(place, program + "print(render(user=1))\n")
        assert report_of(place, "templates/page.html")["missing_lines"] == [3, 6, 12, 13, 18, 23]
    compiled = 'pages.compile_templates("compiled", zip=None)\npages.loader = jinja2.ModuleLoader("compiled")\n'
    measured(place, RENDER + compiled + "print(render(user=1))\n")  # these are Python files for good
    report = place.covcore("report")
    assert (report.status, report.stderr) == (0, "")


def test_modules_of_jinja2_that_were_loaded_before(place: Place) -> None:
    """Their lines are their own."""
    pages(place)
    compiled = 'pages.compile_templates("compiled", zip=None)\npages.loader = jinja2.ModuleLoader("compiled")\n'
    program = f"{RENDER}{compiled}render(user=1)\nimport covcore\ncovcore.start()\nrender(user=1)\ncovcore.stop()\n"
    place.write("program.py", program)
    assert place.python("program.py", PYTHONPATH=ENGINES).status == 0
    rows = [row.split()[0] for row in place.covcore("report").stdout.splitlines() if row.startswith("compiled/")]
    lines = [line for row in rows for line in report_of(place, row)["executed_lines"]]
    assert max(lines) > len(PAGE.splitlines())


def test_one_that_is_named_like_python(place: Place) -> None:
    """Whoever generates Python has templates that are called .py, or have no ending."""
    for name in ("setup.py", "Makefile"):
        place.write(f"templates/{name}", "{% if a %}\nname = {{ a }}\n{% else %}\nname = {{ b }}\n{% endif %}\n")
        measured(place, RENDER + f"print(render({name!r}, b=1))\n", "--source=.")
        assert report_of(place, f"templates/{name}")["missing_lines"] == [2]
        assert branches(place, f"templates/{name}") == ({(1, 4)}, {(1, 2)})


def test_one_that_changes_while_it_is_measured(place: Place) -> None:
    """The lines are those of the newer text, as of Python files."""
    program = """
import os
def write(text, time):
    open("it.txt", "w").write(text)
    os.utime("it.txt", (time, time))
write("{{ a }}\\n", 1)
print(render("it.txt", a=1))
write("\\n{{ a }}\\n{% if a %}\\n{{ b }}{% endif %}\\n", 2)
print(render("it.txt", a=0))
"""
    place.write("program.py", RENDER.replace('"templates"', '"."') + program)
    done = place.covcore("run", "--source=.", "program.py")
    assert done.stdout == place.python("program.py").stdout
    assert "only the data of the newer text is kept" in done.stderr
    report = report_of(place, "it.txt")
    assert (report["executed_lines"], report["missing_lines"]) == ([2, 3], [4])


def test_others_whose_globals_are_called_so(place: Place) -> None:
    text = "debug_info = _template_filename = _template_uri = 'x'\nname = blocks = 1\ndef f():\n    return 1\nf()\n"
    place.write("other.py", text)
    measured(place, "import other\n")
    assert place.lines()["other.py"] == {1, 2, 3, 4, 5}


def test_code_of_another_file_in_the_namespace_of_a_template(place: Place) -> None:
    pages(place)
    place.write("helper.py", "def helper(x):\n    if x:\n        return 1\n    return 2\n")
    program = """
import os
namespace = pages.get_template("page.html").root_render_func.__globals__
exec(compile(open("helper.py").read(), os.path.abspath("helper.py"), "exec"), namespace)
print(namespace["helper"](1))
"""
    measured(place, RENDER + program)
    assert place.lines()["helper.py"] == {1, 2, 3}


def test_functions_of_mako_that_are_decorated(place: Place) -> None:
    """They are known before they run.  (What runs while Mako defines a template does not count: nothing tells its lines yet.)"""
    place.write("it.txt", DECORATED)
    program = 'from mako.template import Template\nprint(Template(filename="it.txt").render(a=1, x=2))\n'
    measured(place, program)
    assert {4, 5, 9} <= set(report_of(place, "it.txt")["missing_lines"])


def test_measured_from_the_middle_and_twice(place: Place) -> None:
    """covcore.start() comes after templates were loaded and rendered, and again after a stop."""
    pages(place)
    program = "import covcore\nrender(user=1)\ncovcore.start()\nrender(guest=1)\ncovcore.stop()\n"
    place.write("program.py", RENDER + program)
    assert place.python("program.py").status == 0
    assert report_of(place, "templates/page.html")["missing_lines"] == [3, 6, 11, 18, 23]
    place.write("program.py", RENDER + program + "covcore.start(append=True)\nrender(user=1)\ncovcore.stop()\n")
    assert place.python("program.py").status == 0
    assert report_of(place, "templates/page.html")["missing_lines"] == [3, 6, 18, 23]


# ---- the parts


def test_shapes_are_encoded_as_c_does() -> None:
    for path in Path(json.__file__).parent.glob("*.py"):
        for code in nested(compile(path.read_text(), "x", "exec")):
            assert encode_shape(decode_shape(describe(code))) == describe(code)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"a",
        b"a\0",
        b"a\0b",
        b"a\0b\0c\0d",
        b"a\0Jinja2\0",
        b"\0\0",
        b"a\0\xff\0\xff=1",
        b"a\0E\0" + b"9" * 5000 + b"=1&1=-1&=&&5",
    ],
)
def test_names_that_no_tracer_writes(name: bytes) -> None:
    """A recording may hold anything."""
    path, template = Template.split(name)
    assert path == (name.partition(b"\0")[0] if name.count(b"\0") == 2 else name)
    for code in nested(compile("def f(a):\n    if a:\n        return 1\nf(1)\n", "x", "exec")):
        assert template is None or template.translated(code.co_firstlineno, describe(code)) is None
        assert template is None or template.translated(1, b"\xff") is None


def test_only_what_the_engine_says_is_a_line() -> None:
    """f's header is line 7 of a template, its body's third line 9; what stands between is the header's, what comes after nobody's."""
    source = "def f(a):\n    b = a\n    if b:\n        b = 1\n    return b\n"
    code = compile(source, "x", "exec").co_consts[0]
    encoded = describe(code)
    lines = decode_shape(encoded)[0]
    assert lines == (2, 3, 4, 5)
    template = Template("E", "7=1&9=3&0=4")
    translation = template.translated(1, encoded)
    assert translation
    assert (translation.first_line, decode_shape(translation.encoded)[0]) == (7, (7, 9))
    n_slots = 4 + 2
    ran = {bytes([0b1000_0000]): [1], bytes([0b0011_0000]): [2], bytes([0b1100_1000]): [3], bytes([0b0100_0000]): [4]}
    assert n_slots <= 8
    assert translation.hits(ran) == {bytes([0b1000_0000]): [1], bytes([0b1110_0000]): [3], bytes([0b0100_0000]): [4]}
