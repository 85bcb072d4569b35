"""Home pages, content blocks, the tree of pages, media, redirects."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import (
    SLUG_CHECK,
    Base,
    Identified,
    OfSite,
    Timestamped,
    Translatable,
    site_arguments,
    site_index,
    site_key,
)

EMPTY = text("''")
TAKEN = (
    "api",
    "assets",
    "campaigns",
    "desk",
    "healthz",
    "legal",
    "media",
    "metrics",
    "news",
    "readyz",
    "sitemap",
    "widgets",
)
"""First steps of paths that are not pages."""
UNSEEN = r"[\u0080-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
"""Characters that nobody sees in an address, for PostgreSQL's regular expressions."""
BLOCK_TYPES = ("text", "image", "text_image", "quote")


class Homepage(Identified, OfSite, Translatable, Timestamped, Base):
    """`*_html` columns are the sanitised rendering of the Markdown beside them, made when it is saved."""

    __tablename__ = "homepages"
    __table_args__ = site_arguments(
        "homepages",
        Index("unique_active_homepage", "site_id", "locale", unique=True, postgresql_where=text("is_active")),
        UniqueConstraint("site_id", "translation_group_id", "locale"),
    )

    organization_name: Mapped[str]
    tagline: Mapped[str] = mapped_column(server_default=EMPTY)
    hero_title: Mapped[str] = mapped_column(server_default=EMPTY)
    hero_subtitle: Mapped[str] = mapped_column(server_default=EMPTY)
    hero_background_image: Mapped[str] = mapped_column(server_default=EMPTY)
    about_section_title: Mapped[str] = mapped_column(server_default=EMPTY)
    about_section_content: Mapped[str] = mapped_column(server_default=EMPTY)
    about_section_html: Mapped[str] = mapped_column(server_default=EMPTY)
    cta_title: Mapped[str] = mapped_column(server_default=EMPTY)
    cta_content: Mapped[str] = mapped_column(server_default=EMPTY)
    cta_html: Mapped[str] = mapped_column(server_default=EMPTY)
    cta_button_text: Mapped[str] = mapped_column(server_default=EMPTY)
    cta_button_url: Mapped[str] = mapped_column(server_default=EMPTY)
    contact_email: Mapped[str]
    contact_phone: Mapped[str] = mapped_column(server_default=EMPTY)
    social_media_urls: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    campaigns_section_title: Mapped[str] = mapped_column(server_default=EMPTY)
    campaigns_section_subtitle: Mapped[str] = mapped_column(server_default=EMPTY)
    show_campaigns_section: Mapped[bool] = mapped_column(server_default=text("true"))
    is_active: Mapped[bool] = mapped_column(server_default=text("false"))


class Page(Identified, OfSite, Translatable, Timestamped, Base):
    """A page of the tree; its path is the slugs from the root."""

    __tablename__ = "pages"
    __table_args__ = site_arguments(
        "pages",
        site_key("parent_id", "pages", ondelete="RESTRICT"),
        UniqueConstraint("site_id", "locale", "parent_id", "slug", postgresql_nulls_not_distinct=True),
        CheckConstraint(SLUG_CHECK, name="valid_page_slug"),
        CheckConstraint("parent_id <> id", name="page_not_its_own_parent"),
        CheckConstraint(f"parent_id IS NOT NULL OR slug NOT IN {TAKEN}", name="page_slug_not_taken"),
        site_index("idx_page_parent", "parent_id"),
    )

    parent_id: Mapped[UUID | None]
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str] = mapped_column(server_default=EMPTY)
    content: Mapped[str] = mapped_column(server_default=EMPTY)
    content_html: Mapped[str] = mapped_column(server_default=EMPTY)
    position: Mapped[int] = mapped_column(server_default=text("0"))


