"""Dumping: the canonical form of a pack, whole or not at all."""

from pathlib import Path

import pytest

from app.errors import NotFound
from app.packs.dump import _finish
from app.packs.problems import PackError
from app.storage.store import ObjectNotFound
from tests.conftest import Database
from tests.packs.support import HOME, SHORE, desk, picture, small_pack, tree

pytestmark = pytest.mark.anyio

TRANSLATED: dict[str, str | bytes | None] = {
    "homepage.de.toml": HOME.replace("River Alliance", "Flussbund"),
    "blocks/01-water.de.md": '+++\ntitle = "Wasser"\n+++\n\nKlar.\n',
    "campaigns/shore.de.md": SHORE.replace("A living shore", "Ein Ufer"),
    "campaigns/wells.de.md": SHORE.replace("A living shore", "Brunnen"),
    "campaigns/wells.blocks/10-why.de.md": "+++\n+++\n\nWarum.\n",
    "pages/about.de.md": '+++\ntitle = "Wir"\n+++\n',
    "pages/about/team.de.md": '+++\ntitle = "Leute"\n+++\n',
    "media/big.jpg": picture(2000, 1000, "JPEG"),
}


async def test_a_dump_is_canonical_and_loads_as_what_is_there(database: Database, tmp_path: Path) -> None:
    """Loading a hand-written pack, dumping, loading that dump elsewhere and dumping again: the same bytes."""
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "written", TRANSLATED))
        first = await at.dump("river", tmp_path / "first")
        assert (await at.load(tmp_path / "first", prune=True)).is_unchanged
        assert first.keys() == tree(tmp_path / "written").keys()
        await at.connection.execute(
            "SELECT set_config('app.site_id', (SELECT id::text FROM site_directory()), false)"
        )
        await at.connection.execute("DELETE FROM pages WHERE parent_id IS NOT NULL")
        await at.connection.execute("DELETE FROM sites")
        await at.connection.execute("RESET app.site_id")
        assert not (await at.load(tmp_path / "first")).is_unchanged
        assert await at.dump("river", tmp_path / "second") == first


async def test_the_canonical_form(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "written"))
        dumped = await at.dump("river", tmp_path / "dumped")
    assert dumped["campaigns/wells.md"].decode() == (
        '+++\ntitle = "Free well tests"\nsummary = "Every well, every spring."\ntarget_count = 30\n'
        "closes_at = 2027-02-27T04:59:00Z\ncreated_at = 2026-01-02T03:04:05Z\n+++\n\n"
        "# Why\n\nBecause of *salt*.\n"
    )
    assert dumped["endorsements.csv"].decode() == (
        "stakeholder,campaign,statement,is_public,created_at\n"
        'mei@wells.example,wells,"We pull pumps, eaten through.",true,2026-11-20T16:41:37Z\n'
        "Greta Holloway|,wells,,true,2026-11-09T23:00:00Z\n"
    )
    assert dumped["homepage.toml"].decode() == (
        'organization_name = "River Alliance"\nhero_title = """\nTwo\nlines"""\n'
        'hero_background_image = "media/shore.webp"\nabout_section_content = "We *care*."\n'
        'contact_email = "office@river.example"\nis_active = true\n\n'
        '[social_media_urls]\nMastodon = "https://social.example/@river"\n'
    )
    assert dumped["media/shore.webp"] == picture()


@pytest.mark.parametrize("site", ["demo", "brackwater"])
async def test_the_packs_of_this_repository_go_round(site: str, database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(Path("content") / site)
        first = await at.dump(site, tmp_path / "first")
        assert (await at.load(tmp_path / "first", prune=True)).is_unchanged
        assert first.keys() == tree(Path("content") / site).keys()


async def test_a_site_that_has_nothing_gives_its_site_file_alone(database: Database, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/site.toml").write_text('slug = "bare"\nname = "Bare"\n')
    async with desk(database.url()) as at:
        await at.load(tmp_path / "bare")
        assert await at.dump("bare", tmp_path / "out") == {"site.toml": b'slug = "bare"\nname = "Bare"\n'}


async def test_an_unknown_site_is_named_with_those_that_are_there(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "pack"))
        with pytest.raises(NotFound, match=r"There is no site lake\. The sites are: river\."):
            await at.dump("lake", tmp_path / "out")


async def test_a_folder_that_holds_something_is_refused_and_an_empty_one_is_filled(
    database: Database, tmp_path: Path
) -> None:
    async with desk(database.url()) as at:
        pack = small_pack(tmp_path / "pack")
        await at.load(pack)
        before = tree(pack)
        with pytest.raises(PackError, match="is not empty"):
            await at.dump("river", pack)
        assert tree(pack) == before
        (tmp_path / "empty").mkdir()
        assert await at.dump("river", tmp_path / "empty")


async def test_a_folder_that_cannot_be_made_is_a_sentence(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "pack"))
        with pytest.raises(PackError, match="cannot be written: Not a directory"):
            await at.dump("river", tmp_path / "file" / "out")


def test_a_folder_that_was_filled_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/theirs").write_text("x")
    with pytest.raises(PackError, match="cannot be written: Directory not empty"):
        _finish(tmp_path / "made", tmp_path / "out")
    assert tree(tmp_path / "out") == {"theirs": b"x"}


async def test_a_dump_that_fails_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    async with desk(database.url()) as at:
        await at.load(small_pack(tmp_path / "pack"))
        for stored in at.store.store.list("media/"):
            at.store.store.delete(stored.key)
        with pytest.raises(ObjectNotFound):
            await at.dump("river", tmp_path / "out")
    assert {name.partition("/")[0] for name in tree(tmp_path)} == {"pack"}
