"""A small world for tests of publishing: sites, campaigns and endorsements written by SQL, and an engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.database.engine import Pool, make_pool, site_transaction
from app.kit.ids import new_id
from app.publishing.engine import Engine
from app.publishing.manifest import Entry, Manifest
from app.publishing.pointer import read_pointer
from app.publishing.publish import publish
from app.publishing.report import Outcome, Silent
from app.storage.memory import MemoryStore
from app.storage.store import ObjectStore
from app.wiring import make_engine
from tests.conftest import Database

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class World:
    def __init__(self, pool: Pool, store: ObjectStore) -> None:
        self.pool = pool
        self.store = store
        self.now = START
        self.engine: Engine = make_engine(pool, store, clock=lambda: self.now)

    async def run(self, site: UUID, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """One statement as the application role with the site set."""
        async with self.pool.acquire() as connection, site_transaction(connection, site):
            return [dict(row) for row in await connection.fetch(query, *arguments)]

    async def add_site(self, slug: str = "demo", **fields: Any) -> UUID:
        site = new_id()
        fields.setdefault("name", f"The {slug} site")
        await self.insert(site, "sites", id=site, slug=slug, **fields)
        return site

    async def insert(self, site: UUID, table: str, **fields: Any) -> UUID:
        fields.setdefault("id", new_id())
        if table != "sites":
            fields["site_id"] = site
        if table in ("homepages", "campaigns", "content_blocks"):
            fields.setdefault("translation_group_id", new_id())
        names = ", ".join(fields)
        values = ", ".join(f"${number}" for number in range(1, len(fields) + 1))
        await self.run(site, f"INSERT INTO {table} ({names}) VALUES ({values})", *fields.values())
        key: UUID = fields["id"]
        return key

    async def add_campaign(self, site: UUID, slug: str, **fields: Any) -> UUID:
        title = fields.pop("title", slug.replace("-", " ").title())
        fields.setdefault("summary", f"About {slug}.")
        return await self.insert(site, "campaigns", slug=slug, title=title, **fields)

    async def add_homepage(self, site: UUID, **fields: Any) -> UUID:
        fields = {"organization_name": "The coalition", "contact_email": "hello@example.org"} | fields
        return await self.insert(site, "homepages", is_active=True, **fields)

    async def endorse(
        self, site: UUID, campaign: UUID, name: str = "Ada", last: str = "Brook", **fields: Any
    ) -> UUID:
        stakeholder = await self.insert(site, "stakeholders", first_name=name, last_name=last)
        return await self.insert(
            site, "endorsements", campaign_id=campaign, stakeholder_id=stakeholder, **fields
        )

    async def publish(self, site: UUID, **options: Any) -> Outcome:
        self.now += timedelta(minutes=1)
        return await publish(self.engine, site, report=Silent(), **options)

    def manifest(self, site: UUID) -> Manifest:
        found = read_pointer(self.store, str(site))
        assert found is not None
        return Manifest.load(self.store.get, found[0].root)

    def entries(self, site: UUID) -> dict[str, Entry]:
        return dict(self.manifest(site).items())

    def page(self, site: UUID, path: str) -> str:
        entry = self.manifest(site).get(path)
        assert entry is not None, path
        assert entry.blob is not None, path
        return self.store.get(f"blobs/{entry.blob}").decode()


def visible(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Without what only the history of releases can tell: since when something is gone."""
    return {path: msgspec.structs.replace(entry, gone_on=None) for path, entry in entries.items()}


@asynccontextmanager
async def world(database: Database, store: ObjectStore | None = None) -> AsyncIterator[World]:
    pool = await make_pool(database.url("app"), size=6)
    try:
        yield World(pool, store or MemoryStore())
    finally:
        await pool.close()
