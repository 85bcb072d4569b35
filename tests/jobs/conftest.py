"""A connection as the application, and the table in which the sample jobs leave their effects."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.database.engine import Connection
from tests.conftest import Database
from tests.jobs.sample import make_effects


@pytest.fixture
async def connection(database: Database, anyio_backend: str) -> AsyncIterator[Connection]:  # noqa: ARG001 - async
    await make_effects(database.url("owner"))
    opened = await asyncpg.connect(database.url("app"))
    try:
        yield opened
    finally:
        await opened.close()
