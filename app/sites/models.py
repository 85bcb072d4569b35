"""Sites and the hosts they answer for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, func, text
from sqlalchemy.dialects.postgresql import CITEXT, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import SLUG_CHECK, Base, Identified, Timestamped


class Site(Identified, Timestamped, Base):
    """A tenant. Its own row is visible where `id` is the site of the transaction."""

    __tablename__ = "sites"
    __table_args__ = (
        CheckConstraint("kind IN ('organization', 'city', 'department')", name="valid_site_kind"),
        CheckConstraint("status IN ('active', 'inactive')", name="valid_site_status"),
        CheckConstraint(SLUG_CHECK, name="valid_site_slug"),
    )

    kind: Mapped[str] = mapped_column(server_default=text("'organization'"))
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    base_url: Mapped[str] = mapped_column(server_default=text("''"))
    timezone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    locale: Mapped[str] = mapped_column(server_default=text("'en'"))
    theme: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    navigation: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    status: Mapped[str] = mapped_column(server_default=text("'active'"))


class SiteHost(Base):
    """A table of its own, because an array could not keep a host from belonging to two sites."""

    __tablename__ = "site_hosts"

    host: Mapped[str] = mapped_column(CITEXT, primary_key=True)
    site_id: Mapped[UUID] = mapped_column(ForeignKey("sites.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
