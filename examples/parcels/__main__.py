"""Read parcels from standard input, one a line, and print what they cost."""

import sys

from parcels.parcel import read
from parcels.price import price, total


def main(lines: list[str]) -> int:
    try:
        parcels = list(read(lines))
    except ValueError as error:
        print(f"parcels: {error}", file=sys.stderr)
        return 1
    for parcel in parcels:
        print(f"{parcel.country} {parcel.grams:6} g {price(parcel) / 100:8.2f}")
    if len(parcels) > 1:
        print(f"{'together':11} {total(parcels) / 100:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(list(sys.stdin)))
