"""Pictures and blocks for pages, each for many owners in one query."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import UUID

from app.kit.colour import parse
from app.pages.schemas import Band, Block, Image
from app.publishing.kinds import Content

MEDIA_PREFIX = "media/"
_TAG = "<img "
_IMAGE = re.compile(r"<img [^>]*>")
_SOURCE = re.compile(r'src="([^"]+)"')
CSS_CLASSES = frozenset({"narrow"})
"""What an editor may give to a block; each is a rule of the hashed stylesheet."""
BAND_LIGHTNESS: dict[Band, float] = {"paper": 1.0, "wash": 0.972, "tint": 0.94, "accent": 0.78, "deep": 0.34}
"""OKLCH lightness of the bands in the light mode of the demo theme."""

IMAGES = """
SELECT filename, digest, width, height, alt_text, credit FROM media WHERE filename = ANY($1::text[])
"""
BLOCKS = """
SELECT {owner} AS owner_id, block_type, title, content_html, image_url, image_alt_text, css_classes,
       background_color
  FROM content_blocks
 WHERE {owner} = ANY($1::uuid[]) AND is_visible AND locale = $2
 ORDER BY position, name, id
"""

Owner = Literal["homepage_id", "campaign_id", "page_id"]
Record = Any
"""A row that is read by column name: asyncpg's, or a dict."""
Pictures = Mapping[str, Image]
"""By the name that content uses: media/<filename>."""


def media_path(filename: str, digest: str) -> str:
    """Where a picture is published: another picture under the same name is another path."""
    return f"/media/{digest[:12]}-{PurePosixPath(filename).stem}.webp"


async def pictures(content: Content, urls: Iterable[str]) -> Pictures:
    names = sorted({url.removeprefix(MEDIA_PREFIX) for url in urls if url})
    if not names:
        return {}
    rows = await content.connection.fetch(IMAGES, names)
    return {
        MEDIA_PREFIX + row["filename"]: Image(
            url=media_path(row["filename"], row["digest"]),
            alt=row["alt_text"],
            width=row["width"],
            height=row["height"],
            credit=row["credit"],
        )
        for row in rows
    }


def picture(known: Pictures, url: str, alt: str = "") -> Image | None:
    """The picture with the text of the place that uses it, else its own."""
    image = known.get(url)
    if image is None or not alt:
        return image
    return Image(url=image.url, alt=alt, width=image.width, height=image.height, credit=image.credit)


async def blocks(
    content: Content, owner: Owner, owners: Iterable[UUID], locale: str
) -> dict[UUID, tuple[Block, ...]]:
    """The visible blocks of each owner, in their order."""
    rows = await content.connection.fetch(BLOCKS.format(owner=owner), list(owners), locale)
    known = await pictures(content, named_pictures(rows, "image_url", "content_html"))
    found: dict[UUID, list[Block]] = {}
    for row in rows:
        found.setdefault(row["owner_id"], []).append(_block(dict(row), known))
    return {key: tuple(made) for key, made in found.items()}


def named_pictures(rows: Iterable[Record], url: str, *texts: str) -> list[str]:
    """All pictures of many rows: those of the column `url`, and those in columns of sanitised HTML."""
    rows = list(rows)
    return [row[url] for row in rows] + [
        each for row in rows for text in texts for each in pictures_in(row[text])
    ]


def pictures_in(html: str) -> list[str]:
    """The pictures of our store that sanitised HTML names, as content names them."""
    if _TAG not in html:
        return []
    sources = [_SOURCE.search(tag) for tag in _IMAGE.findall(html)]
    return [found[1] for found in sources if found and found[1].startswith(MEDIA_PREFIX)]


def place_pictures(html: str, known: Pictures) -> str:
    """Each picture in its published place, with its measures; its own alt text if the place gives it none.

    One that is not ours is left out: a page loads nothing from elsewhere, and it would be an empty frame.
    """
    if _TAG not in html:
        return html
    return _IMAGE.sub(lambda found: _placed(found.group(), known), html)


def _placed(tag: str, known: Pictures) -> str:
    source = _SOURCE.search(tag)
    image = known.get(source.group(1)) if source else None
    if image is None or source is None:
        return ""
    measures = f'src="{image.url}" width="{image.width}" height="{image.height}" loading="lazy"'
    return tag.replace(source.group(), measures).replace(' alt=""', f' alt="{escape(image.alt)}"', 1)


@lru_cache(maxsize=1024)
def band(background_color: str) -> Band:
    """The band nearest in lightness to the colour that an editor chose; none chosen is paper."""
    if not background_color:
        return "paper"
    lightness = parse(background_color).lightness
    return min(BAND_LIGHTNESS, key=lambda name: abs(BAND_LIGHTNESS[name] - lightness))


def _block(row: Mapping[str, Any], known: Pictures) -> Block:
    return Block(
        block_type=row["block_type"],
        title=row["title"],
        html=place_pictures(row["content_html"], known),
        image=picture(known, row["image_url"], row["image_alt_text"]),
        band=band(row["background_color"]),
        css_classes=tuple(name for name in row["css_classes"].split() if name in CSS_CLASSES),
    )
