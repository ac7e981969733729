"""The statistics of the benchmark."""

import random
from functools import partial

import pytest

from bench.measure import estimate, geometric_ratios, interleaved, ratios
from bench.suites import stable

pytestmark = pytest.mark.once


def test_the_interval_leaves_out_as_many_at_each_end() -> None:
    figure = estimate([float(i) for i in range(15)])

    assert (figure.value, figure.low, figure.high, figure.n) == (7, 3, 11, 15)  # 96.5 %; [4, 10] would hold 88 %


@pytest.mark.parametrize("n", range(1, 6))
def test_few_values_give_their_range(n: int) -> None:
    figure = estimate([float(i) for i in range(n)])

    assert (figure.low, figure.high) == (0, n - 1)


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    generator = random.Random(1)
    held = sum(e.low <= 0 <= e.high for e in (estimate([generator.gauss() for _ in range(15)]) for _ in range(4000)))

    assert 0.955 < held / 4000 < 0.975


def test_ratios_are_of_pairs() -> None:
    base = [1.0, 10.0, 100.0]

    assert ratios([1.1, 11.0, 110.0], base).high == pytest.approx(1.1)


def test_geometric_ratios_weigh_programs_alike() -> None:
    figure = geometric_ratios([[2.0, 50.0]], [[1.0, 100.0]])

    assert figure.value == pytest.approx(1.0)


def test_rounds_begin_with_each_in_turn() -> None:
    order: list[str] = []

    def called(name: str, number: int) -> None:
        order.append(name)

    results = interleaved({name: partial(called, name) for name in "abc"}, 3)

    assert "".join(order) == "abcbcacab"
    assert {len(values) for values in results.values()} == {3}


def test_names_of_tests_lose_what_changes() -> None:
    assert stable("f[06:02:39 2026-11-21]") == "f[* *]"
    assert stable("f[<object at 0x7f01>]") == "f[<object at *>]"
