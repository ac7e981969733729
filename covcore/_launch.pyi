"""Runs the program that is measured as the interpreter itself would: see src/launch.c.

Each run_ function runs a program as `__main__` of sys.modules with sys.argv and sys.path as they are, has its exception
printed, and returns its exit status, 0 or 1; it does not return from SystemExit.
"""

from collections.abc import Callable

def run_script(path: str, /) -> int:
    """Run a source file or a .pyc file."""

def run_module(name: str, /) -> int:
    """Run a module as `python -m` does; with "" the `__main__` module at sys.path[0]."""

def run_command(source: str, /) -> int:
    """Run source text as `python -c` does."""

def run_stdin(ignored: str, /) -> int:
    """Run what standard input holds."""

def defer[T](function: Callable[[T], int], argument: T, /) -> None:
    """Have function(argument) called once an exception leaves the outermost Python frame, and its result be the exit status.

    The caller raises that exception: any but SystemExit and KeyboardInterrupt.
    """

def mark_interrupted() -> None:
    """Have the interpreter die by SIGINT once it is finalized, as it does when a KeyboardInterrupt ends a program."""
