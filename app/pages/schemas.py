"""Parts of pages that several domains show: pictures, blocks, rows of a list."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

Band = Literal["paper", "wash", "tint", "deep", "accent"]
State = Literal["open", "won", "closed"]


class Image(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    """Root-relative: a hashed path below /media/."""
    alt: str
    """Empty when the picture is decoration."""
    width: int
    height: int
    credit: str = ""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One visible content block; `html` is sanitised."""

    block_type: Literal["text", "image", "text_image", "quote"]
    title: str
    html: str
    image: Image | None
    band: Band
    css_classes: tuple[str, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What a list on a page shows of a campaign (later also of other things)."""

    title: str
    url: str
    summary: str
    state: State
    closes_on: date | None
    """The last day, in the site's time zone."""
    count: int
    image: Image | None
    as_of: datetime | None = None
    """UTC time of the last counted endorsement; None when there is none."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The home page's line of numbers: distinct endorsers of active campaigns."""

    people: int
    organizations: int
    as_of: datetime
    """UTC time of the last endorsement that was counted."""


class BlockRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of a visible content block."""

    id: UUID
    title: str
    block_type: str
    content: str
    """Markdown, as it was written."""
    content_html: str
    """The same, rendered and sanitised."""
    image_url: str
    image_alt_text: str
    css_classes: str
    background_color: str
    position: int = msgspec.field(name="order")


class HomepageRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of the active home page; `*_html` is the text beside it, rendered and sanitised."""

    id: UUID
    locale: str
    organization_name: str
    tagline: str
    hero_title: str
    hero_subtitle: str
    hero_background_image: str
    about_section_title: str
    about_section_content: str
    about_section_html: str
    cta_title: str
    cta_content: str
    cta_html: str
    cta_button_text: str
    cta_button_url: str
    contact_email: str
    """The organization's own address, as its page shows it."""
    contact_phone: str
    social_media_urls: dict[str, str]
    campaigns_section_title: str
    campaigns_section_subtitle: str
    show_campaigns_section: bool
    updated_at: datetime
    content_blocks: tuple[BlockRead, ...]
