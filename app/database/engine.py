"""The door to PostgreSQL for hot paths and publishing: a pool of plain connections.

For requests see `app.database.orm`; a publish starts in half the time without SQLAlchemy.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias
from uuid import UUID

import asyncpg

Connection: TypeAlias = (  # generic in the stubs alone
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Isolation = Literal["read_committed", "repeatable_read"]


def connect_options(pooler: Literal["none", "transaction"] = "none") -> dict[str, Any]:
    """A pooler in transaction mode hands each transaction another server: nothing prepared may be kept."""
    timeouts = {"timeout": 10, "command_timeout": 60}
    return timeouts if pooler == "none" else {**timeouts, "statement_cache_size": 0}


async def make_pool(url: str, *, size: int = 10, pooler: Literal["none", "transaction"] = "none") -> Pool:
    """A pool of plain asyncpg connections; opened lazily, so that it exists while the database is away."""
    pool = asyncpg.create_pool(url, min_size=0, max_size=size, **connect_options(pooler))
    return await pool


@asynccontextmanager
async def site_transaction(
    connection: Connection, site_id: UUID, *, isolation: Isolation = "read_committed", readonly: bool = False
) -> AsyncIterator[Connection]:
    """A transaction that sees the rows of one site and no other."""
    async with connection.transaction(isolation=isolation, readonly=readonly):
        await connection.execute("SELECT set_config('app.site_id', $1, true)", str(site_id))
        yield connection
