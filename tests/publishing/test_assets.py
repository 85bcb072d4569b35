"""Assets of the past answer for pages that are still open, after a rollback too, and then they go."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from app.publishing import build, manifest
from app.publishing.activation import activate, rollback
from app.publishing.garbage import collect
from app.publishing.gateway.asgi import Gateway
from app.publishing.manifest import Manifest, blob_key, shard_of
from app.publishing.pointer import read_pointer
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.gateway.world import ask
from tests.publishing.test_incremental import from_nothing
from tests.publishing.world import World, visible, world

pytestmark = pytest.mark.anyio
ONE = "/campaigns/one/"
LATER = timedelta(days=40)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    """The store and the publisher go by one clock."""
    times: list[World] = []
    async with world(database, MemoryStore(lambda: times[0].now)) as made:
        times.append(made)
        yield made


def styles(here: World, site: UUID) -> dict[str, str | None]:
    """Each stylesheet of the live release, and when it retired."""
    return {path: entry.gone_on for path, entry in here.entries(site).items() if path.endswith(".css")}


async def dress(here: World, site: UUID, colour: str) -> str:
    """Publishes the site in another colour; gives its stylesheet."""
    await here.run(site, "UPDATE sites SET theme = jsonb_build_object('primary', $1::text)", colour)
    await here.publish(site)
    [found] = [path for path, gone_on in styles(here, site).items() if gone_on is None]
    return found


async def two_looks(here: World) -> tuple[UUID, str, str]:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    return site, await dress(here, site, "#1b5e20"), await dress(here, site, "#7a1f5c")


async def gateway(here: World) -> Gateway:
    found = Gateway(here.engine.store)
    await found.refresh()
    return found


async def test_after_a_rollback_pages_that_are_still_open_find_their_assets(here: World) -> None:
    site, old, new = await two_looks(here)
    visitors = await gateway(here)
    tab = await ask(visitors, ONE)
    assert new in tab.body.decode()
    done = await rollback(here.engine, site, report=Silent())
    assert (done.release, done.content, done.buried, done.assets > 0) == (3, 1, (), True)
    await visitors.refresh()
    assert old in (await ask(visitors, ONE)).body.decode()
    reply = await ask(visitors, new)
    assert (reply.status, reply.headers["hustings-release"]) == (200, "3")
    assert "immutable" in reply.headers["cache-control"]
    assert (await ask(visitors, old)).status == 200
    [row] = await here.run(site, "SELECT content_number, state FROM releases WHERE number = 3")
    assert row == {"content_number": 1, "state": "live"}


async def test_the_control_a_flip_to_the_old_root_alone_gives_404(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.publishing.comparison.kept_asset", lambda *_: None)
    site, _, new = await two_looks(here)
    assert (await rollback(here.engine, site, report=Silent())).release == 1
    assert (await ask(await gateway(here), new)).status == 404


async def test_going_forward_again_is_a_flip(here: World) -> None:
    """What was published on top of the old look has its assets still."""
    site, old, _ = await two_looks(here)
    await rollback(here.engine, site, report=Silent())
    done = await activate(here.engine, site, 2, report=Silent())
    assert (done.release, done.assets) == (2, 0)
    assert styles(here, site)[old] is not None


async def test_publishing_goes_on_from_there(here: World) -> None:
    site, old, new = await two_looks(here)
    await rollback(here.engine, site, report=Silent())
    await here.add_campaign(site, "two")
    await here.publish(site)
    assert (styles(here, site)[new], styles(here, site)[old] is None) == (None, False)
    incremental = here.entries(site)
    assert (await here.publish(site, full=True)).rendered == 0
    assert here.entries(site) == incremental
    living = {path: entry for path, entry in incremental.items() if entry.gone_on is None}
    assert visible(living) == await from_nothing(here, site)


async def test_what_was_taken_down_does_not_come_back_as_an_asset(here: World) -> None:
    site, _, new = await two_looks(here)
    await here.insert(site, "tombstones", path=new, reason="a court order")
    await rollback(here.engine, site, report=Silent())
    assert (await ask(await gateway(here), new)).status in (404, 410)


async def test_going_back_twice_keeps_the_assets_of_both(here: World) -> None:
    site, _, second = await two_looks(here)
    third = await dress(here, site, "#0b3d91")
    await rollback(here.engine, site, report=Silent())
    done = await rollback(here.engine, site, report=Silent())
    assert done.content == 1
    assert {second, third} < set(styles(here, site))


async def test_a_damaged_part_of_what_is_live_does_not_keep_a_release_from_coming_back(here: World) -> None:
    site, old, _ = await two_looks(here)
    live, past = here.manifest(site), await manifest_of(here, site, 1)
    parts = set(live.shards.values()) - set(past.shards.values())
    here.store.delete(manifest.shard_key(live.shards[shard_of(ONE)]))
    assert live.shards[shard_of(ONE)] in parts
    assert (await rollback(here.engine, site, report=Silent())).release == 1
    assert old in here.page(site, ONE)


async def manifest_of(here: World, site: UUID, number: int) -> Manifest:
    [row] = await here.run(site, "SELECT root_key FROM releases WHERE number = $1", number)
    return Manifest.load(here.store.get, row["root_key"])


@pytest.mark.parametrize("full", [False, True])
async def test_a_retired_asset_leaves_after_the_grace(here: World, full: bool) -> None:
    site, old, new = await two_looks(here)
    await here.run(site, "DELETE FROM campaigns")
    await here.publish(site)
    assert here.entries(site)[ONE].status == 410
    blob = here.entries(site)[old].blob
    here.now += manifest.GRACE - timedelta(days=1)
    assert (await here.publish(site, full=full)).release == 3
    assert old in styles(here, site)
    here.now += timedelta(days=2)
    assert (await here.publish(site, full=full)).release == 4
    assert styles(here, site) == {new: None}
    assert here.entries(site)[ONE].status == 410
    here.now += LATER
    await collect(here.engine, report=Silent(), last=1)
    assert blob is not None
    assert blob_key(blob) not in {stored.key for stored in here.store.list("blobs/")}


async def test_incremental_equals_full_while_assets_come_and_go(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    for day, colour in enumerate(["#1b5e20", "#7a1f5c", "#0b3d91", "#1b5e20", "#7a1f5c"]):
        await dress(here, site, colour)
        here.now += timedelta(days=9 + day)
        await here.run(site, "UPDATE campaigns SET summary = summary || '.'")
        await here.publish(site)
        incremental = here.manifest(site)
        full = await here.publish(site, full=True)
        assert (full.rendered, full.removed) == (0, 0)
        assert here.manifest(site).shards == incremental.shards
        assert here.manifest(site).retired == incremental.retired == recounted(here, site)


def recounted(here: World, site: UUID) -> dict[str, str]:
    """What the root says of retired assets, counted from its entries."""
    found: dict[str, str] = {}
    for path, entry in here.entries(site).items():
        if entry.status == 200 and entry.gone_on is not None:
            shard = shard_of(path)
            found[shard] = min(found.get(shard, entry.gone_on), entry.gone_on)
    return dict(sorted(found.items()))


async def test_the_control_a_full_publish_that_forgets_the_grace_differs(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, old, _ = await two_looks(here)
    here.now += LATER
    monkeypatch.setattr(build, "is_expired", lambda *_: False)
    await here.publish(site, full=True)
    assert old in styles(here, site)
    monkeypatch.undo()
    await here.publish(site)
    assert old not in styles(here, site)


async def test_only_parts_with_an_expired_asset_are_read(here: World) -> None:
    site, old, _ = await two_looks(here)
    here.now += LATER
    read: list[str] = []

    def get(key: str) -> bytes:
        read.append(key)
        return here.store.get(key)

    found = read_pointer(here.store, str(site))
    assert found is not None
    live = Manifest.load(get, found[0].root)
    expired = live.expired(here.now.date())
    assert old in expired
    assert len(read) == 1 + len({shard_of(path) for path in expired})
