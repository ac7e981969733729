"""Templates measured by coverage.py's file tracers: for covcore what they are for coverage.py's C tracer, arc by arc and test by test."""

from __future__ import annotations

import pytest
from conftest import Place
from coveragepy_cores import CORES, JINJA_TRACER, Arcs, arcs, coverage, report, settings

JINJA_TEMPLATES = {
    "base.html": "<title>{% block title %}none{% endblock %}</title>\n{% block body %}\n{{ 1 + 1 }}\n{% endblock %}\nend\n",
    "page.html": """{% extends "base.html" %}
{% from "macros.html" import row, boom %}
{% block title %}
  {{ title }}
{% endblock %}
{% block body %}
{% for item in items recursive %}
  {% if item.append %}
    {{ loop(item) }}
  {% elif item == 3 %}
    {{ boom(item) }}
  {% else %}
    {{ row(item) }}
  {% endif %}
{% else %}
  {{ "empty" }}
{% endfor %}
{% endblock %}
""",
    "macros.html": """{% macro row(n) %}
  {% if n %}
    {% include "part.html" %}
  {% endif %}
{% endmacro %}
{% macro boom(n) %}
  {{ 1 // (n - 3) }}
{% endmacro %}
""",
    "part.html": "{% set x = 1 %}\n{{ x }}\n",
}

JINJA_PROGRAM = """
import asyncio, jinja2, threading
loader = jinja2.FileSystemLoader("templates")
plain = jinja2.Environment(loader=loader)
with_async = jinja2.Environment(loader=loader, enable_async=True)
def render(items, name="page.html"):
    return plain.get_template(name).render(items=items, title="t")
def test_empty(): render([])
def test_rows(): render([1, 0])
def test_nested(): render([[1, [2]], 0])
def test_again(): render([1, 0])
def test_error():
    try: render([1, 3, 1])
    except ZeroDivisionError: pass
def test_stream():
    stream = plain.get_template("page.html").generate(items=[1, 2, 0])
    next(stream), next(stream)
    render([])
    list(stream)
def test_closed():
    stream = plain.get_template("page.html").generate(items=[1, 2, 0])
    next(stream), next(stream)
    stream.close()
def test_async():
    async def all():
        template = with_async.get_template("page.html")
        return await asyncio.gather(*(template.render_async(items=[n, 0]) for n in range(3)))
    asyncio.run(all())
def test_thread():
    thread = threading.Thread(target=render, args=[[1, 0]])
    thread.start()
    thread.join()
def test_none(): pass
render([1])
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
"""

MAKO = """
import coverage
from mako.template import ModuleInfo
maps = {}
class Tracer(coverage.FileTracer):
    def has_dynamic_source_filename(self): return True
    def dynamic_source_filename(self, filename, frame): return frame.f_globals.get("_template_filename")
    def line_number_range(self, frame):
        path = frame.f_code.co_filename
        if path not in maps:
            with open(path) as file:
                maps[path] = ModuleInfo.get_module_source_metadata(file.read(), full_line_map=True)["full_line_map"]
        line = maps[path][frame.f_lineno - 1] if frame.f_lineno <= len(maps[path]) else None
        return (line, line) if line else (-1, -1)
class Plugin(coverage.CoveragePlugin):
    def file_tracer(self, filename): return Tracer() if filename.endswith(".mako.py") else None
def coverage_init(registry, options): registry.add_file_tracer(Plugin())
"""

MAKO_TEMPLATES = {
    "base.mako": '<title>${title}</title>\n${next.body()}\n<%def name="foot()">\n  ${1 + 1}\n</%def>\n${foot()}\n',
    "page.mako": """<%inherit file="base.mako"/>
<%namespace name="parts" file="parts.mako"/>
<%
    seen = 0
    for item in items:
        seen += 1
%>
% for item in items:
  % if item == 3:
    ${1 // (item - 3)}
  % elif item:
    ${parts.row(item)}
  % else:
    <%parts:twice>
      ${item}
    </%parts:twice>
  % endif
% endfor
""",
    "parts.mako": """<%def name="row(n)">
  % if n > 1:
    ${n}
  % endif
  <% return "" %>
</%def>
<%def name="twice()">
  ${caller.body()}
  ${caller.body()}
</%def>
""",
}

MAKO_PROGRAM = """
import threading
from mako.lookup import TemplateLookup
lookup = TemplateLookup(["templates"], module_directory="made")
def render(items): return lookup.get_template("page.mako").render(items=items, title="t")
def test_empty(): render([])
def test_rows(): render([1, 2])
def test_calls(): render([0, 1])
def test_again(): render([1, 2])
"""

DJANGO_TEMPLATES = {
    "base.html": "<title>{% block title %}none{% endblock %}</title>\n{% block body %}\n{{ title }}\n{% endblock %}\nend\n",
    "page.html": """{% extends "base.html" %}
{% load i18n %}
{% block title %}
  {{ title|upper }}
{% endblock %}
{% block body %}
{% for item in items %}
  {% if item == 3 %}
    {{ bad }}
  {% elif item %}
    {% include "part.html" with n=item %}
  {% else %}
    {% with x=item %}
      {{ x }}
    {% endwith %}
  {% endif %}
{% empty %}
  nothing
{% endfor %}
{% verbatim %}
  {{ not this }}
{% endverbatim %}
{% blocktranslate %}
  text
{% endblocktranslate %}
{% endblock %}
""",
    "part.html": "{% if n > 1 %}\n  {{ n }}\n{% else %}\n  one\n{% endif %}\n",
    "other.html": "a\n{{ title }}\n{% now 'Y' %}\n",
}

