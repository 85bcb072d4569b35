"""Liveness asks nothing, readiness asks everything."""

import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from app.database.engine import make_pool
from app.errors import Unavailable
from app.storage.facade import AsyncStore
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.store import Stored
from app.web.health import check_database, check_store
from tests.conftest import Database
from tests.web.world import served

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


async def test_the_process_answers_without_a_database() -> None:
    async with served(NOWHERE) as world:
        answer = await world.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_ready_with_database_and_store(database: Database) -> None:
    async with served(database.url()) as world:
        answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_without_a_database_it_is_not_ready() -> None:
    async with served(NOWHERE) as world:
        answer = await world.client.get("/readyz")
        api = await world.client.get("/api/v1/site")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (api.status_code, api.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:hustings:problem:unavailable"


async def test_a_schema_of_another_version_is_not_ready_until_it_is_upgraded(database: Database) -> None:
    owner = await asyncpg.connect(database.url("owner"))
    async with served(database.url()) as world:
        await owner.execute("UPDATE schema_meta SET version = '99.0.0'")
        before = await world.client.get("/readyz")
        await owner.execute("UPDATE schema_meta SET version = '0.1.0'")
        after = await world.client.get("/readyz")
    await owner.close()
    assert (before.status_code, after.status_code) == (503, 200)
    assert "hustings db upgrade" in before.json()["detail"]


async def test_without_its_store_it_is_not_ready_until_the_store_is_back(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    async with served(database.url(), store=FileStore(folder)) as world:
        before = await world.client.get("/readyz")
        folder.mkdir()
        after = await world.client.get("/readyz")
    assert (before.status_code, after.status_code) == (503, 200)
    assert before.json()["detail"] == "The object store does not answer at the moment."


class StuckStore(MemoryStore):
    def list(self, prefix: str) -> Iterator[Stored]:
        time.sleep(0.2)
        return super().list(prefix)


async def test_a_store_that_is_stuck_is_given_up() -> None:
    with pytest.raises(Unavailable, match="store"):
        await check_store(AsyncStore(StuckStore()), seconds=0.01)


async def test_a_database_that_is_stuck_is_given_up(database: Database) -> None:
    pool = await make_pool(database.url(), size=1)
    async with pool.acquire():
        with pytest.raises(Unavailable, match="database"):
            await check_database(pool, seconds=0.01)
    pool.terminate()


async def test_a_bug_in_a_check_is_not_taken_for_an_absence() -> None:
    class Broken:
        def acquire(self) -> None:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await check_database(Broken())  # type: ignore[arg-type]
    await anyio.lowlevel.checkpoint()
