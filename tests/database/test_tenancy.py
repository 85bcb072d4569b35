"""Two sites never see each other, whatever SQL the application role says."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.orm import make_engine
from app.database.rls import unprotected_tables
from app.database.session import for_host, for_site, make_sessions
from app.sites.models import Site
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio

TENANT_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'site_id'
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
SITE = "(SELECT nullif(current_setting('app.site_id', true), '')::uuid)"
FOR_READING = f"CREATE POLICY of_site ON campaigns FOR SELECT USING (site_id = {SITE})"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


async def owner(database: Database) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(database.url("owner"))


async def fill(here: World, slug: str) -> UUID:
    """A site with a row in every tenant's table."""
    site = await here.add_site(slug)
    await here.run(site, "INSERT INTO site_hosts (host, site_id) VALUES ($1, $2)", f"{slug}.example", site)
    homepage = await here.add_homepage(site)
    campaign = await here.add_campaign(site, "same-slug")
    await here.insert(site, "content_blocks", homepage_id=homepage)
    await here.endorse(site, campaign)
    await here.run(
        site,
        """INSERT INTO pages (id, site_id, translation_group_id, slug, title)
           VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'about', 'About')""",
        site,
    )
    here.store.put(f"media/{'0' * 64}", b"a picture", content_type="image/webp")
    await here.insert(
        site,
        "media",
        filename="a.webp",
        digest="0" * 64,
        content_type="image/webp",
        size=1,
        width=1,
        height=1,
    )
    await here.insert(site, "redirects", from_path="/a/", to_path="/b/")
    await here.insert(site, "tombstones", path="/gone/", reason="asked for")
    await here.publish(site)
    await here.run(
        site,
        """INSERT INTO build_chunks (site_id, build_id, number, request)
           VALUES ($1, gen_random_uuid(), 1, '')""",
        site,
    )
    return site


async def test_every_table_with_a_site_is_protected(database: Database) -> None:
    connection = await owner(database)
    assert await unprotected_tables(connection) == []
    await connection.close()


@pytest.mark.parametrize(
    "hole",
    [
        "CREATE TABLE hole (site_id uuid)",
        "ALTER TABLE campaigns NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE campaigns DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_site ON campaigns",
        "DROP POLICY of_site ON campaigns; CREATE POLICY of_site ON campaigns USING (true)",
        "ALTER POLICY of_site ON campaigns USING (site_id = current_setting('app.site_id')::uuid OR true)",
        f"ALTER POLICY of_site ON campaigns USING (site_id = {SITE} OR active)",
        "ALTER POLICY of_site ON campaigns WITH CHECK (true)",
        f"DROP POLICY of_site ON campaigns; {FOR_READING}",
        "CREATE POLICY open ON campaigns USING (true)",
        "CREATE POLICY open ON campaigns FOR SELECT TO hustings_app USING (true)",
        "CREATE POLICY open ON campaigns FOR SELECT TO hustings_app, CURRENT_USER USING (true)",
        "CREATE POLICY open ON campaigns FOR INSERT WITH CHECK (true)",
        "CREATE POLICY open ON campaigns FOR UPDATE TO CURRENT_USER USING (true)",
        "CREATE TABLE hole (site_id uuid) PARTITION BY LIST (site_id)",
    ],
)
async def test_the_catalogue_test_finds_a_hole(database: Database, hole: str) -> None:
    """The control: each way to forget the protection is found."""
    connection = await owner(database)
    await connection.execute(hole)
    assert await unprotected_tables(connection) == ["hole" if "hole" in hole else "campaigns"]
    await connection.close()


@pytest.mark.parametrize(
    "hole",
    [
        "ALTER TABLE sites NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY of_site ON sites USING (true)",
        "ALTER POLICY directory ON sites TO PUBLIC",
        "CREATE POLICY open ON sites FOR DELETE USING (true)",
    ],
)
async def test_the_table_of_sites_is_looked_at_too(database: Database, hole: str) -> None:
    connection = await owner(database)
    await connection.execute(hole)
    assert await unprotected_tables(connection) == ["sites"]
    await connection.close()


