"""A publisher whose lease was lost stops before the flip; while it works, its lease shows signs of life."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.errors import PublishError
from app.publishing import golive
from app.publishing.activation import activate
from app.publishing.garbage import collect
from app.publishing.lease import Lease, LeaseLost, lease
from app.publishing.manifest import blob_key
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
ONE = "/campaigns/one/"
LATER = timedelta(days=40)
HOLDERS = """
SELECT pid FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    """The store and the publisher go by one clock."""
    times: list[World] = []
    async with world(database, MemoryStore(lambda: times[0].now)) as made:
        times.append(made)
        yield made


class At(Silent):
    """Does something at a step of a publish."""

    def __init__(self, step: str, act: Callable[[], object]) -> None:
        self._step, self._act = step, act

    def step(self, name: str, total: int | None = None) -> None:
        super().step(name, total)
        if name == self._step:
            self._act()


def end_lease(database: Database) -> None:
    """As a failover, a firewall or idle_in_transaction_session_timeout does it."""
    ask(database, f"SELECT pg_terminate_backend(pid) FROM ({HOLDERS}) AS holders")


def ask(database: Database, query: str) -> str:
    command = ["psql", "-qAt", database.url("superuser"), "-c", query]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def say(here: World, site: UUID, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $1 WHERE slug = 'one'", words)


async def needing_an_old_blob(here: World) -> UUID:
    """The next publish finds a blob in the store that no kept release names any more."""
    site = await here.add_site()
    await here.add_campaign(site, "one")
    for words in ("Text 1.", "Text 2."):
        await say(here, site, words)
        await here.publish(site)
    here.now += LATER
    await say(here, site, "Text 1.")
    return site


@pytest.fixture
def lose_the_lease_and_collect(
    here: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """In the middle of the next publish, when it has found the old blob and has not written its root."""
    upload = golive._upload

    async def act(*arguments: Any) -> str:
        monkeypatch.setattr(golive, "_upload", upload)
        end_lease(database)
        await collect(here.engine, report=Silent(), last=1)
        return await upload(*arguments)

    return lambda: monkeypatch.setattr(golive, "_upload", act)


def is_whole(here: World, site: UUID) -> bool:
    keys = {stored.key for stored in here.store.list("blobs/")}
    return all(blob_key(entry.blob) in keys for entry in here.entries(site).values() if entry.blob)


@pytest.mark.parametrize("step", ["Checking what changed", "Rendering", "Uploading", "Going live"])
async def test_without_its_lease_a_publish_stops_before_the_flip(
    here: World, database: Database, step: str
) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    before = here.entries(site)
    await say(here, site, "Edited.")
    with pytest.raises(LeaseLost, match="Nothing went live; publish again"):
        await publish(here.engine, site, report=At(step, lambda: end_lease(database)))
    assert here.entries(site) == before
    rows = await here.run(site, "SELECT state, error FROM releases WHERE number = 2")
    assert [row["state"] for row in rows] == ["failed"]
    assert rows[0]["error"].startswith("The connection to the database that kept other publishers away")
    await here.publish(site)
    assert "Edited." in here.page(site, ONE)


async def test_what_gc_deleted_after_the_loss_never_goes_live(
    here: World, lose_the_lease_and_collect: Callable[[], None]
) -> None:
    site = await needing_an_old_blob(here)
    lose_the_lease_and_collect()
    with pytest.raises(LeaseLost):
        await here.publish(site)
    assert is_whole(here, site)
    await here.publish(site)
    assert is_whole(here, site)
    assert "Text 1." in here.page(site, ONE)


async def test_the_control_without_the_check_a_release_with_a_hole_goes_live(
    here: World, lose_the_lease_and_collect: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trust(_: Lease) -> None:
        pass

    monkeypatch.setattr(Lease, "check", trust)
    site = await needing_an_old_blob(here)
    lose_the_lease_and_collect()
    await here.publish(site)
    assert not is_whole(here, site)


async def test_going_back_needs_the_lease_too(here: World, database: Database) -> None:
    site = await needing_an_old_blob(here)
    with pytest.raises(LeaseLost):
        await activate(here.engine, site, 1, report=At("Going live", lambda: end_lease(database)))
    assert "Text 2." in here.page(site, ONE)
    assert (await activate(here.engine, site, 1, report=Silent())).release == 1


async def test_a_failure_is_told_even_if_the_lease_is_lost_with_it(here: World, database: Database) -> None:
    site = await here.add_site()

    def fail() -> None:
        end_lease(database)
        raise PublishError("The page /x/ cannot be rendered.")

    with pytest.raises(PublishError, match="The page /x/"):
        await publish(here.engine, site, report=At("Rendering", fail))


async def test_a_lease_that_is_held_shows_signs_of_life(here: World, database: Database) -> None:
    site = await here.add_site()
    seen: set[str] = set()
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent(), renewal=0.01) as held:
        await until(lambda: len(_look(database, seen)) > 2)
        await held.check()


async def test_the_control_without_renewal_it_is_silent(here: World, database: Database) -> None:
    site = await here.add_site()
    seen: set[str] = set()
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent(), renewal=3600) as held:
        await held.check()
        for _ in range(5):
            _look(database, seen)
        assert len(seen) == 1


async def test_the_loss_is_noticed_by_the_renewal(here: World, database: Database) -> None:
    site = await here.add_site()
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent(), renewal=0.01) as held:
        keeping = asyncio.create_task(held.keep(0.01))
        end_lease(database)
        await asyncio.wait_for(keeping, 100)
        with pytest.raises(LeaseLost):
            await held.check()


def _look(database: Database, seen: set[str]) -> set[str]:
    """When the connection that holds the lease was last heard of."""
    seen.add(ask(database, f"SELECT state_change FROM pg_stat_activity WHERE pid IN ({HOLDERS})"))
    return seen


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
