"""site.toml, as the site's row and its hosts."""

import json
from pathlib import Path

import pytest

from app.database.engine import site_transaction
from tests.conftest import Database
from tests.packs.support import SITE, desk, small_pack

pytestmark = pytest.mark.anyio


async def test_settings_theme_navigation_and_hosts_are_stored(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        [site] = await at.rows("river", "SELECT * FROM sites")
        assert json.loads(site["settings"]) == {"contact_email": "office@river.example"}
        assert json.loads(site["theme"]) == {"primary": "#114433", "accent": "#f0a830", "font": "journal"}
        assert json.loads(site["navigation"]) == [{"label": "Campaigns", "url": "/campaigns/"}]
        assert (site["kind"], site["locale"], site["timezone"]) == ("organization", "en", "America/New_York")
        assert await at.rows("river", "SELECT host::text FROM site_hosts") == [{"host": "www.river.example"}]


async def test_settings_that_a_pack_does_not_know_are_kept(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        report = await at.load(small_pack(tmp_path))
        async with site_transaction(at.connection, report.site_id):
            await at.connection.execute(
                'UPDATE sites SET settings = settings || \'{"other": 1, "tagline": "x"}\''
            )
        assert not (await at.load(tmp_path)).is_unchanged
        [site] = await at.rows("river", "SELECT settings FROM sites")
        assert json.loads(site["settings"]) == {"contact_email": "office@river.example", "other": 1}
        assert (await at.load(tmp_path)).is_unchanged


async def test_a_host_that_the_pack_dropped_stays_until_it_is_pruned(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        small_pack(tmp_path, {"site.toml": SITE.replace("www.river", "river")})
        await at.load(tmp_path)
        hosts = "SELECT host::text FROM site_hosts ORDER BY host"
        assert [row["host"] for row in await at.rows("river", hosts)] == [
            "river.example",
            "www.river.example",
        ]
        await at.load(tmp_path, prune=True)
        assert [row["host"] for row in await at.rows("river", hosts)] == ["river.example"]
