"""Redirects in a circle never go live; chains are one hop for a browser."""

from collections.abc import AsyncIterator
from itertools import pairwise
from uuid import UUID

import pytest

from app.errors import PublishError
from app.publishing import prepare
from app.publishing.gateway.asgi import Gateway
from tests.conftest import Database
from tests.publishing.gateway.world import ask
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def lead(here: World, site: UUID, *paths: str) -> None:
    """Redirects from each path to the next."""
    for from_path, to_path in pairwise(paths):
        await here.insert(site, "redirects", from_path=from_path, to_path=to_path)


@pytest.mark.parametrize(
    "circle",
    [
        ("/a/", "/b/", "/a/"),
        ("/a/", "/b/", "/c/", "/a/"),
        ("/a/", "/a"),
        ("/a/", "/A/"),
        ("/é/", "/e\u0301/"),
        ("/a/", "/b/?from=a", "/a/"),
        ("/é/", "/b/", "/%C3%A9/"),
    ],
)
async def test_a_circle_is_refused_and_named(here: World, circle: tuple[str, ...]) -> None:
    site = await here.add_site()
    await here.publish(site)
    before = here.entries(site)
    for from_path, to_path in pairwise(circle):
        await lead(here, site, from_path.partition("?")[0], to_path)
    for full in (False, True):
        with pytest.raises(PublishError, match=r"Redirects lead in a circle, from /.* to /"):
            await here.publish(site, full=full)
    with pytest.raises(PublishError, match="circle"):
        await here.publish(site, dry_run=True)
    assert here.entries(site) == before
    await here.run(site, "DELETE FROM redirects WHERE from_path = $1", circle[0])
    await here.publish(site)


async def test_a_circle_that_a_page_was_part_of_is_found_when_the_page_goes(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await lead(here, site, "/campaigns/one/", "/old/", "/campaigns/one/")
    await here.publish(site)
    assert here.entries(site)["/campaigns/one/"].status == 200
    await here.run(site, "UPDATE campaigns SET active = false")
    with pytest.raises(PublishError, match="circle, from /campaigns/one/ to /old/ to /campaigns/one/"):
        await here.publish(site)


async def test_the_control_without_the_check_the_circle_goes_live(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "refuse_circles", lambda *_: None)
    site = await here.add_site()
    await lead(here, site, "/a/", "/b/", "/a/")
    await here.publish(site)
    assert {here.entries(site)[path].location for path in ("/a/", "/b/")} == {"/a/", "/b/"}


async def test_a_chain_is_one_hop(here: World) -> None:
    site = await here.add_site()
    await lead(here, site, "/a/", "/b/", "/c é/", "/campaigns/?all=1")
    await here.publish(site)
    visitors = Gateway(here.engine.store)
    await visitors.refresh()
    for path in ("/a/", "/b/", "/c%20%C3%A9/"):
        reply = await ask(visitors, path)
        assert (reply.status, reply.headers["location"]) == (301, "/campaigns/?all=1")
    assert (await ask(visitors, "/a/", query=b"x=1")).headers["location"] == "/campaigns/?all=1"
