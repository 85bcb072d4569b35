"""One active home page for each site and language, whatever order the rows lie in."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from app.database.engine import Connection, site_transaction
from app.kit.ids import new_id
from app.pages.activation import activate
from tests.conftest import Database
from tests.packs.support import connected

pytestmark = pytest.mark.anyio

INSERT = """
INSERT INTO homepages (id, site_id, locale, translation_group_id, organization_name, contact_email, is_active)
VALUES ($4, $1, $2, $4, 'x', 'x', $3) RETURNING id
"""


async def site_with_homepages(connection: Connection, *active: bool) -> tuple[UUID, list[UUID]]:
    """Home pages that lie in this order in the table and in its indexes."""
    site_id = uuid4()
    async with site_transaction(connection, site_id):
        await connection.execute(
            "INSERT INTO sites (id, slug, name) VALUES ($1, $2, 'x')", site_id, f"s-{site_id.hex}"
        )
        return site_id, [
            await connection.fetchval(INSERT, site_id, "en", is_active, new_id()) for is_active in active
        ]


async def active(connection: Connection, site_id: UUID) -> list[UUID]:
    async with site_transaction(connection, site_id):
        return [row["id"] for row in await connection.fetch("SELECT id FROM homepages WHERE is_active")]


@pytest.mark.parametrize("order", [(False, True), (True, False)])
async def test_activating_retires_the_page_before_it(order: tuple[bool, bool], database: Database) -> None:
    """Both physical orders: the index is looked at row by row."""
    async with connected(database.url()) as connection:
        site_id, pages = await site_with_homepages(connection, *order)
        wanted = pages[order.index(False)]
        async with site_transaction(connection, site_id):
            assert await activate(connection, wanted)
        assert await active(connection, site_id) == [wanted]


async def test_a_plain_update_of_both_rows_is_refused_in_one_of_the_orders(database: Database) -> None:
    """The control: without its care the statement would break the unique index."""
    async with connected(database.url()) as connection:
        site_id, pages = await site_with_homepages(connection, False, True)
        with pytest.raises(asyncpg.UniqueViolationError, match="unique_active_homepage"):
            async with site_transaction(connection, site_id):
                await connection.execute("UPDATE homepages SET is_active = (id = $1)", pages[0])


async def test_the_database_refuses_two_active_pages_of_a_language(database: Database) -> None:
    async with connected(database.url()) as connection:
        site_id, _ = await site_with_homepages(connection, True)
        with pytest.raises(asyncpg.UniqueViolationError, match="unique_active_homepage"):
            async with site_transaction(connection, site_id):
                await connection.fetchval(INSERT, site_id, "en", True, new_id())


async def test_other_languages_and_other_sites_stay_as_they_are(database: Database) -> None:
    async with connected(database.url()) as connection:
        other, others = await site_with_homepages(connection, True)
        site_id, pages = await site_with_homepages(connection, True, False)
        async with site_transaction(connection, site_id):
            german = await connection.fetchval(INSERT, site_id, "de", True, new_id())
            await activate(connection, pages[1])
            assert not await activate(connection, pages[1])
            assert not await activate(connection, others[0])
        assert set(await active(connection, site_id)) == {pages[1], german}
        assert await active(connection, other) == others
