"""The home page as JSON."""

import asyncpg
import pytest
from sqlalchemy import event

from app.database.engine import site_transaction
from tests.conftest import Database
from tests.web.world import CITY, add, add_site, served, two_sites

pytestmark = pytest.mark.anyio


async def test_the_active_home_page_comes_with_its_visible_blocks_in_their_order(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url()) as world:
        answer = await world.client.get("/api/v1/homepage")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["organization_name"], body["hero_title"]) == ("Bay Coalition", "One bay")
    assert [(block["title"], block["order"]) for block in body["content_blocks"]] == [
        ("First", 7),
        ("Third", 9),
    ]
    assert body["content_blocks"][0]["content"] == "**First**"


async def test_without_an_active_home_page_there_is_a_404(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url()) as world:
        answer = await world.client.get(f"{CITY}/api/v1/homepage")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No home page is active.")


async def test_an_active_home_page_in_another_language_is_not_the_site_s_own(database: Database) -> None:
    connection = await asyncpg.connect(database.url())
    site = await add_site(connection, "bay", locale="fr")
    async with site_transaction(connection, site):
        for locale, name in (("en", "Bay"), ("fr", "Baie")):
            await add(
                connection,
                "homepages",
                site,
                organization_name=name,
                contact_email="hello@bay.example",
                locale=locale,
                is_active=True,
            )
    await connection.close()
    async with served(database.url()) as world:
        body = (await world.client.get("/api/v1/homepage")).json()
    assert (body["organization_name"], body["content_blocks"]) == ("Baie", [])


async def test_a_block_in_another_language_is_left_out_as_on_the_page(database: Database) -> None:
    await two_sites(database.url())
    connection = await asyncpg.connect(database.url("superuser"))
    await connection.execute("UPDATE content_blocks SET locale = 'fr' WHERE title = 'Third'")
    await connection.close()
    async with served(database.url()) as world:
        body = (await world.client.get("/api/v1/homepage")).json()
    assert [block["title"] for block in body["content_blocks"]] == ["First"]


async def test_it_takes_three_statements_however_many_blocks_there_are(database: Database) -> None:
    await two_sites(database.url())
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    async with served(database.url()) as world:
        await world.client.get("/api/v1/homepage")
        event.listen(world.engine.sync_engine, "before_cursor_execute", note)
        await world.client.get("/api/v1/homepage")
    assert len(statements) == 3
