"""The base of every model: naming of constraints, key, times, tenancy."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint, Index, MetaData, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import UUID as PgUUID  # noqa: N811 - the column type, beside uuid.UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.ids import new_id
from app.kit.slugs import SLUG, SLUG_LENGTH

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(constraint_name)s",
}

SLUG_CHECK = f"slug ~ '^{SLUG}$' AND length(slug) <= {SLUG_LENGTH}"


class Base(DeclarativeBase):
    """Relationships that are added to a model are `lazy="raise"`: a query says what it loads."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), UUID: PgUUID(as_uuid=True)}  # noqa: RUF012 - read once by SQLAlchemy


class Identified:
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-100)


class Timestamped:
    """Both times are the database's; a trigger renews `updated_at` when a row really changes."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=101)


class OfSite:
    """A row of one tenant. The migration adds forced row level security; a catalogue test compares."""

    site_id: Mapped[UUID] = mapped_column(sort_order=-99)


class Translatable:
    """Rows of one group are the same content in several languages."""

    locale: Mapped[str] = mapped_column(server_default=text("'en'"), sort_order=-98)
    translation_group_id: Mapped[UUID] = mapped_column(default=new_id, sort_order=-97)


def site_arguments(table: str, *more: object) -> tuple[object, ...]:
    """Table arguments of a tenant's table: the foreign key to its site and the target of composite keys."""
    return (
        ForeignKeyConstraint(["site_id"], ["sites.id"], ondelete="CASCADE", name=f"{table}_site_id_fkey"),
        UniqueConstraint("site_id", "id", name=f"{table}_site_id_id_key"),
        *more,
    )


def site_key(column: str, target: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A foreign key that cannot leave the site: row level security does not look at references."""
    return ForeignKeyConstraint(["site_id", column], [f"{target}.site_id", f"{target}.id"], ondelete=ondelete)


def site_index(name: str, *columns: object, **options: object) -> Index:
    return Index(name, "site_id", *columns, **options)  # type: ignore[arg-type]
