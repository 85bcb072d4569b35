"""The releases of a site, and what one changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.database.engine import Pool, site_transaction
from app.errors import NotFound
from app.publishing.flips import FOLLOW_UP, FollowUp

COLUMNS = f"""
SELECT r.number, r.state, r.generation, r.content_number AS content, b.number AS base, r.actor, r.trigger,
       r.started_at, r.live_at, r.ended_at, r.counts::text AS counts, r.error, {FOLLOW_UP} AS afterwards
  FROM releases r LEFT JOIN releases b ON b.site_id = r.site_id AND b.id = r.base_id
  LEFT JOIN flips f ON f.site_id = r.site_id AND f.release_id = r.id AND f.generation = r.generation
"""
NEWEST = f"{COLUMNS} ORDER BY r.number DESC LIMIT $1"
ONE = f"{COLUMNS} WHERE r.number = $1"
PAGES = """
SELECT p.path, p.change FROM release_pages p JOIN releases r ON r.site_id = p.site_id AND r.id = p.release_id
 WHERE r.number = $1 ORDER BY p.path COLLATE "C"
"""


class ReleaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One release as `hustings releases list --json` prints it."""

    number: int
    state: str
    generation: int
    """Of the latest flip to it."""
    content: int | None
    """The release whose content it shows without what was taken down; None: its own."""
    base: int | None
    """What its changes are changes to."""
    actor: str
    trigger: str
    """editor, schedule or refresh"""
    started_at: datetime
    live_at: datetime | None
    ended_at: datetime | None
    counts: dict[str, Any]
    error: str
    afterwards: FollowUp | None
    """What followed the latest flip to it; None before there was one."""


class PathChange(msgspec.Struct, frozen=True):
    path: str
    change: str
    """added, changed or removed"""


class ReleaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    release: ReleaseLine
    changes: list[PathChange]
    """Compared with its base, sorted by path."""


async def list_releases(pool: Pool, site_id: UUID, limit: int = 50) -> list[ReleaseLine]:
    """The newest first."""
    async with pool.acquire() as connection, site_transaction(connection, site_id, readonly=True):
        return [_line(row) for row in await connection.fetch(NEWEST, limit)]


async def show_release(pool: Pool, site_id: UUID, number: int) -> ReleaseDetail:
    """Raises NotFound."""
    async with pool.acquire() as connection, site_transaction(connection, site_id, readonly=True):
        row = await connection.fetchrow(ONE, number)
        if row is None:
            raise NotFound(f"There is no release {number}. See `hustings releases list`.")
        changes = [PathChange(*page) for page in await connection.fetch(PAGES, number)]
        return ReleaseDetail(release=_line(row), changes=changes)


def _line(row: Any) -> ReleaseLine:
    decoded = {
        "counts": msgspec.json.decode(row["counts"]),
        "afterwards": FollowUp.decode(row["afterwards"]),
    }
    return ReleaseLine(**{**row, **decoded})
