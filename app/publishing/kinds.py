"""What a domain declares to be published: page kinds. The engine knows nothing else of any domain."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.database.engine import Connection
from app.publishing.manifest import CacheClass

HTML = "text/html; charset=utf-8"


class Raw(msgspec.Struct, frozen=True):
    """A finished body: a stylesheet, a picture, a sitemap."""

    body: bytes
    content_type: str


class InStore(msgspec.Struct, frozen=True):
    """A finished body that lies in the store under a key named by its content; read only when it is new."""

    key: str
    content_type: str


class Redirect(msgspec.Struct, frozen=True):
    location: str
    """Root-relative."""


Loaded = msgspec.Struct
"""A struct for the kind's template, or a Raw, an InStore or a Redirect."""


class Change(msgspec.Struct, frozen=True):
    """One row of `content_changes`: the facts hold what the triggers keep of the row before and after."""

    table: str
    row_id: UUID
    action: str
    old: dict[str, Any]
    new: dict[str, Any]


class Changes:
    """What was committed since the base release was frozen."""

    def __init__(self, rows: Sequence[Change], *, since: datetime) -> None:
        self.rows = tuple(rows)
        self.since = since
        """The clock of the base release: what opened or closed by time since then has changed too."""

    def of(self, *tables: str) -> Iterator[Change]:
        return (change for change in self.rows if change.table in tables)

    def touch(self, *tables: str) -> bool:
        return any(True for _ in self.of(*tables))

    def ids(self, table: str) -> set[UUID]:
        return {change.row_id for change in self.of(table)}

    def values(self, table: str, column: str) -> set[Any]:
        """The old and new values of a column that the triggers keep; without None."""
        found = {facts.get(column) for change in self.of(table) for facts in (change.old, change.new)}
        return found - {None}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view of one site's content: every query on `connection` sees the same instant."""

    connection: Connection
    site_id: UUID
    frozen_at: datetime
    """The clock of this publish; the only present that a page may know."""
    snapshot: str
    database_id: str
    memo: dict[str, Any] = {}
    """What has been read of this content once and is wanted again and again, such as the site's own row."""


class SiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    slug: str
    hosts: tuple[str, ...]
    base_url: str
    shell: msgspec.Struct
    """Handed to every template as `site`; part of every fingerprint."""
    links: tuple[str, ...] = ()
    """Paths that the shell of every page links to: looked at once for a release, and not for each page."""


class PageKind(Protocol):
    """A family of paths that are made alike.

    `load` has to be a function of the content alone: the same content gives equal structs on any machine.
    """

    @property
    def name(self) -> str: ...

    @property
    def template(self) -> str | None:
        """None: `load` gives Raw, InStore or Redirect."""
        ...

    @property
    def cache(self) -> CacheClass: ...

    async def paths(self, content: Content) -> Collection[str]:
        """Every path of this kind, for a full plan."""
        ...

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        """The paths that the changes may have added, changed or removed: rather one too many."""
        ...

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Loaded]:
        """What to show at those of the paths that exist, in few queries whatever their number."""
        ...


class Hidden(Protocol):
    """What must not show of a domain: asked of the database with queries that share nothing with `load`."""

    def of(self, changes: Changes) -> Collection[str]:
        """The paths, then and now, of the rows that have changed."""
        ...

    async def among(self, content: Content, paths: Collection[str]) -> Mapping[str, str]:
        """Those of the paths whose row is a draft or is not there, each with a sentence that says so.

        One query, whatever the number of paths; paths that are not of this domain are left out.
        """
        ...


class Naming(msgspec.Struct, frozen=True):
    """How a person calls the rows of a table that the log of changes names."""

    table: str
    one: str
    """Without an article: campaign."""
    many: str
    column: str = ""
    """Holds the name of a row; without it rows have none, or none that everybody may read."""


LoadSite = Callable[[Content], Awaitable[SiteFacts]]
