"""What a publish makes of content, against a real database."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from app.errors import Conflict, PublishError
from app.publishing import plan
from app.publishing.kinds import Change, Changes, Content
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def small_site(here: World) -> UUID:
    site = await here.add_site()
    await here.add_homepage(site, hero_title="Clean water")
    for slug in ("first-campaign", "second-campaign", "third-campaign"):
        campaign = await here.add_campaign(site, slug)
        await here.endorse(site, campaign, name=slug.split("-")[0].title())
    return site


async def test_a_first_publish_makes_every_page(here: World) -> None:
    site = await small_site(here)
    outcome = await here.publish(site)
    entries = here.entries(site)
    assert outcome.release == 1
    assert {
        "/",
        "/campaigns/",
        "/campaigns/first-campaign/",
        "/404.html",
        "/sitemap.xml",
        "/robots.txt",
    } <= set(entries)
    assert outcome.pages == outcome.rendered == outcome.uploaded == len(entries)
    assert "Clean water" in here.page(site, "/")
    assert "First Brook" in here.page(site, "/campaigns/first-campaign/")


async def test_publishing_again_changes_nothing(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    before = here.entries(site)
    outcome = await here.publish(site)
    assert (outcome.release, outcome.rendered, outcome.uploaded, outcome.removed) == (1, 0, 0, 0)
    assert outcome.unchanged == outcome.pages
    full = await here.publish(site, full=True)
    assert (full.release, full.rendered, full.uploaded) == (1, 0, 0)
    assert here.entries(site) == before


async def test_one_edit_renders_only_what_shows_it(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    before = here.entries(site)
    await here.run(site, "UPDATE campaigns SET summary = 'New words' WHERE slug = 'second-campaign'")
    outcome = await here.publish(site)
    after = here.entries(site)
    changed = {path for path in after if after[path] != before.get(path)}
    lists = {"/", "/campaigns/", "/campaigns/feed.atom", "/sitemap.xml"}
    assert changed == {*lists, "/campaigns/second-campaign/"}
    assert outcome.rendered == outcome.uploaded == 5
    assert outcome.release == 2


async def test_a_campaign_past_the_home_page_does_not_touch_it(here: World) -> None:
    site = await small_site(here)
    for number in range(6):
        await here.add_campaign(site, f"later-{number}")
    await here.publish(site)
    before = here.entries(site)
    await here.run(site, "UPDATE campaigns SET summary = 'New words' WHERE slug = 'first-campaign'")
    await here.publish(site)
    changed = {path for path, entry in here.entries(site).items() if entry != before.get(path)}
    assert changed == {
        "/campaigns/",
        "/campaigns/feed.atom",
        "/campaigns/first-campaign/",
        "/sitemap.xml",
    }


async def test_an_endorsement_renews_the_numbers(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    [row] = await here.run(site, "SELECT id FROM campaigns WHERE slug = 'third-campaign'")
    await here.endorse(site, row["id"], name="Zora")
    outcome = await here.publish(site)
    assert outcome.rendered == 3
    assert "Zora Brook" in here.page(site, "/campaigns/third-campaign/")


async def test_a_private_person_is_counted_and_not_named(here: World) -> None:
    site = await here.add_site()
    campaign = await here.add_campaign(site, "wells")
    await here.endorse(site, campaign, name="Hidden", is_public=False)
    await here.endorse(site, campaign, name="Shown")
    await here.publish(site)
    page = here.page(site, "/campaigns/wells/")
    assert "Shown Brook" in page
    assert "Hidden" not in page
    assert ">2<" in page


async def test_a_removed_page_answers_410_and_comes_back(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'first-campaign'")
    outcome = await here.publish(site)
    entry = here.entries(site)["/campaigns/first-campaign/"]
    assert (entry.status, entry.gone_on, outcome.removed) == (410, "2026-11-21", 1)
    assert (await here.publish(site, full=True)).rendered == 0
    await here.run(site, "UPDATE campaigns SET active = true WHERE slug = 'first-campaign'")
    await here.publish(site)
    assert here.entries(site)["/campaigns/first-campaign/"].status == 200


async def test_a_renamed_campaign_redirects_where_no_page_lies(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    old, new = "/campaigns/first-campaign/", "/campaigns/renamed/"
    await here.insert(site, "redirects", from_path=old, to_path=new)
    await here.publish(site)
    assert here.entries(site)[old].status == 200
    await here.run(site, "UPDATE campaigns SET slug = 'renamed' WHERE slug = 'first-campaign'")
    await here.publish(site)
    entries = here.entries(site)
    assert (entries[old].status, entries[old].location, entries[new].status) == (301, new, 200)
    await here.run(site, "DELETE FROM redirects")
    await here.publish(site)
    assert old not in here.entries(site)


@pytest.mark.parametrize("full", [True, False])
async def test_a_renamed_page_is_redirected_by_a_full_publish_as_well(here: World, full: bool) -> None:
    """Also where the redirect was written before, when a page still lay there."""
    site = await small_site(here)
    old = "/campaigns/first-campaign/"
    await here.insert(site, "redirects", from_path=old, to_path="/campaigns/renamed/")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET slug = 'renamed' WHERE slug = 'first-campaign'")
    await here.run(site, "UPDATE sites SET name = 'Another name'")
    await here.publish(site, full=full)
    assert here.entries(site)[old].status == 301


@pytest.mark.parametrize("path", ["/robots.txt", "/sitemap.xml", "/campaigns/", "/404.html"])
async def test_a_redirect_never_displaces_what_is_there(here: World, path: str) -> None:
    site = await small_site(here)
    await here.publish(site)
    await here.insert(site, "redirects", from_path=path, to_path="/elsewhere/")
    await here.publish(site)
    assert here.entries(site)[path].location is None
    assert (await here.publish(site, full=True)).rendered == 0


async def test_the_page_for_unknown_addresses_cannot_be_taken_away(here: World) -> None:
    site = await small_site(here)
    await here.insert(site, "tombstones", path="/404.html", reason="odd")
    await here.publish(site)
    assert here.entries(site)["/404.html"].status == 404


async def test_a_path_that_no_page_can_have_is_named(here: World) -> None:
    site = await small_site(here)
    await here.insert(site, "redirects", from_path="/a\ue000b/", to_path="/")
    with pytest.raises(PublishError, match="/a\ue000b/ cannot be published"):
        await here.publish(site)


async def test_a_tombstone_keeps_a_page_away(here: World) -> None:
    site = await small_site(here)
    await here.insert(site, "tombstones", path="/campaigns/first-campaign/", reason="a court order")
    await here.publish(site)
    assert here.entries(site)["/campaigns/first-campaign/"].status == 410


async def test_many_removals_need_a_yes(here: World) -> None:
    site = await here.add_site()
    for number in range(30):
        await here.add_campaign(site, f"campaign-{number}")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false")
    with pytest.raises(Conflict, match="removes 30 of"):
        await here.publish(site)
    assert here.entries(site)["/campaigns/campaign-1/"].status == 200
    assert (await here.publish(site, yes=True)).removed == 30


async def test_a_campaign_closes_by_time_alone(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "soon-over", closes_at=here.now + timedelta(hours=1))
    await here.publish(site)
    before = here.page(site, "/campaigns/soon-over/")
    here.now += timedelta(hours=2)
    outcome = await here.publish(site)
    assert outcome.rendered >= 2
    assert here.page(site, "/campaigns/soon-over/") != before


async def test_a_transaction_that_commits_late_is_not_missed(here: World, database: Database) -> None:
    site = await an_edit_that_commits_late(here, database)
    ids = await here.run(
        site, "SELECT id, transaction_id::text::bigint AS xid FROM content_changes ORDER BY id"
    )
    assert [row["xid"] for row in ids] == sorted(row["xid"] for row in ids)
    assert "Late" in here.page(site, "/campaigns/first-campaign/")
    assert "Early" in here.page(site, "/campaigns/second-campaign/")


async def an_edit_that_commits_late(here: World, database: Database) -> UUID:
    """It has the lower transaction id, and commits after the publish that already saw a higher one."""
    site = await small_site(here)
    await here.publish(site)
    late = await asyncpg.connect(database.url("app"))
    transaction = late.transaction()
    await transaction.start()
    await late.execute("SELECT set_config('app.site_id', $1, true)", str(site))
    await late.execute("UPDATE campaigns SET summary = 'Late' WHERE slug = 'first-campaign'")
    await here.run(site, "UPDATE campaigns SET summary = 'Early' WHERE slug = 'second-campaign'")
    await here.publish(site)
    await transaction.commit()
    await late.close()
    await here.publish(site)
    return site


class ByHighestId:
    """Reads the log of changes as a queue with a mark at the last row that it has seen."""

    def __init__(self) -> None:
        self._mark = 0

    async def __call__(self, content: Content, _: str, since: datetime) -> Changes:
        query = "SELECT id, table_name, row_id, action FROM content_changes WHERE id > $1 ORDER BY id"
        rows = await content.connection.fetch(query, self._mark)
        self._mark = max([self._mark, *(row["id"] for row in rows)])
        known = [Change(row["table_name"], row["row_id"], row["action"], {}, {}) for row in rows]
        return Changes(known, since=since)


async def test_the_control_by_the_highest_id_it_is_missed(
    here: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "changes_since", ByHighestId())
    site = await an_edit_that_commits_late(here, database)
    assert "Late" not in here.page(site, "/campaigns/first-campaign/")
    assert "Early" in here.page(site, "/campaigns/second-campaign/")


async def test_two_sites_do_not_meet(here: World) -> None:
    one, other = await small_site(here), await here.add_site("other")
    await here.add_campaign(other, "first-campaign", title="Of the other site")
    await here.publish(one)
    await here.publish(other)
    assert "Of the other site" in here.page(other, "/campaigns/first-campaign/")
    assert "Of the other site" not in here.page(one, "/campaigns/first-campaign/")
    assert "/campaigns/second-campaign/" not in here.entries(other)


async def test_old_assets_stay_for_pages_that_are_still_open(here: World) -> None:
    site = await small_site(here)
    await here.publish(site)
    [old] = [path for path in here.entries(site) if path.startswith("/assets/site-")]
    await here.run(site, """UPDATE sites SET theme = '{"primary": "#7a1f3d"}'""")
    await here.publish(site)
    here.now += timedelta(days=29)
    await here.run(site, "UPDATE campaigns SET summary = 'Later'")
    await here.publish(site)
    assert here.entries(site)[old].gone_on == "2026-11-21"
    assert (await here.publish(site, full=True)).rendered == 0


async def test_a_redirect_takes_the_place_of_a_page_when_everything_is_looked_at(here: World) -> None:
    """A new name of the site makes the plan a full one, and the old page must not stay in the way."""
    site = await small_site(here)
    old, new = "/campaigns/first-campaign/", "/campaigns/renamed/"
    await here.insert(site, "redirects", from_path=old, to_path=new)
    await here.publish(site)
    await here.run(site, "UPDATE sites SET name = 'Another name'")
    await here.run(site, "UPDATE campaigns SET slug = 'renamed' WHERE slug = 'first-campaign'")
    await here.publish(site)
    assert (here.entries(site)[old].status, here.entries(site)[old].location) == (301, new)
