"""The packs that come with the program load as they are, and loading them twice changes nothing."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Database
from tests.packs.support import desk, tree

CONTENT = Path(__file__).parents[2] / "content"
SLUGS = sorted(folder.name for folder in CONTENT.iterdir() if folder.is_dir())


def rows(pack: Path, name: str) -> list[dict[str, str]]:
    with (pack / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.anyio
@pytest.mark.parametrize("slug", SLUGS)
async def test_a_pack_loads_twice_and_dumps_to_the_same_bytes(
    database: Database, tmp_path: Path, slug: str
) -> None:
    async with desk(database.url()) as at:
        first = await at.load(CONTENT / slug)
        assert first.slug == slug
        assert not first.is_unchanged
        assert (await at.load(CONTENT / slug)).is_unchanged
        assert await at.dump(slug, tmp_path) == tree(CONTENT / slug)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_picture_is_light_and_has_a_text(slug: str) -> None:
    pack = CONTENT / slug
    pictures = sorted((pack / "media").glob("*")) if (pack / "media").exists() else []
    texts = {row["filename"]: row["alt_text"] for row in rows(pack, "media.csv")} if pictures else {}
    assert set(texts) == {picture.name for picture in pictures}
    for picture in pictures:
        assert picture.stat().st_size <= 120_000
        assert texts[picture.name]
        with Image.open(picture) as image:
            assert image.width == 1600


def test_the_demo_has_endorsements_of_every_kind_of_stakeholder() -> None:
    stakeholders = {row["email"]: row for row in rows(CONTENT / "demo", "stakeholders.csv")}
    kinds = {row["stakeholder_type"] for row in stakeholders.values()}
    assert kinds == {"farmer", "waterman", "business", "nonprofit", "individual", "government", "other"}
    endorsed = {row["campaign"] for row in rows(CONTENT / "demo", "endorsements.csv")}
    assert endorsed == {path.stem for path in (CONTENT / "demo" / "campaigns").glob("*.md")}
