"""A dry run: what would change and why, made and checked like a publish, and kept nowhere."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from app.errors import Conflict
from app.publishing import reasons
from app.publishing.publish import publish
from app.publishing.report import Preview, Silent
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio

_slugs = iter(range(1_000))


@pytest.fixture
async def here(shared_database: Database) -> AsyncIterator[World]:
    async with world(shared_database) as made:
        yield made


async def site_of(here: World, *slugs: str) -> UUID:
    site = await here.add_site(f"site-{next(_slugs)}")
    for slug in slugs:
        await here.add_campaign(site, slug)
    return site


async def preview(here: World, site: UUID, *, full: bool = False, yes: bool = False) -> Preview:
    here.now += timedelta(minutes=1)
    found = await publish(here.engine, site, report=Silent(), full=full, yes=yes, dry_run=True)
    assert isinstance(found, Preview)
    return found


def why(found: Preview) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {each.path: (each.change, each.reasons) for each in found.paths}


async def test_it_changes_nothing_and_tells_what_a_publish_then_does(here: World) -> None:
    site = await site_of(here, "one", "two")
    found = await preview(here, site)
    assert list(here.store.list("")) == []
    assert await here.run(site, "SELECT * FROM releases") == []
    assert await here.run(site, "SELECT * FROM publications") == []
    assert (found.release, found.will_publish, found.uploaded) == (None, True, 0)
    assert {reason for each in found.paths for reason in each.reasons} == {
        "it is not known to be published yet"
    }
    outcome = await here.publish(site)
    assert {each.path for each in found.paths} == set(here.entries(site))
    assert (outcome.rendered, outcome.changed, outcome.pages) == (found.rendered, found.changed, found.pages)
    assert (await preview(here, site)).paths == ()


async def test_each_path_has_its_reasons(here: World) -> None:
    site = await site_of(here, "one", "two", "three")
    await here.insert(site, "redirects", from_path="/campaigns/three/", to_path="/campaigns/fourth/")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET summary = 'New words', title = 'Save it' WHERE slug = 'one'")
    await here.run(site, "DELETE FROM campaigns WHERE slug = 'two'")
    await here.run(site, "UPDATE campaigns SET slug = 'fourth' WHERE slug = 'three'")
    campaign = await here.add_campaign(site, "fifth")
    for name in ("Ada", "Bo"):
        await here.endorse(site, campaign, name=name)
    found = why(await preview(here, site))
    edited, deleted, renamed, new = (
        "the campaign “Save it” changed",
        "the campaign “two” was deleted",
        "the campaign “Three” changed",
        "the campaign “Fifth” is new",
    )
    assert found["/campaigns/one/"] == ("changed", (edited,))
    assert found["/campaigns/two/"] == ("removed", (deleted,))
    assert found["/campaigns/three/"] == ("redirected", (renamed,))
    assert found["/campaigns/fourth/"] == ("added", (renamed,))
    assert set(found["/campaigns/fifth/"][1]) >= {new, "one endorsement is new (2 times)"}
    assert set(found["/campaigns/"][1]) >= {edited, deleted, renamed, new}
    assert not [each for each in found.values() if "Ada" in "".join(each[1])]
    await here.publish(site)
    assert {path for path in found if here.entries(site)[path].status == 301} == {"/campaigns/three/"}


async def test_what_closes_by_time_is_a_reason(here: World) -> None:
    site = await here.add_site(f"site-{next(_slugs)}")
    await here.add_campaign(site, "soon-over", closes_at=here.now + timedelta(hours=1))
    await here.publish(site)
    here.now += timedelta(hours=2)
    found = why(await preview(here, site))
    assert found["/campaigns/soon-over/"] == ("changed", (reasons.BY_TIME,))


async def test_a_new_look_is_the_reason_for_every_page(here: World) -> None:
    site = await site_of(here, "one")
    await here.publish(site)
    await here.run(site, "UPDATE sites SET name = 'Another name'")
    found = why(await preview(here, site))
    told = "what stands on every page changed: the name, the look or the navigation of the site"
    assert found["/campaigns/one/"] == ("changed", (told,))


async def test_a_new_program_or_template_is_a_reason(here: World) -> None:
    site = await site_of(here, "one")
    await here.publish(site)
    await here.run(site, "UPDATE releases SET recipe = 'an older one'")
    entry = here.entries(site)["/campaigns/one/"]
    here.store.delete(f"blobs/{entry.blob}")
    assert (await preview(here, site)).paths == ()
    await here.run(site, "UPDATE campaigns SET title = 'Changed' WHERE slug = 'one'")
    assert why(await preview(here, site))["/campaigns/one/"][1] == ("the campaign “Changed” changed",)
    await here.run(site, "DELETE FROM content_changes")
    assert why(await preview(here, site))["/campaigns/one/"][1] == ("a template or the program changed",)


async def test_very_many_rows_are_told_by_their_table(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site = await site_of(here, "one", "two", "three")
    await here.publish(site)
    monkeypatch.setattr(reasons, "MOST_ROWS", 2)
    await here.run(site, "UPDATE campaigns SET summary = 'New words'")
    assert why(await preview(here, site))["/campaigns/one/"] == ("changed", ("3 campaigns changed",))


async def test_errors_and_warnings_are_told_beforehand(here: World) -> None:
    site = await site_of(here, "one")
    await here.publish(site)
    html = '<p><a href="/nowhere/">a</a><a href="#b">b</a></p>'
    await here.run(site, "UPDATE campaigns SET description_html = $1", html)
    found = await preview(here, site)
    assert found.errors == ("/campaigns/one/ links to /nowhere/, which does not exist.",)
    assert found.warnings == ("/campaigns/one/ links to #b, which is not on the page.",)
    assert not found.will_publish


async def test_a_large_removal_is_told_beforehand_and_counts_pages_alone(here: World) -> None:
    """400 pictures do not make it a large site."""
    site = await site_of(here, *(f"c{number}" for number in range(30)))
    here.store.put("media/" + "a" * 64, b"picture", content_type="image/webp")
    await here.run(
        site,
        """INSERT INTO media (id, site_id, filename, digest, size, width, height, content_type)
           SELECT gen_random_uuid(), $1, n || '.webp', repeat('a', 64), 7, 1, 1, 'image/webp'
             FROM generate_series(1, 400) n""",
        site,
    )
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false WHERE number <= 21")
    found = await preview(here, site)
    assert (found.large_removal, found.will_publish) == ("This removes 21 of 32 pages.", False)
    with pytest.raises(Conflict, match="removes 21 of 32 pages"):
        await here.publish(site)
    assert (await preview(here, site, yes=True)).errors == ()
    assert (await here.publish(site, yes=True)).removed == 21


async def test_everything_looked_at_tells_the_same(here: World) -> None:
    site = await site_of(here, "one", "two")
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET active = false WHERE slug = 'two'")
    assert why(await preview(here, site)) == why(await preview(here, site, full=True))
    assert why(await preview(World(here.pool, MemoryStore()), site))["/"][0] == "added"
