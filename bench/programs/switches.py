"""What a switch of context costs, in µs of CPU time.

    switches.py KNOWN TOUCHED LINES SWITCHES OUT

KNOWN functions have run before; between two switches TOUCHED of them run, each of so many LINES.  Writes a JSON object:

    switch    one switch
    units     code units of one function
"""

import gc
import json
import sys
import tempfile
import time
from types import FunctionType
from typing import Any

from covcore import _tracer

OFTEN = 10  # starts in one context: more than there are events to spare for


def main() -> None:
    known, touched, lines, switches = map(int, sys.argv[1:5])
    body = "    x = a\n" * lines
    names: dict[str, Any] = {}
    exec(compile(f"def f(a=1):\n{body}", "generated.py", "exec"), names)
    code = names["f"].__code__
    functions = [FunctionType(code.replace(co_name=f"f{i}"), {}, argdefs=(1,)) for i in range(known)]
    with tempfile.TemporaryDirectory() as folder:
        tracer = _tracer.Tracer(lambda name: "/generated.py" if name == "generated.py" else None)
        tracer.start([folder], "0")
        for function in functions:
            function()
        tracer.switch_context("", "first", "")
        gc.collect()
        gc.disable()
        spent = 0
        for number in range(switches):
            for function in functions[:touched]:
                for _ in range(OFTEN):
                    function()
            label = f"test {number}"
            started = time.process_time_ns()
            tracer.switch_context("", label, "")
            spent += time.process_time_ns() - started
        tracer.stop()
        assert tracer.error is None, tracer.error
        counts = tracer.counts()
        assert counts["codes"] == known
        assert counts["rearmed"] >= touched * (switches - 1)
    with open(sys.argv[5], "w") as file:
        json.dump({"switch": spent / switches / 1000, "units": len(code.co_code) / 2}, file)


main()
