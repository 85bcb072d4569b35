"""Migrations of a database that holds sites already: the owner who migrates sees no rows by itself."""

import pytest
from anyio import to_thread

from app.database import migrations
from tests.conftest import Database
from tests.publishing.world import world

TALLIES = "SELECT class, count FROM campaign_tallies"


@pytest.mark.anyio
async def test_campaigns_that_are_there_already_are_counted(database: Database) -> None:
    async with world(database) as here:
        site, other = await here.add_site(), await here.add_site("other")
        for slug in ("one", "two"):
            await here.add_campaign(site, slug)
        await here.add_campaign(other, "three")
    await to_thread.run_sync(migrations.downgrade, database.url("owner"), "0007")
    await to_thread.run_sync(migrations.upgrade, database.url("owner"))
    async with world(database) as here:
        assert await here.run(site, TALLIES) == [{"class": "open", "count": 2}]
        assert await here.run(other, TALLIES) == [{"class": "open", "count": 1}]
        await here.add_campaign(site, "four")
        assert await here.run(site, TALLIES) == [{"class": "open", "count": 3}]
