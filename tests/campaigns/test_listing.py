"""What lists of campaigns say, and what they must not say."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from app.campaigns.listing import Listed
from tests.conftest import Database
from tests.publishing.world import START, World, world

NOBODY_YET = "No campaigns yet."
GONE = "No campaign of this page is published any more."
DAY = timedelta(days=1)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


@pytest.mark.parametrize(
    ("fields", "days", "expected"),
    [
        ({}, 30, Listed("open", date(2026, 12, 21))),
        ({}, -1, Listed("closed", date(2026, 11, 20))),
        ({}, 0, Listed("closed", date(2026, 11, 21))),
        ({"allow_endorsements": False}, 30, Listed("closed", None)),
        ({"allow_endorsements": False}, -1, Listed("closed", date(2026, 11, 20))),
        ({"outcome": "Done"}, 30, Listed("won", None)),
        ({"outcome": "Done"}, -1, Listed("won", date(2026, 11, 20))),
    ],
)
def test_a_day_to_come_is_told_only_of_an_open_campaign(
    fields: dict[str, Any], days: int, expected: Listed
) -> None:
    row = {"outcome": "", "allow_endorsements": True, "closes_at": START + days * DAY} | fields
    assert Listed.of(row, "UTC", START) == expected


def test_without_a_last_day_none_is_told() -> None:
    row = {"outcome": "", "allow_endorsements": True, "closes_at": None}
    assert Listed.of(row, "UTC", START) == Listed("open", None)


@pytest.mark.anyio
async def test_no_page_speaks_in_the_past_tense_of_a_day_to_come(here: World) -> None:
    """The control: a campaign that did close names its day."""
    site = await here.add_site()
    later = here.now + 30 * DAY
    await here.add_campaign(site, "stopped", closes_at=later, allow_endorsements=False)
    await here.add_campaign(site, "won", closes_at=later, outcome="Won", outcome_html="<p>Won</p>")
    await here.add_campaign(site, "over", closes_at=here.now - DAY)
    await here.publish(site)
    pages = {slug: here.page(site, f"/campaigns/{slug}/") for slug in ("stopped", "won", "over")}
    assert "This campaign is closed, with 0 endorsements." in pages["stopped"]
    assert "This campaign was won with 0 endorsements." in pages["won"]
    assert "Closed on" in pages["over"]
    assert "This campaign closed on" in pages["over"]
    for slug in ("stopped", "won"):
        assert "losed on" not in pages[slug]


@pytest.mark.anyio
async def test_a_numbered_page_says_since_when_its_counts_are_true(here: World) -> None:
    site = await here.add_site()
    for number in range(51):
        newest = await here.add_campaign(site, f"c{number}")
    await here.endorse(site, newest)
    await here.publish(site)
    assert "Endorsements as of" in here.page(site, "/campaigns/page/2/")
    assert "as of" not in here.page(site, "/campaigns/page/1/"), "nobody has endorsed what stands there"


@pytest.mark.anyio
async def test_an_empty_page_says_why(here: World) -> None:
    site = await here.add_site()
    await here.publish(site)
    assert NOBODY_YET in here.page(site, "/campaigns/")
    for number in range(151):
        await here.add_campaign(site, f"c{number}")
    await here.run(site, "UPDATE campaigns SET active = false WHERE number BETWEEN 51 AND 100")
    await here.publish(site, yes=True)
    empty = here.page(site, "/campaigns/page/2/")
    assert GONE in empty
    assert NOBODY_YET not in empty
    assert GONE not in here.page(site, "/campaigns/page/1/")
