"""The site as JSON."""

import asyncpg
import pytest

from app.database.orm import make_engine
from app.database.session import for_site, make_sessions
from app.errors import NotFound
from app.kit.ids import new_id
from app.settings import Settings
from app.sites.service import read_site
from tests.conftest import Database
from tests.web.world import CITY, add_site, served, two_sites

pytestmark = pytest.mark.anyio


async def test_each_host_gets_its_own_site(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url()) as world:
        bay = (await world.client.get("/api/v1/site")).json()
        city = (await world.client.get(f"{CITY}/api/v1/site")).json()
    assert bay == {
        "slug": "bay",
        "name": "Bay",
        "kind": "organization",
        "locale": "en",
        "timezone": "America/New_York",
        "base_url": "",
        "theme": {"primary": "#0b5563", "accent": "#f0a830", "font": "journal"},
        "navigation": [],
    }
    assert city["slug"] == "city"


async def test_navigation_and_theme_are_shown_as_they_are_stored(database: Database) -> None:
    connection = await asyncpg.connect(database.url())
    await add_site(
        connection,
        "bay",
        navigation='[{"label": "Campaigns", "url": "/campaigns/"}]',
        theme='{"primary": "#112233", "font": "open"}',
        base_url="https://bay.example",
    )
    await connection.close()
    async with served(database.url()) as world:
        body = (await world.client.get("/api/v1/site")).json()
    assert body["navigation"] == [{"label": "Campaigns", "url": "/campaigns/"}]
    assert (body["theme"]["primary"], body["theme"]["font"]) == ("#112233", "open")
    assert body["base_url"] == "https://bay.example"


async def test_the_setting_names_the_site_of_unknown_hosts(database: Database) -> None:
    await two_sites(database.url())
    from_setting = served(
        database.url(), settings=Settings(default_site="city"), base_url="http://unknown.example"
    )
    async with from_setting as world:
        assert (await world.client.get("/api/v1/site")).json()["slug"] == "city"


async def test_a_site_that_is_gone_is_not_found(database: Database) -> None:
    engine = make_engine(database.url(), pool_size=1)
    async with make_sessions(engine)() as session:
        await for_site(session, new_id()).connection()
        with pytest.raises(NotFound):
            await read_site(session)
    await engine.dispose()
