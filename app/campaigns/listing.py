"""Campaigns as rows of a list, wherever they are listed."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.campaigns.schemas import Count
from app.pages.parts import Pictures, picture, pictures
from app.pages.schemas import Row, State
from app.publishing.kinds import Changes, Content
from app.sites.site_row import site_row

CAMPAIGN_TABLES = ("campaigns", "media")

COLUMNS = """
SELECT id, slug, title, summary, outcome, closes_at, allow_endorsements, image_url, image_alt_text
  FROM campaigns WHERE active AND locale = $1
"""
NEWEST = COLUMNS + " ORDER BY created_at DESC, slug LIMIT $2"
NUMBERED = COLUMNS + " AND number BETWEEN $2 AND $3 ORDER BY number DESC"
CLOSED = "SELECT EXISTS (SELECT FROM campaigns WHERE active AND closes_at > $1 AND closes_at <= $2)"
TOTAL = "SELECT count(*) FROM campaigns WHERE active AND locale = $1"


class Counter(Protocol):
    """How many endorsed each campaign; given by the composition root."""

    @property
    def tables(self) -> tuple[str, ...]: ...

    async def counts(self, content: Content, campaigns: Iterable[UUID]) -> Mapping[UUID, Count]:
        """Without the campaigns that nobody has endorsed."""
        ...

    async def touched_campaigns(self, content: Content, changes: Changes) -> set[UUID]: ...


class Listed(msgspec.Struct, frozen=True):
    """The state of a campaign at the clock of the publish."""

    state: State
    closes_on: date | None
    """In the future only while it is open: nobody is told that a campaign closed on a day to come."""

    @classmethod
    def of(cls, row: Mapping[str, Any], timezone: str, now: datetime) -> "Listed":
        """A campaign with an outcome is won; one past its date, or that takes no endorsements, is closed."""
        closes_at = row["closes_at"]
        is_past = closes_at is not None and closes_at <= now
        is_over = is_past or not row["allow_endorsements"]
        state: State = "won" if row["outcome"] else "closed" if is_over else "open"
        tells_day = closes_at is not None and (is_past or state == "open")
        return cls(state, closes_at.astimezone(ZoneInfo(timezone)).date() if tells_day else None)


class Rows:
    """Rows of campaigns with their counts, for the listing and for the home page."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.tables = (*CAMPAIGN_TABLES, *counter.tables)

    async def newest(self, content: Content, limit: int) -> tuple[Row, ...]:
        return await self._rows(content, NEWEST, limit)

    async def numbered(self, content: Content, first: int, last: int) -> tuple[Row, ...]:
        """The campaigns of these numbers, the newest number first."""
        return await self._rows(content, NUMBERED, first, last)

    async def total(self, content: Content) -> int:
        return int(await content.connection.fetchval(TOTAL, (await site_row(content)).locale))

    async def turned(self, content: Content, changes: Changes) -> bool:
        """Whether rows may look different: by a change, or because a campaign has closed by time."""
        return changes.touch(*self.tables) or bool(
            await content.connection.fetchval(CLOSED, changes.since, content.frozen_at)
        )

    async def touched_campaigns(self, content: Content, changes: Changes) -> set[UUID]:
        return await self._counter.touched_campaigns(content, changes)

    async def _rows(self, content: Content, query: str, *arguments: int) -> tuple[Row, ...]:
        site = await site_row(content)
        rows = await content.connection.fetch(query, site.locale, *arguments)
        known = await pictures(content, (row["image_url"] for row in rows))
        counts = await self._counter.counts(content, [row["id"] for row in rows])
        return tuple(
            listed_row(
                dict(row),
                Listed.of(dict(row), site.timezone, content.frozen_at),
                count=counts.get(row["id"]),
                known=known,
            )
            for row in rows
        )


def campaign_path(slug: str) -> str:
    return f"/campaigns/{slug}/"


def listed_row(row: Mapping[str, Any], listed: Listed, *, count: Count | None, known: Pictures) -> Row:
    return Row(
        title=row["title"],
        url=campaign_path(row["slug"]),
        summary=row["summary"],
        state=listed.state,
        closes_on=listed.closes_on,
        count=count.count if count else 0,
        as_of=count.as_of if count else None,
        image=picture(known, row["image_url"], row["image_alt_text"]),
    )
