"""Connections that break, wait for each other, or commit late."""

import subprocess
from collections.abc import AsyncIterator
from uuid import UUID

import anyio
import asyncpg
import pytest

from app.database.engine import make_pool, site_transaction
from app.publishing import releases
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from app.storage.store import StoreUnavailable
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Deaf(MemoryStore):
    """Writes the pointer and then says that it did not."""

    is_deaf = False

    def put(self, key: str, body: bytes, **options: object) -> str:
        etag = super().put(key, body, **options)  # type: ignore[arg-type]
        if self.is_deaf and key.startswith("live/"):
            raise StoreUnavailable("The object store did not answer.")
        return etag


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class Cutting(MemoryStore):
    """Ends every connection to the database right after the flip."""

    superuser = ""

    def put(self, key: str, body: bytes, **options: object) -> str:
        etag = super().put(key, body, **options)  # type: ignore[arg-type]
        if self.superuser and key.startswith("live/"):
            subprocess.run(
                ["psql", "-qAt", self.superuser, "-c", END_OTHERS], check=True, capture_output=True
            )
        return etag


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database, Cutting()) as made:
        yield made


async def one_campaign(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET summary = 'Edited'")
    return site


async def states(here: World, site: UUID) -> list[tuple[int, str, str]]:
    rows = await here.run(site, "SELECT number, state, error FROM releases ORDER BY number")
    return [(row["number"], row["state"], row["error"]) for row in rows]


async def test_what_is_flipped_is_published_even_if_the_database_goes(
    here: World, database: Database
) -> None:
    site = await one_campaign(here)
    assert isinstance(here.store, Cutting)
    here.store.superuser = database.url("superuser")
    told = Notes()
    outcome = await publish(here.engine, site, report=told)
    here.store.superuser = ""
    assert (outcome.release, here.manifest(site).get("/") is not None) == (2, True)
    assert "It is live; the database will hear of it with the next publish." in told.notes
    assert "Edited" in here.page(site, "/campaigns/one/")
    assert (await here.publish(site)).rendered == 0
    assert await states(here, site) == [(1, "superseded", ""), (2, "live", "")]


async def test_a_flip_that_took_place_is_seen_although_the_store_denied_it(database: Database) -> None:
    async with world(database, Deaf()) as here:
        site = await one_campaign(here)
        assert isinstance(here.store, Deaf)
        here.store.is_deaf = True
        assert (await here.publish(site)).release == 2
        assert (await states(here, site))[-1] == (2, "live", "")


async def test_an_older_generation_that_commits_late_changes_nothing_but_itself(here: World) -> None:
    site = await one_campaign(here)
    await here.publish(site)
    [old] = await here.run(site, "SELECT id, number, generation FROM releases WHERE number = 1")
    async with here.pool.acquire() as connection:
        ticket = releases.Ticket(old["id"], old["number"], old["generation"])
        await releases.go_live(connection, site, ticket, here.now)
    assert [state for _, state, _ in await states(here, site)] == ["superseded", "live"]
    [row] = await here.run(
        site, "SELECT r.number FROM publications p JOIN releases r ON r.id = p.live_release_id"
    )
    assert row["number"] == 2


@pytest.mark.parametrize("size", [3, 10])
async def test_publishers_never_wait_for_each_others_connections(database: Database, size: int) -> None:
    pool = await make_pool(database.url("app"), size=size)
    here = World(pool, MemoryStore())
    sites = [await here.add_site(slug) for slug in ("a", "b", "c", "d")]
    done: list[str] = []

    async def run(site: UUID) -> None:
        done.append((await publish(here.engine, site, report=Silent())).site)

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            for site in sites * 3:
                tasks.start_soon(run, site)
    assert sorted(done) == sorted(["a", "b", "c", "d"] * 3)
    await pool.close()


async def test_twenty_publishers_at_once_end_with_the_last_content(here: World) -> None:
    site = await one_campaign(here)

    async def edit_and_publish(number: int) -> None:
        await here.run(site, "UPDATE campaigns SET summary = $1", f"Edit {number}.")
        await publish(here.engine, site, report=Silent())

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(edit_and_publish, number)
    [row] = await here.run(site, "SELECT summary FROM campaigns")
    assert row["summary"] in here.page(site, "/campaigns/one/")
    rows = await here.run(site, "SELECT generation, state FROM releases ORDER BY number")
    generations = [each["generation"] for each in rows]
    assert generations == sorted(set(generations))
    assert [each["state"] for each in rows] == ["superseded"] * (len(rows) - 1) + ["live"]


async def test_a_lease_ends_with_its_connection(here: World, database: Database) -> None:
    """The control: while it lasts, nobody else gets it."""
    site = await here.add_site()
    holder = await asyncpg.connect(database.url("app"))
    lock = "SELECT pg_try_advisory_xact_lock(hashtextextended('publish ' || $1, 0))"
    transaction = holder.transaction()
    await transaction.start()
    assert await holder.fetchval(lock, str(site))
    async with here.pool.acquire() as other, site_transaction(other, site):
        assert not await other.fetchval(lock, str(site))
        holder.terminate()
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended('publish ' || $1, 0))", str(site))
