"""Campaigns as JSON."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import event

from tests.conftest import Database
from tests.publishing.world import world as publishing_world
from tests.web.world import BAY, CITY, Served, served, two_sites

pytestmark = pytest.mark.anyio

ALL = ["herons", "ferries", "piers", "marshes", "oysters"]


@pytest.fixture(scope="module")
async def world(shared_database: Database) -> AsyncIterator[Served]:
    await two_sites(shared_database.url())
    async with served(shared_database.url()) as world:
        yield world


async def slugs(world: Served, query: str = "") -> list[str]:
    answer = await world.client.get(f"/api/v1/campaigns{query}")
    assert answer.status_code == 200
    return [item["slug"] for item in answer.json()["items"]]


async def test_the_list_is_newest_first_without_drafts_and_other_languages(world: Served) -> None:
    body = (await world.client.get("/api/v1/campaigns")).json()
    assert [item["slug"] for item in body["items"]] == ALL
    assert (body["total"], body["next_cursor"]) == (5, None)


async def test_each_campaign_says_its_state_and_its_count(world: Served) -> None:
    items = (await world.client.get("/api/v1/campaigns")).json()["items"]
    assert [item["state"] for item in items] == ["open", "closed", "closed", "won", "open"]
    assert [item["endorsement_count"] for item in items] == [0, 0, 0, 0, 2]
    assert items[-1]["target_count"] == 5
    assert items[-1]["image_url"] == "media/reef.jpg"


@pytest.mark.parametrize(
    ("state", "expected"),
    [("open", ["herons", "oysters"]), ("closed", ["ferries", "piers"]), ("won", ["marshes"])],
)
async def test_the_list_can_be_of_one_state(world: Served, state: str, expected: list[str]) -> None:
    body = (await world.client.get(f"/api/v1/campaigns?state={state}")).json()
    assert [item["slug"] for item in body["items"]] == expected
    assert body["total"] == len(expected)


async def test_cursors_lead_through_the_whole_list_once(world: Served) -> None:
    found: list[str] = []
    totals: list[int | None] = []
    cursor = ""
    for _ in range(3):
        body = (await world.client.get(f"/api/v1/campaigns?limit=2{cursor}")).json()
        found += [item["slug"] for item in body["items"]]
        totals.append(body["total"])
        cursor = f"&cursor={body['next_cursor']}"
    assert found == ALL
    assert totals == [5, None, None]
    assert cursor == "&cursor=None"


async def test_newest_means_what_it_means_on_the_pages(database: Database) -> None:
    """By age and not by number: what is imported later may be older. Of one moment, by slug."""
    async with publishing_world(database) as here:
        site = await here.add_site("bay")
        for slug, year in [
            ("new", 2026),
            ("b-same", 2022),
            ("a-same", 2022),
            ("c-same", 2022),
            ("old", 2020),
        ]:
            await here.add_campaign(site, slug, created_at=datetime(year, 1, 1, 1, 2, 3, 456789, tzinfo=UTC))
        await here.run(site, "UPDATE campaigns SET number = number + 10 WHERE slug = 'old'")
        await here.publish(site)
        page = here.page(site, "/campaigns/")
    expected = ["new", "a-same", "b-same", "c-same", "old"]
    assert sorted(expected, key=lambda slug: page.index(f'"/campaigns/{slug}/"')) == expected
    async with served(database.url()) as world:
        assert await slugs(world) == expected
        found: list[str] = []
        cursor = ""
        for _ in expected:
            body = (await world.client.get(f"/api/v1/campaigns?limit=1{cursor}")).json()
            found += [item["slug"] for item in body["items"]]
            cursor = f"&cursor={body['next_cursor']}"
        assert (found, cursor) == (expected, "&cursor=None")


async def test_a_list_goes_on_behind_a_campaign_that_is_gone(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url()) as world:
        body = (await world.client.get("/api/v1/campaigns?limit=2")).json()
        owner = await asyncpg.connect(database.url("superuser"))
        await owner.execute("DELETE FROM campaigns WHERE slug = 'ferries'")
        await owner.close()
        assert await slugs(world, f"?cursor={body['next_cursor']}") == ALL[2:]


@pytest.mark.parametrize(
    "cursor", ["", "None", "x", "%C3%A9", "AAAA", "A" * 3000, "-1", "WA_PgLzbzUx9IEDfNA"]
)
async def test_a_cursor_that_was_not_made_here_is_400(world: Served, cursor: str) -> None:
    answer = await world.client.get(f"/api/v1/campaigns?cursor={cursor}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:hustings:problem:malformed")


async def test_a_cursor_of_another_site_or_filter_is_400(world: Served) -> None:
    body = (await world.client.get("/api/v1/campaigns?limit=2")).json()
    query = f"/api/v1/campaigns?limit=2&cursor={body['next_cursor']}"
    assert (await world.client.get(query)).status_code == 200
    assert (await world.client.get(f"{query}&state=open")).status_code == 400
    assert (await world.client.get(f"{CITY}{query}")).status_code == 400


@pytest.mark.parametrize(
    "parameter", ["limit=0", "limit=101", "limit=99999999999999999999", "limit=x", "limit=", "state=lost"]
)
async def test_a_bad_parameter_is_400_and_named(world: Served, parameter: str) -> None:
    answer = await world.client.get(f"/api/v1/campaigns?{parameter}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [parameter.partition("=")[0]]


async def test_of_a_parameter_given_twice_the_last_counts_and_unknown_ones_do_not(world: Served) -> None:
    assert await slugs(world, "?limit=4&limit=1&unknown=1") == ["herons"]


async def test_one_campaign_has_its_texts(world: Served) -> None:
    answer = await world.client.get("/api/v1/campaigns/oysters")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["title"], body["endorsement_count"], body["description_html"]) == ("Oysters", 2, "")


@pytest.mark.parametrize("slug", ["draft", "huitres", "none", "Oysters", "a%2Fb", "%20"])
async def test_what_is_not_published_in_this_language_is_404(world: Served, slug: str) -> None:
    answer = await world.client.get(f"/api/v1/campaigns/{slug}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:hustings:problem:not-found")


async def test_nothing_says_who_endorsed(world: Served) -> None:
    for path in ("/api/v1/campaigns", "/api/v1/campaigns/oysters"):
        text = (await world.client.get(path)).text
        for private in ("example.org", "Harbour", "Ada", "stakeholder", "email"):
            assert private not in text


async def test_another_site_s_campaign_is_404(world: Served) -> None:
    assert (await world.client.get(f"{CITY}/api/v1/campaigns/clean-streets")).status_code == 200
    assert (await world.client.get(f"{CITY}/api/v1/campaigns/oysters")).status_code == 404
    assert (await world.client.get(f"{BAY}/api/v1/campaigns/clean-streets")).status_code == 404
    listed = (await world.client.get(f"{CITY}/api/v1/campaigns")).json()
    assert ([item["slug"] for item in listed["items"]], listed["total"]) == (["clean-streets"], 1)


async def test_without_the_policy_another_site_s_campaign_would_be_seen(database: Database) -> None:
    """The control: it is the policy of the table, and no condition of a query, that keeps sites apart."""
    await two_sites(database.url())
    owner = await asyncpg.connect(database.url("owner"))
    await owner.execute("ALTER TABLE campaigns NO FORCE ROW LEVEL SECURITY")
    await owner.execute("ALTER TABLE campaigns DISABLE ROW LEVEL SECURITY")
    await owner.close()
    async with served(database.url()) as world:
        assert (await world.client.get(f"{CITY}/api/v1/campaigns/oysters")).status_code == 200


@pytest.mark.parametrize(("path", "most"), [("/api/v1/campaigns", 3), ("/api/v1/campaigns/oysters", 2)])
async def test_the_statements_do_not_grow_with_the_rows(world: Served, path: str, most: int) -> None:
    """Finding the site is one of them; the count of the list another."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    await world.client.get(path)
    event.listen(world.engine.sync_engine, "before_cursor_execute", note)
    await world.client.get(path)
    event.remove(world.engine.sync_engine, "before_cursor_execute", note)
    assert 2 <= len(statements) <= most
