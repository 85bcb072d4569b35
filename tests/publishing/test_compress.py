"""Brotli comes after the flip, from a job, and never for what is not there any more."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import anyio
import brotli
import pytest

from app.jobs.handlers import JobContext
from app.jobs.worker import Worker
from app.publishing.compress import CompressPages, compress_handler, compress_missing
from app.publishing.garbage import collect
from app.publishing.gateway.asgi import Gateway
from app.publishing.manifest import blob_digest, blob_key
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectNotFound, StoreUnavailable
from tests.conftest import Database
from tests.jobs.sample import until
from tests.publishing.gateway.world import ask
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
ONE = "/campaigns/one/"
WAITING = "SELECT payload FROM pgqueuer WHERE entrypoint = 'pages.compress' ORDER BY id"


class Counting(MemoryStore):
    """Notes which siblings are written, and may break after some of them, or lose a blob just before one."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.made: list[str] = []
        self.breaks_after = 10_000
        self.taken_down = ""

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if key.endswith(".br"):
            if len(self.made) >= self.breaks_after:
                raise StoreUnavailable("The object store does not answer.")
            self.made.append(key)
            if key == f"{self.taken_down}.br":
                self.delete(self.taken_down)
        return super().put(key, body, **options)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    times: list[World] = []
    async with world(database, Counting(lambda: times[0].now)) as made:
        times.append(made)
        yield made


def counting(here: World) -> Counting:
    assert isinstance(here.store, Counting)
    return here.store


