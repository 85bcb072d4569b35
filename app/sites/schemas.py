"""What every page of a site shares: name, language, navigation, the hashed stylesheet."""

from typing import Literal

import msgspec

Fonts = Literal["journal", "civic", "letter", "open"]


class Theme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The editor's choice: two sRGB colours as `#rrggbb` and a pairing of fonts."""

    primary: str = "#0b5563"
    accent: str = "#f0a830"
    font: Fonts = "journal"


class NavigationItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    label: str
    url: str
    """Root-relative, such as /campaigns/."""


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """Handed to every template as `site`; its hash is part of every page's fingerprint."""

    slug: str
    name: str
    locale: str
    base_url: str
    """Scheme and host without a trailing slash; canonical links start with it."""
    timezone: str
    navigation: tuple[NavigationItem, ...]
    footer_text: str
    contact_email: str
    stylesheet: str
    """Path of the hashed stylesheet: /assets/site-<hash>.css"""
    contours: str
    """Path of the hashed drawing behind the hero: /assets/contours-<hash>.svg"""
    favicon: str
    """Path of the hashed icon: /assets/icon-<hash>.svg"""
    theme_color_light: str = "#ffffff"
    """The token `paper` of each mode: what the browser paints around the page."""
    theme_color_dark: str = "#0b1417"


class SiteRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of a site."""

    slug: str
    name: str
    kind: str
    locale: str
    timezone: str
    base_url: str
    theme: Theme
    navigation: tuple[NavigationItem, ...]
