"""The lines of random templates that ran, against sys.settrace and what the engine says of its code."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from conftest import Place

ENGINES = str(Path(sys.prefix) / "engines")  # where `make build` puts Mako: see pyproject.toml
N_TEMPLATES = 60
DEEPEST = 3
# What a template may have on lines of its own; {} is what stands within it, NAME is another name each time.
PARTS = {
    "jinja2": [
        "text",
        "{{ a }}",
        "{{ items|join(',') }}{{ b }}",
        "{% set c = b %}",
        "{% if b %}{{ a }}{% else %}{{ b }}{% endif %}",
        "{% raw %}{{ no }}{% endraw %}\n{# a\ncomment #}",
        "{{ a if b\n  else items }}",
        "{% include 'other.txt' %}",
        "{% for i in nested recursive %}\n{{ loop(i) if i is iterable }}\n{% endfor %}",
        "{% if a %}\n{}\n{% endif %}",
        "{% if a %}\n{}\n{% elif b %}\n{}\n{% else %}\n{}\n{% endif %}",
        "{% for i in items %}\n{}\n{% endfor %}",
        "{% for i in items if i %}\n{}\n{{ loop.index }}\n{% else %}\n{}\n{% endfor %}",
        "{% macro NAME(x=1) %}\n{}\n{% endmacro %}\n{{ NAME() if a }}",
        "{% macro NAME() %}\n{{ caller() }}\n{% endmacro %}\n{% call NAME() %}\n{}\n{% endcall %}",
        "{% filter upper %}\n{}\n{% endfilter %}",
        "{% with d = a %}\n{}\n{% endwith %}",
        "{% set e %}\n{}\n{% endset %}",
    ],
    "mako": [
        "text",
        "${a}",
        "${','.join(map(str, items))} ${b}",
        "% while a:\n<% break %>\n% endwhile",
        "<%\n  c = 1\n  if b:\n    c = 2\n  d = [i for i in items if i]\n%>",
        "<%text>${no}</%text>\n## comment",
        "% if a:\n{}\n% endif",
        "% if a:\n{}\n% elif b:\n{}\n% else:\n{}\n% endif",
        "% for i in items:\n{}\n% endfor",
        "% for i in items:\n{}\n${loop.index}\n% endfor",
        "<%def name='NAME()'>\n{}\n</%def>\n${NAME() if b else ''}",
        "% try:\n{}\n${1 // 0}\n% except ZeroDivisionError:\n{}\n% endtry",
    ],
}
BLOCK = {"jinja2": "{% block NAME %}\n{}\n{% endblock %}", "mako": "<%block name='NAME'>\n{}\n</%block>"}

RENDER = """
import sys
values = [dict(a=a, b=b, items=items, nested=[1, [2, [3]]]) for a, b, items in [(0, 0, []), (1, 0, [0, 1]), (0, 1, [2])]]
def render_all(get, names):
    for name in names[: len(names) * 3 // 4]:
        for each in values[int(name[:-4]) % 2 :]:
            try:
                get(name).render(**each)
            except (TypeError, NameError, RecursionError):
                print(name, "fails")
"""
GET = {
    "jinja2": """
from jinja2 import Environment, FileSystemLoader
get = Environment(loader=FileSystemLoader("templates"), ASYNC).get_template
def map_of(template):
    functions = [template.root_render_func, *template.blocks.values()]
    return {line: to for to, line in template.debug_info}, [function.__code__ for function in functions]
""",
    "mako": """
from mako.lookup import TemplateLookup
from mako.template import ModuleInfo
get = TemplateLookup(["templates"]).get_template
def map_of(template):
    lines = ModuleInfo.get_module_source_metadata(template.code)["line_map"]
    functions = [value for value in vars(template.module).values() if hasattr(value, "__code__")]
    return lines, [getattr(function, "__wrapped__", function).__code__ for function in functions]
""",
}
TRACE = """
import dis, json, types
ran = {}
def trace(frame, event, argument):
    if frame.f_code.co_filename.endswith("txt"):  # Mako's are called 12_txt
        code, calls = ran.setdefault(id(frame.f_code), (frame.f_code, {}))
        if event == "line":
            calls.setdefault(id(frame), [frame]).append(frame.f_lineno)
        return trace
def all_of(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from all_of(constant)
def lines_of(code, lines, map):
    "Of lines of the code those of the template: exactly where one begins, and what comes before the first in a function that begins one."
    first = code.co_firstlineno
    body = min([line for line in map if line > first], default=1 << 30)
    return {map.get(line, map.get(first, 0) if first <= line < body else 0) for line in lines} - {0}
def begun(code):
    resumed = next(each.offset for each in dis.get_instructions(code) if each.opname == "RESUME")
    return {line for offset, line in dis.findlinestarts(code) if offset > resumed and line}
sys.settrace(trace)
render_all(get, NAMES)
sys.settrace(None)
found = {}
for name in NAMES:
    map, codes = map_of(get(name))
    codes = [each for code in codes for each in all_of(code)]
    calls = [(code, lines[1:]) for code in codes for lines in ran.get(id(code), (code, {}))[1].values()]
    executed = set().union(*[lines_of(code, lines, map) for code, lines in calls])
    ways = set()
    for _, lines in calls:
        begun_at = [map[line] for line in lines if map.get(line)]
        ways.update((line, to) for line, to in zip(begun_at, begun_at[1:]) if line != to)
    statements = set().union(*[lines_of(code, begun(code), map) for code in codes])
    if any(id(code) in ran for code in codes):
        found[name] = sorted(executed), sorted(statements - executed), sorted(ways)
json.dump(found, open("found.json", "w"))
"""


class Maker:
    """Makes templates of PARTS, with a seed."""

    def __init__(self, engine: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.parts = PARTS[engine]
        self.block = BLOCK[engine]
        self.n_names = 0

    def template(self) -> str:
        parts = [self.some(0) for _ in range(self.random.randint(1, 4))]
        if self.random.random() < 0.3:
            parts.append(self.filled(self.block, DEEPEST))
        return "\n".join(parts) + "\n"

    def some(self, depth: int) -> str:
        """Some parts, one below the other."""
        known = self.parts if depth < DEEPEST else [part for part in self.parts if "{}" not in part]
        return "\n".join(self.filled(part, depth) for part in self.random.choices(known, k=self.random.randint(1, 3)))

    def filled(self, part: str, depth: int) -> str:
        self.n_names += 1
        first, *rest = part.replace("NAME", f"n{self.n_names}").split("{}")
        return first + "".join(self.some(depth + 1) + each for each in rest)


@pytest.mark.parametrize("engine", ["jinja2", "jinja2 async", "mako"])
def test_random_templates(place: Place, engine: str) -> None:
    """Three quarters of them are rendered, with values under which not everything in them runs."""
    engine, _, how = engine.partition(" ")
    maker = Maker(engine, 1)
    place.write("templates/other.txt", "other\n")
    names = [f"{number}.txt" for number in range(N_TEMPLATES)]
    for name in names:
        place.write(f"templates/{name}", maker.template())
    program = RENDER + GET[engine].replace("ASYNC", f"enable_async={how == 'async'}") + f"NAMES = {names}\n"
    place.write("traced.py", program + TRACE)
    place.write("program.py", program + "render_all(get, NAMES)\n")
    traced = place.python("traced.py", PYTHONPATH=ENGINES)
    assert traced.status == 0, traced.stderr
    done = place.covcore("run", "--source=templates", "program.py", PYTHONPATH=ENGINES)
    assert (done.status, done.stdout, done.stderr) == (0, traced.stdout, "")
    files = json.loads(place.covcore("json", "-o", "-").stdout)["files"]
    expected = json.loads((place.folder / "found.json").read_text())
    assert len(expected) > N_TEMPLATES // 2
    assert {Path(path).name for path in files} - {"other.txt"} == expected.keys()
    n_taken = n_missing = 0
    for name, (executed, missing, ways) in expected.items():
        ours = files[f"templates/{name}"]
        assert (ours["executed_lines"], ours["missing_lines"]) == (executed, missing), name
        taken, never = ([way for way in ours[key] if way[1] > 0] for key in ("executed_branches", "missing_branches"))
        assert [way for way in taken if way not in ways] == [way for way in never if way in ways] == [], name
        n_taken += len(taken)
        n_missing += len(never)
    assert min(n_taken, n_missing) > N_TEMPLATES // 2
