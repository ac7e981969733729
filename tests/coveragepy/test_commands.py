"""coverage.py's commands, as someone uses them who has only added the line with the plugin: they say what they say with the C tracer."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest
from conftest import Place
from coveragepy_cores import CORES, settings

pytestmark = pytest.mark.once  # what differs between versions of Python is in test_core.py

FILES = {
    "module.py": "def work(n):\n    if n == 1: return 1\n    if n == 2: return 2\n    if n == 3: return 3\n    return 0\n",
    "first.py": "import module\nmodule.work(1)\n",
    "second.py": "import module, sys\nmodule.work(2)\nif len(sys.argv) > 1:\n    print(sys.argv[1:])\n",
    "package/__init__.py": "",
    "package/__main__.py": "import module\nmodule.work(3)\n",
    "fails.py": "import module\ndef f():\n    module.work(1)\n    raise ValueError('so it is')\nf()\n",
    "leaves.py": "import sys, module\nmodule.work(1)\nsys.exit(3)\n",
    "tests.py": "import module\ndef test_one(): assert module.work(1) == 1\ndef test_two(): assert module.work(2) == 2\n",
    "contexts.py": "import tests\ntests.test_one()\ntests.test_two()\n",
    "mapped/module.py": "",
    "broken.py": "import module\ndef (\n",
    "made.py": "exec(compile('x = 1\\nif x:\\n    x = 2\\n', 'nowhere.py', 'exec'))\nimport module\n",
    "goes.py": "import os, module\nmodule.work(1)\nos.remove('module.py')\n",
    "signals.py": "import os, signal, module\nmodule.work(1)\nos.kill(os.getpid(), signal.SIGUSR1)\nmodule.work(2)\n"
    "os.kill(os.getpid(), signal.SIGKILL)\n",
    "recurses.py": "import module, sys\ndef f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    module.work(1)\n",
    "traces.py": "import sys, module\ndef trace(*args): return trace\nmodule.work(1)\nsys.settrace(trace)\nmodule.work(2)\n"
    "sys.settrace(None)\n",
    "threads.py": "import threading, module\nthreads = [threading.Thread(target=module.work, args=[n]) for n in range(4)]\n"
    "for thread in threads: thread.start()\nfor thread in threads: thread.join()\n",
}
REPORT = "coverage report -m"
SCENES = {  # settings of [run], and commands
    "append": ("", ["coverage run first.py", "coverage run -a second.py", REPORT]),
    "arguments": ("", ["coverage run second.py -m x --y", REPORT]),
    "module": ("", ["coverage run -m package a", REPORT]),
    "folder": ("", ["coverage run package", REPORT]),
    "source": ("", ["coverage run --source=package,. first.py", REPORT]),
    "include": ("", ["coverage run --include='mod*' first.py", REPORT]),
    "omit": ("", ["coverage run --omit='mod*' first.py", REPORT]),
    "no data": ("source = package\n", ["coverage run first.py", REPORT]),
    "not imported": ("", ["coverage run --source=nosuch first.py", REPORT]),
    "silent": (
        "disable_warnings = no-covcore, module-not-imported, no-data-collected\n",
        ["coverage run --source=nosuch first.py", REPORT],
    ),
    "parallel": ("", ["coverage run -p first.py", "coverage run -p second.py", "coverage combine -q", REPORT]),
    "keep": ("", ["coverage run -p first.py", "coverage combine -q --keep", "coverage combine -q --keep -a", REPORT]),
    "erase": ("", ["coverage run first.py", "coverage erase", REPORT]),
    "data file": ("", ["coverage run --data-file=here first.py", f"{REPORT} --data-file=here", REPORT]),
    "statics": (
        "",
        [
            "coverage run --context=a first.py",
            "coverage run -a --context=b second.py",
            f"{REPORT} --contexts=a",
            f"{REPORT} --contexts=[bc]",
            "coverage json -q -o - --show-contexts",
        ],
    ),
    "dynamic": (
        "dynamic_context = test_function\ncontext = s\n",
        ["coverage run contexts.py", f"{REPORT} --contexts=test_one", "coverage json -q -o - --show-contexts"],
    ),
    "an exception": ("", ["coverage run fails.py", REPORT]),
    "a status": ("", ["coverage run leaves.py", REPORT]),
    "under": ("", ["coverage run first.py", f"{REPORT} --fail-under=90"]),
    "no such program": ("", ["coverage run nosuch.py", "coverage run -m nosuch"]),
    "no Python": ("", ["coverage run broken.py"]),
    "made up": ("", ["coverage run made.py", REPORT]),
    "gone": ("", ["coverage run goes.py", REPORT, f"{REPORT} -i"]),
    "xml": ("", ["coverage run first.py", "coverage xml -q -o -"]),
    "lcov": ("", ["coverage run first.py", "coverage lcov -q -o -"]),
    "html": ("", ["coverage run first.py", "coverage html -q", "cat htmlcov/module_py.html"]),
    "html, contexts": (
        "dynamic_context = test_function\n",
        ["coverage run contexts.py", "coverage html -q --show-contexts", "cat htmlcov/module_py.html"],
    ),
    "annotate": ("", ["coverage run first.py", "coverage annotate", "cat module.py,cover"]),
    "lines alone": ("branch = False\n", ["coverage run first.py", "coverage run -a second.py", REPORT]),
    "lines and branches": ("", ["coverage run -p first.py", "lines run -p second.py", "coverage combine -q"]),
    "signal": ("parallel = True\n", ["coverage run --save-signal=USR1 signals.py", "coverage combine -q", REPORT]),
    "deep": ("", ["coverage run recurses.py", f"{REPORT} --include=module.py"]),
    "threads": ("concurrency = thread\n", ["coverage run threads.py", REPORT]),
    "paths": (
        "parallel = True\nsource = .\n[paths]\nall =\n    mapped\n    .\n",
        ["coverage run first.py", "coverage combine -q", "coverage json -q -o -"],
    ),
    "conflict": ("dynamic_context = test_function\nconcurrency = gevent, eventlet\n", ["coverage run first.py"]),
    "debug data": ("", ["coverage run --context=c first.py", "coverage debug data"]),
}
CHANGES = [  # between any two runs
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:[\d.]+)?( [+-]\d{4})?", "TIME"),
    (r'timestamp="\d+"', "TIME"),
    (r"/\S*/project\b", "HERE"),
    (r"\.pid\d+\.X\w+x(\.H\w+)?", ".PID"),
]
# What of a file is the core's own, not the user's: it has fewer arcs, and another size.
OWN = re.compile(r"^(size|has_arcs|path): .*|^\S*\.coverage\S*: .* bytes.*", re.MULTILINE)


def play(place: Place, core: str, commands: list[str]) -> list[tuple[int, str, str]]:
    """What each command ends with, and says."""
    environment = {"PYTHONPATH": str(place.folder)} | ({"COVERAGE_CORE": core} if core != "covcore" else {})
    found = []
    for command in commands:
        name, *words = shlex.split(command)
        if name == "cat":
            found.append((0, (place.folder / words[0]).read_text(), ""))
            continue
        if name == "lines":
            words += ["--rcfile=lines"]
        outcome = place.python("-m", "coverage", *words, **environment)
        said = outcome.stdout
        if said.startswith("{"):  # coverage.py has the contexts of a line in any order
            for file in (whole := json.loads(said))["files"].values():
                file["contexts"] = {line: sorted(its) for line, its in file.get("contexts", {}).items()}
                del file["functions"], file["classes"]  # which have them once more
            said = json.dumps(whole)
        found.append((outcome.status, plain(said), plain(outcome.stderr)))
    return found


def plain(text: str) -> str:
    for pattern, name in CHANGES:
        text = re.sub(pattern, name, text)
    return OWN.sub("", text)


@pytest.mark.parametrize("scene", SCENES)
def test_commands_say_what_they_say_with_ctrace(place: Place, scene: str) -> None:
    setting, commands = SCENES[scene]
    found = []
    for core in CORES:
        for path in place.folder.iterdir():
            if path.name != "htmlcov" and path.is_file():
                os.unlink(path)
        for name, text in FILES.items():
            place.write(name, text)
        settings(place, setting)
        text = (place.folder / ".coveragerc").read_text()
        if "branch = False" in text:
            place.write(".coveragerc", text.replace("branch = True\n", ""))
        place.write("lines", text.replace("branch = True\n", ""))
        found.append(play(place, core, commands))
    ours, theirs = found
    assert ours == theirs
