"""What a domain declares to take part in content packs, and what it is handed."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec

from app.database.engine import Connection
from app.packs.folder import PackFolder
from app.packs.problems import Problems
from app.packs.upsert import Row, Table, Written, remove_others, upsert
from app.storage.facade import AsyncStore


class Identity(msgspec.Struct, frozen=True):
    """Which site a pack is of. `locale` is the site's own language: that of files without a suffix."""

    slug: str
    locale: str


class Reference(msgspec.Struct, frozen=True):
    """A place of the pack that names another file of it."""

    target: str
    file: str
    line: int
    field: str
    is_in_pack: bool


class Reading:
    """A pack being read; problems are collected, nothing is raised."""

    def __init__(self, folder: PackFolder, problems: Problems) -> None:
        self.folder = folder
        self.problems = problems
        self.identity: Identity | None = None
        """Set by the first part; None when site.toml could not be read."""
        self.references: list[Reference] = []

    def refer(self, target: str, file: str, line: int, field: str) -> None:
        """Note that `target` must be there; an empty one says nothing."""
        if target:
            is_in_pack = target in self.folder.files
            self.references.append(Reference(target, file, line, field, is_in_pack))

    @property
    def locale(self) -> str:
        return self.identity.locale if self.identity else ""


class Loading:
    """A pack being written, in one transaction that sees one site."""

    def __init__(
        self,
        connection: Connection,
        store: AsyncStore,
        site_id: UUID,
        identity: Identity,
        problems: Problems,
        *,
        prune: bool,
    ) -> None:
        self.connection = connection
        self.store = store
        self.site_id = site_id
        self.locale = identity.locale
        self.slug = identity.slug
        self.problems = problems
        self.prune = prune
        self.counts: dict[str, Written] = {}

    async def upsert(self, table: Table, rows: Sequence[Row]) -> None:
        written = await upsert(self.connection, self.site_id, table, rows)
        counts = self.count(table.name)
        counts.inserted += written.inserted
        counts.updated += written.updated
        counts.unchanged += written.unchanged

    async def remove_others(self, table: str, keep: Sequence[UUID], condition: str = "true") -> None:
        self.count(table).removed += await remove_others(self.connection, table, keep, condition)

    def count(self, table: str) -> Written:
        return self.counts.setdefault(table, Written())


class Dumping:
    """A pack being written to an empty folder, from one snapshot of one site."""

    def __init__(self, connection: Connection, store: AsyncStore, site_id: UUID, folder: Path) -> None:
        self.connection = connection
        self.store = store
        self.site_id = site_id
        self._folder = folder
        self.locale = ""
        """The site's own language; set by the first part."""

    def write(self, name: str, content: str | bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


class Content(Protocol):
    """What one part found in a pack. Each step runs for all parts before the next begins."""

    async def check(self, load: Loading) -> None:
        """Compare with the database, before anything is written; adds problems.

        Skipped when the files alone have problems already.
        """
        ...

    async def prune(self, load: Loading) -> None:
        """Remove what the pack does not have. Runs from the last part to the first."""
        ...

    async def save(self, load: Loading) -> None:
        """Write. May add problems that only show now; the transaction is then rolled back."""
        ...


class Part(msgspec.Struct, frozen=True):
    """One domain's files. The first part of a pack sets `Reading.identity` and `Dumping.locale`."""

    read: Callable[[Reading], Content]
    dump: Callable[[Dumping], Awaitable[None]]
    check_references: Callable[[Loading, Sequence[Reference]], Awaitable[None]] | None = None
    """Adds a problem for each reference that leads nowhere; runs even when other problems are known."""
