"""A parcel, and how it is written down: `2.5kg 30x20x10 DE fragile`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parcel:
    grams: int
    sides_cm: tuple[int, int, int]
    country: str
    fragile: bool = False

    @property
    def girth_cm(self) -> int:
        """The longest side plus the way around the other two."""
        longest, *others = sorted(self.sides_cm, reverse=True)
        return longest + 2 * sum(others)


def parse_weight(text: str) -> int:
    """Grams in `800g` or `2.5kg`."""
    if text.endswith("kg"):
        return round(float(text[:-2]) * 1000)
    elif text.endswith("g"):
        return int(text[:-1])
    else:
        raise ValueError(f"a weight ends with g or kg: {text}")


def parse(line: str) -> Parcel:
    """The parcel that one line describes."""
    match line.split():
        case [weight, size, country]:
            fragile = False
        case [weight, size, country, "fragile"]:
            fragile = True
        case [_, _, _, word]:
            raise ValueError(f"unknown word: {word}")
        case _:
            raise ValueError(f"not a parcel: {line}")
    try:
        length, width, height = (int(side) for side in size.split("x"))
    except ValueError:
        raise ValueError(f"not three sides: {size}") from None
    return Parcel(parse_weight(weight), (length, width, height), country, fragile)


def read(lines):
    """Yield the parcels of a list; empty lines and comments are passed over."""
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        yield parse(line)
