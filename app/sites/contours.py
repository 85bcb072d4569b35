"""Drawings made from a site's name alone: the contour lines behind its hero, and its mark.

The same seed gives the same bytes everywhere: the only randomness is a hash of the seed, and every coordinate
is rounded to whole units.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.sites.schemas import Theme
from app.sites.theme import tokens

Point = tuple[float, float]

WIDTH, HEIGHT = 1000, 700
_CELL = 20
_SPAN = 34
"""How far apart the points of a drawn line are."""
_LEVELS = 19
_FADE = (200, 640)
"""From which x on the lines begin to show, and where they are at their strongest."""


class _Dice:
    """Numbers from 0 to 1 that follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def between(self, low: float, high: float) -> float:
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}:{self._count}".encode()).digest()
        return low + (high - low) * int.from_bytes(digest[:4], "big") / 2**32


def contours(seed: str, label: str = "#ffffff") -> str:
    """An SVG of contour lines for a dark ground, faded toward the left; `label` colours the heights.

    At most 6 kB compressed, static, without text that anybody has to read.
    """
    field = _field(_Dice(seed))
    low, high = min(map(min, field)), max(map(max, field))
    strong: list[str] = []
    faint: list[str] = []
    heights: list[str] = []
    for number in range(1, _LEVELS + 1):
        drawn = [line for line in _lines(field, low + (high - low) * number / (_LEVELS + 1)) if len(line) > 6]
        (faint if number % 4 else strong).extend(_curve(line) for line in drawn)
        if drawn and number % 2 == 0:
            heights.extend(_height(line, 8 + number) for line in sorted(drawn, key=len)[-2:])
    return _document("".join(faint), "".join(strong), "".join(heights), label)


def icon(theme: Theme, name: str) -> str:
    """A site's mark as an SVG: three waves whose shape follows from its name, on the theme's deep colour."""
    colours = tokens(theme).light
    dice = _Dice(name)
    turn = dice.between(-1, 1)
    strokes = (colours["accent-on-deep"], colours["on-deep"], colours["deep-muted"])
    waves = "".join(
        f'<path stroke="{stroke}" d="{_wave(12 + 8 * row, turn + row * dice.between(0.2, 0.7))}"/>'
        for row, stroke in enumerate(strokes)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" rx="9" fill="{colours["deep"]}"/>'
        f'<g fill="none" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">{waves}</g></svg>'
    )


def _wave(height: int, turn: float) -> str:
    points = [(7 + 2 * step, height + 2.6 * math.sin(step * 0.72 + turn)) for step in range(14)]
    return "M" + "L".join(f"{x:g} {y:.1f}" for x, y in points)


def _field(dice: _Dice) -> list[list[float]]:
    """Heights over the corners of the cells: a slope, a long valley and some smooth hills."""
    hills = [
        (dice.between(350, 1050), dice.between(-50, 750), dice.between(90, 210), dice.between(-0.5, 1.0))
        for _ in range(10)
    ]
    bend, turn = dice.between(60, 130), dice.between(0, math.tau)
    valley = dice.between(180, 480)

    def height(x: float, y: float) -> float:
        bed = valley + bend * math.sin(x / 190 + turn) + 0.18 * (x - 600)
        ground = 0.0006 * x - 0.9 * math.exp(-(((y - bed) / 120) ** 2))
        return ground + sum(
            tall * math.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * wide * wide))
            for left, top, wide, tall in hills
        )

    columns, rows = range(0, WIDTH + _CELL, _CELL), range(0, HEIGHT + _CELL, _CELL)
    return [[height(x, y) for x in columns] for y in rows]


def _lines(field: Sequence[Sequence[float]], level: float) -> list[list[Point]]:
    """Marching squares: the segments of one level, joined end to end into polylines."""
    ends: dict[Point, list[Point]] = {}
    for one, other in _segments(field, level):
        if one != other:
            ends.setdefault(one, []).append(other)
            ends.setdefault(other, []).append(one)
    found = []
    starts = sorted(point for point, others in ends.items() if len(others) == 1)
    for start in [*starts, *sorted(ends)]:
        line = _walk(ends, start)
        if len(line) > 1:
            found.append(line)
    return found


