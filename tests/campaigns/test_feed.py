"""The Atom feed: what stands in it, and when it is made anew."""

from collections.abc import AsyncIterator
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import Database
from tests.publishing.world import START, World, world

pytestmark = pytest.mark.anyio
PATH = "/campaigns/feed.atom"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def test_the_newest_twenty_stand_in_it_newest_first(here: World) -> None:
    site = await here.add_site(name="Rivers & <banks>", base_url="https://rivers.example")
    for number in range(22):
        await here.add_campaign(
            site, f"c-{number}", created_at=START + timedelta(hours=number), summary="A & B"
        )
    await here.publish(site)
    feed = ET.fromstring(here.page(site, PATH))  # noqa: S314 - our own
    assert feed.findtext(f"{ATOM}title") == "Rivers & <banks>"
    links = [entry.find(f"{ATOM}link") for entry in feed.iter(f"{ATOM}entry")]
    addresses = [link.get("href") for link in links if link is not None]
    assert addresses == [f"https://rivers.example/campaigns/c-{number}/" for number in range(21, 1, -1)]
    assert feed.findtext(f"{ATOM}entry/{ATOM}summary") == "A & B"
    assert here.entries(site)[PATH].content_type == "application/atom+xml; charset=utf-8"
    assert here.entries(site)[PATH].cache == "feed"


async def test_what_no_xml_may_hold_is_left_out(here: World) -> None:
    """A word processor's soft line break, as it comes along when a title is pasted."""
    site = await here.add_site()
    await here.add_campaign(site, "one", title="Save\x0bthe river", summary="A\x1f\uffff B")
    await here.publish(site)
    feed = ET.fromstring(here.page(site, PATH))  # noqa: S314 - our own
    assert feed.findtext(f"{ATOM}entry/{ATOM}title") == "Save the river"


async def test_it_is_there_when_there_is_a_campaign(here: World) -> None:
    site = await here.add_site()
    await here.publish(site)
    assert PATH not in here.entries(site)
    campaign = await here.add_campaign(site, "one")
    await here.publish(site)
    assert "/campaigns/one/" in here.page(site, PATH)
    assert 'href="/campaigns/feed.atom"' in here.page(site, "/campaigns/")
    await here.run(site, "UPDATE campaigns SET active = false WHERE id = $1", campaign)
    await here.publish(site)
    assert PATH not in here.entries(site)


@pytest.mark.parametrize(
    ("edit", "is_new"),
    [
        ("UPDATE campaigns SET summary = 'New' WHERE slug = 'c-21'", True),
        ("UPDATE campaigns SET summary = 'New' WHERE slug = 'c-2'", True),
        ("UPDATE campaigns SET summary = 'New' WHERE slug = 'c-1'", False),
        ("UPDATE campaigns SET active = false WHERE slug = 'c-21'", True),
        ("DELETE FROM campaigns WHERE slug = 'c-5'", True),
        ("UPDATE campaigns SET created_at = now() + interval '9 days' WHERE slug = 'c-0'", True),
        ("UPDATE campaigns SET created_at = now() - interval '9 days' WHERE slug = 'c-21'", True),
    ],
)
async def test_it_is_made_anew_when_one_of_the_newest_changes(here: World, edit: str, is_new: bool) -> None:
    site = await here.add_site()
    for number in range(22):
        await here.add_campaign(site, f"c-{number}", created_at=START + timedelta(hours=number))
    await here.publish(site)
    before = here.page(site, PATH)
    await here.run(site, edit)
    await here.publish(site)
    assert (here.page(site, PATH) != before) == is_new
    assert (await here.publish(site, full=True)).rendered == 0
