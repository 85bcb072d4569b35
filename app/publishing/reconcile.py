"""Settling what killed publishers left: releases half made, and a flip that the database never heard of.

The next publish of a site would do the same. This is for when none comes: the history has to tell the truth.
"""

from collections.abc import Collection
from functools import partial
from uuid import UUID

import msgspec

from app.database.engine import Connection, Pool
from app.publishing.lease import lease_if_free
from app.publishing.manifest import CorruptObject
from app.publishing.pointer import Pointer, read_pointer
from app.publishing.releases import abandon, follow_pointer
from app.storage.facade import AsyncStore

SITES = "SELECT id, slug FROM site_directory()"
OPEN = """
SELECT number FROM releases WHERE state IN ('planned', 'rendering', 'checking', 'uploading') ORDER BY number
"""
# A pointer that came back from an older copy of the store is behind the database, which stays as it is.
UNHEARD = """
SELECT r.number FROM releases r LEFT JOIN publications p ON p.site_id = r.site_id
 WHERE r.number = $1 AND coalesce(p.live_generation, 0) < $2
"""


class Settled(msgspec.Struct, frozen=True):
    """What was put right on one site, or could not be."""

    site: str
    numbers: tuple[int, ...]
    """Releases that nobody worked on any more: they have failed, or are live."""
    live: int | None
    """The release that is live although the database did not know."""
    trouble: str = ""
    """Why nothing was done: the pointer cannot be read."""


async def reconcile(pool: Pool, store: AsyncStore, sites: Collection[UUID] | None = None) -> list[Settled]:
    """Settle every site, or those of `sites`, but for sites on which somebody is at work.

    Raises StoreUnavailable.
    """
    settled = []
    for site in await pool.fetch(SITES):
        if sites is not None and site["id"] not in sites:
            continue
        try:
            found = await _reconcile_site(pool, store, site["id"], site["slug"])
        except CorruptObject as error:
            found = Settled(site["slug"], (), None, error.detail)
        if found is not None:
            settled.append(found)
    return settled


async def _reconcile_site(pool: Pool, store: AsyncStore, site_id: UUID, slug: str) -> Settled | None:
    async with pool.acquire() as connection, lease_if_free(connection, site_id) as is_free:
        if not is_free:
            return None
        found = await store.run(partial(read_pointer, store.store, str(site_id)))
        pointer = found[0] if found else None
        numbers = tuple(row["number"] for row in await connection.fetch(OPEN))
        live = await _unknown_to(connection, pointer)
        if not numbers and live is None:
            return None
        if pointer is None:
            await abandon(connection, site_id)
        else:
            await follow_pointer(connection, site_id, pointer)
        return Settled(slug, numbers, live)


async def _unknown_to(connection: Connection, pointer: Pointer | None) -> int | None:
    """The number of the release that went live without the database."""
    if pointer is None:
        return None
    number: int | None = await connection.fetchval(UNHEARD, pointer.number, pointer.generation)
    return number
