"""One page of ten thousand that cannot be rendered, because of what one row says."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from app.errors import PublishError
from app.publishing import render
from app.publishing.kinds import HTML
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.publishing.templating import make_environment, template_digests
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
PAGES = 10_000
BROKEN = "c-01543"
MANY = """
INSERT INTO campaigns (id, site_id, translation_group_id, slug, title, summary)
SELECT gen_random_uuid(), $1, gen_random_uuid(), 'c-' || lpad(n::text, 5, '0'), 'Campaign ' || n, 'first|last'
  FROM generate_series(1, $2::int) n
"""
SUMMARY = "UPDATE campaigns SET summary = $1 WHERE slug = $2"
PAGE = (
    "<!doctype html><html><head><title>A page</title></head><body><main><h1>ok</h1>\n%s</main></body></html>"
)
BROKEN_PAGE = PAGE % "Error"
TEMPLATE = PAGE % '<p>{{ page.summary.split("|")[1] }}</p>'


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Its template takes for granted that every summary has two halves."""
    (tmp_path / "site").mkdir()
    for name in ("home", "campaigns", "404", "410"):
        (tmp_path / "site" / f"{name}.html").write_text(PAGE % "")
    (tmp_path / "site" / "campaign.html").write_text(TEMPLATE)
    environment = make_environment(tmp_path)
    async with world(database) as made:
        made.engine = msgspec.structs.replace(
            made.engine, environment=environment, digests=template_digests(environment)
        )
        yield made


async def small_site(here: World) -> UUID:
    site = await here.add_site()
    await here.add_campaign(site, "before", summary="a|b")
    await here.publish(site)
    return site


async def test_one_page_of_ten_thousand_is_named_the_site_stays_and_repaired_it_goes_live(
    here: World,
) -> None:
    site = await small_site(here)
    live = here.entries(site)
    await here.run(site, MANY, site, PAGES)
    await here.run(site, SUMMARY, "no halves", BROKEN)
    with pytest.raises(
        PublishError, match=rf"^The page /campaigns/{BROKEN}/ cannot be rendered: site/campaign\.html:2 "
    ) as caught:
        await publish(here.engine, site, report=Silent())
    assert here.entries(site) == live
    [row] = await here.run(site, "SELECT state, error FROM releases WHERE number = 2")
    assert row == {"state": "failed", "error": str(caught.value)}
    await here.run(site, SUMMARY, "now|two", BROKEN)
    outcome = await here.publish(site)
    assert (outcome.release, outcome.rendered > PAGES) == (3, True)
    assert "<p>two</p>" in here.page(site, f"/campaigns/{BROKEN}/")


async def test_one_edit_that_breaks_one_page_is_named_too(here: World) -> None:
    site = await small_site(here)
    live = here.entries(site)
    await here.run(site, SUMMARY, "no halves", "before")
    with pytest.raises(PublishError, match=r"^The page /campaigns/before/ cannot be rendered"):
        await here.publish(site)
    assert here.entries(site) == live
    await here.run(site, SUMMARY, "a|c", "before")
    assert (await here.publish(site)).release == 3


async def test_control_a_renderer_that_goes_on_after_an_error_publishes_a_broken_page(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = render.Recipe.render

    def careless(*arguments: object) -> tuple[bytes, str]:
        try:
            return sound(*arguments)  # type: ignore[arg-type]  # as it came
        except PublishError:
            return BROKEN_PAGE.encode(), HTML

    monkeypatch.setattr(render.Recipe, "render", careless)
    site = await small_site(here)
    await here.run(site, SUMMARY, "no halves", "before")
    await here.publish(site)
    assert here.page(site, "/campaigns/before/") == BROKEN_PAGE
