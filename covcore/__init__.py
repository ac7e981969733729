"""Branch coverage of Python programs: which lines and branches ran, and under which test.

Measuring from within a program:

    import covcore

    covcore.start(source=["mypackage"])
    ...
    covcore.current().switch_context("first part")
    ...
    covcore.stop()

PYTEST_DONT_REWRITE: pytest would warn, in some suites with an error, that this module was imported before its time.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from covcore.measure.session import Session

__all__ = ["CovcoreError", "current", "restart", "start", "stop"]
__version__ = "0.1.0"


def start(**settings: object) -> "Session":
    """Begin to measure this process, until stop() or its end.

    settings: keys of `[tool.covcore]` (source, include, omit, data, context, append); they win over the file

    Returns the session.
    Raises CovcoreError if a session is under way already, or for settings or a data path that cannot be.
    """
    from covcore.measure.session import begin

    return begin(settings)


def stop() -> None:
    """End measuring and publish what was measured.  Does nothing when no session is under way."""
    from covcore.measure.session import current

    if (session := current()) is not None:
        session.finish_now()


def restart() -> None:
    """Have every line and branch reported once more.  Other monitoring tools do not notice.

    Raises CovcoreError if no session is under way.
    """
    current().restart()


def current() -> "Session":
    """The session under way in this process.  Raises CovcoreError if there is none."""
    from covcore.errors import CovcoreError
    from covcore.measure.session import current

    session = current()
    if session is None:
        raise CovcoreError("nothing is being measured: call covcore.start(), or run the program with `covcore run`")
    return session


def __getattr__(name: str) -> object:
    if name == "CovcoreError":
        from covcore.errors import CovcoreError

        return CovcoreError
    raise AttributeError(f"module 'covcore' has no attribute {name!r}")
