"""One rule for the state of a campaign, said three times: for pages, for their counts, for the API."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select

from app.campaigns.listing import Listed
from app.campaigns.models import Campaign
from app.campaigns.published import STATES
from app.campaigns.service import state_of
from app.database.engine import make_engine
from app.database.session import for_site, make_sessions
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


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
    counted = {row["state"]: row["count"] for row in await here.run(site, STATES, "en", here.now)}
    assert counted == {state: list(on_pages.values()).count(state) for state in counted}
    engine = make_engine(database.url())
    async with make_sessions(engine)() as session:
        answered = await for_site(session, site).execute(select(Campaign.slug, state_of(here.now)))
        assert {slug: state for slug, state in answered} == on_pages  # noqa: C416 - rows are no pairs to mypy
    await engine.dispose()
