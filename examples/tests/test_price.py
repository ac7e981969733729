import pytest

from parcels.__main__ import main
from parcels.parcel import Parcel
from parcels.price import TooBig, heavy, price, total, zone

SMALL = Parcel(800, (20, 10, 5), "DE")


@pytest.mark.parametrize("country, expected", [("DE", 0), ("FR", 1)])
def test_zone(country, expected):
    assert zone(country) == expected


def test_price_at_home():
    assert price(SMALL) == 399


def test_price_next_door():
    assert price(Parcel(1_500, (20, 10, 5), "FR")) == 823


def test_price_fragile():
    assert price(Parcel(800, (20, 10, 5), "DE", fragile=True)) == 899


def test_price_too_long():
    with pytest.raises(TooBig, match="310 cm around"):
        price(Parcel(800, (250, 20, 10), "DE"))


def test_every_tenth_is_free():
    assert total([SMALL] * 10) == 9 * 399


def test_coupon():
    assert total([SMALL, SMALL], coupon="HALF") == 399


def test_heavy():
    assert heavy([SMALL, Parcel(25_000, (60, 60, 60), "DE")]) == [Parcel(25_000, (60, 60, 60), "DE")]


def test_main(capsys):
    assert main(["800g 20x10x5 DE"]) == 0
    assert capsys.readouterr().out == "DE    800 g     3.99\n"
