"""A publisher's clock that jumps does no lasting harm. The worlds here begin at the database's time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.publishing import garbage
from app.publishing import publish as publishing
from app.publishing.activation import rollback
from app.publishing.base import Base
from app.publishing.engine import Engine
from app.publishing.garbage import Collected, collect
from app.publishing.pointer import Pointer, read_pointer
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, visible, world

pytestmark = pytest.mark.anyio
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
SOON, LATE = "/campaigns/soon-over/", "/campaigns/over-in-a-month/"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    """The clock of the store is right, whatever that of the publisher says."""
    async with world(database, MemoryStore()) as made:
        made.now = datetime.now(UTC)
        yield made


async def site_with_an_end(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "soon-over", closes_at=here.now + HOUR)
    await here.add_campaign(site, "over-in-a-month", closes_at=here.now + 30 * DAY)
    await here.add_campaign(site, "going")
    await here.publish(site)
    return site


def pointer(here: World, site: UUID) -> Pointer:
    found = read_pointer(here.store, str(site))
    assert found is not None
    return found[0]


async def is_whole_and_new(here: World, site: UUID) -> None:
    """A full publish finds nothing to do."""
    before = here.entries(site)
    full = await here.publish(site, full=True)
    assert (full.rendered, full.removed) == (0, 0)
    assert here.entries(site) == before


async def closed_then_back_by_a_day(here: World) -> tuple[UUID, str]:
    """The site, and the page of a campaign as it was when it had closed."""
    here.now -= 2 * HOUR
    site = await site_with_an_end(here)
    here.now += 2 * HOUR - timedelta(minutes=2)
    await here.publish(site)
    closed = here.page(site, SOON)
    here.now -= DAY
    await here.run(site, "UPDATE campaigns SET summary = 'New words' WHERE slug = 'going'")
    return site, closed


async def test_a_day_back_opens_nothing_again(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site, closed = await closed_then_back_by_a_day(here)
    before = pointer(here, site)
    for options in ({}, {"full": True}):
        await here.publish(site, **options)
        assert here.page(site, SOON) == closed
    assert "New words" in here.page(site, "/campaigns/going/")
    assert pointer(here, site).generation == before.generation + 1
    await is_whole_and_new(here, site)
    monkeypatch.setattr(publishing, "_present", _only_the_clock)
    await here.publish(site, full=True)
    assert here.page(site, SOON) != closed, "the control: by the clock alone it opens again"


def _only_the_clock(engine: Engine, _: Base) -> datetime:
    return engine.clock()


def _never_back(engine: Engine, base: Base) -> datetime:
    assert base.live is not None
    assert base.live.frozen_at is not None
    return max(engine.clock(), base.live.frozen_at)


async def a_year_ahead_and_corrected(here: World) -> tuple[UUID, str]:
    """The site, and a page as it was before. What was closed, and what is gone, has a date to come."""
    site = await site_with_an_end(here)
    open_page = here.page(site, LATE)
    here.now += YEAR
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'going'")
    await here.publish(site)
    assert here.page(site, LATE) != open_page
    here.now -= YEAR
    return site, open_page


async def test_a_year_ahead_is_forgotten_when_the_clock_is_right_again(here: World) -> None:
    site, open_page = await a_year_ahead_and_corrected(here)
    before = pointer(here, site)
    await here.publish(site)
    assert here.page(site, LATE) == open_page
    gone = here.entries(site)["/campaigns/going/"]
    assert (gone.status, gone.gone_on) == (410, f"{here.now:%Y-%m-%d}")
    after = pointer(here, site)
    assert (after.generation, after.number) == (before.generation + 1, before.number + 1)
    assert after.activated_at < before.activated_at
    await is_whole_and_new(here, site)
    here.now += 31 * DAY
    await here.publish(site)
    assert here.page(site, LATE) != open_page


async def test_the_control_without_the_database_as_a_witness_it_stands_in_the_future(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, open_page = await a_year_ahead_and_corrected(here)
    monkeypatch.setattr(publishing, "_present", _never_back)
    await here.publish(site, full=True)
    assert here.page(site, LATE) != open_page


async def test_jumps_leave_the_release_of_a_clock_that_never_jumped(database: Database) -> None:
    """But for the dates since when something is gone, which nothing can tell afterwards."""
    async with world(database) as here:
        here.now = datetime.now(UTC)
        site = await site_with_an_end(here)
        for jump in (YEAR, -YEAR, -DAY, DAY, 2 * YEAR, -2 * YEAR):
            here.now += jump
            await here.run(site, "UPDATE campaigns SET summary = summary || '.'")
            await here.publish(site)
        rebuilt = World(here.pool, MemoryStore())
        rebuilt.now = here.now
        await rebuilt.publish(site)
        assert visible(here.entries(site)) == visible(rebuilt.entries(site))


async def test_going_back_follows_the_flips_and_not_the_times(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "wells")
    for number, jump in enumerate((timedelta(0), YEAR, -YEAR - DAY), start=1):
        here.now += jump
        await here.run(site, "UPDATE campaigns SET summary = $1", f"Text {number}.")
        await here.publish(site)
    assert (await rollback(here.engine, site, report=Silent())).release == 2
    assert (await rollback(here.engine, site, report=Silent())).release == 1
    assert "Text 1." in here.page(site, "/campaigns/wells/")
    assert pointer(here, site).generation == 5


async def three_releases_and_a_year_ahead(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "wells")
    for number in range(3):
        await here.run(site, "UPDATE campaigns SET summary = $1", f"Text {number}.")
        await here.publish(site)
    here.now += YEAR
    return site


async def gc(here: World) -> Collected:
    return await collect(here.engine, report=Silent(), last=1)


async def test_young_releases_stay_when_the_publisher_s_clock_is_ahead(here: World) -> None:
    await three_releases_and_a_year_ahead(here)
    done = await gc(here)
    assert (done.roots, done.shards, done.blobs) == (0, 0, 0)
    assert list(here.store.list("probes/")) == []


async def test_the_control_by_its_own_clock_they_go(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_releases_and_a_year_ahead(here)
    monkeypatch.setattr(garbage, "_present", lambda _: here.now)
    assert (await gc(here)).roots == 2
