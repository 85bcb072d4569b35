"""What the database itself refuses, and what it keeps by itself."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.kit.ids import new_id
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


@pytest.fixture
async def site(here: World) -> UUID:
    return await here.add_site()


@pytest.mark.parametrize(
    ("table", "fields", "constraint"),
    [
        ("campaigns", {"slug": "Not-A-Slug", "title": "T", "summary": ""}, "valid_campaign_slug"),
        ("campaigns", {"slug": "a" * 101, "title": "T", "summary": ""}, "valid_campaign_slug"),
        ("campaigns", {"slug": "a", "title": "T", "summary": "", "target_count": 0}, "positive_target"),
        ("stakeholders", {"first_name": "A", "stakeholder_type": "wizard"}, "valid_stakeholder_type"),
        ("stakeholders", {}, "has_a_name"),
        ("content_blocks", {"block_type": "text"}, "one_owner"),
        ("redirects", {"from_path": "/a/", "to_path": "/a/"}, "valid_redirect"),
        ("redirects", {"from_path": "/a/", "to_path": "/b/", "status": 302}, "valid_redirect_status"),
        *(
            ("redirects", {"from_path": path, "to_path": "/b/"}, "valid_redirect_from_path")
            for path in ("", "a/", "//a/", "/a\nb", "/a\x7f", "/a\\b", "/a?b", "/a#b", "/" + "a" * 1000)
        ),
        *(
            ("redirects", {"from_path": path, "to_path": "/b/"}, "valid_redirect_from_spelling")
            for path in (
                "/a//b",
                "/a/../b",
                "/a/.",
                "/caf%C3%A9/",
                "/cafe\u0301/",
                "/a\u200bb",
                "/a\u00a0b",
                "/\ufeff",
            )
        ),
        *(
            ("tombstones", {"path": path, "reason": "odd"}, "valid_tombstone_path")
            for path in ("", "a/", "//a/", "/a//b", "/a/../b", "/a\nb", "/a\\b")
        ),
        (
            "pages",
            {"slug": "campaigns", "title": "T", "translation_group_id": new_id()},
            "page_slug_not_taken",
        ),
        *(
            ("redirects", {"from_path": "/a/", "to_path": path}, "valid_redirect_to_path")
            for path in ("", "https://b.example/", "//b.example/", "/\\b.example/", "/a\tb", "/" + "b" * 1000)
        ),
    ],
)
async def test_bad_values_are_refused(
    here: World, site: UUID, table: str, fields: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await here.insert(site, table, **fields)
    assert refused.value.constraint_name == constraint


async def test_a_redirect_may_lead_to_any_part_of_a_page(here: World, site: UUID) -> None:
    await here.insert(site, "redirects", from_path="/café/" + "a" * 994, to_path="/b/?page=3#top")
    await here.insert(site, "redirects", from_path="/a", to_path="/")


async def test_a_block_belongs_to_exactly_one(here: World, site: UUID) -> None:
    homepage, campaign = await here.add_homepage(site), await here.add_campaign(site, "a")
    await here.insert(site, "content_blocks", homepage_id=homepage)
    await here.insert(site, "content_blocks", campaign_id=campaign)
    with pytest.raises(asyncpg.CheckViolationError, match="one_owner"):
        await here.insert(site, "content_blocks", homepage_id=homepage, campaign_id=campaign)
    with pytest.raises(asyncpg.CheckViolationError, match="positive_order"):
        await here.insert(site, "content_blocks", homepage_id=homepage, position=-1)


async def test_slugs_and_titles_are_unique_for_each_site(here: World, site: UUID) -> None:
    await here.add_campaign(site, "a", title="The title")
    other = await here.add_site("other")
    await here.add_campaign(other, "a", title="The title")
    with pytest.raises(asyncpg.UniqueViolationError, match="unique_slug"):
        await here.add_campaign(site, "a", title="Another")
    with pytest.raises(asyncpg.UniqueViolationError, match="unique_title"):
        await here.add_campaign(site, "b", title="The title")


async def test_one_person_endorses_a_campaign_once(here: World, site: UUID) -> None:
    campaign = await here.add_campaign(site, "a")
    await here.endorse(site, campaign)
    [row] = await here.run(site, "SELECT stakeholder_id FROM endorsements")
    with pytest.raises(asyncpg.UniqueViolationError, match="unique_stakeholder_campaign"):
        await here.insert(site, "endorsements", campaign_id=campaign, stakeholder_id=row["stakeholder_id"])


async def test_an_email_is_the_same_in_any_case(here: World, site: UUID) -> None:
    await here.insert(site, "stakeholders", first_name="A", email="ada@example.org")
    with pytest.raises(asyncpg.UniqueViolationError):
        await here.insert(site, "stakeholders", first_name="B", email="ADA@example.org")


async def test_two_active_home_pages_are_refused(here: World, site: UUID) -> None:
    await here.add_homepage(site)
    with pytest.raises(asyncpg.UniqueViolationError, match="unique_active_homepage"):
        await here.add_homepage(site)


async def test_a_host_belongs_to_one_site(here: World, site: UUID) -> None:
    other = await here.add_site("other")
    query = "INSERT INTO site_hosts (host, site_id) VALUES ($1, $2)"
    await here.run(site, query, "river.example", site)
    with pytest.raises(asyncpg.UniqueViolationError):
        await here.run(other, query, "RIVER.example", other)


async def test_a_location_is_a_point_on_earth(here: World, site: UUID) -> None:
    query = """INSERT INTO stakeholders (id, site_id, first_name, location)
               VALUES ($1, $2, 'A', ST_SetSRID(ST_MakePoint($3, $4), 4326)::geography)"""
    await here.run(site, query, new_id(), site, -76.5, 38.9)
    [row] = await here.run(
        site,
        """SELECT name FROM stakeholders
            WHERE ST_DWithin(location, 'POINT(-76.6 38.9)'::geography, 50 * 1609.344)""",
    )
    assert row["name"] == "A"


async def test_campaigns_are_numbered_for_each_site(here: World, site: UUID) -> None:
    other = await here.add_site("other")
    for slug in ("a", "b", "c"):
        await here.add_campaign(site, slug)
    await here.add_campaign(other, "a")
    rows = await here.run(site, "SELECT number FROM campaigns ORDER BY slug")
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert await here.run(other, "SELECT number FROM campaigns") == [{"number": 1}]


async def test_many_campaigns_in_one_statement_are_numbered_in_order(here: World, site: UUID) -> None:
    await here.run(
        site,
        """INSERT INTO campaigns (id, site_id, translation_group_id, slug, title, summary)
           SELECT gen_random_uuid(), $1, gen_random_uuid(), 'c' || n, 'T' || n, ''
             FROM generate_series(1, 30) n""",
        site,
    )
    [row] = await here.run(site, "SELECT count(DISTINCT number) AS n, max(number) AS last FROM campaigns")
    assert row == {"n": 30, "last": 30}


async def test_updated_at_moves_only_with_a_real_change(here: World, site: UUID) -> None:
    for table, row in (("campaigns", await here.add_campaign(site, "a")),):
        before = await here.run(site, f"SELECT updated_at FROM {table} WHERE id = $1", row)
        await here.run(site, f"UPDATE {table} SET title = title")
        assert await here.run(site, f"SELECT updated_at FROM {table} WHERE id = $1", row) == before
        await here.run(site, f"UPDATE {table} SET title = 'New'")
        assert await here.run(site, f"SELECT updated_at FROM {table} WHERE id = $1", row) != before
    person = await here.insert(site, "stakeholders", first_name="A")
    before = await here.run(site, "SELECT updated_at FROM stakeholders WHERE id = $1", person)
    await here.run(site, "UPDATE stakeholders SET city = city")
    assert await here.run(site, "SELECT updated_at FROM stakeholders WHERE id = $1", person) == before
    await here.run(site, "UPDATE stakeholders SET city = 'Farrow'")
    assert await here.run(site, "SELECT updated_at FROM stakeholders WHERE id = $1", person) != before


async def test_the_log_of_changes_knows_rows_that_are_gone(here: World, site: UUID) -> None:
    campaign = await here.add_campaign(site, "a")
    await here.run(site, "UPDATE campaigns SET slug = 'b'")
    await here.run(site, "UPDATE campaigns SET slug = 'b'")
    await here.run(site, "DELETE FROM campaigns")
    rows = await here.run(
        site,
        """SELECT action, facts #>> '{old,slug}' AS old, facts #>> '{new,slug}' AS new
             FROM content_changes WHERE row_id = $1 ORDER BY id""",
        campaign,
    )
    assert rows == [
        {"action": "insert", "old": None, "new": "a"},
        {"action": "update", "old": "a", "new": "b"},
        {"action": "delete", "old": "b", "new": None},
    ]


async def test_a_site_can_be_deleted_with_all_it_has(here: World, site: UUID) -> None:
    await here.endorse(site, await here.add_campaign(site, "a"))
    await here.publish(site)
    await here.run(site, "DELETE FROM sites")
    assert await here.run(site, "SELECT 1 FROM campaigns") == []