DJANGO_PROGRAM = """
import threading
import django
from django.conf import settings
backend = "django.template.backends.django.DjangoTemplates"
settings.configure(USE_I18N=False, TEMPLATES=[{"BACKEND": backend, "DIRS": ["templates"], "OPTIONS": {"debug": True}}])
django.setup()
from django.template import Context, Template
from django.template.loader import render_to_string
class Bad:
    def __str__(self): raise ZeroDivisionError
def render(items, name="page.html"):
    return render_to_string(name, {"items": items, "title": "t", "bad": Bad()})
def test_empty(): render([])
def test_rows(): render([1, 2])
def test_other(): render([], "other.html")
def test_zero(): render([0])
def test_again(): render([1, 2])
def test_string(): Template("{{ 1 }}\\n{% if 1 %}{% include 'part.html' %}{% endif %}").render(Context({"n": 2}))
"""

# How the programs end: all that are called so are tests, each a context of its own.
REMAINING_TESTS = """
def test_error():
    try: render([1, 3])
    except ZeroDivisionError: pass
def test_thread():
    thread = threading.Thread(target=render, args=[[2, 0]])
    thread.start()
    thread.join()
def test_none(): pass
render([1])
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
"""

ENGINES = {
    "jinja2": (", jinja_tracer", JINJA_TEMPLATES, JINJA_PROGRAM),
    "mako": (", mako_tracer", MAKO_TEMPLATES, MAKO_PROGRAM + REMAINING_TESTS),
    "django": (", django_coverage_plugin", DJANGO_TEMPLATES, DJANGO_PROGRAM + REMAINING_TESTS),
}


def prepare(place: Place, engine: str, more: str) -> None:
    plugins, templates, program = ENGINES[engine]
    settings(place, more, plugins)
    place.write("jinja_tracer.py", JINJA_TRACER)
    place.write("mako_tracer.py", MAKO)
    place.write("program.py", program)
    for name, text in templates.items():
        place.write(f"templates/{name}", text)


def measured(place: Place, core: str, templates: dict[str, str]) -> Arcs:
    """Run the program.  Returns the arcs of the templates alone, of contexts that have any."""
    coverage(place, core, "run", "program.py")
    found = {
        context: {name: its for name, its in files.items() if name in templates}
        for context, files in arcs(place).items()
    }
    return {context: files for context, files in found.items() if files}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("context", ["none", "test_function"])
def test_templates_have_the_arcs_that_ctrace_gives_them(place: Place, engine: str, context: str) -> None:
    prepare(place, engine, "" if context == "none" else f"dynamic_context = {context}\n")
    templates = ENGINES[engine][1]
    ours, theirs = (measured(place, core, templates) for core in CORES)
    assert ours == theirs
    assert {name for files in theirs.values() for name in files} == templates.keys()
    if context != "none":
        assert theirs["__main__.test_again"] == theirs["__main__.test_rows"], "the second test hears of it all again"
        assert len(theirs) >= len([line for line in ENGINES[engine][2].splitlines() if line.startswith("def test_")])


def test_reports_of_templates(place: Place) -> None:
    prepare(place, "jinja2", "source = .\n")
    coverage(place, "covcore", "run", "program.py")
    ours = report(place)
    coverage(place, "ctrace", "run", "program.py")
    assert ours == report(place)
    assert ours["part.html"]["executed_lines"] == [1, 2]
    assert ours["page.html"]["missing_lines"] == []


FAILS = """
import coverage
class Tracer(coverage.FileTracer):
    def source_filename(self): return __file__.replace("fails", "source")
    def line_number_range(self, frame):
        if frame.f_lineno == 3: raise ValueError("so it is")
        return frame.f_lineno, frame.f_lineno
class Plugin(coverage.CoveragePlugin):
    def file_tracer(self, filename): return Tracer() if filename.endswith("made.py") else None
def coverage_init(registry, options): registry.add_file_tracer(Plugin())
"""
WHOSE = """
import coverage
data = coverage.CoverageData(".coverage")
data.read()
for name in sorted(data.measured_files()):
    print(name, data.file_tracer(name))
"""


def test_a_plugin_that_fails(place: Place) -> None:
    """It is disabled, and of its files no plugin is named."""
    settings(place, "", ", fails")
    place.write("fails.py", FAILS)
    place.write("made.py", "a = 1\nb = 2\nc = 3\nd = 4\n")
    place.write("program.py", "import made\n")
    found = []
    for core in CORES:
        environment = {"COVERAGE_CORE": core} if core != "covcore" else {}
        outcome = place.python("-m", "coverage", "run", "program.py", **environment)
        assert outcome.status == 0
        assert "ValueError: so it is" in outcome.stderr
        assert "Disabling plug-in 'fails.Plugin' due to previous exception" in outcome.stderr
        found.append(place.python("-c", WHOSE).stdout)
    ours, theirs = found
    assert ours == theirs
    assert "source.py" in ours
