"""Whatever two colours an editor chooses, every pair of the tokens keeps the contrast that was promised."""

import gzip
import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.colour import contrast
from app.sites.schemas import Fonts, Theme
from app.sites.theme import stylesheet, tokens
from app.wiring import read_css

CSS = read_css(Path(__file__).parents[2] / "templates")
GROUNDS = ("paper", "wash", "tint")
PAIRS: list[tuple[str, str, float, float]] = [
    *((name, ground, light, dark) for ground in GROUNDS for name, light, dark in (
        ("ink", 12, 11),
        ("muted", 5, 5),
        ("edge", 3.1, 3.1),
        ("link", 5, 5),
        ("solid", 4.6, 5),
        ("accent-text", 4.6, 4.6),
        ("danger", 4.6, 4.6),
        ("ok", 4.6, 4.6),
    )),
    ("on-solid", "solid", 4.6, 5),
    ("on-solid", "solid-hover", 4.6, 4.6),
    ("on-deep", "deep", 9, 9),
    ("deep-muted", "deep", 5, 5),
    ("accent-on-deep", "deep", 4.6, 4.6),
    ("on-accent", "accent", 4.6, 4.6),
    *((f"on-map-{number}", f"map-{number}", 4.5, 4.5) for number in range(1, 6)),
]  # fmt: skip
LIGHT = {
    "paper": "#ffffff", "wash": "#eff8fa", "tint": "#d9f0f6", "ink": "#0f252b", "muted": "#53676c",
    "hairline": "#d1dfe3", "edge": "#78888c", "link": "#0b5563", "solid": "#0b5563", "on-solid": "#ffffff",
    "deep": "#00404b", "on-deep": "#ffffff", "deep-muted": "#a9c3ca", "accent": "#f0a830",
    "on-accent": "#0d1117", "accent-text": "#8e5e00", "map-1": "#daf0f5", "map-2": "#a8c7cf",
    "map-3": "#779fa9", "map-4": "#467986", "map-5": "#0b5563", "danger": "#bd3838", "ok": "#23773d",
}  # fmt: skip
DARK = {
    "paper": "#0b1417", "wash": "#121d1f", "tint": "#17282c", "ink": "#e4edef", "muted": "#99a8ac",
    "hairline": "#2a383c", "edge": "#607479", "link": "#82c3d3", "solid": "#7cbdcc", "on-solid": "#04191e",
    "deep": "#00272f", "on-deep": "#e7f0f3", "deep-muted": "#a9c3ca", "accent": "#f0a830",
    "on-accent": "#0d1117", "accent-text": "#f0a830", "map-1": "#1a282b", "map-2": "#30494f",
    "map-3": "#486d77", "map-4": "#6294a0", "map-5": "#7cbdcc", "danger": "#ff7e77", "ok": "#6fc082",
}  # fmt: skip
CORNERS = [f"#{r}{g}{b}" for r, g, b in product(("00", "ff"), repeat=3)]

channels = st.integers(0, 255)
hexes = st.builds(lambda r, g, b: f"#{r:02x}{g:02x}{b:02x}", channels, channels, channels)


def broken_pairs(values: Mapping[str, str], *, is_dark: bool) -> list[str]:
    return [
        f"{text} on {ground}: {contrast(values[text], values[ground]):.2f}"
        for text, ground, light, dark in PAIRS
        if contrast(values[text], values[ground]) < (dark if is_dark else light)
    ]


def broken(theme: Theme) -> list[str]:
    made = tokens(theme)
    return broken_pairs(made.light, is_dark=False) + broken_pairs(made.dark, is_dark=True)


@settings(deadline=None, max_examples=150)
@given(hexes, hexes)
def test_any_two_colours_give_pairs_that_can_be_read(primary: str, accent: str) -> None:
    assert broken(Theme(primary=primary, accent=accent)) == []


@pytest.mark.parametrize("primary", CORNERS)
@pytest.mark.parametrize("accent", CORNERS)
def test_the_corners_of_srgb_give_pairs_that_can_be_read(primary: str, accent: str) -> None:
    assert broken(Theme(primary=primary, accent=accent)) == []


def test_the_check_itself_finds_a_colour_that_was_not_moved() -> None:
    """Control: yellow as it was given is no text on white."""
    values = {**tokens(Theme(primary="#ffff00")).light, "link": "#ffff00"}
    assert broken_pairs(values, is_dark=False) == [
        f"link on {ground}: {contrast('#ffff00', values[ground]):.2f}" for ground in GROUNDS
    ]


@pytest.mark.parametrize(("mode", "expected"), [("light", LIGHT), ("dark", DARK)])
def test_the_demo_theme_has_the_values_that_were_designed(mode: str, expected: Mapping[str, str]) -> None:
    made = getattr(tokens(Theme()), mode)
    for name, value in expected.items():
        pairs = zip(bytes.fromhex(made[name][1:]), bytes.fromhex(value[1:]), strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 1, (name, value, made[name])


def test_colours_that_can_be_read_are_kept_as_they_were_given() -> None:
    made = tokens(Theme(primary="#0b5563", accent="#f0a830"))
    assert (made.light["solid"], made.light["accent"]) == ("#0b5563", "#f0a830")


@pytest.mark.parametrize("field", ["primary", "accent"])
def test_a_colour_that_is_none_is_refused_with_its_text(field: str) -> None:
    theme = Theme(primary="teal") if field == "primary" else Theme(accent="teal")
    with pytest.raises(ValueError, match="teal is not a colour"):
        tokens(theme)


@pytest.mark.parametrize(
    ("font", "heading", "body"),
    [
        ("journal", "Charter", "system-ui"),
        ("civic", "system-ui", "system-ui"),
        ("letter", "Charter", "Charter"),
        ("open", "Seravek", "Seravek"),
    ],
)
def test_the_choice_of_font_sets_headings_and_text(font: Fonts, heading: str, body: str) -> None:
    fonts = tokens(Theme(font=font)).fonts
    assert fonts["heading"].startswith(heading)
    assert fonts["body"].startswith(body)
    assert fonts["serif"].startswith("Charter")


def test_the_stylesheet_has_both_modes_before_the_rules() -> None:
    text = stylesheet(Theme(), "body { margin: 0 }")
    light, dark = text.index("--paper:#ffffff"), text.index("--paper:#0b1417")
    assert light < text.index("prefers-color-scheme:dark") < dark < text.index("body { margin: 0 }")


def test_every_token_that_the_rules_use_is_defined() -> None:
    text = stylesheet(Theme(), CSS)
    used = set(re.findall(r"var\(--([a-z0-9-]+)", text))
    optional = {"accent-mark"}
    assert used - optional - set(re.findall(r"--([a-z0-9-]+):", text)) == set()


def test_the_stylesheet_keeps_its_budget_and_needs_no_other_origin() -> None:
    text = stylesheet(Theme(), CSS)
    assert len(gzip.compress(text.encode())) <= 14_000
    assert not re.search(r"@import|url\(", text)


def test_layout_breaks_at_two_widths_only() -> None:
    assert set(re.findall(r"\((?:max|min)-width: ([\d.]+rem)\)", CSS)) == {"59.99rem", "39.99rem"}


def test_the_rules_know_no_left_and_right() -> None:
    """Logical properties only, so that a page in Arabic is laid out from the right."""
    physical = (
        r"(?<![-\w])(?:(?:margin|padding|border)-(?:left|right)|left|right|text-align: (?:left|right))\s*:"
    )
    assert re.findall(physical, CSS) == []
