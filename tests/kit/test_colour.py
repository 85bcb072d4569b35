"""Colours: known values, round trips, and what `fit` promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.colour import Oklch, better, contrast, fit, is_hex, luminance, parse, show, worst

channels = st.integers(0, 255)
hexes = st.builds(lambda r, g, b: f"#{r:02x}{g:02x}{b:02x}", channels, channels, channels)


@pytest.mark.parametrize(
    ("text", "lightness", "chroma", "hue"),
    [
        ("#ff0000", 0.6280, 0.2577, 29.23),
        ("#00ff00", 0.8664, 0.2948, 142.50),
        ("#0000ff", 0.4520, 0.3132, 264.05),
        ("#0b5563", 0.4149, 0.0694, 214.63),
    ],
)
def test_known_colours_have_their_published_coordinates(
    text: str, lightness: float, chroma: float, hue: float
) -> None:
    colour = parse(text)
    assert colour.lightness == pytest.approx(lightness, abs=1e-3)
    assert colour.chroma == pytest.approx(chroma, abs=1e-3)
    assert colour.hue == pytest.approx(hue, abs=0.1)


@given(hexes)
def test_a_hex_colour_survives_the_way_to_oklch_and_back(text: str) -> None:
    assert show(parse(text)) == text


@given(st.floats(-0.2, 1.2), st.floats(0, 0.5), st.floats(0, 360))
def test_any_coordinates_give_a_colour_of_that_hue_inside_srgb(
    lightness: float, chroma: float, hue: float
) -> None:
    text = show(Oklch(lightness, chroma, hue))
    assert is_hex(text)
    assert parse(text).lightness == pytest.approx(min(max(lightness, 0), 1), abs=0.05)


@pytest.mark.parametrize("text", ["", "0b5563", "#0b556", "#0b55633", "#0b556g", "teal", "#0b5563\n"])
def test_what_is_not_six_digits_after_a_hash_is_refused(text: str) -> None:
    assert not is_hex(text)
    with pytest.raises(ValueError, match="not a colour"):
        parse(text)


def test_contrast_runs_from_one_to_twenty_one_in_either_order() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_luminance_of_grey_follows_the_srgb_curve() -> None:
    assert luminance("#808080") == pytest.approx(0.2159, abs=1e-4)


@given(hexes, st.sampled_from([3.1, 4.6, 7.0, 12.0]))
def test_fit_reaches_its_ratio_on_white_for_any_colour(text: str, ratio: float) -> None:
    fitted = fit(parse(text), ("#ffffff", "#eff8fa"), ratio, "darker")
    assert worst(fitted, ("#ffffff", "#eff8fa")) >= ratio


@given(hexes)
def test_fit_leaves_a_colour_alone_that_has_its_ratio_already(text: str) -> None:
    if contrast(text, "#000000") >= 4.6:
        assert fit(parse(text), ("#000000",), 4.6, "lighter") == text


def test_fit_ends_in_white_or_black_when_nothing_else_reaches() -> None:
    assert fit(parse("#ffff00"), ("#000000",), 21, "lighter") == "#ffffff"
    assert fit(parse("#000080"), ("#ffffff",), 21, "darker") == "#000000"


def test_better_takes_the_stronger_contrast() -> None:
    assert better("#ffee00", "#000000", "#ffffff") == "#000000"
    assert better("#220044", "#000000", "#ffffff") == "#ffffff"
