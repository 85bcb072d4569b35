"""What a campaign's page says of those who endorsed it."""

from collections.abc import AsyncIterator

import pytest

from app.endorsements.models import STAKEHOLDER_TYPES
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def test_each_type_of_stakeholder_has_a_word_of_its_own(here: World) -> None:
    """A new type without a word would stand as an empty line, or under the word of another."""
    words = {}
    site = await here.add_site()
    for name in STAKEHOLDER_TYPES:
        campaign = await here.add_campaign(site, name)
        person = await here.insert(
            site, "stakeholders", first_name="Ada", last_name=f"Of {name}", stakeholder_type=name
        )
        await here.insert(site, "endorsements", campaign_id=campaign, stakeholder_id=person)
    await here.publish(site)
    for name in STAKEHOLDER_TYPES:
        line = here.page(site, f"/campaigns/{name}/").partition('<p class="endorser-meta">')[2]
        words[name] = line.partition("</p>")[0].strip()
    assert all(words.values()), words
    assert len(set(words.values())) == len(STAKEHOLDER_TYPES), words
    assert (words["scientist"], words["other"]) == ("Scientist", "Supporter")
