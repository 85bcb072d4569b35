"""A small pack that tests write, change and load."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image

from app.campaigns import pack as campaigns
from app.database.engine import Connection, site_transaction
from app.endorsements import pack as endorsements
from app.packs.dump import dump_pack
from app.packs.load import LoadReport, load_pack
from app.packs.problems import PackError
from app.pages import pack as pages
from app.sites import pack as sites
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore

PACKS = (sites.PACK, pages.PACK, campaigns.PACK, endorsements.PACK)
Files = Mapping[str, str | bytes | None]

SITE = """\
slug = "river"
name = "River Alliance"
hosts = ["www.river.example"]
timezone = "America/New_York"
contact_email = "office@river.example"

[theme]
primary = "#114433"

[[navigation]]
label = "Campaigns"
url = "/campaigns/"
"""
HOME = """\
organization_name = "River Alliance"
hero_title = "Two\\nlines"
hero_background_image = "media/shore.webp"
about_section_content = "We *care*."
contact_email = "office@river.example"
is_active = true

[social_media_urls]
Mastodon = "https://social.example/@river"
"""
WELLS = """\
+++
title = "Free well tests"
summary = "Every well, every spring."
target_count = 30
closes_at = 2027-02-26T23:59:00-05:00
created_at = 2026-01-02T03:04:05Z
+++

# Why

Because of *salt*.
"""
SHORE = '+++\ntitle = "A living shore"\nsummary = "Reeds."\noutcome = "**Won.**"\n+++\n'
BLOCK = '+++\ntitle = "Water"\nblock_type = "image"\nimage_url = "media/shore.webp"\n+++\n\nClear.\n'
STAKEHOLDERS = """\
first_name,last_name,organization,stakeholder_type,email,latitude,longitude,is_public
Mei,Castellano,Castellano Wells,business,mei@wells.example,39.3905,-76.5411,true
Greta,Holloway,,individual,,,,false
"""
ENDORSEMENTS = """\
stakeholder,campaign,statement,is_public,created_at
mei@wells.example,wells,"We pull pumps, eaten through.",true,2026-11-20T11:41:37-05:00
Greta Holloway|,wells,,true,2026-11-09T18:00:00-05:00
"""


def picture(width: int = 8, height: int = 6, kind: str = "WEBP", **options: Any) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "#336699").save(target, kind, **options)
    return target.getvalue()


def small_pack(folder: Path, changes: Files | None = None) -> Path:
    """Write the small pack with `changes` to its files; None leaves a file out."""
    files: dict[str, str | bytes | None] = {
        "site.toml": SITE,
        "homepage.toml": HOME,
        "blocks/01-water.md": BLOCK,
        "campaigns/wells.md": WELLS,
        "campaigns/wells.blocks/10-why.md": "+++\n+++\n\nText.\n",
        "campaigns/shore.md": SHORE,
        "pages/about.md": '+++\ntitle = "About"\n+++\n\nUs.\n',
        "pages/about/team.md": '+++\ntitle = "Team"\nposition = 2\n+++\n\nNames.\n',
        "pages/about.blocks/01-start.md": '+++\nblock_type = "quote"\n+++\n\nSo it goes.\n',
        "redirects.csv": "from_path,to_path,status\n/salt/,/campaigns/wells/,301\n",
        "stakeholders.csv": STAKEHOLDERS,
        "endorsements.csv": ENDORSEMENTS,
        "media/shore.webp": picture(),
        "media.csv": "filename,alt_text,credit,licence\nshore.webp,Reeds,Us,CC0-1.0\n",
    }
    for name, content in {**files, **(changes or {})}.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


class Desk:
    """Loads and dumps packs over one connection of the application role, with a store in memory."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.store = AsyncStore(MemoryStore())

    async def load(self, folder: Path, *, prune: bool = False) -> LoadReport:
        return await load_pack(self.connection, self.store, folder, PACKS, prune=prune)

    async def dump(self, slug: str, folder: Path) -> dict[str, bytes]:
        await dump_pack(self.connection, self.store, slug, folder, PACKS)
        return tree(folder)

    async def problems(self, folder: Path, *, prune: bool = False) -> list[str]:
        """The lines of the refusal; a pack that loads fails the test."""
        with pytest.raises(PackError) as refused:
            await self.load(folder, prune=prune)
        return str(refused.value).split("\n")

    async def rows(self, slug: str, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Of the site's view of the database."""
        site_id = await self.connection.fetchval("SELECT id FROM site_directory() WHERE slug = $1", slug)
        assert site_id is not None
        async with site_transaction(self.connection, site_id):
            return [dict(row) for row in await self.connection.fetch(query, *arguments)]


@asynccontextmanager
async def desk(url: str) -> AsyncIterator[Desk]:
    async with connected(url) as connection:
        yield Desk(connection)
