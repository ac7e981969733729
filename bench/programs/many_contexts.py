"""A recording of many contexts, as a large test suite leaves it.

    many_contexts.py FOLDER CONTEXTS FILES EACH

FILES files of one function each; in each of the CONTEXTS, EACH of them run, along ways that differ.
"""

import random
import sys
from typing import Any

from covcore import _tracer

BODY = "".join(f"    if x > {n}:\n        y = x + {n}\n    z = x\n" for n in range(10))


def main() -> None:
    folder = sys.argv[1]
    contexts, files, each = map(int, sys.argv[2:])
    functions = []
    for number in range(files):
        names: dict[str, Any] = {}
        text = f"def f(x):\n{BODY}    return z\n"
        exec(compile(text, f"/project/package{number // 100}/module{number}.py", "exec"), names)
        functions.append(names["f"])
    tracer = _tracer.Tracer(lambda name: name if name.startswith("/project/") else None)
    tracer.start([folder], "0")
    chance = random.Random(1)
    for number in range(contexts):
        tracer.switch_context("", f"tests/test_module{number // 50}.py::TestClass::test_number_{number}", "")
        first = chance.randrange(files)
        for step in range(each):
            functions[(first + step * step * 7) % files](chance.randrange(12))
    tracer.stop()
    assert tracer.error is None, tracer.error


main()
