"""From two colours and a font to every token of a site's stylesheet, with the contrast promised.

Whatever the two colours are, each text colour has its ratio on every ground it may stand on: the lightness of
a colour is moved until it has. Nothing is ever refused.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from app.kit.colour import Oklch, better, fit, parse, show
from app.sites.schemas import Fonts, Theme

Mode = Mapping[str, str]

_SANS = 'system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif'
_SERIF = 'Charter,"Bitstream Charter","Charis SIL","Sitka Text",Cambria,Georgia,serif'
_HUMANIST = 'Seravek,"Gill Sans Nova",Ubuntu,Calibri,"Noto Sans",sans-serif'
_FONTS: Mapping[Fonts, tuple[str, str]] = {
    "journal": (_SERIF, _SANS),
    "civic": (_SANS, _SANS),
    "letter": (_SERIF, _SERIF),
    "open": (_HUMANIST, _HUMANIST),
}
_BLACK, _WHITE, _NIGHT = "#000000", "#ffffff", "#0d1117"
_MAP_CLASSES = 5


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Names without the leading dashes; colours as `#rrggbb`, fonts as CSS font lists."""

    light: Mode
    dark: Mode
    fonts: Mode


@lru_cache(maxsize=256)
def tokens(theme: Theme) -> Tokens:
    """Every token of both modes. Raises ValueError when a colour of the theme is not `#rrggbb`."""
    primary, accent = parse(theme.primary), parse(theme.accent)
    heading, body = _FONTS[theme.font]
    return Tokens(
        light=_light(primary, accent),
        dark=_dark(primary, accent),
        fonts={"heading": heading, "body": body, "serif": _SERIF},
    )


def stylesheet(theme: Theme, css: str) -> str:
    """The site's one stylesheet: its tokens, light and dark, then the hand-written rules."""
    made = tokens(theme)
    root = _declarations({**made.fonts, **made.light})
    return (
        f":root{{color-scheme:light dark;{root}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_declarations(made.dark)}}}}}\n"
        f"{css}"
    )


def _light(primary: Oklch, accent: Oklch) -> Mode:
    grounds = {"paper": _WHITE, "wash": _soft(primary, 0.972, 0.010), "tint": _soft(primary, 0.94, 0.026)}
    over = tuple(grounds.values())
    deep = fit(_capped(primary, min(primary.lightness, 0.34), 0.075), (_WHITE,), 9, "darker")
    solid = fit(_at(primary, min(primary.lightness, 0.56)), (*over, _WHITE), 4.6, "darker")
    return {
        **grounds,
        "ink": fit(_capped(primary, 0.25, 0.03), over, 12, "darker"),
        "muted": fit(_capped(primary, 0.50, 0.025), over, 5, "darker"),
        "edge": fit(_capped(primary, 0.66, 0.02), over, 3.1, "darker"),
        "hairline": _soft(primary, 0.895, 0.016),
        "link": fit(_at(primary, min(primary.lightness, 0.5)), over, 5, "darker"),
        "solid": solid,
        "solid-hover": _shifted(solid, -0.06),
        "on-solid": _WHITE,
        "deep": deep,
        "on-deep": _WHITE,
        "accent-text": fit(accent, over, 4.6, "darker"),
        "danger": fit(Oklch(0.54, 0.17, 25), over, 4.6, "darker"),
        "ok": fit(Oklch(0.54, 0.12, 150), over, 4.6, "darker"),
        **_shared(primary, accent, deep),
        **_map_classes(_capped(primary, 0.94, 0.024), solid),
    }


def _dark(primary: Oklch, accent: Oklch) -> Mode:
    grounds = {
        "paper": _soft(primary, 0.185, 0.014),
        "wash": _soft(primary, 0.22, 0.016),
        "tint": _soft(primary, 0.265, 0.024),
    }
    over = tuple(grounds.values())
    deep = _soft(primary, 0.25, 0.05)
    solid = fit(_capped(primary, max(primary.lightness, 0.76), 0.13), over, 5, "lighter")
    return {
        **grounds,
        "ink": fit(_capped(primary, 0.94, 0.010), over, 11, "lighter"),
        "muted": fit(_capped(primary, 0.72, 0.018), over, 5, "lighter"),
        "edge": fit(_capped(primary, 0.52, 0.025), over, 3.1, "lighter"),
        "hairline": _soft(primary, 0.33, 0.02),
        "link": fit(_capped(primary, max(primary.lightness, 0.78), 0.12), over, 5, "lighter"),
        "solid": solid,
        "solid-hover": _shifted(solid, 0.06),
        "on-solid": fit(_capped(primary, 0.2, 0.03), (solid,), 5, "darker"),
        "deep": deep,
        "on-deep": fit(_capped(primary, 0.95, 0.01), (deep,), 9, "lighter"),
        "accent-text": fit(accent, over, 4.6, "lighter"),
        "danger": fit(Oklch(0.74, 0.17, 25), over, 4.6, "lighter"),
        "ok": fit(Oklch(0.74, 0.12, 150), over, 4.6, "lighter"),
        **_shared(primary, accent, deep),
        **_map_classes(_capped(primary, 0.265, 0.02), solid),
    }


def _shared(primary: Oklch, accent: Oklch, deep: str) -> Mode:
    on_accent = better(show(accent), _NIGHT, _WHITE)
    return {
        "deep-muted": fit(_capped(primary, 0.80, 0.03), (deep,), 5, "lighter"),
        "accent": fit(accent, (on_accent,), 4.6, "lighter" if on_accent == _NIGHT else "darker"),
        "on-accent": on_accent,
        "accent-on-deep": fit(accent, (deep,), 4.6, "lighter"),
    }


def _map_classes(first: Oklch, solid: str) -> Mode:
    """Five classes of a choropleth, equal steps of lightness, each with the colour of its label."""
    last = parse(solid)
    classes: dict[str, str] = {}
    for number in range(_MAP_CLASSES):
        share = number / (_MAP_CLASSES - 1)
        lightness = first.lightness + share * (last.lightness - first.lightness)
        chroma = first.chroma + share * (last.chroma - first.chroma)
        colour = show(Oklch(lightness, chroma, first.hue))
        classes[f"map-{number + 1}"] = colour
        classes[f"on-map-{number + 1}"] = better(colour, _BLACK, _WHITE)
    return classes


def _soft(primary: Oklch, lightness: float, chroma: float) -> str:
    return show(_capped(primary, lightness, chroma))


def _capped(primary: Oklch, lightness: float, chroma: float) -> Oklch:
    return Oklch(lightness, min(primary.chroma, chroma), primary.hue)


def _at(primary: Oklch, lightness: float) -> Oklch:
    return primary._replace(lightness=lightness)


def _shifted(text: str, by: float) -> str:
    colour = parse(text)
    return show(colour._replace(lightness=colour.lightness + by))


def _declarations(values: Mode) -> str:
    return "".join(f"--{name}:{value};" for name, value in values.items())