class ContentBlock(Identified, OfSite, Translatable, Timestamped, Base):
    """A block belongs to exactly one of home page, campaign, page; `name` is its key in a content pack."""

    __tablename__ = "content_blocks"
    __table_args__ = site_arguments(
        "content_blocks",
        site_key("homepage_id", "homepages"),
        site_key("campaign_id", "campaigns"),
        site_key("page_id", "pages"),
        CheckConstraint("num_nonnulls(homepage_id, campaign_id, page_id) = 1", name="one_owner"),
        CheckConstraint("position >= 0", name="positive_order"),
        CheckConstraint(f"block_type IN {BLOCK_TYPES}", name="valid_block_type"),
        CheckConstraint("background_color ~ '^(#[0-9a-f]{6})?$'", name="valid_background_color"),
        site_index("idx_contentblock_homepage_order", "homepage_id", "position"),
        site_index("idx_contentblock_campaign_order", "campaign_id", "position"),
        site_index("idx_contentblock_page_order", "page_id", "position"),
        site_index("idx_contentblock_visible", "is_visible", "position"),
        site_index(
            "unique_contentblock_name",
            "locale",
            "homepage_id",
            "campaign_id",
            "page_id",
            "name",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("name <> ''"),
        ),
    )

    homepage_id: Mapped[UUID | None]
    campaign_id: Mapped[UUID | None]
    page_id: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(server_default=EMPTY)
    title: Mapped[str] = mapped_column(server_default=EMPTY)
    block_type: Mapped[str] = mapped_column(server_default=text("'text'"))
    content: Mapped[str] = mapped_column(server_default=EMPTY)
    content_html: Mapped[str] = mapped_column(server_default=EMPTY)
    image_url: Mapped[str] = mapped_column(server_default=EMPTY)
    image_alt_text: Mapped[str] = mapped_column(server_default=EMPTY)
    css_classes: Mapped[str] = mapped_column(server_default=EMPTY)
    background_color: Mapped[str] = mapped_column(server_default=EMPTY)
    position: Mapped[int] = mapped_column(server_default=text("0"))
    is_visible: Mapped[bool] = mapped_column(server_default=text("true"))


class Media(Identified, OfSite, Timestamped, Base):
    """A picture: its bytes lie in the store at `media/<digest>`, content names it `media/<filename>`."""

    __tablename__ = "media"
    __table_args__ = site_arguments(
        "media",
        UniqueConstraint("site_id", "filename"),
        CheckConstraint("width > 0 AND height > 0 AND size > 0", name="positive_measures"),
        CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="valid_digest"),
    )

    filename: Mapped[str]
    digest: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    alt_text: Mapped[str] = mapped_column(server_default=EMPTY)
    credit: Mapped[str] = mapped_column(server_default=EMPTY)
    licence: Mapped[str] = mapped_column(server_default=EMPTY)


class Redirect(Identified, OfSite, Timestamped, Base):
    """Root-relative paths; `from_path` answers 301 to `to_path` as long as no page lies there."""

    __tablename__ = "redirects"
    __table_args__ = site_arguments(
        "redirects",
        UniqueConstraint("site_id", "from_path"),
        CheckConstraint("status = 301", name="valid_redirect_status"),
        CheckConstraint("from_path <> to_path", name="valid_redirect"),
        CheckConstraint(
            "from_path ~ '^/([^/]|$)' AND from_path !~ '[[:cntrl:]\\\\?#]' AND length(from_path) <= 1000",
            name="valid_redirect_from_path",
        ),
        CheckConstraint(
            f"from_path !~ '//|/[.]{{1,2}}(/|$)|[%]|{UNSEEN}' AND from_path IS NFC NORMALIZED",
            name="valid_redirect_from_spelling",
        ),
        CheckConstraint(
            "to_path ~ '^/([^/]|$)' AND to_path !~ '[[:cntrl:]\\\\]' AND length(to_path) <= 1000",
            name="valid_redirect_to_path",
        ),
    )

    from_path: Mapped[str]
    to_path: Mapped[str]
    status: Mapped[int] = mapped_column(server_default=text("301"))
