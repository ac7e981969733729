"""`covcore report --format=badge`: the percentage as a small picture, for a README."""

from covcore.analysis.figures import display
from covcore.report.terminal import FAIR, GOOD

LABEL, LABEL_WIDTH = "coverage", 62
GREEN, YELLOW, RED = "#1a7f37", "#9a6700", "#cf222e"  # each with a contrast of 4.5 or more to the white text
DIGIT, POINT, SIGN = 7, 4, 12  # widths of characters, about; textLength makes any font keep to them

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {text}">
<title>{label}: {text}</title>
<rect width="{width}" height="20" rx="3" fill="{colour}"/>
<path d="M{label_width} 0H3a3 3 0 0 0-3 3v14a3 3 0 0 0 3 3H{label_width}z" fill="#444"/>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{label_middle}" y="14" textLength="{label_length}">{label}</text>
<text x="{text_middle}" y="14" textLength="{text_length}">{text}</text>
</g>
</svg>"""


def badge(percent: float, precision: int) -> str:
    """The picture, as SVG that needs nothing from elsewhere.

    Args:
        percent: the total.
        precision: its decimals.
    """
    text = display(percent, precision) + "%"
    length = sum({".": POINT, "%": SIGN}.get(character, DIGIT) for character in text)
    width = length + 10
    return SVG.format(
        width=LABEL_WIDTH + width,
        label=LABEL,
        label_width=LABEL_WIDTH,
        label_middle=LABEL_WIDTH / 2,
        label_length=LABEL_WIDTH - 10,
        text=text,
        text_middle=LABEL_WIDTH + width / 2,
        text_length=length,
        colour=GREEN if percent >= GOOD else YELLOW if percent >= FAIR else RED,
    )
