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
from app.publishing.kinds import Change, Changes, Content
from app.sites.site_row import site_row

PLACE = ("active", "locale", "number")
"""Facts of a row of the log that decide in which lists a campaign stands."""
CAMPAIGN_TABLES = ("campaigns", "media")

COLUMNS = """
SELECT id, slug, title, summary, outcome, closes_at, allow_endorsements, image_url, image_alt_text
  FROM campaigns WHERE active AND locale = $1
"""
NEWEST = COLUMNS + " ORDER BY created_at DESC, slug LIMIT $2"
NUMBERED = COLUMNS + " AND number BETWEEN $2 AND $3 ORDER BY number DESC"
# Each looks into an index: what a publish reads for one edit must not grow with the site.
TURNED = """
SELECT slug, number FROM campaigns WHERE locale = $1 AND id = ANY($2::uuid[])
 UNION
SELECT slug, number FROM campaigns WHERE active AND locale = $1 AND closes_at > $3 AND closes_at <= $4
"""
OLDEST_OF_NEWEST = """
SELECT count(*) AS count, min(created_at) AS created_at
  FROM (SELECT created_at FROM campaigns WHERE active AND locale = $1
         ORDER BY created_at DESC, slug LIMIT $2) newest
"""
TALLIES = "SELECT class, count FROM campaign_tallies WHERE locale = $1 AND count > 0"
OVER = """
SELECT count(*) FROM campaigns
 WHERE active AND locale = $1 AND closes_at <= $2 AND outcome = '' AND allow_endorsements
"""


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
        return sum((await state_counts(content)).values())

    async def turned(self, content: Content, changes: Changes, limit: int) -> bool:
        """Whether the newest may look different, or there are more or fewer in all."""
        if changes.touch("media") or any(map(comes_or_goes, changes.of("campaigns"))):
            return True
        locale = (await site_row(content)).locale
        if await content.connection.fetch(TURNED, locale, [], changes.since, content.frozen_at):
            return True
        created = changes.values("campaigns", "created_at")
        newest = await content.connection.fetchrow(OLDEST_OF_NEWEST, locale, limit)
        assert newest is not None  # noqa: S101 - an aggregate always gives a row
        return bool(created) and (
            newest["count"] < limit or max(map(datetime.fromisoformat, created)) >= newest["created_at"]
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


async def turned_campaigns(content: Content, changes: Changes, ids: set[UUID]) -> list[tuple[str, int]]:
    """Slug and number of these campaigns, and of those whose closing came since the base release."""
    locale = (await site_row(content)).locale
    rows = await content.connection.fetch(TURNED, locale, list(ids), changes.since, content.frozen_at)
    return [(row["slug"], row["number"]) for row in rows]


async def state_counts(content: Content) -> dict[State, int]:
    """How many active campaigns are in each state at the clock of the publish; none has none."""
    locale = (await site_row(content)).locale
    tallies = {row["class"]: row["count"] for row in await content.connection.fetch(TALLIES, locale)}
    dated = tallies.get("dated", 0)
    over = await content.connection.fetchval(OVER, locale, content.frozen_at) if dated else 0
    counts: dict[State, int] = {
        "open": tallies.get("open", 0) + dated - over,
        "won": tallies.get("won", 0),
        "closed": tallies.get("closed", 0) + over,
    }
    return {state: count for state, count in counts.items() if count}


def comes_or_goes(change: Change) -> bool:
    """Anything but an edit that leaves the row where it was."""
    return change.action != "update" or any(change.old.get(key) != change.new.get(key) for key in PLACE)


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