@pytest.mark.parametrize(
    "harmless",
    [
        "CREATE POLICY more ON campaigns AS RESTRICTIVE USING (active)",
        "CREATE POLICY directory ON campaigns FOR SELECT TO CURRENT_USER USING (true)",
        f"ALTER POLICY of_site ON campaigns WITH CHECK (site_id = {SITE})",
    ],
)
async def test_a_policy_that_opens_nothing_is_let_be(database: Database, harmless: str) -> None:
    connection = await owner(database)
    await connection.execute(harmless)
    assert await unprotected_tables(connection) == []
    await connection.close()


async def test_no_table_shows_a_row_of_another_site(here: World) -> None:
    one, other = await fill(here, "one"), await fill(here, "other")
    tables = [row["relname"] for row in await here.run(one, TENANT_TABLES)]
    assert len(tables) > 10
    for table in tables:
        seen = {row["site_id"] for row in await here.run(one, f"SELECT site_id FROM {table}")}
        assert seen == {one}, table
        await here.run(one, f"DELETE FROM {table} WHERE site_id = $1", other)
        assert await here.run(other, f"SELECT 1 FROM {table}"), f"{table} of the other site was emptied"
    assert [row["id"] for row in await here.run(one, "SELECT id FROM sites")] == [one]


async def test_without_a_site_no_row_is_seen(here: World) -> None:
    await fill(here, "one")
    async with here.pool.acquire() as connection:
        for query in ("SELECT 1 FROM campaigns", "SELECT 1 FROM sites", "UPDATE campaigns SET title = ''"):
            assert await connection.fetch(query) == []


async def test_a_row_cannot_be_written_for_another_site(here: World) -> None:
    one, other = await fill(here, "one"), await fill(here, "other")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await here.run(
            one,
            """INSERT INTO redirects (id, site_id, from_path, to_path)
               VALUES (gen_random_uuid(), $1, '/x/', '/')""",
            other,
        )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await here.run(one, "UPDATE campaigns SET site_id = $1", other)


async def test_a_reference_cannot_leave_the_site(here: World) -> None:
    """Row level security does not look at foreign keys; the composite keys do."""
    one, other = await fill(here, "one"), await fill(here, "other")
    [theirs] = await here.run(other, "SELECT id FROM campaigns")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await here.endorse(one, theirs["id"], name="Spy")


async def test_the_application_role_owns_nothing_and_cannot_bypass(here: World) -> None:
    async with here.pool.acquire() as connection:
        role = await connection.fetchrow(
            "SELECT rolbypassrls, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert role is not None
        assert not any(role.values())
        owned = await connection.fetch("SELECT 1 FROM pg_class WHERE relowner = current_user::regrole")
        assert owned == []
        for query in (
            "SET row_security = off; SELECT 1 FROM campaigns",
            "ALTER TABLE campaigns DISABLE TRIGGER ALL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(query)


async def test_the_directory_tells_only_where_to_route(here: World) -> None:
    await fill(here, "one")
    async with here.pool.acquire() as connection:
        [row] = await connection.fetch("SELECT * FROM site_directory()")
        assert set(row.keys()) == {"id", "slug", "name", "status"}


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("OTHER.example", "other"),
        ("other.localhost", "other"),
        ("unknown.example", "one"),
        ("", "one"),
    ],
)
async def test_a_session_finds_its_site_by_host(
    here: World, database: Database, host: str, slug: str
) -> None:
    sites = {name: await fill(here, name) for name in ("one", "other")}
    engine = make_engine(database.url())
    async with make_sessions(engine)() as session:
        for_host(session, host, None)
        assert await sites_seen(session) == [sites[slug]]
        await session.commit()
        assert await sites_seen(session) == [sites[slug]]
    async with make_sessions(engine)() as session:
        for_site(session, sites["other"])
        assert await sites_seen(session) == [sites["other"]]
    async with make_sessions(engine)() as session:
        for_host(session, "unknown.example", "other")
        assert await sites_seen(session) == [sites["other"]]
    async with make_sessions(engine)() as session:
        for_host(session, "unknown.example", "nowhere")
        assert await sites_seen(session) == [], "as the gateway has it: a name that is set counts alone"
    async with make_sessions(engine)() as session:
        assert await sites_seen(session) == []
    await engine.dispose()


async def sites_seen(session: AsyncSession) -> list[UUID]:
    return list(await session.scalars(select(Site.id)))
