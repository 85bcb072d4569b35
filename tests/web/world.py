"""Two sites in a database, and an application over it that is called without a socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from litestar.types import ASGIApp, ControllerRouterHandler
from sqlalchemy.ext.asyncio import AsyncEngine

from app.asgi import PlainApp, create_app
from app.database.engine import Connection, make_pool, site_transaction
from app.database.orm import make_engine
from app.kit.ids import new_id
from app.settings import Settings
from app.storage.memory import MemoryStore
from app.storage.store import ObjectStore
from tests.lifespans import running

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SETTINGS = Settings(secret_key="a-secret-key-of-the-tests-0123456789")
BAY, CITY = "http://bay.localhost", "http://city.localhost"


@dataclass(frozen=True)
class Served:
    """An application that has started, and its collaborators."""

    app: ASGIApp
    client: httpx.AsyncClient
    engine: AsyncEngine


@asynccontextmanager
async def served(
    url: str,
    *,
    settings: Settings = SETTINGS,
    store: ObjectStore | None = None,
    routes: Sequence[ControllerRouterHandler] = (),
    gateway: PlainApp | None = None,
    base_url: str = BAY,
    pool_size: int = 3,
) -> AsyncIterator[Served]:
    engine = make_engine(url, pool_size=pool_size)
    app = create_app(
        settings,
        engine=engine,
        open_pool=lambda: make_pool(url, size=2),
        store=store or MemoryStore(),
        clock=lambda: NOW,
        gateway=gateway,
        more_routes=routes,
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    try:
        async with running(app), httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            yield Served(app, client, engine)
    finally:
        await engine.dispose()


async def add_site(connection: Connection, slug: str, **values: Any) -> UUID:
    site_id = new_id()
    async with site_transaction(connection, site_id):
        await insert(connection, "sites", id=site_id, slug=slug, name=slug.title(), **values)
    return site_id


async def add_campaign(connection: Connection, site_id: UUID, slug: str, **values: Any) -> UUID:
    """Inside a transaction of the site."""
    return await add(
        connection, "campaigns", site_id, slug=slug, title=slug.title(), summary=f"About {slug}", **values
    )


async def add_endorsements(connection: Connection, site_id: UUID, campaign_id: UUID, count: int) -> None:
    for number in range(count):
        stakeholder = await add(
            connection,
            "stakeholders",
            site_id,
            translatable=False,
            first_name="Ada",
            last_name=f"Number {number}",
            email=f"ada{number}-{campaign_id.hex}@example.org",
            street_address="12 Harbour Lane",
        )
        await add(
            connection,
            "endorsements",
            site_id,
            translatable=False,
            stakeholder_id=stakeholder,
            campaign_id=campaign_id,
        )


async def add(
    connection: Connection, table: str, site_id: UUID, *, translatable: bool = True, **values: Any
) -> UUID:
    """One row of a tenant's table, with an id of its own."""
    row_id = new_id()
    if translatable:
        values.setdefault("translation_group_id", new_id())
    await insert(connection, table, id=row_id, site_id=site_id, **values)
    return row_id


async def insert(connection: Connection, table: str, **values: Any) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())


async def two_sites(url: str) -> None:
    """bay: an active home page, five campaigns, one not active; city: one campaign of its own."""
    connection = await asyncpg.connect(url)
    try:
        bay = await add_site(connection, "bay", locale="en", timezone="America/New_York")
        async with site_transaction(connection, bay):
            await _fill_bay(connection, bay)
        city = await add_site(connection, "city")
        async with site_transaction(connection, city):
            await add_campaign(connection, city, "clean-streets")
    finally:
        await connection.close()


async def _fill_bay(connection: Connection, bay: UUID) -> None:
    home = await add(
        connection,
        "homepages",
        bay,
        organization_name="Bay Coalition",
        contact_email="hello@bay.example",
        hero_title="One bay",
        is_active=True,
    )
    await add(
        connection,
        "homepages",
        bay,
        organization_name="Old",
        contact_email="old@bay.example",
        hero_title="Gone",
    )
    for position, (title, is_visible) in enumerate([("Third", True), ("Hidden", False), ("First", True)]):
        await add(
            connection,
            "content_blocks",
            bay,
            homepage_id=home,
            title=title,
            content=f"**{title}**",
            position=9 - position,
            is_visible=is_visible,
        )
    campaigns: list[tuple[str, dict[str, Any]]] = [
        ("oysters", {"target_count": 5, "image_url": "media/reef.jpg"}),
        ("marshes", {"outcome": "The marsh is safe."}),
        ("piers", {"closes_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("ferries", {"allow_endorsements": False}),
        ("herons", {"closes_at": datetime(2027, 1, 1, tzinfo=UTC)}),
        ("draft", {"active": False}),
        ("huitres", {"locale": "fr"}),
    ]
    ids = [
        await add_campaign(connection, bay, slug, created_at=datetime(2025, 1, day, tzinfo=UTC), **values)
        for day, (slug, values) in enumerate(campaigns, start=1)
    ]
    await add_endorsements(connection, bay, ids[0], 2)
