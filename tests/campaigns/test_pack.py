"""Campaigns of a pack, as rows."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.packs.support import SHORE, WELLS, desk, small_pack

pytestmark = pytest.mark.anyio


async def test_the_body_is_the_description_and_times_are_utc(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        [wells] = await at.rows("river", "SELECT * FROM campaigns WHERE slug = 'wells'")
        assert wells["description"] == "# Why\n\nBecause of *salt*."
        assert wells["description_html"] == "<h2>Why</h2>\n<p>Because of <em>salt</em>.</p>"
        assert wells["closes_at"] == datetime(2027, 2, 27, 4, 59, tzinfo=UTC)
        assert wells["created_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert (wells["target_count"], wells["active"], wells["locale"]) == (30, True, "en")
        [shore] = await at.rows("river", "SELECT * FROM campaigns WHERE slug = 'shore'")
        assert shore["outcome_html"] == "<p><strong>Won.</strong></p>"


async def test_an_edit_keeps_the_number_the_id_and_the_day(database: Database, tmp_path: Path) -> None:
    query = "SELECT id, number, created_at, translation_group_id FROM campaigns ORDER BY slug"
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        before = await at.rows("river", query)
        await at.load(small_pack(tmp_path, {"campaigns/shore.md": SHORE.replace("Reeds", "Cordgrass")}))
        assert await at.rows("river", query) == before


async def test_a_given_day_replaces_the_stored_one(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        await at.load(small_pack(tmp_path, {"campaigns/wells.md": WELLS.replace("2026-01-02", "2025-12-31")}))
        [wells] = await at.rows("river", "SELECT created_at FROM campaigns WHERE slug = 'wells'")
        assert wells["created_at"].year == 2025


async def test_a_translation_has_the_slug_and_the_group_of_its_original(
    database: Database, tmp_path: Path
) -> None:
    german = {"campaigns/wells.de.md": WELLS.replace("Free well tests", "Brunnen")}
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path, german))
        rows = await at.rows(
            "river",
            "SELECT locale, number, translation_group_id AS g FROM campaigns WHERE slug = 'wells' ORDER BY 1",
        )
        assert [(row["locale"], row["number"]) for row in rows] == [("de", 1), ("en", 1)]
        assert rows[0]["g"] == rows[1]["g"]


async def test_the_number_of_statements_does_not_grow_with_the_number_of_campaigns(
    database: Database, tmp_path: Path
) -> None:
    many = {
        f"campaigns/c{number:03d}.md": SHORE.replace("A living shore", f"Number {number}")
        for number in range(300)
    }
    async with desk(database.url()) as at:
        statements: list[str] = []
        at.connection.add_query_logger(lambda record: statements.append(record.query))
        await at.load(small_pack(tmp_path / "few"))
        few = len(statements)
        await at.load(small_pack(tmp_path / "many", many))
        assert len(statements) <= 2 * few
