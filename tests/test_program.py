"""Programs run bare and under `covcore run`: standard output, standard error and wait status must be the same, byte for byte.

What does differ, by design: sys.orig_argv, sys.modules (by modules of covcore's name), atexit._ncallbacks(), and the
tool ids of sys.monitoring.
"""

from __future__ import annotations

import difflib
import os
import py_compile
import re
import sys
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import Outcome, Place

ADDRESS = re.compile("(0x|started )[0-9a-f]{6,}")

SELF = """
import sys
print(__name__, list(globals()), __file__ if "__file__" in globals() else None, __package__, __doc__)
print(type(__loader__), __loader__ is __import__("_frozen_importlib").BuiltinImporter, __spec__ and __spec__.name)
print(__builtins__, sys.modules["__main__"].__dict__ is globals())
print(sys.argv, sys.path, sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode)
print([path for path in sys.path_importer_cache if "project" in path])
print(hasattr(sys, "last_exc"), sys.exc_info(), sys.excepthook is sys.__excepthook__, sys._getframe().f_code.co_filename)
"""

STACK = """
import inspect, sys, threading, traceback, warnings
traceback.print_stack()
print([entry.filename for entry in inspect.stack()])
frame, depth = sys._getframe(), 0
while frame: frame, depth = frame.f_back, depth + 1
print(depth)
for level in 1, 2, 3, 9: warnings.warn("here", stacklevel=level)
def recurse(n):
    try: return recurse(n + 1)
    except RecursionError: return n
print(recurse(0))
print(sys.gettrace(), sys.getprofile(), threading.enumerate(), len(traceback.format_stack()))
"""

PROCESS = """
import faulthandler, gc, locale, os, signal, sys
run = os.environ.pop("COVCORE_RUN", "")  # the one thing that may be seen
print(sorted(os.listdir("/proc/self/fd")), dict(os.environ), os.getcwd(), sorted(os.listdir()))
print([signal.getsignal(number) for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)])
print(gc.isenabled(), gc.get_threshold(), sys.getrecursionlimit(), sys.getswitchinterval(), locale.setlocale(locale.LC_ALL))
print(sys.stdin.encoding, sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.errors, faulthandler.is_enabled())
"""

ERRORS = {
    "chained": """
        def f(): return {}["key"]
        try: f()
        except KeyError as error: raise ValueError("because") from error
        """,
    "context": "try: 1/0\nexcept ZeroDivisionError: undefined",
    "group": "raise ExceptionGroup('all', [ValueError(1), TypeError(2)])",
    "note": "e = ValueError(); e.add_note('more'); raise e",
    "message of two lines": "raise ValueError('one\\ntwo')",
    "own exception": "class Mine(BaseException): pass\nraise Mine(1, 2)",
    "excepthook": "import sys; sys.excepthook = lambda *a: print(a[0], a[1], a[2].tb_frame.f_back, a[2].tb_next); 1/0",
    "excepthook fails": "import sys; sys.excepthook = lambda *a: 1/0; {}[1]",
    "excepthook exits": "import sys; sys.excepthook = lambda *a: sys.exit(7); 1/0",
    "no excepthook": "import sys; del sys.excepthook; 1/0",
    "excepthook looks back": """
        import sys
        def hook(*a): print(a[2].tb_next, sys.last_exc, sys.last_traceback is a[2], sys._getframe().f_back)
        sys.excepthook = hook
        1/0
        """,
    "generator": "def g():\n    yield 1/0\nlist(g())",
    "exec": "exec('1/0')",
    "recursion": "def f(): f()\nf()",
    "str fails": "class E(Exception):\n    def __str__(self): 1/0\nraise E",
    "tracebacklimit": "import sys; sys.tracebacklimit = 0\n1/0",
    "syntax error": "x = (\ny = 1",
    "indentation error": "if 1:\npass",
    "null bytes": "x = '\0'",
    "unknown encoding": "# coding: nonesuch\n",
    "not utf-8": "x = '\udcff'",
    "syntax error in a module": "import bad",
    "syntax warning": "assert (1, 'x')\nprint('\\d')",
    "eval's syntax error": "eval('1 +')",
    "future": "from __future__ import annotations\nprint(__annotations__ if 0 else 1)\nfrom __future__ import nothing",
}

