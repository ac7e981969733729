"""coverage.Coverage as programs use it: what they get with covcore as the core is what they get with the C tracer."""

from __future__ import annotations

import pytest
from conftest import Place
from coveragepy_cores import CORES, settings

MODULE = "def work(n):\n    if n == 1: return 1\n    if n == 2: return 2\n    if n == 3: return 3\n    return 0\n"
BEGIN = """
import coverage, json, os, sys, threading, warnings
def make(**more):
    return coverage.Coverage(config_file="rc", **({"include": ["*/module.py"], "data_file": None} | more))
def ran(measuring):
    return of_data(measuring.get_data())
def of_data(data):
    found = {}
    for context in sorted(data.measured_contexts()):
        data.set_query_context(context)
        its = {os.path.basename(name): sorted(data.lines(name)) for name in data.measured_files() if data.lines(name)}
        if its: found[context] = its
    data.set_query_contexts(None)
    return found
def missing(measuring):
    return measuring.analysis2("module.py")[3]
"""
PROGRAMS = {
    "stops and starts": """
tool = make()
for n in range(4):
    tool.start()
    import module
    module.work(n)
    tool.stop()
    module.work(3)
    print(ran(tool), missing(tool))
""",
    "saves while it measures": """
tool = make(data_file="data")
tool.start()
import module
for n in range(4):
    module.work(n)
    tool.save()
    other = coverage.CoverageData("data")
    other.read()
    print(of_data(other), tool._started)
tool.stop()
tool.save()
""",
    "erases": """
tool = make(data_file="data")
tool.start()
import module
module.work(1)
tool.stop()
tool.save()
tool.erase()
print(os.path.exists("data"), ran(tool))
tool.start()
module.work(2)
tool.stop()
tool.save()
print(ran(tool), os.path.exists("data"))
again = make(data_file="data")
again.load()
print(ran(again))
again.start()
module.work(3)
again.stop()
print(ran(again))
""",
    "erases while it measures": """
tool = make()
tool.start()
import module
module.work(1)
tool.erase()
module.work(2)
tool.stop()
print(ran(tool))
""",
    "starts twice, stops twice": """
tool = make()
tool.start()
tool.start()
import module
module.work(1)
tool.stop()
module.work(2)
tool.stop()
print(ran(tool))
""",
    "never starts": """
tool = make()
tool.stop()
print(ran(tool))
""",
    "within another": """
import module
outer, inner, inmost = make(), make(), make()
outer.start()
module.work(1)
inner.start()
module.work(2)
inmost.start()
module.work(3)
inmost.stop()
module.work(0)
inner.stop()
module.work(1)
outer.stop()
print(ran(outer), ran(inner), ran(inmost))
""",
    "contexts of two": """
import module
outer, inner = make(), make()
outer.start()
outer.switch_context("a")
module.work(1)
inner.start()
inner.switch_context("b")
module.work(2)
inner.switch_context("c")
module.work(3)
inner.stop()
outer.switch_context("d")
module.work(2)
outer.stop()
print(ran(outer), ran(inner))
""",
    "one after another": """
import module
for n in range(4):
    tool = make(context=f"c{n}")
    with tool.collect():
        module.work(n)
    print(ran(tool), coverage.Coverage.current() is tool)
""",
    "who is it": """
tool = make()
with tool.collect():
    print(coverage.Coverage.current() is tool)
    inner = make()
    with inner.collect():
        print(coverage.Coverage.current() is inner)
    print(coverage.Coverage.current() is tool)
print(coverage.Coverage.current())
""",
    "contexts": """
tool = make(context="static")
with tool.collect():
    import module
    for n, name in enumerate(["a", "b", "a", "", "c|d"]):
        print(tool.switch_context(name))
        module.work(n)
print(ran(tool))
""",
    "a context without start": """
tool = make()
try: tool.switch_context("x")
except coverage.CoverageException as error: print(error)
""",
    "data taken and put together": """
import module
files = []
for n in range(4):
    tool = make(data_file=f"shard{n}", data_suffix=n % 2 == 0)
    with tool.collect(): module.work(n)
    tool.save()
    files += [os.path.abspath(name) for name in os.listdir(".") if name.startswith(f"shard{n}")]
whole = make(data_file="whole")
whole.combine(files[:2])
print(ran(whole))
whole.combine(files[2:])
whole.save()
print(ran(whole), missing(whole))
""",
    "data as bytes": """
tool = make()
with tool.collect():
    import module
    module.work(3)
data = coverage.CoverageData(no_disk=True)
data.loads(tool.get_data().dumps())
print(of_data(data))
""",
    "saved by itself": """
tool = make(data_file="data", auto_data=True)
tool.start()
import module, atexit
module.work(1)
print(os.path.exists("data"))
""",
    "kept from the run before": """
for n in range(3):
    tool = make(data_file="data", auto_data=True)
    tool.start()
    import module
    module.work(n)
    tool.stop()
    tool.save()
    print(ran(tool))
""",
    "excluded": """
tool = make()
tool.exclude("n == 3")
tool.exclude("n == 2", "partial")
print(tool.get_exclude_list()[-1:])
with tool.collect():
    import module
    module.work(3)
print(tool.analysis2("module.py")[1:], tool.branch_stats("module.py"))
""",
    "options": """
tool = make()
tool.set_option("run:branch", False)
tool.set_option("run:omit", ["*/other.py"])
print(tool.get_option("run:plugins"), tool.get_option("run:branch"))
with tool.collect():
    import module
    module.work(3)
print(tool.get_data().has_arcs(), ran(tool))
""",
    "lines alone": """
tool = make(branch=False)
with tool.collect():
    import module
    module.work(1)
    tool.switch_context("a")
    module.work(3)
print(tool.get_data().has_arcs(), ran(tool))
""",
    "nothing": """
tool = make()
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    tool.start()
    tool.stop()
    tool.get_data()
print([str(each.message) for each in found])
""",
    "what was imported before": """
import module
tool = make(include=None, source=["."])
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    with tool.collect(): module.work(1)
    tool.get_data()
print([str(each.message).replace(os.getcwd(), "") for each in found])
""",
    "started in a thread": """
tool = make()
def begin():
    tool.start()
    import module
    module.work(1)
thread = threading.Thread(target=begin)
thread.start()
thread.join()
new = threading.Thread(target=lambda: sys.modules["module"].work(2))
new.start()
new.join()
tool.stop()
print(ran(tool))
""",
    "threads that go on": """
tool = make()
go, gone = threading.Event(), threading.Event()
def work():
    import module
    module.work(1)
    gone.set()
    go.wait()
    module.work(2)
thread = threading.Thread(target=work)
tool.start()
thread.start()
gone.wait()
tool.stop()
print(ran(tool))
go.set()
thread.join()
print(ran(tool))
""",
    "many threads": """
import module
tool = make()
with tool.collect():
    threads = [threading.Thread(target=module.work, args=[n % 4]) for n in range(50)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(ran(tool))
""",
    "a plugin by hand": """
class Plugin(coverage.CoveragePlugin):
    def dynamic_context(self, frame):
        return f"n{frame.f_locals['n']}" if frame.f_code.co_name == "work" else None
tool = make()
tool._plugins  # they are loaded later
import coverage.plugin_support as support
before = support.Plugins.load_from_config
def load(self, modules, config):
    before(self, modules, config)
    self.add_dynamic_context(Plugin())
support.Plugins.load_from_config = load
with tool.collect():
    import module
    for n in (1, 3, 1): module.work(n)
print(ran(tool))
""",
    "forks": """
import module
tool = make(data_file="data", data_suffix=True)
tool.start()
module.work(1)
child = os.fork()
if not child:
    module.work(2)
    tool.stop()
    tool.save()
    os._exit(0)
os.waitpid(child, 0)
module.work(3)
tool.stop()
tool.save()
found = []
for name in os.listdir("."):
    if name.startswith("data."):
        data = coverage.CoverageData(name)
        data.read()
        found.append(str(of_data(data)))
print(sorted(found))
""",
    "garbage": """
import gc
for n in range(30):
    tool = make()
    with tool.collect():
        import module
        module.work(n % 4)
    assert ran(tool)
    del tool
gc.collect()
print("done")
""",
    "reports": """
tool = make()
with tool.collect():
    import module
    module.work(2)
print(tool.report(show_missing=True), tool.json_report(outfile="made.json", show_contexts=True))
print({key: value for key, value in json.load(open("made.json")).items() if key != "meta"})
print(tool.xml_report(outfile="made.xml"), tool.lcov_report(outfile="made.lcov"), tool.html_report())
print(open("made.lcov").read())
""",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_get_what_they_get_with_ctrace(place: Place, program: str) -> None:
    place.write("module.py", MODULE)
    place.write("program.py", BEGIN + PROGRAMS[program])
    found = []
    for core in CORES:
        settings(place, "")
        (place.folder / ".coveragerc").rename(place.folder / "rc")
        environment = {"COVERAGE_CORE": core} if core != "covcore" else {}
        found.append(place.python("program.py", PYTHONWARNINGS="ignore", PYTHONHASHSEED="0", **environment))
        for path in place.folder.iterdir():
            if path.name.startswith(("data", "shard", "whole")):
                path.unlink()
    ours, theirs = found
    assert ours == theirs
    assert ours.stdout or "Error" in ours.stderr
