"""Making chunks in a process that did not freeze the content: an exported snapshot shows it that instant."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import asyncpg
import msgspec

from app.database.engine import connect_options
from app.database.failures import from_database
from app.errors import AppError, PublishError, Unavailable
from app.publishing.chunk import Chunk, Made, Maker, Workshop
from app.publishing.kinds import Content
from app.publishing.manifest import CorruptObject
from app.storage.store import ObjectNotFound, StoreUnavailable

RAISED: dict[str, type[AppError]] = {
    kind.__name__: kind
    for kind in (PublishError, StoreUnavailable, ObjectNotFound, CorruptObject, Unavailable)
}
"""What can go wrong in another process and is raised as it is in this one."""


Handle = Callable[[Chunk, Made], Awaitable[None]]


class Elsewhere(Protocol):
    """Who can make chunks beside this process."""

    @property
    def count(self) -> int:
        """0: nobody any more."""
        ...

    async def make(self, begin: "Begin", chunks: Iterable[Chunk], handle: Handle) -> None:
        """Calls `handle` with each chunk and what became of it, in no order; raises the first failure."""
        ...


class Database(msgspec.Struct, frozen=True):
    url: str
    pooler: Literal["none", "transaction"] = "none"


class Begin(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A frozen content, for a process that did not freeze it."""

    site_id: UUID
    frozen_at: datetime
    snapshot: str
    database_id: str
    exported: str
    """From pg_export_snapshot(); good for as long as the transaction that exported it."""
    recipe: str
    verify: bool
    dry_run: bool


class Failed(msgspec.Struct, frozen=True, tag=True):
    kind: str
    detail: str

    @classmethod
    def of(cls, error: Exception) -> "Failed":
        expected = error if isinstance(error, AppError) else from_database(error)
        if expected is None:
            return cls("", f"{type(error).__name__}: {error}")
        return cls(type(expected).__name__, expected.detail)

    def error(self) -> Exception:
        return RAISED.get(self.kind, RuntimeError)(self.detail)


async def export(content: Content, recipe: str, *, verify: bool, dry_run: bool) -> Begin:
    """What another process has to know; valid while the content's transaction is open."""
    return Begin(
        site_id=content.site_id,
        frozen_at=content.frozen_at,
        snapshot=content.snapshot,
        database_id=content.database_id,
        exported=await content.connection.fetchval("SELECT pg_export_snapshot()"),
        recipe=recipe,
        verify=verify,
        dry_run=dry_run,
    )


@asynccontextmanager
async def opened(begin: Begin, workshop: Workshop, database: Database) -> AsyncIterator[Maker]:
    """A maker over the content that `begin` tells of.

    Raises PublishError when this process would make other pages of it, being of another version.
    """
    connection = await asyncpg.connect(database.url, **connect_options(database.pooler))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # The snapshot has to come first, and takes no parameter.
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{begin.exported}'")
            await connection.execute("SELECT set_config('app.site_id', $1, true)", str(begin.site_id))
            content = Content(
                connection=connection,
                site_id=begin.site_id,
                frozen_at=begin.frozen_at,
                snapshot=begin.snapshot,
                database_id=begin.database_id,
            )
            recipe = await workshop.recipe(content)
            if recipe.digest(workshop.kinds.all) != begin.recipe:
                raise PublishError("A worker has another version of the program or its templates. Update it.")
            yield Maker(
                content,
                workshop.kinds,
                recipe,
                store=workshop.store,
                verify=begin.verify,
                dry_run=begin.dry_run,
                confirm=True,
            )
    finally:
        connection.terminate()
