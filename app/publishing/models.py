"""Releases, what each changed, the log of content changes, tombstones, and the state of each site."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.database.base import Base, Identified, OfSite, site_arguments, site_index, site_key

STATES = ("planned", "rendering", "checking", "uploading", "live", "superseded", "failed", "rolled_back")
TRIGGERS = ("editor", "schedule", "refresh")
EMPTY = text("''")


class Xid8(UserDefinedType[int]):
    """A full transaction id, as pg_current_xact_id() gives it."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


class PgSnapshot(UserDefinedType[str]):
    """Which transactions a reader saw, as pg_current_snapshot() gives it."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "pg_snapshot"


class Release(Identified, OfSite, Base):
    """One release of one site. `number` orders content, `generation` orders flips of the pointer."""

    __tablename__ = "releases"
    __table_args__ = site_arguments(
        "releases",
        UniqueConstraint("site_id", "number"),
        CheckConstraint(f"state IN {STATES}", name="valid_release_state"),
        CheckConstraint(f"trigger IN {TRIGGERS}", name="valid_release_trigger"),
        site_key("base_id", "releases", ondelete="NO ACTION"),
        site_index("idx_release_base", "base_id"),
    )

    number: Mapped[int]
    generation: Mapped[int] = mapped_column(BigInteger)
    """Of the latest flip to it, or of the one it was made for."""
    content_number: Mapped[int | None]
    """The release whose content this one shows, but for paths that were taken down; None: its own."""
    actor: Mapped[str] = mapped_column(server_default=EMPTY)
    """Who had it made."""
    trigger: Mapped[str] = mapped_column(server_default=text("'editor'"))
    """A person who asked for it, a time that had come, or counts that had moved on."""
    base_id: Mapped[UUID | None]
    """What `release_pages` are changes to: what was live at the planning, or what is shown anew."""
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    root_key: Mapped[str] = mapped_column(server_default=EMPTY)
    content_snapshot: Mapped[str | None] = mapped_column(PgSnapshot)
    database_id: Mapped[str] = mapped_column(server_default=EMPTY)
    """The cluster and database that `content_snapshot` speaks of: a restored copy counts anew."""
    frozen_at: Mapped[datetime | None]
    """The clock when the content was frozen: what opens or closes by time is judged by it."""
    recipe: Mapped[str] = mapped_column(server_default=EMPTY)
    """A digest of all that is not content: templates, page kinds, the site's shell."""
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    error: Mapped[str] = mapped_column(server_default=EMPTY)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    live_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ReleasePage(OfSite, Base):
    """What a release changed, path by path."""

    __tablename__ = "release_pages"
    __table_args__ = (
        site_key("release_id", "releases"),
        ForeignKeyConstraint(["site_id"], ["sites.id"], ondelete="CASCADE"),
        CheckConstraint("change IN ('added', 'changed', 'removed')", name="valid_change"),
        site_index("idx_release_page_release", "release_id"),
    )

    release_id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    change: Mapped[str]
    blob: Mapped[str | None]


class ContentChange(OfSite, Base):
    """Written by triggers in the transaction of the change, read by transaction snapshot, never by id.

    `facts` holds the old and new values of the columns that the page kinds ask for (slugs, parents). No
    foreign key to the site: the log of a deletion is written when the site itself may be gone.
    """

    __tablename__ = "content_changes"
    __table_args__ = (
        CheckConstraint("action IN ('insert', 'update', 'delete')", name="valid_action"),
        site_index("idx_content_change_transaction", "transaction_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    table_name: Mapped[str]
    row_id: Mapped[UUID]
    action: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    transaction_id: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Tombstone(Identified, OfSite, Base):
    """A path that was taken down: no later release or activation brings it back, until it is lifted.

    A lifted one stays, so that it can be told who took the path down, why, and who let it come back.
    """

    __tablename__ = "tombstones"
    __table_args__ = site_arguments(
        "tombstones",
        site_index("unique_tombstone", "path", unique=True, postgresql_where=text("lifted_at IS NULL")),
        CheckConstraint(
            "path ~ '^/([^/]|$)' AND path !~ '//|/[.]{1,2}(/|$)|[[:cntrl:]\\\\]'", name="valid_tombstone_path"
        ),
    )

    path: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str] = mapped_column(server_default=EMPTY)
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(server_default=EMPTY)


class Publication(OfSite, Base):
    """The state of publishing of one site: the counters, and what is live."""

    __tablename__ = "publications"
    __table_args__ = (
        ForeignKeyConstraint(["site_id"], ["sites.id"], ondelete="CASCADE"),
        site_key("live_release_id", "releases", ondelete="NO ACTION"),
        site_index("idx_publication_live", "live_release_id"),
    )

    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(server_default=text("0"))
    last_generation: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    live_release_id: Mapped[UUID | None]
    live_generation: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    is_paused: Mapped[bool] = mapped_column(server_default=text("false"))
    """An older release was activated: nothing is to go live that no person asks for, until one publishes."""
    pruned_below: Mapped[int | None] = mapped_column(Xid8)
    """Content changes of transactions below are pruned; a snapshot that starts lower may lack some."""
    pruned_in: Mapped[str] = mapped_column(server_default=EMPTY)
    """The database that `pruned_below` speaks of, as in `Release.database_id`."""


class BuildChunk(OfSite, Base):
    """Part of a build that is under way, for the workers of any machine; gone with the build."""

    __tablename__ = "build_chunks"
    __table_args__ = (
        ForeignKeyConstraint(["site_id"], ["sites.id"], ondelete="CASCADE", name="build_chunks_site_id_fkey"),
    )

    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    build_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    request: Mapped[bytes] = mapped_column(LargeBinary)
    """A chunk, and what it is a chunk of; see `app.publishing.spread`."""
    reply: Mapped[bytes | None] = mapped_column(LargeBinary)


class Flip(OfSite, Base):
    """One move of a site's pointer, and what followed it: the purge of caches, and a sample of the pages."""

    __tablename__ = "flips"
    __table_args__ = (
        ForeignKeyConstraint(["site_id"], ["sites.id"], ondelete="CASCADE"),
        site_key("release_id", "releases"),
        CheckConstraint("purge IN ('pending', 'done', 'failed', 'skipped')", name="valid_purge"),
        CheckConstraint("sample IN ('pending', 'same', 'different', 'skipped')", name="valid_sample"),
        site_index("idx_flip_release", "release_id"),
    )

    site_id: Mapped[UUID] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    release_id: Mapped[UUID]
    replaced_root: Mapped[str | None]
    """Key of the root that was live before; None: nothing that the database knows of."""
    flipped_at: Mapped[datetime]
    purge: Mapped[str] = mapped_column(server_default=text("'pending'"))
    purge_note: Mapped[str] = mapped_column(server_default=EMPTY)
    purged_at: Mapped[datetime | None]
    sample: Mapped[str] = mapped_column(server_default=text("'pending'"))
    sample_note: Mapped[str] = mapped_column(server_default=EMPTY)
    findings: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    """A sentence for each page that was not as released."""
    sampled_at: Mapped[datetime | None]