async def site_of_one(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    return site


async def compress(here: World, site: UUID) -> None:
    """Runs the jobs that wait, again and again the same."""
    async with here.pool.acquire() as connection:
        rows = await connection.fetch(WAITING)
    handler = compress_handler(AsyncStore(here.store))
    releases = await here.run(site, "SELECT id FROM releases ORDER BY number")
    assert len(rows) == len(releases)
    for row in releases:
        job = CompressPages(site_id=site, release_id=row["id"])
        await handler.run(JobContext(1, 1, site, here.pool), job)


def siblings(here: World) -> set[str]:
    return {stored.key for stored in here.store.list("blobs/") if stored.key.endswith(".br")}


def promised(here: World, site: UUID) -> set[str]:
    entries = here.entries(site).values()
    return {blob_key(entry.blob, "br") for entry in entries if entry.blob and "br" in entry.encodings}


async def test_a_worker_makes_them_after_the_flip_and_the_gateway_then_serves_them(
    here: World, database: Database
) -> None:
    site = await site_of_one(here)
    gateway = Gateway(AsyncStore(here.store))
    await gateway.refresh()
    before = await ask(gateway, ONE, accept_encoding="br, gzip")
    assert (before.headers["content-encoding"], siblings(here)) == ("gzip", set())
    worker = Worker(database.url("app"), handlers=(compress_handler(AsyncStore(here.store)),))

    async def is_done() -> bool:
        return not await here.pool.fetch(WAITING)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        await until(is_done)
        worker.stop()
    assert siblings(here) == promised(here, site) != set()
    gateway = Gateway(AsyncStore(here.store))  # this one looks again only a while later
    await gateway.refresh()
    after = await ask(gateway, ONE, accept_encoding="br, gzip")
    assert after.headers["content-encoding"] == "br"
    assert brotli.decompress(after.body).decode() == here.page(site, ONE)


async def test_what_is_there_is_not_made_again(here: World) -> None:
    site = await site_of_one(here)
    await compress(here, site)
    made = len(counting(here).made)
    await compress(here, site)
    assert len(counting(here).made) == made > 1
    await here.run(site, "UPDATE campaigns SET summary = 'Edited'")
    await here.publish(site)
    await compress(here, site)
    assert siblings(here) >= promised(here, site)
    assert len(counting(here).made) == len(set(counting(here).made))


async def test_a_job_that_breaks_off_is_finished_by_its_next_try(here: World) -> None:
    site = await site_of_one(here)
    counting(here).breaks_after = 2
    with pytest.raises(StoreUnavailable):
        await compress(here, site)
    assert len(siblings(here)) == 2
    counting(here).breaks_after = 10_000
    await compress(here, site)
    assert siblings(here) == promised(here, site)
    assert len(counting(here).made) == len(siblings(here))


async def test_small_and_incompressible_bodies_get_none(here: World) -> None:
    site = await site_of_one(here)
    await compress(here, site)
    robots = here.entries(site)["/robots.txt"]
    assert robots.blob is not None
    assert "br" not in robots.encodings
    assert blob_key(robots.blob, "br") not in siblings(here)
    noise = random.Random(1).randbytes(2000)
    name = blob_digest("text/html", noise)
    here.store.put(blob_key(name), noise, content_type="text/html")
    assert compress_missing(here.store, {name: "text/html"}) == 0
    assert blob_key(name, "br") not in siblings(here)


async def test_what_was_taken_down_before_the_job_gets_none(here: World) -> None:
    site = await site_of_one(here)
    blob = here.entries(site)[ONE].blob
    assert blob is not None
    await takedown(here.engine, site, ONE, "a court order", report=Silent())
    await compress(here, site)
    assert blob_key(blob, "br") not in siblings(here)
    assert siblings(here) != set()


async def test_what_is_taken_down_while_the_job_is_at_it_keeps_none(here: World) -> None:
    site = await site_of_one(here)
    blob = here.entries(site)[ONE].blob
    assert blob is not None
    counting(here).taken_down = blob_key(blob)
    await compress(here, site)
    assert blob_key(blob, "br") in counting(here).made
    assert blob_key(blob, "br") not in siblings(here)


async def test_control_a_job_that_does_not_look_again_leaves_what_was_taken_down(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.publishing.compress._is_kept", lambda *_: True)
    site = await site_of_one(here)
    blob = here.entries(site)[ONE].blob
    assert blob is not None
    counting(here).taken_down = blob_key(blob)
    await compress(here, site)
    assert blob_key(blob, "br") in siblings(here)


async def test_gc_removes_them_with_their_blob(here: World) -> None:
    site = await site_of_one(here)
    old = here.entries(site)[ONE].blob
    assert old is not None
    await compress(here, site)
    await here.run(site, "UPDATE campaigns SET summary = 'Edited'")
    await here.publish(site)
    await compress(here, site)
    assert blob_key(old, "br") in siblings(here)
    here.now += timedelta(days=400)
    await collect(here.engine, report=Silent(), last=1)
    assert siblings(here) == promised(here, site)
    with pytest.raises(ObjectNotFound):
        here.store.stat(blob_key(old))


async def test_full_misses_a_lost_page_and_not_what_comes_later(here: World) -> None:
    site = await site_of_one(here)
    assert (await here.publish(site, full=True)).rendered == 0
    entry = here.entries(site)[ONE]
    assert entry.blob is not None
    here.store.delete(blob_key(entry.blob, "gz"))
    assert (await here.publish(site, full=True)).rendered == 1


async def test_a_release_that_is_gone_needs_nothing(here: World) -> None:
    site = await site_of_one(here)
    for stored in list(here.store.list("releases/")):
        here.store.delete(stored.key)
    await compress(here, site)
    assert siblings(here) == set()


async def test_a_flip_that_the_database_heard_of_late_is_compressed_too(here: World) -> None:
    """As after a publisher that died between its flip and its commit."""
    site = await site_of_one(here)
    await here.pool.execute("DELETE FROM pgqueuer")
    await here.run(site, "UPDATE releases SET state = 'uploading', live_at = NULL")
    await here.run(site, "UPDATE publications SET live_generation = 0, live_release_id = NULL")
    await here.publish(site)
    await compress(here, site)
    assert siblings(here) == promised(here, site) != set()
