import pytest

from parcels.parcel import Parcel, parse, parse_weight, read


def test_parse():
    assert parse("2.5kg 30x20x10 DE") == Parcel(2500, (30, 20, 10), "DE")


def test_parse_fragile():
    assert parse("2kg 30x20x10 FR fragile").fragile


def test_parse_wants_three_sides():
    with pytest.raises(ValueError, match="not three sides: 30x20"):
        parse("2kg 30x20 DE")


def test_parse_weight():
    assert parse_weight("0.5kg") == 500


def test_girth():
    assert Parcel(100, (10, 30, 20), "DE").girth_cm == 90


def test_read_passes_over_comments():
    assert [parcel.country for parcel in read(["# weight size country", "1kg 1x1x1 PL"])] == ["PL"]
