"""What is damaged is told with advice, and `full` mends it."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from uuid import UUID

import msgspec
import pytest

from app.publishing.base import DAMAGED
from app.publishing.manifest import shard_key, shard_of
from app.publishing.pointer import pointer_key, read_pointer
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
PATH = "/campaigns/one/"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


@pytest.fixture
async def site(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    return site


def live(here: World, site: UUID) -> tuple[str, str, str]:
    """Keys of the pointer, the root, and the shard of the page that the test edits."""
    found = read_pointer(here.store, str(site))
    assert found is not None
    return pointer_key(str(site)), found[0].root, shard_key(here.manifest(site).shards[shard_of(PATH)])


def damage(here: World, key: str, how: str) -> None:
    if how == "lost":
        here.store.delete(key)
    else:
        here.store.put(key, here.store.get(key)[:-7], content_type="application/gzip")


@pytest.mark.parametrize("suffix", ["", ".gz"])
async def test_a_lost_blob_is_made_again_by_full_alone(here: World, site: UUID, suffix: str) -> None:
    before = here.entries(site)
    key = f"blobs/{before[PATH].blob}{suffix}"
    damage(here, key, "lost")
    assert (await here.publish(site)).uploaded == 0
    outcome = await here.publish(site, full=True)
    assert outcome.rendered == 1
    assert here.store.get(key)
    assert here.entries(site) == before


async def test_the_lost_page_of_a_path_that_is_gone_is_made_again(here: World, site: UUID) -> None:
    await here.run(site, "UPDATE campaigns SET active = false")
    await here.publish(site)
    before = here.entries(site)
    assert before[PATH].status == 410
    key = f"blobs/{before[PATH].blob}"
    damage(here, key, "lost")
    await here.publish(site, full=True)
    assert here.store.get(key)
    assert here.entries(site) == before


async def test_a_blob_that_was_cut_off_is_made_again(here: World, site: UUID) -> None:
    before = here.page(site, PATH)
    damage(here, f"blobs/{here.entries(site)[PATH].blob}", "cut off")
    assert here.page(site, PATH) != before
    await here.publish(site, full=True)
    assert here.page(site, PATH) == before


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("how", ["lost", "cut off"])
async def test_a_damaged_release_is_told_with_advice_and_made_anew(
    here: World, site: UUID, which: int, how: str
) -> None:
    key = live(here, site)[which]
    before = here.entries(site)
    damage(here, key, how)
    await here.run(site, "UPDATE campaigns SET summary = summary || '.'")
    is_first_again = (which, how) == (0, "lost")
    refused = nullcontext() if is_first_again else pytest.raises(DAMAGED, match=rf"{key}.*--full")
    with refused:
        await here.publish(site)
    assert (await here.publish(site, full=True)).release == 2
    assert set(here.entries(site)) == set(before)
    assert (await here.publish(site)).rendered == 0


async def test_a_new_program_looks_at_every_page_and_makes_what_differs(here: World, site: UUID) -> None:
    """An unchanged page of a changed program costs a look, once."""
    newer = World(here.pool, here.store)
    newer.engine = msgspec.structs.replace(here.engine, program="another")
    robots = next(kind for kind in newer.engine.kinds.pages if kind.name == "robots")

    class OtherRobots(type(robots)):  # type: ignore[misc]
        name = "robots"
        cache = "page"

    pages = tuple(OtherRobots() if kind is robots else kind for kind in newer.engine.kinds.pages)
    kinds = msgspec.structs.replace(newer.engine.kinds, pages=pages)
    newer.engine = msgspec.structs.replace(newer.engine, kinds=kinds)
    assert (await newer.publish(site)).rendered == 1
    assert here.entries(site)["/robots.txt"].cache == "page"


async def test_a_recipe_without_effect_is_settled_at_once(here: World, site: UUID) -> None:
    """Or every later publish would be a full one."""
    newer = World(here.pool, here.store)
    newer.engine = msgspec.structs.replace(here.engine, program="another")
    assert (await newer.publish(site)).release == 1
    [row] = await here.run(site, "SELECT recipe FROM releases")
    await newer.publish(site)
    assert await here.run(site, "SELECT recipe FROM releases") == [row]
    assert (await here.publish(site)).release == 1
    assert await here.run(site, "SELECT recipe FROM releases") != [row]


async def test_a_release_that_the_database_forgot_is_written_down(here: World, site: UUID) -> None:
    await here.run(site, "DELETE FROM publications")
    await here.run(site, "DELETE FROM releases")
    assert (await here.publish(site)).rendered == 0
    rows = await here.run(site, "SELECT number, state, content_snapshot IS NOT NULL AS known FROM releases")
    assert rows == [{"number": 1, "state": "live", "known": True}]
    await here.run(site, "UPDATE campaigns SET summary = 'New'")
    assert (await here.publish(site)).release == 2
