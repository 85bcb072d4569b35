"""Older releases come back whole, under their number, with a new generation; publishing goes on."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from app.errors import Conflict, NotFound, PublishError
from app.publishing.activation import activate, rollback
from app.publishing.manifest import blob_key
from app.publishing.pointer import Pointer, flip, pointer_key, read_pointer
from app.publishing.report import Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.test_incremental import from_nothing
from tests.publishing.world import World, visible, world

pytestmark = pytest.mark.anyio
ONE, TWO = "/campaigns/one/", "/campaigns/two/"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def three_releases(here: World) -> UUID:
    """Release n says "Text n" on the page of campaign one."""
    site = await here.add_site()
    for slug in ("one", "two"):
        await here.add_campaign(site, slug)
    for number in (1, 2, 3):
        await say(here, site, f"Text {number}.")
        assert (await here.publish(site)).release == number
    return site


async def say(here: World, site: UUID, words: str) -> None:
    await here.run(site, "UPDATE campaigns SET summary = $1 WHERE slug = 'one'", words)


async def states(here: World, site: UUID) -> dict[int, str]:
    rows = await here.run(site, "SELECT number, state FROM releases ORDER BY number")
    return {row["number"]: row["state"] for row in rows}


async def is_paused(here: World, site: UUID) -> bool:
    found: bool = (await here.run(site, "SELECT is_paused FROM publications"))[0]["is_paused"]
    return found


def pointer(here: World, site: UUID) -> Pointer:
    found = read_pointer(here.store, str(site))
    assert found is not None
    return found[0]


async def back(here: World, site: UUID, number: int | None = None) -> Any:
    if number is None:
        return await rollback(here.engine, site, report=Silent())
    return await activate(here.engine, site, number, report=Silent())


async def test_an_older_release_comes_back_under_its_number_with_a_new_generation(here: World) -> None:
    site = await three_releases(here)
    objects = len(list(here.store.list("")))
    done = await back(here, site, 1)
    assert (done.release, done.content, done.replaced, done.buried) == (1, 1, 3, ())
    assert (pointer(here, site).number, pointer(here, site).generation) == (1, 4)
    assert "Text 1." in here.page(site, ONE)
    assert await states(here, site) == {1: "live", 2: "superseded", 3: "rolled_back"}
    assert len(list(here.store.list(""))) == objects


async def test_going_back_twice_goes_further_back_and_forward_again_by_number(here: World) -> None:
    site = await three_releases(here)
    assert (await back(here, site)).release == 2
    assert (await back(here, site)).release == 1
    with pytest.raises(NotFound, match="no earlier release of demo"):
        await back(here, site)
    assert (await back(here, site, 3)).release == 3
    assert await states(here, site) == {1: "superseded", 2: "rolled_back", 3: "live"}
    assert (await back(here, site)).release == 1


async def test_a_rollback_pauses_until_somebody_publishes(here: World) -> None:
    site = await three_releases(here)
    assert not await is_paused(here, site)
    await back(here, site)
    assert await is_paused(here, site)
    await here.publish(site, dry_run=True)
    assert await is_paused(here, site)
    await here.publish(site)
    assert not await is_paused(here, site)


async def test_a_publish_that_finds_nothing_new_ends_the_pause_too(here: World) -> None:
    site = await three_releases(here)
    await here.run(site, "UPDATE publications SET is_paused = true")
    assert (await here.publish(site)).release == 3
    assert not await is_paused(here, site)


async def test_a_publish_after_a_rollback_equals_a_full_one(here: World) -> None:
    """Its base is what the pointer names: edits before and after the rollback are all looked at."""
    site = await three_releases(here)
    await here.run(site, "UPDATE campaigns SET summary = 'Since' WHERE slug = 'two'")
    await here.publish(site)
    await back(here, site, 2)
    await here.add_campaign(site, "three")
    outcome = await here.publish(site)
    assert outcome.release == 5
    assert "Text 3." in here.page(site, ONE)
    assert "Since" in here.page(site, TWO)
    incremental = here.entries(site)
    assert (await here.publish(site, full=True)).rendered == 0
    assert here.entries(site) == incremental
    assert list((await states(here, site)).values()) == [*["superseded"] * 3, "rolled_back", "live"]
    assert visible(incremental) == await from_nothing(here, site)


async def test_the_control_with_the_snapshot_of_the_newest_release_misses_what_was_rolled_back(
    here: World,
) -> None:
    site = await three_releases(here)
    await back(here, site, 1)
    await here.run(
        site,
        """UPDATE releases SET content_snapshot = (SELECT content_snapshot FROM releases WHERE number = 3)
            WHERE number = 1""",
    )
    assert (await here.publish(site)).rendered == 0
    assert "Text 1." in here.page(site, ONE)


async def test_a_tombstoned_path_does_not_come_back(here: World) -> None:
    """A new release shows the older content without the path; a second activation finds it live already."""
    site = await three_releases(here)
    await here.insert(site, "tombstones", path=TWO, reason="a court order")
    await here.publish(site)
    assert here.entries(site)[TWO].status == 410
    done = await back(here, site, 1)
    assert (done.release, done.content, done.buried) == (5, 1, (TWO,))
    entries = here.entries(site)
    assert entries[TWO].status == 410
    assert "Text 1." in here.page(site, ONE)
    assert await is_paused(here, site)
    assert (await states(here, site))[4] == "rolled_back"
    with pytest.raises(Conflict, match="release 1 of demo is what release 5 shows already"):
        await back(here, site, 1)
    await here.publish(site)
    assert "Text 3." in here.page(site, ONE)
    incremental = here.entries(site)
    assert (await here.publish(site, full=True)).rendered == 0
    assert here.entries(site) == incremental


async def test_the_control_flipping_to_the_older_root_revives_the_path(here: World) -> None:
    site = await three_releases(here)
    older = pointer(here, site)
    await here.insert(site, "tombstones", path=TWO, reason="a court order")
    await here.publish(site)
    root = (await here.run(site, "SELECT root_key FROM releases WHERE number = 1"))[0]["root_key"]
    revived = Pointer(
        site_id=str(site),
        slug="demo",
        number=1,
        generation=older.generation + 9,
        root=root,
        activated_at=here.now,
    )
    flip(here.store, revived)
    assert here.entries(site)[TWO].status == 200


async def test_what_is_live_or_never_was_is_refused(here: World) -> None:
    site = await three_releases(here)
    with pytest.raises(Conflict, match="release 3 of demo is live already"):
        await back(here, site, 3)
    with pytest.raises(NotFound, match="no release 9 of demo"):
        await back(here, site, 9)
    await here.run(site, "UPDATE releases SET live_at = NULL, state = 'failed' WHERE number = 2")
    with pytest.raises(NotFound, match=r"Release 2 of demo never was live \(failed\)"):
        await back(here, site, 2)
    other = await here.add_site("other")
    with pytest.raises(NotFound, match="Nothing of this site was ever live"):
        await back(here, other, 1)


async def test_a_release_with_a_hole_does_not_go_live(here: World) -> None:
    site = await three_releases(here)
    await back(here, site, 1)
    blob = here.entries(site)[ONE].blob
    assert blob is not None
    await back(here, site, 3)
    here.store.delete(blob_key(blob))
    with pytest.raises(PublishError, match="not whole any more"):
        await back(here, site, 1)
    assert pointer(here, site).number == 3
    rows = await here.run(site, "SELECT root_key FROM releases WHERE number = 2")
    here.store.delete(rows[0]["root_key"])
    with pytest.raises(NotFound, match="gc` has deleted it"):
        await back(here, site, 2)


@pytest.mark.parametrize("damaged", ["pointer", "root", "lost root"])
async def test_when_what_is_live_is_damaged_an_activation_repairs_it(here: World, damaged: str) -> None:
    site = await three_releases(here)
    key = pointer_key(str(site)) if damaged == "pointer" else pointer(here, site).root
    here.store.delete(key)
    if damaged != "lost root":
        here.store.put(key, b"{", content_type="application/json")
    done = await back(here, site, 2)
    assert (done.release, done.replaced) == (2, 0 if damaged == "pointer" else 3)
    assert "Text 2." in here.page(site, ONE)
    assert pointer(here, site).generation == 4
    assert await states(here, site) == {1: "superseded", 2: "live", 3: "rolled_back"}
    await here.publish(site)
    assert "Text 3." in here.page(site, ONE)


class Dying(MemoryStore):
    """Whoever writes the pointer dies right after it, when told to."""

    is_deadly = False

    def put(self, key: str, body: bytes, **options: Any) -> str:
        etag = super().put(key, body, **options)
        if self.is_deadly and key.startswith("live/"):
            self.is_deadly = False
            raise KeyboardInterrupt
        return etag


@pytest.mark.parametrize("has_tombstone", [False, True])
async def test_a_crash_between_flip_and_commit_is_settled_by_the_next_publisher(
    database: Database, has_tombstone: bool
) -> None:
    """The pointer is the truth, the pause included."""
    store = Dying()
    async with world(database, store) as here:
        site = await three_releases(here)
        if has_tombstone:
            await here.insert(site, "tombstones", path=TWO, reason="a court order")
        store.is_deadly = True
        with pytest.raises(KeyboardInterrupt):
            await back(here, site, 1)
        assert (await states(here, site))[3] == "live"
        assert not await is_paused(here, site)
        await here.publish(site, dry_run=True)
        number = 4 if has_tombstone else 1
        assert pointer(here, site).number == number
        settled = await states(here, site)
        assert (settled[3], settled[number]) == ("rolled_back", "live")
        assert await is_paused(here, site)
        assert (await back(here, site)).release in {2, 5}


async def test_an_activation_that_comes_too_late_leaves_the_newer_one(database: Database) -> None:
    class Raced(MemoryStore):
        meanwhile: Any = None

        def put(self, key: str, body: bytes, **options: Any) -> str:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            return super().put(key, body, **options)

    store = Raced()
    async with world(database, store) as here:
        site = await three_releases(here)
        newer = Pointer(
            site_id=str(site),
            slug="demo",
            number=3,
            generation=99,
            root=pointer(here, site).root,
            activated_at=here.now,
        )
        store.meanwhile = partial(flip, store, newer)
        with pytest.raises(Conflict, match="comes too late"):
            await back(here, site, 1)
        assert pointer(here, site) == newer
        assert (await states(here, site))[3] == "live"
