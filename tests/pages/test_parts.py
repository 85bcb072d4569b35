"""Pictures and bands of blocks."""

from collections.abc import AsyncIterator

import pytest

from app.kit.markup import render_markdown
from app.pages.parts import band, media_path, pictures_in, place_pictures
from app.pages.schemas import Image
from tests.conftest import Database
from tests.publishing.world import World, world

KNOWN = {"media/buoy.webp": Image(url="/media/abc-buoy.webp", alt="A buoy", width=800, height=400)}


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("", "paper"),
        ("#ffffff", "paper"),
        ("#f4f6f7", "wash"),
        ("#d9f0f6", "tint"),
        ("#f0a830", "accent"),
        ("#0b2a33", "deep"),
    ],
)
def test_a_colour_chooses_the_band_of_the_nearest_lightness(colour: str, name: str) -> None:
    assert band(colour) == name


def test_a_picture_in_a_text_gets_its_place_and_measures() -> None:
    html = render_markdown("Look:\n\n![A buoy](media/buoy.webp)")
    assert pictures_in(html) == ["media/buoy.webp"]
    placed = place_pictures(html, KNOWN)
    assert '<img src="/media/abc-buoy.webp" width="800" height="400" loading="lazy" alt="A buoy">' in placed


def test_only_our_own_pictures_are_looked_for_and_only_in_pictures() -> None:
    """A text that quotes the address of a picture shows none."""
    html = render_markdown(
        '`src="media/quoted.webp"` ![](media/a.webp) ![](https://elsewhere.example/b.webp)'
    )
    assert pictures_in(html) == ["media/a.webp"]
    assert pictures_in('src="media/bare.webp"') == []


def test_a_picture_of_another_origin_is_left_out() -> None:
    html = render_markdown("![x](https://elsewhere.example/x.png) ![y](media/unknown.webp) and text")
    placed = place_pictures(html, KNOWN)
    assert "<img" not in placed
    assert "and text" in placed


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


@pytest.mark.anyio
async def test_another_picture_under_the_same_name_renews_the_pages_that_show_it(here: World) -> None:
    site = await here.add_site()
    await here.add_homepage(site, about_section_html='<p><img src="media/a.webp" alt="A"></p>')
    await here.add_campaign(site, "by-url", image_url="media/a.webp", image_alt_text="Mine")
    await here.add_campaign(site, "by-text", description_html='<p><img src="media/a.webp" alt=""></p>')
    block = await here.add_campaign(site, "by-block")
    await here.insert(site, "content_blocks", campaign_id=block, block_type="image", image_url="media/a.webp")
    await here.add_campaign(site, "without")
    digests = ("a" * 64, "b" * 64)
    for digest in digests:
        here.store.put(f"media/{digest}", digest.encode(), content_type="image/webp")
    measures = {"size": 64, "width": 8, "height": 4, "content_type": "image/webp"}
    await here.insert(site, "media", filename="a.webp", digest=digests[0], alt_text="Theirs", **measures)
    await here.publish(site)
    old, new = (media_path("a.webp", digest) for digest in digests)
    shows = ["/", "/campaigns/by-url/", "/campaigns/by-text/", "/campaigns/by-block/"]
    assert all(old in here.page(site, path) for path in shows)
    assert 'alt="Mine"' in here.page(site, "/campaigns/by-url/")
    assert 'alt="Theirs"' in here.page(site, "/campaigns/by-text/")
    before = here.entries(site)
    await here.run(site, "UPDATE media SET digest = $1", digests[1])
    await here.publish(site)
    assert all(new in here.page(site, path) for path in shows)
    after = here.entries(site)
    assert after["/campaigns/without/"] == before["/campaigns/without/"]
    assert (after[old].status, after[old].gone_on) == (200, "2026-11-21")
    assert (await here.publish(site, full=True)).rendered == 0
