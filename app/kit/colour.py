"""Colours in OKLCH and sRGB, and the contrast between them. Pure arithmetic.

Lightness runs from 0 to 1, chroma from 0 to about 0.37, hue in degrees. Hex is always `#rrggbb`, lower case.
"""

import math
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Way = Literal["darker", "lighter"]

STEP = 0.005
"""How far `fit` moves the lightness at a time."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_TOLERANCE = 1e-4
"""A colour this far outside sRGB still rounds to the same eight bits."""


class Oklch(NamedTuple):
    lightness: float
    chroma: float
    hue: float


def is_hex(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def parse(text: str) -> Oklch:
    """The colour of `#rrggbb`. Raises ValueError for anything else."""
    if not is_hex(text):
        raise ValueError(f"{text} is not a colour like #0b5563.")
    red, green, blue = (_linear(channel) for channel in _channels(text))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    return Oklch(lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def show(colour: Oklch) -> str:
    """The hex of a colour; its chroma is lowered by bisection until it lies inside sRGB."""
    lightness = min(max(colour.lightness, 0.0), 1.0)
    channels = _to_linear(lightness, colour.chroma, colour.hue)
    if not _inside(channels):
        low, high = 0.0, colour.chroma
        for _ in range(18):
            middle = (low + high) / 2
            if _inside(_to_linear(lightness, middle, colour.hue)):
                low = middle
            else:
                high = middle
        channels = _to_linear(lightness, low, colour.hue)
    return "#" + "".join(f"{_eight_bits(channel):02x}" for channel in channels)


def luminance(text: str) -> float:
    """Relative luminance after WCAG 2, from 0 to 1."""
    red, green, blue = (_linear(channel) for channel in _channels(text))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The WCAG 2 contrast ratio of two hex colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def worst(text: str, grounds: Iterable[str]) -> float:
    """The lowest contrast of a colour over several grounds."""
    return min(contrast(text, ground) for ground in grounds)


def fit(colour: Oklch, grounds: Iterable[str], ratio: float, way: Way) -> str:
    """First hex from `colour` on, moving `way`, that has `ratio` on every ground; black or white at the end.

    The ratio is measured on the rounded hex. Grounds have to be near-white for "darker" and near-black for
    "lighter", or the end may miss the ratio.
    """
    against = tuple(grounds)
    step = -STEP if way == "darker" else STEP
    lightness = colour.lightness
    while 0 < lightness < 1:
        text = show(colour._replace(lightness=lightness))
        if worst(text, against) >= ratio:
            return text
        lightness += step
    return "#000000" if way == "darker" else "#ffffff"


def better(ground: str, *candidates: str) -> str:
    """The candidate that stands out most from the ground; the first of equals."""
    return max(candidates, key=lambda candidate: contrast(candidate, ground))


def _channels(text: str) -> tuple[float, float, float]:
    return int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _eight_bits(channel: float) -> int:
    value = min(max(channel, 0.0), 1.0)
    encoded = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(encoded * 255)


def _to_linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _inside(channels: tuple[float, float, float]) -> bool:
    return all(-_TOLERANCE <= channel <= 1 + _TOLERANCE for channel in channels)
