"""A small site, and what a publisher does to it."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from app.errors import Conflict
from app.publishing.activation import activate
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from tests.publishing.world import World

Change = Callable[[World, UUID], Awaitable[object]]
DOWN = "/campaigns/two/"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    before: tuple[Change, ...]
    """Up to the moment at which the publisher starts."""
    act: tuple[str, ...] = ("publish",)
    """What the publisher does, and is killed at."""
    again: tuple[Change, ...]
    """What somebody does at the next start."""


async def make_site(here: World, site: UUID) -> None:
    """Three campaigns, all linked from the home page and the listing; one links to another."""
    await here.insert(site, "sites", id=site, slug="demo", name="The demo")
    await here.add_homepage(site)
    for slug in ("one", "two", "three"):
        link = '<p>See <a href="/campaigns/one/">campaign one</a>.</p>'
        campaign = await here.add_campaign(site, slug, description_html=link)
        await here.endorse(site, campaign, name=slug.title())


async def publish(here: World, site: UUID) -> None:
    await here.publish(site)


async def edit(here: World, site: UUID) -> None:
    """Seen in its page, the listing, the home page and the sitemap."""
    await here.run(
        site, "UPDATE campaigns SET title = 'One, edited', updated_at = $1 WHERE slug = 'one'", here.now
    )


async def rename_and_delete(here: World, site: UUID) -> None:
    """A redirect from the old path, and a page that is gone."""
    await here.run(site, "UPDATE campaigns SET slug = 'uno' WHERE slug = 'one'")
    fields = {"from_path": "/campaigns/one/", "to_path": "/campaigns/uno/"}
    await here.insert(site, "redirects", **fields)
    await here.run(site, "DELETE FROM campaigns WHERE slug = 'three'")


async def restyle(here: World, site: UUID) -> None:
    """Another stylesheet, at another path, that every page links to."""
    await here.run(site, """UPDATE sites SET theme = '{"accent": "#7a1f5c"}'""")


async def take_down(here: World, site: UUID) -> None:
    """Once more; nothing is left to do when the first one got through."""
    try:
        await takedown(here.engine, site, DOWN, "a court order", report=Silent())
    except Conflict:
        await here.publish(site)


async def go_back(here: World, site: UUID) -> None:
    try:
        await activate(here.engine, site, 1, report=Silent())
    except Conflict:
        return


SCENARIOS = {
    "first": Scenario(before=(make_site,), again=(publish,)),
    "edit": Scenario(before=(make_site, publish, edit), again=(publish,)),
    "rename": Scenario(before=(make_site, publish, rename_and_delete), again=(publish,)),
    "restyle": Scenario(before=(make_site, publish, restyle), again=(publish,)),
    "takedown": Scenario(
        before=(make_site, publish), act=("takedown", DOWN, "a court order"), again=(take_down, publish)
    ),
    "rollback": Scenario(before=(make_site, publish, edit, publish), act=("rollback",), again=(go_back,)),
    "activate without what was taken down": Scenario(
        before=(make_site, publish, edit, publish, take_down),
        act=("activate", "1"),
        again=(go_back,),
    ),
}
