"""What is taken down stays away, whatever is published or activated later, and its bytes are deleted."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.publishing.activation import activate, rollback
from app.publishing.report import Silent
from app.publishing.takedown import TakenDown, lift, takedown
from app.storage.memory import MemoryStore
from app.storage.store import StoreUnavailable
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
ONE, TWO = "/campaigns/one/", "/campaigns/two/"
SECRET = "A private address."


class Stubborn(MemoryStore):
    """Refuses to delete when told to."""

    is_locked = False

    def delete(self, key: str) -> None:
        if self.is_locked:
            raise StoreUnavailable("The object store refuses to delete.")
        super().delete(key)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database, Stubborn()) as made:
        yield made


async def site_with_a_secret(here: World) -> UUID:
    """The secret stands on campaign one in release 1, and in other words in release 2."""
    site = await here.add_site()
    await here.add_campaign(site, "one", description_html=f"<p>{SECRET}</p>")
    await here.add_campaign(site, "two")
    await here.publish(site)
    await here.run(
        site,
        "UPDATE campaigns SET description_html = $1 WHERE slug = 'one'",
        f"<p>{SECRET} Again.</p>",
    )
    await here.publish(site)
    return site


async def down(here: World, site: UUID, path: str = ONE, reason: str = "a court order") -> TakenDown:
    return await takedown(here.engine, site, path, reason, report=Silent())


def told(here: World) -> list[str]:
    """Blobs in the store, of any release, that tell the secret; the packed ones by their name."""
    keys = [stored.key for stored in here.store.list("blobs/")]
    plain = [key for key in keys if SECRET.encode() in here.store.get(key)]
    return [key for key in keys if any(key.startswith(start) for start in plain)]


async def test_the_page_is_gone_and_every_version_of_it_deleted(here: World) -> None:
    site = await site_with_a_secret(here)
    assert len(told(here)) == 4
    packed = set(told(here))
    before = here.entries(site)
    done = await down(here, site)
    assert (done.release, done.deleted, done.shared) == (3, 2, 0)
    after = here.entries(site)
    assert (after[ONE].status, after[ONE].gone_on) == (410, "2026-11-21")
    assert {path for path in after if after[path] != before[path]} == {ONE}
    assert packed.isdisjoint(stored.key for stored in here.store.list("blobs/"))


async def test_no_publish_and_no_activation_brings_it_back(here: World) -> None:
    site = await site_with_a_secret(here)
    await down(here, site)

    def is_away() -> bool:
        return here.entries(site)[ONE].status == 410 and not told(here)

    await here.publish(site)
    assert is_away()
    await here.run(site, "UPDATE campaigns SET summary = 'New' WHERE slug = 'one'")
    await here.publish(site)
    assert is_away()
    await here.publish(site, full=True)
    assert is_away()
    await activate(here.engine, site, 1, report=Silent())
    assert is_away()
    await here.publish(site)
    await rollback(here.engine, site, report=Silent())
    assert is_away()


async def test_the_control_without_its_tombstone_the_page_comes_back(here: World) -> None:
    site = await site_with_a_secret(here)
    await down(here, site)
    await here.run(site, "DELETE FROM tombstones")
    await here.publish(site, full=True)
    assert here.entries(site)[ONE].status == 200
    assert told(here)


async def test_going_back_from_a_takedown_goes_to_other_content(here: World) -> None:
    """The release that was live before it shows the same, without what was taken down."""
    site = await site_with_a_secret(here)
    await down(here, site)
    done = await rollback(here.engine, site, report=Silent())
    assert (done.content, done.buried, done.release) == (1, (ONE,), 4)


async def test_a_takedown_neither_begins_nor_ends_a_pause(here: World) -> None:
    site = await site_with_a_secret(here)
    await down(here, site)
    query = "SELECT is_paused FROM publications"
    assert await here.run(site, query) == [{"is_paused": False}]
    await rollback(here.engine, site, report=Silent())
    await down(here, site, TWO)
    assert await here.run(site, query) == [{"is_paused": True}]


async def test_a_publish_after_it_looks_at_all_that_changed_before(here: World) -> None:
    """The release of a takedown is as new as the one it replaces: nothing unpublished counts as seen."""
    site = await site_with_a_secret(here)
    await here.run(site, "UPDATE campaigns SET summary = 'Pending' WHERE slug = 'two'")
    await down(here, site)
    assert "Pending" not in here.page(site, TWO)
    await here.publish(site)
    assert "Pending" in here.page(site, TWO)
    incremental = here.entries(site)
    assert (await here.publish(site, full=True)).rendered == 0
    assert here.entries(site) == incremental


async def test_bytes_that_another_path_shows_stay_until_it_is_taken_down_too(here: World) -> None:
    """Two sites publish the same file; the store has it once."""
    site = await site_with_a_secret(here)
    other = await here.add_site("other")
    await here.publish(other)
    shared = [path for path, entry in here.entries(other).items() if here.entries(site).get(path) == entry]
    assert shared
    path = shared[0]
    blob = here.entries(other)[path].blob
    done = await down(here, site, path)
    assert (done.deleted, done.shared) == (0, 1)
    assert here.store.get(f"blobs/{blob}")
    assert (await down(here, other, path)).deleted == 1
    assert f"blobs/{blob}" not in [stored.key for stored in here.store.list("blobs/")]


async def test_what_cannot_be_taken_down_is_a_sentence(here: World) -> None:
    site = await site_with_a_secret(here)
    with pytest.raises(NotFound, match=r"shows /campaigns/onee/; .* Did you mean /campaigns/one/"):
        await down(here, site, "/campaigns/onee/")
    with pytest.raises(NotFound, match=r"nothing was taken down\.$"):
        await down(here, site, "x")
    with pytest.raises(Unprocessable, match="every unknown path"):
        await down(here, site, "/404.html")
    with pytest.raises(Unprocessable, match="Give the reason"):
        await down(here, site, ONE, " ")
    await down(here, site)
    with pytest.raises(Conflict, match=r"/campaigns/one/ was taken down already, on .*: a court order"):
        await down(here, site)
    assert here.manifest(site).get(ONE)
    assert len(await here.run(site, "SELECT FROM releases")) == 3


async def test_a_page_that_is_gone_already_loses_its_old_versions(here: World) -> None:
    site = await site_with_a_secret(here)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'one'")
    await here.publish(site)
    assert told(here)
    done = await down(here, site)
    assert (done.release, done.deleted) == (3, 2)
    assert not told(here)


async def test_a_second_try_finishes_what_the_store_refused(here: World) -> None:
    site = await site_with_a_secret(here)
    assert isinstance(here.store, Stubborn)
    here.store.is_locked = True
    with pytest.raises(StoreUnavailable):
        await down(here, site)
    assert here.entries(site)[ONE].status == 410
    here.store.is_locked = False
    done = await down(here, site)
    assert (done.release, done.deleted) == (3, 2)
    assert not told(here)


async def test_a_database_that_forgot_its_releases_can_take_down(here: World) -> None:
    site = await site_with_a_secret(here)
    await here.run(site, "DELETE FROM publications")
    await here.run(site, "UPDATE releases SET base_id = NULL")
    await here.run(site, "DELETE FROM releases")
    assert (await down(here, site)).release == 3
    assert here.entries(site)[ONE].status == 410
    assert (await here.publish(site)).release == 3


async def test_a_failure_before_the_flip_leaves_the_tombstone(database: Database) -> None:
    class Full(Stubborn):
        is_full = False

        def put(self, key: str, body: bytes, **options: Any) -> str:
            if self.is_full:
                raise StoreUnavailable("The object store is full.")
            return super().put(key, body, **options)

    store = Full()
    async with world(database, store) as here:
        site = await site_with_a_secret(here)
        store.is_full = True
        with pytest.raises(AppError, match="full"):
            await down(here, site)
        assert here.entries(site)[ONE].status == 200
        store.is_full = False
        await here.publish(site)
        assert here.entries(site)[ONE].status == 410


async def test_what_is_lifted_is_shown_by_the_next_publish(here: World) -> None:
    site = await site_with_a_secret(here)
    before = here.entries(site)[ONE]
    await down(here, site)
    done = await lift(here.engine, site, ONE)
    assert (done.path, done.reason) == (ONE, "a court order")
    outcome = await here.publish(site)
    assert (outcome.release, outcome.rendered) == (4, 1)
    assert here.entries(site)[ONE] == before
    assert SECRET in here.page(site, ONE)
    assert (await here.publish(site, full=True)).rendered == 0


async def test_the_control_without_the_log_of_changes_only_a_full_publish_sees_it(here: World) -> None:
    site = await site_with_a_secret(here)
    await down(here, site)
    await lift(here.engine, site, ONE)
    await here.run(site, "DELETE FROM content_changes WHERE table_name = 'tombstones'")
    assert (await here.publish(site)).rendered == 0
    assert (await here.publish(site, full=True)).rendered == 1


@pytest.mark.parametrize("path", ["/old/", "/media/x.webp"])
async def test_what_is_not_there_any_more_stays_gone(here: World, path: str) -> None:
    """Whatever lay there, an incremental publish after a lift ends where a full one does."""
    site = await here.add_site()
    await here.insert(site, "redirects", from_path=path, to_path="/campaigns/")
    await here.publish(site)
    await down(here, site, path)
    await here.run(site, "DELETE FROM redirects")
    await lift(here.engine, site, path)
    await here.publish(site)
    assert here.entries(site)[path].status == 410
    incremental = here.entries(site)
    await here.publish(site, full=True)
    assert here.entries(site) == incremental


async def test_a_redirect_that_is_lifted_leads_on(here: World) -> None:
    site = await here.add_site()
    await here.insert(site, "redirects", from_path="/old/", to_path="/campaigns/")
    await here.publish(site)
    await down(here, site, "/old/")
    await lift(here.engine, site, "/old/")
    await here.publish(site)
    assert here.entries(site)["/old/"].location == "/campaigns/"


async def test_after_a_lift_older_releases_come_back_without_the_bytes_that_are_deleted(here: World) -> None:
    site = await site_with_a_secret(here)
    await down(here, site)
    await lift(here.engine, site, ONE)
    done = await activate(here.engine, site, 1, report=Silent())
    assert (done.content, done.buried) == (1, (ONE,))
    assert here.entries(site)[ONE].status == 410
    await here.publish(site)
    assert f"{SECRET} Again." in here.page(site, ONE)


async def test_who_took_a_path_down_and_who_let_it_come_back_is_kept(here: World) -> None:
    site = await site_with_a_secret(here)
    here.engine = msgspec.structs.replace(here.engine, actor="ada")
    await down(here, site)
    here.engine = msgspec.structs.replace(here.engine, actor="bo")
    await lift(here.engine, site, ONE)
    with pytest.raises(NotFound, match=f"{ONE} is not taken down"):
        await lift(here.engine, site, ONE)
    await here.publish(site)
    await down(here, site, reason="again")
    with pytest.raises(NotFound, match=f"is not taken down. Did you mean {ONE}"):
        await lift(here.engine, site, "/campaigns/on/")
    rows = await here.run(site, "SELECT actor, lifted_by, reason FROM tombstones ORDER BY created_at")
    assert [tuple(row.values()) for row in rows] == [("ada", "bo", "a court order"), ("bo", "", "again")]
    assert here.entries(site)[ONE].status == 410


async def test_a_tombstone_that_is_lifted_lets_the_page_come_back(here: World) -> None:
    """No command does it; whoever deletes the row is not left with a site that only --full can mend."""
    site = await site_with_a_secret(here)
    await down(here, site)
    await here.publish(site)
    assert here.entries(site)[ONE].status == 410
    await here.run(site, "DELETE FROM tombstones")
    await here.publish(site)
    assert here.entries(site)[ONE].status == 200
