"""What killed publishers left is settled without another publish; who is at work is left alone."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.publishing import publish as publishing
from app.publishing.activation import rollback
from app.publishing.lease import lease
from app.publishing.pointer import pointer_key
from app.publishing.reconcile import Settled, reconcile
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the publisher runs after it, as `dies` sees to."""


class Dying(MemoryStore):
    """Its publisher dies before or after the write of the pointer."""

    dies = ""

    def put(self, key: str, body: bytes, **options: object) -> str:
        if key.startswith("live/") and self.dies == "before":
            raise Killed
        etag = super().put(key, body, **options)  # type: ignore[arg-type]
        if key.startswith("live/") and self.dies == "after":
            raise Killed
        return etag


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database, Dying()) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dead(*_: object) -> None:
        pass

    monkeypatch.setattr(publishing, "give_up", dead)


async def left_by_a_publisher_that_died(here: World, when: str, slug: str = "demo") -> UUID:
    site = await here.add_site(slug)
    await here.publish(site)
    await here.run(site, "UPDATE sites SET name = 'Renamed'")
    await die(here, when, here.publish(site))
    return site


async def die(here: World, when: str, doing: object) -> None:
    assert isinstance(here.store, Dying)
    here.store.dies = when
    with pytest.raises(Killed):
        await doing  # type: ignore[misc]
    here.store.dies = ""


async def states(here: World, site: UUID) -> list[str]:
    rows = await here.run(site, "SELECT state FROM releases ORDER BY number")
    return [row["state"] for row in rows]


async def settle(here: World) -> list[Settled]:
    return await reconcile(here.pool, here.engine.store)


async def test_a_publisher_that_died_after_the_flip_has_published(here: World) -> None:
    site = await left_by_a_publisher_that_died(here, "after")
    assert await states(here, site) == ["live", "uploading"]
    assert await settle(here) == [Settled("demo", (2,), 2)]
    assert await states(here, site) == ["superseded", "live"]
    [row] = await here.run(site, "SELECT live_generation, is_paused FROM publications")
    assert row == {"live_generation": 2, "is_paused": False}
    assert await settle(here) == []


async def test_a_publisher_that_died_before_the_flip_has_failed(here: World) -> None:
    site = await left_by_a_publisher_that_died(here, "before")
    assert await settle(here) == [Settled("demo", (2,), None)]
    assert await states(here, site) == ["live", "failed"]
    assert (await here.publish(site)).release == 3
    assert await states(here, site) == ["superseded", "failed", "live"]


async def test_a_site_without_any_live_release_is_settled_too(here: World) -> None:
    site = await here.add_site()
    await die(here, "before", here.publish(site))
    assert await settle(here) == [Settled("demo", (1,), None)]
    assert await states(here, site) == ["failed"]


async def test_a_rollback_that_died_after_the_flip_is_live_and_pauses(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    for words in ("One", "Two"):
        await here.run(site, "UPDATE campaigns SET summary = $1", words)
        await here.publish(site)
    await die(here, "after", rollback(here.engine, site, report=Silent()))
    assert await settle(here) == [Settled("demo", (), 1)]
    assert await states(here, site) == ["live", "rolled_back"]
    [row] = await here.run(site, "SELECT is_paused FROM publications")
    assert row["is_paused"]


async def test_who_is_at_work_is_left_alone_and_nobody_waits(here: World) -> None:
    site = await left_by_a_publisher_that_died(here, "after")
    other = await left_by_a_publisher_that_died(here, "before", "other")
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent()):
        found = await asyncio.wait_for(settle(here), 100)
    assert [each.site for each in found] == ["other"]
    assert await states(here, site) == ["live", "uploading"]
    assert await states(here, other) == ["live", "failed"]


async def test_the_control_without_the_lease_a_publish_in_work_would_be_called_failed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.publishing.lease.TAKE", "SELECT $1::text IS NOT NULL")
    site = await left_by_a_publisher_that_died(here, "before")
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent()):
        await settle(here)
    assert await states(here, site) == ["live", "failed"]


async def test_a_damaged_pointer_keeps_no_other_site(here: World) -> None:
    damaged = await left_by_a_publisher_that_died(here, "before")
    here.store.put(pointer_key(str(damaged)), b"{", content_type="application/json")
    await left_by_a_publisher_that_died(here, "before", "other")
    found = {each.site: each.trouble for each in await settle(here)}
    assert found.pop("demo").startswith(pointer_key(str(damaged)))
    assert found == {"other": ""}
    assert await states(here, damaged) == ["live", "uploading"]


async def test_a_pointer_of_an_older_copy_of_the_store_is_not_followed(here: World) -> None:
    site = await here.add_site()
    await here.publish(site)
    older = here.store.get(pointer_key(str(site)))
    await here.run(site, "UPDATE sites SET name = 'Renamed'")
    await here.publish(site)
    here.store.put(pointer_key(str(site)), older, content_type="application/json")
    assert await settle(here) == []
    assert await states(here, site) == ["superseded", "live"]
