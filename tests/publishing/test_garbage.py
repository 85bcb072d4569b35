"""What no kept release names is deleted, and nothing else, even while others publish."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import pytest

from app.errors import Contended
from app.publishing.activation import activate
from app.publishing.garbage import Collected, Rules, collect, find_garbage
from app.publishing.kept import names_in
from app.publishing.lease import lease
from app.publishing.manifest import CorruptObject, blob_key, shard_key
from app.publishing.pointer import Pointer, flip, read_pointer
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from app.storage.store import ObjectNotFound, StoreUnavailable
from tests.conftest import Database
from tests.publishing.world import World, world

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


async def site_with(here: World, count: int, slug: str = "demo") -> UUID:
    """Release n says "Text n" on the page of campaign one."""
    site = await here.add_site(slug)
    await here.add_campaign(site, "one")
    await say(here, site, "Text 1.")
    await here.publish(site)
    for number in range(2, count + 1):
        await say(here, site, f"Text {number}.")
        await here.publish(site)
    return site


async def say(here: World, site: UUID, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $1 WHERE slug = 'one'", words)


async def gc(here: World, **options: Any) -> Collected:
    return await collect(here.engine, report=Silent(), **options)


def keys(here: World, prefix: str = "") -> set[str]:
    return {stored.key for stored in here.store.list(prefix)}


def is_whole(here: World, site: UUID) -> bool:
    """Every object that the live release names is there."""
    needed = {
        blob_key(entry.blob, coding)
        for entry in here.entries(site).values()
        if entry.blob
        for coding in (None, *entry.encodings)
        if coding != "br"  # it comes later
    }
    return needed <= keys(here)


async def test_the_last_twenty_stay_and_older_ones_go(here: World) -> None:
    site = await site_with(here, 23)
    here.store.put("media/" + "a" * 64, b"picture", content_type="image/webp")
    here.store.put("blobs/" + "b" * 64, b"left over", content_type="text/html")
    young = await gc(here)
    assert (young.roots, young.shards, young.blobs) == (0, 0, 0)
    here.now += LATER
    before = keys(here)
    told = await gc(here, dry_run=True)
    assert keys(here) == before
    done = await gc(here)
    assert done == told
    assert (done.roots, len(keys(here, "releases/"))) == (3, 20)
    assert len(before - keys(here)) == done.roots + done.shards + done.blobs
    assert "media/" + "a" * 64 in keys(here)
    assert "blobs/" + "b" * 64 not in keys(here)
    names = names_in(here.store, sorted(keys(here, "releases/")), {})
    assert {key.split("/")[1].split(".")[0] for key in keys(here, "blobs/")} == names.blobs
    assert {key.split("/")[1].split(".")[0] for key in keys(here, "manifests/")} == names.shards
    assert is_whole(here, site)
    again = await gc(here)
    assert (again.roots, again.shards, again.blobs, again.changes) == (0, 0, 0, 0)
    await activate(here.engine, site, 4, report=Silent())
    assert "Text 4." in here.page(site, ONE)


async def test_what_is_live_stays_however_old(here: World) -> None:
    """Going back to an old release, and what other sites show, is kept."""
    site = await site_with(here, 4)
    other = await site_with(here, 1, "other")
    await activate(here.engine, site, 1, report=Silent())
    here.now += LATER
    assert (await gc(here, last=1)).roots == 2
    assert is_whole(here, site)
    assert is_whole(here, other)
    assert "Text 1." in here.page(site, ONE)


async def test_a_site_that_the_database_forgot_keeps_its_last_releases(here: World) -> None:
    site = await site_with(here, 3)
    await here.run(site, "DELETE FROM publications")
    await here.run(site, "UPDATE releases SET base_id = NULL")
    await here.run(site, "DELETE FROM releases")
    here.now += LATER
    done = await gc(here, last=2)
    assert (done.roots, done.changes) == (1, 0)
    assert is_whole(here, site)


async def test_a_damaged_release_that_is_kept_stops_it_before_anything_is_deleted(here: World) -> None:
    """What it needs is not known, and might be taken for garbage."""
    site = await site_with(here, 3)
    here.now += LATER
    here.store.delete(shard_key(next(iter(here.manifest(site).shards.values()))))
    before = keys(here)
    with pytest.raises(ObjectNotFound, match="manifests/"):
        await gc(here, last=1)
    assert keys(here) == before


class Pausing(Silent):
    """Does something at a step of a publish."""

    def __init__(self, at: str, then: Callable[[], object]) -> None:
        self._at = at
        self._then = then

    def step(self, name: str, total: int | None = None) -> None:
        super().step(name, total)
        if name == self._at:
            self._then()


async def needing_old_blobs(here: World) -> UUID:
    """The next publish needs a blob that only a release had that is not kept any more."""
    site = await site_with(here, 1)
    await say(here, site, "Text 2.")
    await here.publish(site)
    here.now += LATER
    await say(here, site, "Text 1.")
    return site


@pytest.mark.parametrize("step", ["Rendering", "Uploading", "Going live"])
async def test_a_publish_between_upload_and_flip_keeps_what_it_found_in_the_store(
    here: World, step: str
) -> None:
    """Deleting waits until it is done, and then looks again."""
    site = await needing_old_blobs(here)
    done: list[Collected] = []

    async def run_gc() -> None:
        done.append(await gc(here, last=1))

    async with anyio.create_task_group() as tasks:
        report = Pausing(step, lambda: tasks.start_soon(run_gc))
        await publish(here.engine, site, report=report)
    assert done[0].roots >= 1
    assert "Text 1." in here.page(site, ONE)
    assert is_whole(here, site)


async def test_the_control_deleting_without_looking_again_breaks_that_publish(here: World) -> None:
    site = await needing_old_blobs(here)
    rules = Rules(young_since=here.now, last=1, tombstones={})

    def delete_now() -> None:
        garbage = find_garbage(here.store, rules, set())
        for key in (*garbage.roots, *garbage.shards, *garbage.blobs):
            here.store.delete(key)

    await publish(here.engine, site, report=Pausing("Uploading", delete_now))
    assert not is_whole(here, site)


async def test_it_does_not_wait_for_ever(here: World) -> None:
    site = await site_with(here, 3)
    here.now += LATER
    before = keys(here)
    async with here.pool.acquire() as leasing, lease(leasing, site, Silent()):
        with pytest.raises(Contended, match="always a publish running"):
            await gc(here, last=1, patience=0.01)
    assert keys(here) == before


async def changes(here: World, site: UUID) -> int:
    return len(await here.run(site, "SELECT FROM content_changes"))


async def restored_to_the_first(here: World) -> UUID:
    """As when the store comes back from a copy of last month: release 1 is live, its changes are pruned."""
    site = await site_with(here, 4)
    found = read_pointer(here.store, str(site))
    assert found is not None
    copy = {key: here.store.get(key) for key in keys(here)}
    root = next(key for key in copy if key.startswith(f"releases/{site}/00000001-"))
    here.now += LATER
    assert (await gc(here, last=1)).changes > 0
    for key, body in copy.items():
        if not key.startswith("live/"):
            here.store.put(key, body, content_type="application/octet-stream")
    older = Pointer(site_id=str(site), slug="demo", number=1, generation=99, root=root, activated_at=here.now)
    flip(here.store, older)
    assert "Text 1." in here.page(site, ONE)
    return site


async def test_changes_that_every_kept_release_has_seen_are_pruned(here: World) -> None:
    site = await site_with(here, 3)
    await say(here, site, "Pending.")
    before = await changes(here, site)
    here.now += LATER
    told = await gc(here, last=1, dry_run=True)
    assert await changes(here, site) == before
    done = await gc(here, last=1)
    assert done.changes == told.changes > 0
    assert await changes(here, site) == before - done.changes > 0
    outcome = await here.publish(site)
    assert outcome.rendered < outcome.pages
    assert "Pending." in here.page(site, ONE)


async def test_a_base_older_than_what_was_pruned_is_planned_in_full(here: World) -> None:
    site = await restored_to_the_first(here)
    await here.publish(site)
    assert "Text 4." in here.page(site, ONE)


async def test_the_control_without_the_horizon_the_pruned_changes_are_missed(here: World) -> None:
    site = await restored_to_the_first(here)
    await here.run(site, "UPDATE publications SET pruned_below = NULL")
    await here.publish(site)
    assert "Text 1." in here.page(site, ONE)


async def test_a_transaction_that_is_open_while_all_is_frozen_is_never_pruned(
    here: World, database: Database
) -> None:
    site = await site_with(here, 2)
    late = await asyncpg.connect(database.url("app"))
    transaction = late.transaction()
    await transaction.start()
    await late.execute("SELECT set_config('app.site_id', $1, true)", str(site))
    await late.execute("UPDATE sites SET name = 'Late' WHERE slug = 'demo'")
    await say(here, site, "Text 3.")
    await here.publish(site)
    here.now += LATER
    await transaction.commit()
    await late.close()
    await gc(here, last=1)
    await here.publish(site)
    assert "Late" in here.page(site, "/404.html")


class Dying(MemoryStore):
    """Refuses to delete once it has deleted so many."""

    deletes_left = 1_000_000

    def delete(self, key: str) -> None:
        if not key.startswith("probes/"):  # those are of the clock, and no garbage
            if self.deletes_left <= 0:
                raise StoreUnavailable("The object store did not answer.")
            self.deletes_left -= 1
        super().delete(key)


async def test_interrupted_at_each_object_and_run_again_it_ends_the_same(database: Database) -> None:
    times: list[World] = []
    store = Dying(lambda: times[0].now)
    async with world(database, store) as here:
        times.append(here)
        site = await site_with(here, 3)
        here.now += LATER
        copy = {stored.key: here.store.get(stored.key) for stored in here.store.list("")}
        done = await gc(here, last=1)
        count, left = done.roots + done.shards + done.blobs, keys(here)
        assert count > 5
        older = here.now
        for number in range(count):
            here.now -= LATER
            for key in copy.keys() - left:
                store.put(key, copy[key], content_type="text/html")
            here.now = older
            store.deletes_left = number
            with pytest.raises(StoreUnavailable):
                await gc(here, last=1)
            assert is_whole(here, site)
            store.deletes_left = count
            await gc(here, last=1)
            assert keys(here) == left
        assert "Text 3." in here.page(site, ONE)


async def test_what_is_no_release_is_neither_read_nor_deleted(here: World) -> None:
    site = await site_with(here, 3)
    strangers = {f"releases/{site}/notes.txt", "releases/loose.json.gz", "live/notes.txt"}
    for key in strangers:
        here.store.put(key, b"mine", content_type="text/plain")
    here.now += LATER
    assert (await gc(here, last=1)).roots == 2
    assert strangers <= keys(here)


async def test_a_damaged_release_is_told_with_what_follows_from_it(here: World) -> None:
    site = await site_with(here, 2)
    [root, _] = sorted(key for key in keys(here, "releases/") if str(site) in key)
    here.store.put(root, b"cut off", content_type="application/gzip")
    with pytest.raises(CorruptObject, match=f"Nothing was deleted, because .*: {root} is not gzip"):
        await gc(here)


async def test_the_page_for_unknown_paths_stays_even_with_a_tombstone(here: World) -> None:
    """No command makes such a row; one that is there must not cost a page that every release shows."""
    site = await site_with(here, 2)
    await here.insert(site, "tombstones", path="/404.html", reason="odd")
    here.now += LATER
    await gc(here, last=1)
    assert is_whole(here, site)
    await here.publish(site)
    assert is_whole(here, site)