ENDS = {
    "nothing": "",
    "exit": "import sys; sys.exit()",
    "exit none": "import sys; sys.exit(None)",
    "exit 0": "import sys; sys.exit(0)",
    "exit 3": "import sys; sys.exit(3)",
    "exit 256": "import sys; sys.exit(256)",
    "exit -1": "import sys; sys.exit(-1)",
    "exit true": "import sys; sys.exit(True)",
    "exit 1.5": "import sys; sys.exit(1.5)",
    "exit text": "import sys; sys.exit('what happened: \\u2026')",
    "exit object": "import sys; sys.exit(object)",
    "exit tuple": "import sys; sys.exit((1, 2))",
    "exit()": "exit(4)",
    "raise SystemExit": "raise SystemExit",
    "exit in a function's finally": "import sys\ntry: 1/0\nfinally: sys.exit(5)",
    "os._exit": "import os; print('x', flush=True); os._exit(6)",
    "abort": "import os; os.abort()",
    "SIGKILL": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "segmentation fault": "import signal; signal.raise_signal(signal.SIGSEGV)",
    "SIGINT": "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)",
    "KeyboardInterrupt": "def f(): raise KeyboardInterrupt\nf()",
    "KeyboardInterrupt with hook": "import sys; sys.excepthook = lambda *a: print(a[0]); raise KeyboardInterrupt('x')",
    "KeyboardInterrupt and atexit": "import atexit; atexit.register(print, 'end'); raise KeyboardInterrupt",
    "subclass of KeyboardInterrupt": "class K(KeyboardInterrupt): pass\nraise K",
    "KeyboardInterrupt in atexit": "import atexit\n@atexit.register\ndef f(): raise KeyboardInterrupt",
    "atexit": """
        import atexit, sys
        atexit.register(lambda: print("first", "__file__" in globals(), __name__))
        atexit.register(lambda: sys.exit(9))
        atexit.register(lambda: 1/0)
        atexit.register(print, "last")
        """,
    "atexit after exit": "import atexit, sys\natexit.register(lambda: print(__name__, '__file__' in globals()))\nsys.exit(2)",
    "atexit after error": "import atexit\natexit.register(lambda: print(__name__, '__file__' in globals()))\n1/0",
    "os._exit in atexit": "import atexit, os; atexit.register(os._exit, 8)",
    "thread": """
        import threading
        def work():
            threading.main_thread().join()
            print(threading.main_thread().is_alive(), threading.current_thread().name)
        threading.Thread(target=work).start()
        print("main ends")
        """,
    "exit in a thread": "import sys, threading; t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join()",
    "error in a thread": "import threading; t = threading.Thread(target=lambda: 1/0); t.start(); t.join()",
    "daemon": "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "interrupt_main": "import _thread, time; _thread.interrupt_main(); time.sleep(1)",
    "__del__": "class D:\n    def __del__(self): print('gone')\nd = D()\nd.self = d",
    "unraisable": "class D:\n    def __del__(self): 1/0\nD()",
    "stdout is closed": "import sys; sys.stdout.close()",
    "stdout is broken": "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); print('x')",
    "stderr is none": "import sys; sys.stderr = None; 1/0",
    "fork": """
        import os, sys
        print("before", flush=True)
        if (pid := os.fork()) == 0:
            print("child")
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    "exec": "import os, sys; sys.stdout.flush(); os.execv(sys.executable, [sys.executable, '-c', 'print(1); exit(5)'])",
    "asyncio": "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    raise KeyboardInterrupt\nasyncio.run(f())",
}

PROGRAMS = {
    "getsource": """
        import inspect, linecache
        def f():
            return 1  # this
        class C: pass
        print(inspect.getsource(f), inspect.getsource(C), linecache.getline(__file__, 2), inspect.getmodule(f).__name__)
        """,
    "pickle": """
        import copy, pickle
        class C: x = 1
        print(pickle.loads(pickle.dumps(C())).x, C.__module__, copy.deepcopy(C()).x, __import__("__main__").C is C)
        """,
    "doctest": "def f():\n    '''\n    >>> f()\n    2\n    '''\n    return 1\nimport doctest; print(doctest.testmod())",
    "unittest": """
        import io, unittest
        class T(unittest.TestCase):
            def test(self): pass
        told = io.StringIO()
        unittest.main(argv=["x", "-q"], exit=False, testRunner=unittest.TextTestRunner(told))
        print(told.getvalue().split(" in ")[0])
        print(unittest.defaultTestLoader.loadTestsFromName("__main__.T").countTestCases())
        """,
    "runpy": """
        import os, runpy, sys
        open("other.py", "w").write("import sys; print(__name__, __file__, sys.argv, sys.path[0])")
        runpy.run_path("other.py", run_name="__main__"); runpy.run_module("other", run_name="__main__", alter_sys=True)
        print(sys.argv, __file__)
        os.remove("other.py")
        """,
    "import itself": "import script; print(__name__, script.__name__)",
    "multiprocessing spawn": """
        import multiprocessing, os, sys
        def work(n): return n, __name__, sys.argv, sys.modules["__main__"].__name__, os.path.basename(__file__)
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool: print(pool.map(work, [1]))
        """,
    "multiprocessing forkserver": """
        import multiprocessing, os, sys
        def work(n): return n, __name__, sys.argv, sys.modules["__main__"].__name__
        if __name__ == "__main__":
            with multiprocessing.get_context("forkserver").Pool(1) as pool: print(pool.map(work, [1]))
        """,
    "multiprocessing fork": """
        import multiprocessing, sys
        def work(queue): queue.put((__name__, sys.argv)); sys.exit(4)
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            queue = context.Queue(); process = context.Process(target=work, args=(queue,)); process.start()
            print(queue.get()); process.join(); print(process.exitcode)
        """,
    "concurrent.futures": """
        import concurrent.futures
        def work(n): return n * 2
        if __name__ == "__main__":
            with concurrent.futures.ProcessPoolExecutor(2) as pool: print(list(pool.map(work, range(4))))
        """,
    "subprocess": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True))",
    "standard modules of its own": """
        import sys
        for name in "datetime", "functools", "collections", "stat", "fcntl", "time", "re", "tomllib", "types":
            module = sys.modules[name] = type(sys)(name)
        sys.path[:] = ["/nowhere"]; sys.meta_path[:] = []
        """,
    "chdir": "import os; os.chdir('/'); print(os.getcwd())",
    "folder is gone": "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "settrace": """
        import sys
        def tracer(frame, event, arg):
            print(event, frame.f_code.co_name, frame.f_lineno, frame.f_back)
            return tracer
        sys.settrace(tracer)
        def f(): return 1
        f()
        sys.settrace(None)
        sys.setprofile(lambda frame, event, arg: print(event, frame.f_code.co_name))
        f()
        sys.setprofile(None)
        """,
}


def difference(bare: Outcome, measured: Outcome) -> str:
    """What differs but addresses of objects, line by line."""
    texts = [
        ADDRESS.sub("1", f"status {outcome.status}\n{outcome.stdout}\n-- stderr\n{outcome.stderr}").splitlines()
        for outcome in (bare, measured)
    ]
    return "\n".join(difflib.unified_diff(*texts, "bare", "measured", n=0, lineterm=""))


def both(place: Place, *arguments: str, options: tuple[str, ...] = (), stdin: str = "") -> Outcome:
    """Run a program bare and measured; they must not differ."""
    bare = place.python(*options, *arguments, stdin=stdin)
    measured = place.python(*options, "-m", "covcore", "run", *arguments, stdin=stdin)
    lines = measured.stderr.splitlines(keepends=True)
    if lines and lines[-1].startswith("covcore: warning: nothing was measured: no code ran outside"):
        measured = replace(measured, stderr="".join(lines[:-1]))  # a program without a file
    assert difference(bare, measured) == ""
    return bare


KINDS = ["script", "-m", "-c", "package", "folder", "zip", "stdin", "dash"]
OPTIONS = ["-I", "-O -B", "-u -X utf8=0", "-W error -X dev", "-s -E", "-X a=b"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(kind, "") for kind in KINDS]
    + [(kind, "-P") for kind in KINDS if kind not in ("-m", "package")]  # they are not on the path then
    + [("script", options) for options in OPTIONS],
)
def test_what_a_program_finds(place: Place, kind: str, options: str) -> None:
    text = SELF + PROCESS
    place.write("tree/__main__.py", text)
    place.write("script.py", text)
    place.write("package/__init__.py", "print(__name__, __import__('sys').argv)")
    place.write("package/__main__.py", text)
    with zipfile.ZipFile(place.folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", text)
    arguments, stdin = {
        "script": (["./script.py", "a", "--b", "-m"], ""),
        "-m": (["-m", "script", "a"], ""),
        "-c": (["-c", text, "a", "-c"], ""),
        "package": (["-m", "package", "--", "a"], ""),
        "folder": (["tree", "a"], ""),
        "zip": (["archive.zip", "a"], ""),
        "stdin": ([], text),
        "dash": (["-", "a"], text),
    }[kind]
    assert both(place, *arguments, options=tuple(options.split()), stdin=stdin).status == 0


@pytest.mark.parametrize("kind", ["script", "-m", "-c", "folder", "stdin"])
@pytest.mark.parametrize("name", ["stack", "error", "exit", "KeyboardInterrupt", "syntax error"])
def test_kinds(place: Place, kind: str, name: str) -> None:
    text = {
        "stack": STACK,
        "error": "def f():\n    raise ValueError('x') from KeyError()\nf()",
        "exit": "import atexit, sys; atexit.register(print, 'end'); sys.exit('reason')",
        "KeyboardInterrupt": "import atexit; atexit.register(print, 'end'); raise KeyboardInterrupt",
        "syntax error": "x = (\n",
    }[name]
    place.write("script.py", text)
    place.write("tree/__main__.py", text)
    arguments = {
        "script": ["script.py"],
        "-m": ["-m", "script"],
        "-c": ["-c", text],
        "folder": ["tree"],
        "stdin": ["-"],
    }
    both(place, *arguments[kind], stdin=text if kind == "stdin" else "")


@pytest.mark.parametrize(
    "text", [*ERRORS.values(), *ENDS.values(), *PROGRAMS.values()], ids=[*ERRORS, *ENDS, *PROGRAMS]
)
def test_scripts(place: Place, text: str) -> None:
    place.write("bad.py", "def (")
    place.write("script.py", os.fsencode(textwrap.dedent(text)))
    both(place, "script.py")


def symlink(place: Place) -> list[str]:
    place.write("deep/down/real.py", "import sys; print(sys.path[0], __file__, sys.argv)")
    (place.folder / "link.py").symlink_to("deep/down/real.py")
    return ["link.py"]


def bytecode(place: Place) -> list[str]:
    place.write("source.py", SELF + "\n1/0")
    py_compile.compile(str(place.folder / "source.py"), str(place.folder / "compiled.pyc"))
    return ["compiled.pyc"]


def stale_bytecode(place: Place) -> list[str]:
    place.write("old.pyc", b"\0" * 20)
    return ["old.pyc"]


def failing_parent(place: Place) -> list[str]:
    place.write("parent/__init__.py", "1/0")
    place.write("parent/child.py", "")
    return ["-m", "parent.child"]


def package_without_main(place: Place) -> list[str]:
    place.write("package/__init__.py", "print('imported')")
    return ["-m", "package"]


def module_in_package(place: Place) -> list[str]:
    place.write("package/__init__.py", "from package import module")
    place.write("package/module.py", SELF)
    return ["-m", "package.module"]


def empty_folder(place: Place) -> list[str]:
    (place.folder / "empty").mkdir()
    return ["empty"]


def broken_zip(place: Place) -> list[str]:
    place.write("broken.zip", b"PK\3\4 and no more")
    return ["broken.zip"]


def zip_with_error(place: Place) -> list[str]:
    with zipfile.ZipFile(place.folder / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", "import part")
        archive.writestr("part.py", "def f():\n    raise ValueError\nf()")
    return ["archive.zip"]


@pytest.mark.parametrize(
    "program",
    [
        symlink,
        bytecode,
        stale_bytecode,
        failing_parent,
        package_without_main,
        module_in_package,
        empty_folder,
        broken_zip,
        zip_with_error,
        lambda place: ["missing.py"],
        lambda place: ["../missing/x.py", "a"],
        lambda place: ["-m", "missing"],
        lambda place: ["-m", "missing.child"],
        lambda place: ["-m", "os.path.child"],
        lambda place: ["-m", "this"],
        lambda place: ["-m", "__main__"],
        lambda place: ["-mthis"],
        lambda place: [""],
        lambda place: ["-m", "json.tool", "nofile"],
        lambda place: ["-m", "timeit", "-n1", "-r1", "-s", "import sys; print(sys.argv)", "pass", "-h"],
        lambda place: ["-c", "  x = 1\n  print(x)"],
        lambda place: ["-c", "def f():\n  1/0\nf()"],
        lambda place: ["-cprint(1)"],
        lambda place: ["-c", ""],
        lambda place: ["-c", "\udcff"],
    ],
)
def test_ways_to_name_a_program(place: Place, program: Callable[[Place], list[str]]) -> None:
    outcome = both(place, *program(place))
    assert program.__name__ == "<lambda>" or outcome.stdout or outcome.stderr


def test_debugger(place: Place) -> None:
    """Stepping past the end of the program ends it: there is nothing below it to step into."""
    place.write("script.py", "def f(x):\n    breakpoint()\n    return x\nprint(f(1))\n")
    outcome = both(place, "script.py", stdin="w\nup\nup\nup\nn\nn\nn\nn\nn\nn\n")
    assert "Oldest frame" in outcome.stdout
    both(place, "script.py", stdin="q\n")
    both(place, "script.py", stdin="p x\nc\n")
    both(place, "-m", "pdb", "script.py", stdin="b 3\nc\nw\nc\nq\n")
    place.write("post.py", "import pdb\ntry: 1/0\nexcept ZeroDivisionError: pdb.post_mortem()")
    both(place, "post.py", stdin="w\nq\n")


@pytest.mark.parametrize("configured", [False, True], ids=["", "configured"])
@pytest.mark.parametrize("kind", ["script", "-m", "folder", "-c", "stdin"])
def test_modules(place: Place, kind: str, configured: bool) -> None:
    """sys.modules is that of a bare run, and covcore's own."""
    if configured:
        place.write("covcore.toml", "omit = ['nothing']")
    text = "import sys; print(*sorted(sys.modules), sep='\\n')"
    place.write("script.py", text)
    place.write("tree/__main__.py", text)
    arguments = {
        "script": ["script.py"],
        "-m": ["-m", "script"],
        "folder": ["tree"],
        "-c": ["-c", text],
        "stdin": ["-"],
    }
    bare = place.python(*arguments[kind], stdin=text)
    for start in [], ["-m", "covcore"]:
        run = place.python if start else place.covcore
        measured = run(*start, "run", *arguments[kind], stdin=text)
        assert [name for name in measured.stdout.split() if not name.startswith("covcore")] == bare.stdout.split()


def test_quiet_imports_leave_no_trace(place: Place) -> None:
    """What our set-up imported is imported anew by the program, whole: packages do not keep attributes of the old one."""
    place.write("covcore.toml", "omit = ['nothing']")  # reading it takes tomllib, and re
    place.write(
        "script.py", "import re, enum, sys; print(enum.re if hasattr(enum, 're') else 0, re.sub('a', 'b', 'a'))"
    )
    both(place, "script.py")


def test_profiler_that_runs_covcore(place: Place) -> None:
    """Called by another program, covcore returns to it."""
    place.write("script.py", "print('ran')")
    outcome = place.python("-m", "cProfile", "-m", "covcore", "run", "script.py")
    assert outcome.status == 0
    assert outcome.stdout.startswith("ran\n")
    assert "function calls" in outcome.stdout
    assert place.lines() == {"script.py": {1}}


def test_interactive_afterwards(place: Place) -> None:
    place.write("script.py", "x = 6")
    for option in "-i", "-iq":
        bare = place.python(option, "script.py", stdin="print(x * 7)\n")
        measured = place.python(option, "-m", "covcore", "run", "script.py", stdin="print(x * 7)\n")
        assert measured == bare
        assert "42" in measured.stdout


def test_pipe_as_script(place: Place) -> None:
    """A script that can be read once only is read once only."""
    shell = "\"$0\" $OPTIONS /dev/fd/3 a 3<<'END'\nimport sys\nprint(sys.argv, sys.path[0])\nEND\n"
    outcomes = [place.run("sh", "-c", shell, sys.executable, OPTIONS=options) for options in ("", "-m covcore run")]
    assert difference(*outcomes) == ""
    assert outcomes[0].stdout == "['/dev/fd/3', 'a'] /dev/fd\n"
