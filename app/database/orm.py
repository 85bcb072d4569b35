"""The door to PostgreSQL for requests: a SQLAlchemy engine over asyncpg."""

from typing import Literal

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.database.engine import Connection, connect_options


def make_engine(
    url: str, *, pool_size: int = 10, pooler: Literal["none", "transaction"] = "none"
) -> AsyncEngine:
    """An engine over asyncpg; `url` is `postgresql://`, sockets included, read by asyncpg itself."""

    async def connect() -> Connection:
        connection: Connection = await asyncpg.connect(url, **connect_options(pooler))
        return connection

    cache = "?prepared_statement_cache_size=0" if pooler == "transaction" else ""
    return create_async_engine(
        f"postgresql+asyncpg://{cache}",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
    )
