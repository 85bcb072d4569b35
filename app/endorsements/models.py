"""Stakeholders and their endorsements."""

from typing import Any
from uuid import UUID

from geoalchemy2 import Geography
from sqlalchemy import CheckConstraint, Computed, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import (
    Base,
    Identified,
    OfSite,
    Timestamped,
    site_arguments,
    site_index,
    site_key,
)

EMPTY = text("''")
STAKEHOLDER_TYPES = (
    "farmer",
    "waterman",
    "business",
    "nonprofit",
    "individual",
    "government",
    "scientist",
    "healthcare",
    "other",
)


class Stakeholder(Identified, OfSite, Timestamped, Base):
    """A person, alone or for an organization. E-mail, street and `location` never reach a page."""

    __tablename__ = "stakeholders"
    __table_args__ = site_arguments(
        "stakeholders",
        UniqueConstraint("site_id", "email"),
        Index(
            "unique_stakeholder_without_email",
            "site_id",
            "name",
            "organization",
            unique=True,
            postgresql_where=text("email IS NULL"),
        ),
        CheckConstraint(f"stakeholder_type IN {STAKEHOLDER_TYPES}", name="valid_stakeholder_type"),
        CheckConstraint("first_name <> '' OR last_name <> ''", name="has_a_name"),
        site_index("idx_stakeholder_type", "stakeholder_type"),
        site_index("idx_stakeholder_public", "is_public"),
        Index("idx_stakeholder_location", "location", postgresql_using="gist"),
    )

    first_name: Mapped[str] = mapped_column(server_default=EMPTY)
    last_name: Mapped[str] = mapped_column(server_default=EMPTY)
    name: Mapped[str] = mapped_column(Computed("btrim(first_name || ' ' || last_name)", persisted=True))
    organization: Mapped[str] = mapped_column(server_default=EMPTY)
    title: Mapped[str] = mapped_column(server_default=EMPTY)
    stakeholder_type: Mapped[str] = mapped_column(server_default=text("'individual'"))
    email: Mapped[str | None] = mapped_column(CITEXT)
    phone: Mapped[str] = mapped_column(server_default=EMPTY)
    street_address: Mapped[str] = mapped_column(server_default=EMPTY)
    city: Mapped[str] = mapped_column(server_default=EMPTY)
    county: Mapped[str] = mapped_column(server_default=EMPTY)
    state: Mapped[str] = mapped_column(server_default=EMPTY)
    zip_code: Mapped[str] = mapped_column(server_default=EMPTY)
    location: Mapped[Any | None] = mapped_column(Geography("POINT", srid=4326, spatial_index=False))
    website: Mapped[str] = mapped_column(server_default=EMPTY)
    bio: Mapped[str] = mapped_column(server_default=EMPTY)
    is_public: Mapped[bool] = mapped_column(server_default=text("true"))


class Endorsement(Identified, OfSite, Timestamped, Base):
    """Counted is every row; shown is what is public and whose stakeholder is public."""

    __tablename__ = "endorsements"
    __table_args__ = site_arguments(
        "endorsements",
        site_key("stakeholder_id", "stakeholders"),
        site_key("campaign_id", "campaigns"),
        UniqueConstraint("site_id", "stakeholder_id", "campaign_id", name="unique_stakeholder_campaign"),
        site_index("idx_endorsement_campaign", "campaign_id"),
        site_index("idx_endorsement_stakeholder", "stakeholder_id"),
        site_index("idx_endorsement_public", "is_public"),
        Index("idx_endorsement_created", "site_id", text("created_at DESC")),
    )

    stakeholder_id: Mapped[UUID]
    campaign_id: Mapped[UUID]
    statement: Mapped[str] = mapped_column(server_default=EMPTY)
    is_public: Mapped[bool] = mapped_column(server_default=text("true"))
