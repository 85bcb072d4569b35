"""The connection of a SQLAlchemy session, for jobs that share the fate of a request."""

from typing import cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import Connection


async def connection_of(session: AsyncSession) -> Connection:
    """In the session's transaction: SQLAlchemy opens that with the first statement, not before."""
    await session.execute(text("SELECT 1"))
    raw = await (await session.connection()).get_raw_connection()
    return cast("Connection", raw.driver_connection)
