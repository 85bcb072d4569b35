"""Loading whole packs into PostgreSQL, as the application role."""

import hashlib
from pathlib import Path

import pytest

from app.errors import Conflict
from tests.conftest import Database
from tests.packs.support import (
    HOME,
    SHORE,
    SITE,
    STAKEHOLDERS,
    WELLS,
    desk,
    small_pack,
    tree,
)

pytestmark = pytest.mark.anyio

ROWS_AND_VERSIONS = """
SELECT tableoid::regclass::text AS name, id, xmin::text FROM sites
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM homepages
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM content_blocks
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM campaigns
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM pages
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM media
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM redirects
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM stakeholders
UNION ALL SELECT tableoid::regclass::text, id, xmin::text FROM endorsements
ORDER BY 1, 2
"""


async def test_everything_of_a_pack_is_written(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        report = await at.load(small_pack(tmp_path))
        inserted = {name: written.inserted for name, written in report.tables.items()}
        assert inserted == {
            "sites": 1,
            "site_hosts": 1,
            "media": 1,
            "homepages": 1,
            "content_blocks": 3,
            "pages": 2,
            "redirects": 1,
            "campaigns": 2,
            "stakeholders": 2,
            "endorsements": 2,
        }
        assert report.slug == "river"
        assert not report.is_unchanged


async def test_loading_the_same_pack_again_writes_no_row(database: Database, tmp_path: Path) -> None:
    pack = small_pack(tmp_path)
    async with desk(database.url()) as at:
        await at.load(pack)
        before = await at.rows("river", ROWS_AND_VERSIONS)
        changes = await at.rows("river", "SELECT count(*) AS n FROM content_changes")
        report = await at.load(pack)
        assert report.is_unchanged
        assert sum(written.unchanged for written in report.tables.values()) == 16
        assert await at.rows("river", ROWS_AND_VERSIONS) == before
        assert await at.rows("river", "SELECT count(*) AS n FROM content_changes") == changes


async def test_one_edit_writes_one_row(database: Database, tmp_path: Path) -> None:
    pack = small_pack(tmp_path)
    async with desk(database.url()) as at:
        await at.load(pack)
        small_pack(tmp_path, {"campaigns/wells.md": WELLS.replace("every spring", "each spring")})
        report = await at.load(pack)
        assert {
            name: (w.inserted, w.updated) for name, w in report.tables.items() if w.inserted or w.updated
        } == {"campaigns": (0, 1)}
        assert report.tables["campaigns"].unchanged == 1


async def test_what_a_pack_does_not_have_is_left_alone(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "all"))
        few = small_pack(
            tmp_path / "few",
            {"campaigns/wells.md": None, "campaigns/wells.blocks/10-why.md": None, "endorsements.csv": None},
        )
        assert (await at.load(few)).is_unchanged
        assert len(await at.rows("river", "SELECT FROM campaigns")) == 2


async def test_prune_removes_what_the_pack_does_not_have_and_only_of_its_site(
    database: Database, tmp_path: Path
) -> None:
    other = {"site.toml": SITE.replace('"river"', '"lake"').replace("www.river", "www.lake")}
    keep = {
        "site.toml": 'slug = "river"\nname = "River Alliance"\n',
        "homepage.toml": HOME.replace('"media/shore.webp"', '""'),
        "blocks/01-water.md": None,
        "campaigns/wells.md": None,
        "campaigns/wells.blocks/10-why.md": None,
        "pages/about.md": None,
        "pages/about/team.md": None,
        "pages/about.blocks/01-start.md": None,
        "redirects.csv": None,
        "stakeholders.csv": None,
        "endorsements.csv": None,
        "media/shore.webp": None,
        "media.csv": None,
    }
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "river"))
        await at.load(small_pack(tmp_path / "lake", other))
        report = await at.load(small_pack(tmp_path / "few", keep), prune=True)
        removed = {name: written.removed for name, written in report.tables.items() if written.removed}
        assert removed == {
            "site_hosts": 1,
            "media": 1,
            "content_blocks": 3,
            "pages": 2,
            "redirects": 1,
            "campaigns": 1,
            "stakeholders": 2,
            "endorsements": 2,
        }
        assert [row["slug"] for row in await at.rows("river", "SELECT slug FROM campaigns")] == ["shore"]
        assert (await at.load(tmp_path / "lake", prune=True)).is_unchanged


async def test_pruning_with_the_same_pack_changes_nothing(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        assert (await at.load(tmp_path, prune=True)).is_unchanged


async def test_a_renamed_campaign_with_the_same_title_loads_with_prune(
    database: Database, tmp_path: Path
) -> None:
    """Pruning comes before writing, so that unique titles and hosts are free again."""
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "one"))
        renamed = small_pack(tmp_path / "two", {"campaigns/shore.md": None, "campaigns/reeds.md": SHORE})
        with pytest.raises(Conflict, match="unique_title"):
            await at.load(renamed)
        report = await at.load(renamed, prune=True)
        assert (report.tables["campaigns"].inserted, report.tables["campaigns"].removed) == (1, 1)


async def test_a_host_of_another_site_is_refused_and_nothing_is_changed(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "river"))
        thief = small_pack(tmp_path / "lake", {"site.toml": SITE.replace('"river"', '"lake"')})
        assert await at.problems(thief) == [
            "site.toml: hosts: www.river.example belongs to another site; remove it there first"
        ]
        sites = await at.connection.fetch("SELECT slug FROM site_directory()")
        assert [row["slug"] for row in sites] == ["river"]


async def test_a_value_that_no_index_can_hold_is_a_sentence(database: Database, tmp_path: Path) -> None:
    """Incompressible, or PostgreSQL would fit it in."""
    long = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))
    people = STAKEHOLDERS.replace("Greta,Holloway,", f"Greta,Holloway,{long}")
    async with desk(database.url()) as at:
        with pytest.raises(Conflict, match=r"too long to be looked up by: .* Nothing was changed\."):
            await at.load(small_pack(tmp_path, {"stakeholders.csv": people, "endorsements.csv": None}))
        assert await at.connection.fetch("SELECT FROM site_directory()") == []


async def test_campaigns_are_numbered_from_the_oldest(database: Database, tmp_path: Path) -> None:
    """Files are read by name; the number follows `created_at`, and those without one come last."""
    dated = SHORE.replace("+++\n", "+++\ncreated_at = 2025-01-01T00:00:00Z\n", 1).replace("living", "wild")
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path, {"campaigns/zebra.md": dated}))
        rows = await at.rows("river", "SELECT slug FROM campaigns ORDER BY number")
        assert [row["slug"] for row in rows] == ["zebra", "wells", "shore"]


async def test_a_pack_with_byte_order_marks_and_windows_line_ends_loads_as_the_same_content(
    database: Database, tmp_path: Path
) -> None:
    plain = small_pack(tmp_path / "plain")
    marked = tmp_path / "marked"
    for name, content in tree(plain).items():
        text = not name.endswith(".webp")
        path = marked / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n") if text else content)
    async with desk(database.url()) as at:
        await at.load(plain)
        assert (await at.load(marked)).is_unchanged
