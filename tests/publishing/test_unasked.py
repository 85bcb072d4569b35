"""After a rollback nothing goes live by itself; a refresh never publishes what an editor is at work on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.jobs.handlers import JobContext
from app.jobs.worker import Worker
from app.publishing.activation import rollback
from app.publishing.jobs import Reconcile, Refresh, ask_for_refresh, handlers, schedule
from app.publishing.publish import publish
from app.publishing.report import Outcome, Silent
from app.publishing.unasked import Trigger
from app.wiring import make_engine
from tests.conftest import Database
from tests.jobs.sample import jobs_left, until
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
ONE = "/campaigns/one/"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def site_with_one(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "one", closes_at=here.now + timedelta(hours=1))
    await here.publish(site)
    return site


async def unasked(here: World, site: UUID, trigger: Trigger) -> Outcome:
    return await publish(here.engine, site, report=Silent(), trigger=trigger)


async def sign(here: World, site: UUID) -> None:
    [row] = await here.run(site, "SELECT id FROM campaigns")
    await here.endorse(site, row["id"], last=f"Brook {uuid4()}")


async def say(here: World, site: UUID, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $1", words)


async def rolled_back(here: World) -> UUID:
    site = await site_with_one(here)
    await say(here, site, "A mistake.")
    await here.publish(site)
    await rollback(here.engine, site, report=Silent())
    return site


@pytest.mark.parametrize("trigger", ["schedule", "refresh"])
async def test_after_a_rollback_it_waits_until_an_editor_publishes(here: World, trigger: Trigger) -> None:
    site = await rolled_back(here)
    await sign(here, site)
    outcome = await unasked(here, site, trigger)
    assert (outcome.site, outcome.release, outcome.rendered) == ("demo", 1, 0)
    assert outcome.waits.startswith("an older release was brought back")
    assert "A mistake." not in here.page(site, ONE)
    assert await here.run(site, "SELECT FROM releases WHERE number > 2") == []
    await say(here, site, "Mended.")
    assert (await here.publish(site)).waits == ""
    await sign(here, site)
    assert (await unasked(here, site, trigger)).release == 4
    [row] = await here.run(site, "SELECT trigger FROM releases WHERE number = 4")
    assert row["trigger"] == trigger


async def test_the_control_without_the_pause_the_mistake_is_live_again(here: World) -> None:
    site = await rolled_back(here)
    await here.run(site, "UPDATE publications SET is_paused = false")
    assert (await unasked(here, site, "schedule")).release == 3
    assert "A mistake." in here.page(site, ONE)


async def test_what_nobody_asked_for_does_not_end_a_pause(here: World) -> None:
    site = await rolled_back(here)
    await unasked(here, site, "refresh")
    [row] = await here.run(site, "SELECT is_paused FROM publications")
    assert row["is_paused"]


async def test_a_refresh_shows_counts_and_what_closed_by_time(here: World) -> None:
    site = await site_with_one(here)
    assert (await unasked(here, site, "refresh")).release == 1
    await sign(here, site)
    assert (await unasked(here, site, "refresh")).release == 2
    here.now += timedelta(hours=2)
    outcome = await unasked(here, site, "refresh")
    assert (outcome.release, outcome.waits) == (3, "")
    assert (await here.publish(site, full=True)).rendered == 0


async def test_a_refresh_leaves_edits_to_their_editor(here: World) -> None:
    site = await site_with_one(here)
    await sign(here, site)
    await say(here, site, "Not ready yet.")
    outcome = await unasked(here, site, "refresh")
    assert outcome.waits == "edits wait for an editor to publish them (campaigns)"
    assert "Not ready yet." not in here.page(site, ONE)
    assert (await unasked(here, site, "schedule")).release == 2


async def test_a_refresh_is_never_the_first_release(here: World) -> None:
    site = await here.add_site()
    outcome = await unasked(here, site, "refresh")
    assert (outcome.release, outcome.waits[:17]) == (None, "it is not known w")


async def test_many_requests_for_one_site_are_one_job_and_one_release(
    here: World, database: Database
) -> None:
    site = await site_with_one(here)
    other = await here.add_site("other")
    connection = await asyncpg.connect(database.url("app"))
    for _ in range(20):
        await sign(here, site)
        async with connection.transaction():
            await ask_for_refresh(connection, site)
    async with connection.transaction():
        await ask_for_refresh(connection, other)
    assert await jobs_left(connection, "site.refresh") == {"queued": 2}
    worker = Worker(
        database.url("app"),
        handlers=handlers(partial(make_engine, store=here.store, clock=lambda: here.now)),
        at_start=(Reconcile(), Reconcile()),
    )
    working = asyncio.create_task(worker.run())

    async def is_done() -> bool:
        return await jobs_left(connection, "site.refresh") == {}

    await until(is_done)
    worker.stop()
    await working
    await connection.close()
    rows = await here.run(site, "SELECT number, trigger FROM releases ORDER BY number")
    assert [(row["number"], row["trigger"]) for row in rows] == [(1, "editor"), (2, "refresh")]


async def test_a_refresh_that_is_run_again_changes_nothing(here: World) -> None:
    site = await site_with_one(here)
    await sign(here, site)
    found = {handler.name: handler for handler in handlers(lambda _: here.engine)}
    context = JobContext(job_id=1, attempt=1, site_id=site, pool=here.pool)
    for _ in range(2):
        await found[Refresh.name].run(context, Refresh(site_id=site))
    assert len(await here.run(site, "SELECT FROM releases")) == 2


def test_sites_are_refreshed_by_the_clock_only_where_that_is_wanted() -> None:
    assert [entry.job for entry in schedule(0)] == [Reconcile]
    assert [(entry.cron, entry.job) for entry in schedule(15)][1] == ("*/15 * * * *", Refresh)
    assert schedule(60)[1].cron == "0 * * * *"
