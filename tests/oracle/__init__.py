"""Oracle 1: generated programs, of which covcore and CPython's own sys.settrace must tell the same.

    strategies.programs() ──> check.Oracle ──┬─> worker: truth.py     settrace with f_trace_opcodes
                                             ├─> worker: measured.py  the tracer, its recording, the analysis
                                             └─> differences.py       what is not the same, in words

docs/oracles.md tells what is compared and how to run it; `python -m oracle --help` in tests/ runs any number.
"""
