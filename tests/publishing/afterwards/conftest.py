"""A local service, and calls that make no long pauses."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from app.publishing.afterwards.calls import Calls, Patience
from tests.conftest import Database
from tests.publishing.afterwards.service import Service, running_service
from tests.publishing.world import World, world

PROMPT = Patience(attempts=3, first_pause=0.01, longest_pause=0.05, read=60, total=60)
"""Tries again at once, and lets a busy machine take its time."""


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def calls() -> Calls:
    return Calls(PROMPT)


@pytest.fixture
async def here(shared_database: Database) -> AsyncIterator[World]:
    """An empty world; emptied, because that is faster than a database of its own."""
    connection = await asyncpg.connect(shared_database.url("superuser"))
    await connection.execute("TRUNCATE sites, pgqueuer CASCADE")
    await connection.close()
    async with world(shared_database) as made:
        yield made
