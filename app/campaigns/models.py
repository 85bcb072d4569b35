"""Policy campaigns."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
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
)

EMPTY = text("''")


class Campaign(Identified, OfSite, Translatable, Timestamped, Base):
    """`number` runs from 1 for each site and locale, given by a trigger; stable listing pages count by it.

    Shown as Open; as Won when `outcome` is filled; as Closed when `closes_at` is past or `active` is kept
    but endorsing is not allowed. Not `active` means not published at all.
    """

    __tablename__ = "campaigns"
    __table_args__ = site_arguments(
        "campaigns",
        UniqueConstraint("site_id", "locale", "slug", name="unique_slug"),
        UniqueConstraint("site_id", "locale", "title", name="unique_title"),
        UniqueConstraint("site_id", "locale", "number", name="unique_number"),
        UniqueConstraint("site_id", "translation_group_id", "locale"),
        CheckConstraint(SLUG_CHECK, name="valid_campaign_slug"),
        CheckConstraint("target_count > 0", name="positive_target"),
        site_index("idx_campaign_active", "active"),
        Index("idx_campaign_created", "site_id", text("created_at DESC")),
        site_index("idx_campaign_slug", "slug"),
        site_index(
            "idx_campaign_closing",
            "locale",
            "closes_at",
            postgresql_where=text("closes_at IS NOT NULL AND active"),
        ),
        site_index("idx_campaign_changed", "locale", "updated_at", postgresql_where=text("active")),
    )

    number: Mapped[int] = mapped_column(server_default=text("0"))
    title: Mapped[str]
    slug: Mapped[str]
    summary: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=EMPTY)
    description_html: Mapped[str] = mapped_column(server_default=EMPTY)
    endorsement_statement: Mapped[str] = mapped_column(server_default=EMPTY)
    endorsement_form_instructions: Mapped[str] = mapped_column(server_default=EMPTY)
    target_count: Mapped[int | None]
    target_obligation: Mapped[str] = mapped_column(server_default=EMPTY)
    closes_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(server_default=EMPTY)
    outcome_html: Mapped[str] = mapped_column(server_default=EMPTY)
    image_url: Mapped[str] = mapped_column(server_default=EMPTY)
    image_alt_text: Mapped[str] = mapped_column(server_default=EMPTY)
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    allow_endorsements: Mapped[bool] = mapped_column(server_default=text("true"))


class CampaignTally(OfSite, Base):
    """How many active campaigns of a class a site has; kept by triggers, so that no publish counts them all.

    `dated` are those that are open until `closes_at`: what they are today, the clock decides.
    """

    __tablename__ = "campaign_tallies"
    __table_args__ = (
        ForeignKeyConstraint(
            ["site_id"], ["sites.id"], ondelete="CASCADE", name="campaign_tallies_site_id_fkey"
        ),
        CheckConstraint("class IN ('won', 'closed', 'dated', 'open')", name="valid_campaign_class"),
    )

    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class", primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
