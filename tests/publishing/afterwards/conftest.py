"""A local service and short patience."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from app.publishing.afterwards.calls import Calls, Patience
from tests.conftest import Database
from tests.publishing.afterwards.service import Service, running_service
from tests.publishing.world import World, world

SHORT = Patience(attempts=3, first_pause=0.01, longest_pause=0.05, connect=2, read=0.5, total=5)


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def calls() -> Calls:
    return Calls(SHORT)


@pytest.fixture
async def here(shared_database: Database) -> AsyncIterator[World]:
    """An empty world; emptied, because that is faster than a database of its own."""
    connection = await asyncpg.connect(shared_database.url("superuser"))
    await connection.execute("TRUNCATE sites, pgqueuer CASCADE")
    await connection.close()
    async with world(shared_database) as made:
        yield made