def _walk(ends: dict[Point, list[Point]], start: Point) -> list[Point]:
    line = [start]
    while ends.get(line[-1]):
        here = line[-1]
        there = ends[here].pop()
        ends[there].remove(here)
        line.append(there)
    return line


def _segments(field: Sequence[Sequence[float]], level: float) -> Iterator[tuple[Point, Point]]:
    for row in range(len(field) - 1):
        for column in range(len(field[row]) - 1):
            corners = ((column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1))
            crossings = [
                _crossing(field, one, other, level)
                for one, other in zip(corners, corners[1:] + corners[:1], strict=True)
                if (field[one[1]][one[0]] > level) != (field[other[1]][other[0]] > level)
            ]
            for index in range(0, len(crossings) - 1, 2):
                yield crossings[index], crossings[index + 1]


def _crossing(
    field: Sequence[Sequence[float]], one: tuple[int, int], other: tuple[int, int], level: float
) -> Point:
    """Where the level crosses the edge between two corners; the same point from both sides of the edge."""
    (left, top), (right, bottom) = sorted((one, other))
    low, high = field[top][left], field[bottom][right]
    share = (level - low) / (high - low)
    return round(_CELL * (left + share * (right - left)), 1), round(_CELL * (top + share * (bottom - top)), 1)


def _curve(line: Sequence[Point]) -> str:
    """A smooth path through the middles of an evenly spaced polyline, in whole relative units."""
    even = _even(line)
    is_ring = line[0] == line[-1]
    controls = [*even[:-1], even[0], even[1]] if is_ring else even[1:]
    x, y = _middle(even[0], even[1]) if is_ring else even[0]
    path = [f"M{x} {y}"]
    for control, following in pairwise(controls[1:] if is_ring else controls):
        end = _middle(control, following)
        path.append(f"q{control[0] - x} {control[1] - y} {end[0] - x} {end[1] - y}")
        x, y = end
    path.append("Z" if is_ring else f"L{even[-1][0]} {even[-1][1]}")
    return "".join(path).replace(" -", "-")


def _middle(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return round((one[0] + other[0]) / 2), round((one[1] + other[1]) / 2)


def _even(line: Sequence[Point]) -> list[tuple[int, int]]:
    """Points of the line about `_SPAN` apart, with both its ends: uneven ones would make kinks."""
    points = [line[0]]
    walked = 0.0
    for one, other in pairwise(line):
        walked += math.dist(one, other)
        if walked >= _SPAN:
            points.append(other)
            walked = 0.0
    return [(round(x), round(y)) for x, y in [*points, line[-1]]]


def _height(line: Sequence[Point], height: int) -> str:
    """The height of a line, written where it lies well inside the right half."""
    inside = [(x, y) for x, y in line if 640 < x < WIDTH - 60 and 60 < y < HEIGHT - 60]
    if not inside:
        return ""
    x, y = inside[(len(inside) * (height % 7)) // 7]
    return f'<text x="{round(x)}" y="{round(y) + 5}">{height}</text>'


def _document(faint: str, strong: str, heights: str, label: str) -> str:
    start, full = _FADE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<defs><linearGradient id="f" gradientUnits="userSpaceOnUse" x1="{start}" x2="{full}" y1="0" y2="0">'
        '<stop stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#fff"/></linearGradient>'
        '</defs><g fill="none" stroke="url(#f)">'
        f'<path stroke-opacity=".24" d="{faint}"/>'
        f'<path stroke-opacity=".5" stroke-width="1.6" d="{strong}"/></g>'
        f'<g font-family="Georgia,serif" font-style="italic" font-size="13" fill="{label}" opacity=".85">'
        f"{heights}</g></svg>"
    )
