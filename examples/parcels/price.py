"""Prices, in cents."""

from collections.abc import Iterable

from parcels.parcel import Parcel

NEIGHBOURS = {"AT", "BE", "CH", "CZ", "DK", "FR", "LU", "NL", "PL"}
STEPS = [(1_000, 399), (2_000, 549), (5_000, 699), (10_000, 999), (31_500, 1_649)]  # up to so many grams: cents


class TooBig(ValueError):
    """No tariff takes this parcel."""


def zone(country: str) -> int:
    if country == "DE":
        return 0
    return 1 if country in NEIGHBOURS else 2


def base_price(grams: int) -> int:
    for limit, cents in STEPS:
        if grams <= limit:
            return cents
    raise TooBig(f"{grams} g")


def price(parcel: Parcel) -> int:
    """The price of one parcel."""
    if parcel.girth_cm > 300:
        raise TooBig(f"{parcel.girth_cm} cm around")
    cents = base_price(parcel.grams)
    match zone(parcel.country):
        case 1:
            cents = cents * 3 // 2
        case 2:
            cents *= 3
    if parcel.fragile or (parcel.girth_cm > 200 and parcel.grams > 10_000):
        cents += 500
    return cents


def total(parcels: Iterable[Parcel], coupon: str | None = None) -> int:
    """The price of all parcels together; every tenth one is free."""
    prices = sorted(price(parcel) for parcel in parcels)
    free = len(prices) // 10
    cents = sum(prices[free:])
    if coupon is not None:
        if coupon == "HALF":
            cents //= 2
        elif coupon.isdigit():
            cents = max(0, cents - int(coupon))
        else:
            raise ValueError(f"unknown coupon: {coupon}")
    return cents


def heavy(parcels: Iterable[Parcel], at_home: bool = True) -> list[Parcel]:
    """The parcels that need two people to carry."""
    return [parcel for parcel in parcels if parcel.grams > 20_000 and (at_home or zone(parcel.country) == 0)]
