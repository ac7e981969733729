"""What contexts are called in reports, and the tests behind them."""

from collections.abc import Iterable

from covcore.store.database import Database

NO_TEST = "(outside of any test)"


class Tests:
    """The tests of a database, numbered by name; a test's phases are one test.

    Attributes:
        names: by number; they may hold any character.
        number_of: context id -> number.
        outside: bit set of those that are no tests, but what ran outside of any.
    """

    def __init__(self, database: Database, contexts: Iterable[int] | None = None) -> None:
        """Args:
        database: where the contexts are.
        contexts: only those of these ids count; None: all do.
        """
        test_of = {id: (static, test) for id, (static, test, _) in database.contexts(contexts).items()}
        tests = sorted(set(test_of.values()))
        numbers = {test: number for number, test in enumerate(tests)}
        self.number_of = {id: numbers[test] for id, test in test_of.items()}
        self.names = [_name(*test) for test in tests]
        self.outside = sum(1 << number for number, (_, test) in enumerate(tests) if not test)


def members(bits: int) -> list[int]:
    """The numbers in a bit set, ascending."""
    return [number for number, digit in enumerate(bin(bits)[:1:-1]) if digit == "1"]


def _name(static: str, test: str) -> str:
    """A test's name, after the static label if there is one."""
    name = test or NO_TEST
    return f"{static}|{name}" if static else name
