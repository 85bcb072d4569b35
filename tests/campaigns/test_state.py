"""One rule for the state of a campaign, said three times: for pages, for their counts, for the API."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import select

from app.campaigns.listing import Listed, state_counts
from app.campaigns.models import Campaign
from app.campaigns.service import state_of
from app.database.orm import make_engine
from app.database.session import for_site, make_sessions
from app.pages.schemas import State
from app.publishing.content import freeze
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def counted(here: World, site: UUID) -> dict[State, int]:
    async with here.pool.acquire() as connection, freeze(connection, site, here.now) as content:
        return await state_counts(content)


async def test_pages_their_counts_and_the_api_agree(here: World, database: Database) -> None:
    site = await here.add_site()
    hour = timedelta(hours=1)
    ends = (None, here.now - hour, here.now, here.now + hour)
    for number, (outcome, closes_at, allowed) in enumerate(product(("", "Done"), ends, (True, False))):
        await here.add_campaign(
            site, f"c{number}", outcome=outcome, closes_at=closes_at, allow_endorsements=allowed
        )
    rows = await here.run(site, "SELECT slug, outcome, closes_at, allow_endorsements FROM campaigns")
    on_pages = {row["slug"]: Listed.of(row, "UTC", here.now).state for row in rows}
    assert sorted(set(on_pages.values())) == ["closed", "open", "won"]
    assert await counted(here, site) == Counter(on_pages.values())
    engine = make_engine(database.url())
    async with make_sessions(engine)() as session:
        answered = await for_site(session, site).execute(select(Campaign.slug, state_of(here.now)))
        assert {slug: state for slug, state in answered} == on_pages  # noqa: C416 - rows are no pairs to mypy
    await engine.dispose()


async def test_the_tallies_follow_every_way_a_campaign_changes(here: World) -> None:
    """Against a count of the rows; the trigger adds differences."""
    site = await here.add_site()
    later, earlier = here.now + timedelta(days=1), here.now - timedelta(days=1)
    for number in range(6):
        await here.add_campaign(site, f"c{number}", closes_at=(None, later, earlier)[number % 3])
    for statement in (
        "UPDATE campaigns SET active = false WHERE slug = 'c0'",
        "UPDATE campaigns SET outcome = 'Yes' WHERE slug IN ('c1', 'c2')",
        "UPDATE campaigns SET allow_endorsements = NOT allow_endorsements",
        "UPDATE campaigns SET locale = 'de' WHERE slug = 'c3'",
        "UPDATE campaigns SET active = true, closes_at = NULL",
        "UPDATE campaigns SET locale = 'en', summary = 'x'",
        "DELETE FROM campaigns WHERE slug IN ('c1', 'c4')",
        "UPDATE campaigns SET allow_endorsements = true",
        "DELETE FROM campaigns",
    ):
        await here.run(site, statement)
        rows = await here.run(site, "SELECT * FROM campaigns WHERE active AND locale = 'en'")
        assert await counted(here, site) == Counter(Listed.of(row, "UTC", here.now).state for row in rows), (
            statement
        )


async def test_a_site_goes_with_its_campaigns_and_their_tallies(here: World) -> None:
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.run(site, "DELETE FROM sites")
    assert await here.run(site, "SELECT * FROM campaign_tallies") == []
