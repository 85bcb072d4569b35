"""An incremental release is the release that a full publish would give, whatever was edited in between."""

import random
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.publishing.manifest import Entry
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, visible, world

pytestmark = pytest.mark.anyio

EDITS = (
    "UPDATE campaigns SET summary = summary || '.' WHERE id = $1",
    "UPDATE campaigns SET title = title || '!' WHERE id = $1",
    "UPDATE campaigns SET active = NOT active WHERE id = $1",
    "UPDATE campaigns SET slug = slug || '-x' WHERE id = $1",
    "UPDATE campaigns SET outcome = 'Done', outcome_html = '<p>Done</p>' WHERE id = $1",
    "DELETE FROM endorsements WHERE campaign_id = $1",
    "DELETE FROM campaigns WHERE id = $1",
    """INSERT INTO content_blocks (id, site_id, campaign_id, translation_group_id, content_html)
       SELECT gen_random_uuid(), site_id, id, gen_random_uuid(), '<p>B</p>' FROM campaigns WHERE id = $1""",
    "UPDATE content_blocks SET is_visible = false WHERE campaign_id = $1",
    "UPDATE stakeholders SET is_public = NOT is_public WHERE first_name = 'Ada' AND $1::uuid IS NOT NULL",
    "UPDATE homepages SET tagline = tagline || '.' WHERE $1::uuid IS NOT NULL",
    "UPDATE sites SET name = name || '.' WHERE $1::uuid IS NOT NULL",
    """INSERT INTO redirects (id, site_id, from_path, to_path)
       SELECT gen_random_uuid(), site_id, '/campaigns/' || slug || '/', '/campaigns/' FROM campaigns
        WHERE id = $1 ON CONFLICT DO NOTHING""",
    "DELETE FROM redirects WHERE from_path LIKE '/campaigns/c%' AND $1::uuid IS NOT NULL",
)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def site_with(here: World, campaigns: int) -> UUID:
    site = await here.add_site()
    await here.add_homepage(site)
    for number in range(campaigns):
        campaign = await here.add_campaign(site, f"c{number}")
        if number % 3 == 0:
            await here.endorse(site, campaign, name="Ada", last=f"Brook{number}")
    return site


async def edit(here: World, site: UUID, dice: random.Random) -> None:
    """One to four edits, and sometimes a new campaign or a new endorsement."""
    ids = [row["id"] for row in await here.run(site, "SELECT id FROM campaigns ORDER BY number")]
    for query in dice.sample(EDITS, dice.randint(1, 4)):
        await here.run(site, query, dice.choice(ids))
    if dice.random() < 0.5:
        await here.add_campaign(site, f"n{dice.randrange(10**9)}")
    if dice.random() < 0.5 and await here.run(site, "SELECT FROM campaigns WHERE id = $1", ids[0]):
        await here.endorse(site, ids[0], name=f"Bo{dice.randrange(10**9)}")


async def from_nothing(here: World, site: UUID) -> dict[str, Entry]:
    """The same content, published into an empty store by a publisher that knows no release."""
    fresh = World(here.pool, MemoryStore())
    fresh.now = here.now
    await fresh.publish(site, yes=True)
    return fresh.entries(site)


@pytest.mark.parametrize(("campaigns", "seed"), [(4, 1), (9, 2), (51, 3), (52, 4), (120, 5)])
async def test_incremental_equals_full(here: World, campaigns: int, seed: int) -> None:
    site, dice = await site_with(here, campaigns), random.Random(seed)
    await here.publish(site)
    for _ in range(6):
        await edit(here, site, dice)
        await here.publish(site, yes=True)
        incremental = here.entries(site)
        full = await here.publish(site, full=True, yes=True)
        assert (full.rendered, full.removed) == (0, 0)
        assert here.entries(site) == incremental


async def test_the_release_does_not_depend_on_its_history(here: World) -> None:
    """But for pages that are gone and assets of the past, which only the history knows."""
    site, dice = await site_with(here, 60), random.Random(7)
    await here.publish(site)
    for _ in range(4):
        await edit(here, site, dice)
        await here.publish(site, yes=True)
    now = here.entries(site)
    living = {path: entry for path, entry in now.items() if entry.gone_on is None}
    assert visible(living) == await from_nothing(here, site)


async def test_the_control_without_change_tracking_misses_an_edit(here: World) -> None:
    """Were the log of changes lost, an incremental publish would not see the edit, and a full one does."""
    site = await site_with(here, 5)
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET summary = 'Edited' WHERE slug = 'c1'")
    await here.run(site, "DELETE FROM content_changes")
    assert (await here.publish(site)).rendered == 0
    assert (await here.publish(site, full=True)).rendered > 0


async def test_crossing_fifty_campaigns_makes_stable_pages(here: World) -> None:
    site = await site_with(here, 50)
    await here.publish(site)
    assert not [path for path in here.entries(site) if path.startswith("/campaigns/page/")]
    await here.add_campaign(site, "fifty-first")
    await here.publish(site)
    numbered = {path for path in here.entries(site) if path.startswith("/campaigns/page/")}
    assert numbered == {"/campaigns/page/1/", "/campaigns/page/2/"}
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'c7'")
    await here.publish(site)
    assert here.entries(site)["/campaigns/page/1/"].status == 410


@pytest.mark.parametrize("gap", [50, 400])
async def test_a_last_page_beyond_a_gap_comes_and_goes(here: World, gap: int) -> None:
    site = await site_with(here, 100)
    await here.add_campaign(site, "far", number=101 + gap)
    await here.publish(site)
    for active in (False, True, False):
        await here.run(site, "UPDATE campaigns SET active = $1 WHERE slug = 'far'", active)
        await here.publish(site, yes=True)
        incremental = here.entries(site)
        assert (await here.publish(site, full=True, yes=True)).rendered == 0
        assert here.entries(site) == incremental


async def test_an_insertion_touches_two_listing_pages(here: World) -> None:
    site = await site_with(here, 120)
    await here.publish(site)
    before = here.entries(site)
    await here.add_campaign(site, "one-more")
    await here.publish(site)
    listings = {
        path
        for path, entry in here.entries(site).items()
        if path.startswith("/campaigns/") and entry != before.get(path) and "one-more" not in path
    }
    assert listings == {"/campaigns/", "/campaigns/feed.atom", "/campaigns/page/3/"}


@pytest.mark.parametrize("edit", ["", "UPDATE sites SET name = name || '.'"])
@pytest.mark.parametrize("full", [False, True])
async def test_a_renamed_page_redirects_whatever_kind_of_plan_finds_it(
    here: World, edit: str, full: bool
) -> None:
    """A change of the shell makes every plan a full one, which does not look for the old path by itself."""
    site = await site_with(here, 2)
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET slug = 'renamed' WHERE slug = 'c1'")
    await here.insert(site, "redirects", from_path="/campaigns/c1/", to_path="/campaigns/renamed/")
    if edit:
        await here.run(site, edit)
    await here.publish(site, full=full)
    entries = here.entries(site)
    assert (entries["/campaigns/c1/"].status, entries["/campaigns/c1/"].location) == (
        301,
        "/campaigns/renamed/",
    )
    assert entries["/campaigns/renamed/"].status == 200
