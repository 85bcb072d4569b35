"""The drawings that follow from a site's name."""

import gzip
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sites.contours import HEIGHT, WIDTH, contours, icon
from app.sites.schemas import Theme

SVG = "{http://www.w3.org/2000/svg}"


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1, max_size=100))
def test_any_seed_gives_lines_within_the_budget(seed: str) -> None:
    drawing = contours(seed)
    assert len(gzip.compress(drawing.encode())) <= 6_000
    faint, strong = ET.fromstring(drawing).iter(f"{SVG}path")  # noqa: S314 - our own drawing
    assert faint.get("d", "").count("M") >= 4
    assert strong.get("d", "").count("M") >= 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert contours("demo") == contours("demo")
    assert contours("demo") != contours("brackwater")


def test_the_drawing_is_static_and_refers_to_nothing_outside() -> None:
    drawing = contours("demo", "#f0a830")
    assert not re.search(r"<script|<style|<animate| style=|href|https?://(?!www\.w3\.org)", drawing)


def test_lines_fade_toward_the_left() -> None:
    root = ET.fromstring(contours("demo"))  # noqa: S314 - our own drawing
    gradient = next(root.iter(f"{SVG}linearGradient"))
    stops = list(gradient.iter(f"{SVG}stop"))
    assert 0 < float(gradient.get("x1", "0")) < float(gradient.get("x2", "0")) < WIDTH
    assert [stop.get("stop-opacity") for stop in stops] == ["0", None]
    assert next(root.iter(f"{SVG}g")).get("stroke") == "url(#f)"


def test_heights_stand_inside_the_right_half_in_the_colour_given() -> None:
    root = ET.fromstring(contours("demo", "#f0a830"))  # noqa: S314 - our own drawing
    group = list(root.iter(f"{SVG}g"))[1]
    labels = list(group.iter(f"{SVG}text"))
    assert group.get("fill") == "#f0a830"
    assert labels
    for label in labels:
        assert WIDTH / 2 < float(label.get("x", "0")) < WIDTH
        assert 0 < float(label.get("y", "0")) < HEIGHT


@pytest.mark.parametrize("name", ["Larkspur River Alliance", "City of Brackwater", "水"])
def test_the_mark_is_a_small_square_in_the_colours_of_the_theme(name: str) -> None:
    mark = icon(Theme(), name)
    root = ET.fromstring(mark)  # noqa: S314 - our own drawing
    assert root.get("viewBox") == "0 0 40 40"
    assert "#00404b" in mark
    assert "#f0a830" in mark
    assert len(mark) < 1_500


def test_two_names_have_two_marks() -> None:
    assert icon(Theme(), "Larkspur") != icon(Theme(), "Brackwater")
