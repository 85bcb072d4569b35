"""Home page, blocks, tree, media and redirects of a pack, as rows."""

from pathlib import Path

import pytest

from app.database.engine import site_transaction
from tests.conftest import Database
from tests.packs.support import BLOCK, HOME, desk, picture, small_pack

pytestmark = pytest.mark.anyio

PAGE = '+++\ntitle = "x"\n+++\n'


async def test_the_home_page_holds_its_markdown_and_its_html(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        [home] = await at.rows("river", "SELECT * FROM homepages")
        assert home["hero_title"] == "Two\nlines"
        assert home["about_section_content"] == "We *care*."
        assert home["about_section_html"] == "<p>We <em>care</em>.</p>"
        assert home["social_media_urls"] == '{"Mastodon": "https://social.example/@river"}'
        assert home["is_active"]


async def test_blocks_know_their_one_owner_and_their_order(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        rows = await at.rows(
            "river",
            "SELECT b.name, b.position, b.content_html, p.slug AS page, c.slug AS campaign, "
            "b.homepage_id IS NOT NULL AS home FROM content_blocks b LEFT JOIN pages p ON p.id = page_id "
            "LEFT JOIN campaigns c ON c.id = campaign_id ORDER BY b.name",
        )
        assert [tuple(row.values()) for row in rows] == [
            ("start", 1, "<p>So it goes.</p>", "about", None, False),
            ("water", 1, "<p>Clear.</p>", None, None, True),
            ("why", 10, "<p>Text.</p>", None, "wells", False),
        ]


async def test_a_new_number_moves_the_block_instead_of_adding_one(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a"))
        moved = {"blocks/01-water.md": None, "blocks/07-water.md": BLOCK}
        report = await at.load(small_pack(tmp_path / "b", moved))
        assert report.tables["content_blocks"].updated == 1
        rows = await at.rows("river", "SELECT position FROM content_blocks WHERE name = 'water'")
        assert [row["position"] for row in rows] == [7]


async def test_pages_stand_below_their_parents(database: Database, tmp_path: Path) -> None:
    deep = {"pages/about/team/board.md": PAGE, "pages/board.md": PAGE}
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path, deep))
        rows = await at.rows(
            "river",
            "SELECT p.slug, a.slug AS above FROM pages p LEFT JOIN pages a ON a.id = p.parent_id "
            "ORDER BY p.slug, a.slug NULLS FIRST",
        )
        assert [(row["slug"], row["above"]) for row in rows] == [
            ("about", None),
            ("board", None),
            ("board", "team"),
            ("team", "about"),
        ]


async def test_a_whole_branch_of_pages_is_pruned_at_once(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a", {"pages/about/team/board.md": PAGE}))
        few = {"pages/about.md": None, "pages/about/team.md": None, "pages/about.blocks/01-start.md": None}
        report = await at.load(small_pack(tmp_path / "b", few), prune=True)
        assert report.tables["pages"].removed == 3


async def test_translations_share_the_group_of_their_original(database: Database, tmp_path: Path) -> None:
    translated = {
        "homepage.de.toml": HOME,
        "blocks/01-water.de.md": BLOCK,
        "pages/about.de.md": PAGE,
        "pages/about/team.de.md": PAGE,
    }
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path, translated))
        for table in ("homepages", "pages"):
            rows = await at.rows(
                "river",
                f"SELECT array_agg(locale ORDER BY locale) AS locales FROM {table} "
                "GROUP BY translation_group_id",
            )
            assert {tuple(row["locales"]) for row in rows} == {("de", "en")}
        [german] = await at.rows(
            "river",
            "SELECT h.locale, b.translation_group_id = o.translation_group_id AS together "
            "FROM content_blocks b JOIN homepages h ON h.id = b.homepage_id "
            "JOIN content_blocks o ON o.name = b.name AND o.locale = 'en' WHERE b.locale = 'de'",
        )
        assert german == {"locale": "de", "together": True}


async def test_a_translation_alone_loads_beside_what_is_stored_but_not_with_prune(
    database: Database, tmp_path: Path
) -> None:
    alone = {"pages/about.md": None, "pages/about.de.md": PAGE, "pages/about/team.md": None}
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a"))
        pack = small_pack(tmp_path / "b", alone)
        assert (await at.load(pack)).tables["pages"].inserted == 1
        assert await at.problems(pack, prune=True) == [
            "pages/about.blocks/01-start.md: is a block of nothing: what it stands on is not there in en",
            "pages/about.de.md: translates nothing: there is no such file without .de",
        ]


async def test_a_pack_means_the_active_home_page_and_leaves_others(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        [first] = await at.rows("river", "SELECT id, site_id FROM homepages")
        async with site_transaction(at.connection, first["site_id"]):
            await at.connection.execute(
                "INSERT INTO homepages (id, site_id, translation_group_id, organization_name, contact_email) "
                "VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'Draft', '')",
                first["site_id"],
            )
        assert (await at.load(tmp_path)).is_unchanged
        small_pack(tmp_path, {"homepage.toml": HOME.replace("is_active = true", "")})
        assert (await at.load(tmp_path)).tables["homepages"].updated == 1
        assert (await at.load(tmp_path)).is_unchanged
        rows = await at.rows("river", "SELECT id FROM homepages WHERE hero_title <> ''")
        assert [row["id"] for row in rows] == [first["id"]]


async def test_an_active_translation_retires_the_active_page_of_its_language(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path))
        [first] = await at.rows("river", "SELECT site_id FROM homepages")
        async with site_transaction(at.connection, first["site_id"]):
            await at.connection.execute(
                "INSERT INTO homepages "
                "(id, site_id, locale, translation_group_id, organization_name, contact_email, is_active) "
                "VALUES (gen_random_uuid(), $1, 'de', gen_random_uuid(), 'Alt', '', true)",
                first["site_id"],
            )
        await at.load(small_pack(tmp_path, {"homepage.de.toml": HOME}))
        rows = await at.rows(
            "river", "SELECT organization_name AS name FROM homepages WHERE is_active ORDER BY 1"
        )
        assert [row["name"] for row in rows] == ["River Alliance", "River Alliance"]


async def test_pictures_are_stored_by_digest_before_their_rows(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path, {"media/big.jpg": picture(2000, 10, "JPEG")}))
        rows = await at.rows("river", "SELECT * FROM media ORDER BY filename")
        assert [(row["filename"], row["content_type"], row["width"], row["alt_text"]) for row in rows] == [
            ("big.jpg", "image/webp", 1600, ""),
            ("shore.webp", "image/webp", 8, "Reeds"),
        ]
        assert [len(await at.store.get(f"media/{row['digest']}")) for row in rows] == [
            row["size"] for row in rows
        ]


async def test_a_picture_that_is_stored_already_may_be_shown_unless_it_is_pruned(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "a"))
        pack = small_pack(tmp_path / "b", {"media/shore.webp": None, "media.csv": None})
        assert (await at.load(pack)).is_unchanged
        assert len(await at.problems(pack, prune=True)) == 2
