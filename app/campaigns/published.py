"""The page kinds of this domain: the listing and the campaign."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.campaigns.listing import Listed, Rows, campaign_path, comes_or_goes, state_counts, turned_campaigns
from app.campaigns.schemas import Snapshot
from app.pages.parts import Pictures, blocks, named_pictures, picture, pictures, place_pictures
from app.pages.schemas import Block, Image, Row, State
from app.publishing.kinds import Changes, Content
from app.publishing.manifest import CacheClass
from app.sites.site_row import site_row
from app.sites.sitemap import SITEMAP_LIMIT


class CampaignPage(msgspec.Struct, frozen=True, kw_only=True):
    """Template site/campaign.html."""

    title: str
    slug: str
    summary: str
    html: str
    state: State
    closes_on: date | None
    outcome_html: str
    """Filled for a campaign that was won."""
    image: Image | None
    blocks: tuple[Block, ...]
    endorsements: Snapshot
    target_count: int | None
    target_obligation: str
    """What the target obliges, as a whole sentence: At 6,000 the basin board must answer in public."""
    changed_at: datetime


class StateCount(msgspec.Struct, frozen=True, kw_only=True):
    state: State
    count: int


class CampaignListing(msgspec.Struct, frozen=True, kw_only=True):
    """Template site/campaigns.html: the newest 50 (number None), or one stable page of 50."""

    number: int | None
    rows: tuple[Row, ...]
    total: int | None
    """Only on the newest page."""
    states: tuple[StateCount, ...]
    """Only on the newest page."""
    newer_url: str | None
    older_url: str | None
    page_numbers: tuple[int, ...]
    """Numbers of the stable pages, for the links at the foot; only on the newest page."""


PAGE_SIZE = 50
LISTING = "/campaigns/"
PREFIX = "/campaigns/"

PATHS = "SELECT slug FROM campaigns WHERE active AND locale = $1"
CAMPAIGNS = """
SELECT id, slug, title, summary, description_html, outcome, outcome_html, closes_at, allow_endorsements,
       image_url, image_alt_text, target_count, target_obligation, updated_at
  FROM campaigns WHERE active AND locale = $2 AND slug = ANY($1::text[])
"""
SHOWING = """
SELECT slug FROM campaigns
 WHERE locale = $1 AND (image_url = ANY($2::text[])
    OR EXISTS (SELECT FROM unnest($2::text[]) m WHERE strpos(description_html || outcome_html, m) > 0)
    OR id IN (SELECT campaign_id FROM content_blocks
               WHERE EXISTS (SELECT FROM unnest($2::text[]) m
                              WHERE image_url = m OR strpos(content_html, m) > 0)))
"""
LAST = "SELECT coalesce(max(number), 0) FROM campaigns WHERE active AND locale = $1"
LAST_OF_OTHERS = """
SELECT coalesce(max(number), 0) FROM campaigns WHERE active AND locale = $1 AND NOT id = ANY($2::uuid[])
"""
# LIMIT keeps it one look into the index for each part; EXISTS would be planned as a join that reads them all.
PARTS = """
SELECT part FROM generate_series(1, ($2 - 1) / $3 + 1) AS part
 WHERE (SELECT true FROM campaigns
         WHERE active AND locale = $1 AND number BETWEEN (part - 1) * $3 + 1 AND part * $3 LIMIT 1)
 ORDER BY part
"""
ENTRIES = """
SELECT slug, updated_at FROM campaigns
 WHERE active AND locale = $1 AND number BETWEEN ($3 - 1) * $2 + 1 AND $3 * $2 ORDER BY slug
"""
CHANGED = "SELECT max(updated_at) FROM campaigns WHERE active AND locale = $1"


class Snapshots(Protocol):
    """The endorsements of many campaigns at once; given by the composition root."""

    @property
    def tables(self) -> tuple[str, ...]: ...

    async def snapshots(
        self, content: Content, campaigns: Iterable[UUID], timezone: str
    ) -> Mapping[UUID, Snapshot]:
        """One for each campaign, also where nobody has endorsed."""
        ...

    async def touched_campaigns(self, content: Content, changes: Changes) -> set[UUID]: ...


class Campaigns:
    name = "campaign"
    template = "site/campaign.html"
    cache: CacheClass = "page"

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def paths(self, content: Content) -> Collection[str]:
        locale = (await site_row(content)).locale
        return {campaign_path(row["slug"]) for row in await content.connection.fetch(PATHS, locale)}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        locale = (await site_row(content)).locale
        ids = changes.ids("campaigns") | await self._snapshots.touched_campaigns(content, changes)
        ids |= {UUID(key) for key in changes.values("content_blocks", "campaign_id")}
        slugs = {slug for slug, _ in await turned_campaigns(content, changes, ids)}
        slugs |= changes.values("campaigns", "slug")
        if media := [f"media/{name}" for name in changes.values("media", "filename")]:
            slugs |= {row["slug"] for row in await content.connection.fetch(SHOWING, locale, media)}
        return {campaign_path(slug) for slug in slugs}

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, CampaignPage]:
        site = await site_row(content)
        slugs = [path.removeprefix(PREFIX).removesuffix("/") for path in paths]
        rows = await content.connection.fetch(CAMPAIGNS, slugs, site.locale)
        ids = [row["id"] for row in rows]
        known = await pictures(content, named_pictures(rows, "image_url", "description_html", "outcome_html"))
        own = await blocks(content, "campaign_id", ids, site.locale)
        counted = await self._snapshots.snapshots(content, ids, site.timezone)
        return {
            campaign_path(row["slug"]): _page(
                Listed.of(dict(row), site.timezone, content.frozen_at),
                dict(row),
                known=known,
                image=picture(known, row["image_url"], row["image_alt_text"]),
                own=own.get(row["id"], ()),
                endorsements=counted[row["id"]],
            )
            for row in rows
        }


class Listing:
    """/campaigns/ with the newest, and stable pages of 50 by number as soon as there are more than 50."""

    name = "campaigns"
    template = "site/campaigns.html"
    cache: CacheClass = "page"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def paths(self, content: Content) -> Collection[str]:
        total, last = await _extent(content)
        return {LISTING, *(_numbered(page) for page in _pages(total, last))}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        ids = changes.ids("campaigns") | await self._rows.touched_campaigns(content, changes)
        numbers = changes.values("campaigns", "number")
        numbers |= {number for _, number in await turned_campaigns(content, changes, ids)}
        total, last = await _extent(content)
        if changes.touch("media") or abs(total - PAGE_SIZE) <= len(changes.rows):
            numbers |= set(range(1, max([last, *numbers], default=0) + 1, PAGE_SIZE))
        if not numbers:
            return set()
        pages = {_page_of(number) for number in numbers}
        if any(map(comes_or_goes, changes.of("campaigns"))):
            pages = {page + step for page in pages for step in (-1, 0, 1)}
            # Pages may have come or gone between the last one that is sure and the last that was touched.
            locale = (await site_row(content)).locale
            others = await content.connection.fetchval(LAST_OF_OTHERS, locale, list(changes.ids("campaigns")))
            pages |= set(range(_page_of(min(others, last)), _page_of(max(last, *numbers)) + 1))
        return {LISTING, *(_numbered(page) for page in pages if page > 0)}

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, CampaignListing]:
        total, last = await _extent(content)
        pages = _pages(total, last)
        made: dict[str, CampaignListing] = {}
        if LISTING in paths:
            made[LISTING] = await self._newest(content, total, pages)
        for page in pages:
            if _numbered(page) in paths:
                made[_numbered(page)] = await self._stable(content, page, pages)
        return made

    async def _newest(self, content: Content, total: int, pages: range) -> CampaignListing:
        counts = await state_counts(content)
        return CampaignListing(
            number=None,
            rows=await self._rows.newest(content, PAGE_SIZE),
            total=total,
            states=tuple(StateCount(state=state, count=count) for state, count in counts.items()),
            newer_url=None,
            older_url=_numbered(pages[-1]) if pages else None,
            page_numbers=tuple(pages),
        )

    async def _stable(self, content: Content, page: int, pages: range) -> CampaignListing:
        first = (page - 1) * PAGE_SIZE + 1
        return CampaignListing(
            number=page,
            rows=await self._rows.numbered(content, first, first + PAGE_SIZE - 1),
            total=None,
            states=(),
            newer_url=_numbered(page + 1) if page + 1 in pages else LISTING,
            older_url=_numbered(page - 1) if page > 1 else None,
            page_numbers=(),
        )


class CampaignsInSitemap:
    name = "campaigns"
    tables = ("campaigns",)

    async def total(self, content: Content) -> int:
        total = sum((await state_counts(content)).values())
        return total + 1 if total else 0

    async def parts(self, content: Content) -> list[str]:
        total, last = await _extent(content)
        if not total:
            return []
        locale = (await site_row(content)).locale
        rows = await content.connection.fetch(PARTS, locale, last, SITEMAP_LIMIT)
        return ["listing", *(str(row["part"]) for row in rows)]

    async def touched_parts(self, content: Content, changes: Changes) -> set[str]:
        numbers = changes.values("campaigns", "number")
        return {"listing", *(str((number - 1) // SITEMAP_LIMIT + 1) for number in numbers)}

    async def entries(self, content: Content, key: str) -> list[tuple[str, datetime]]:
        locale = (await site_row(content)).locale
        if key == "listing":
            changed = await content.connection.fetchval(CHANGED, locale)
            return [(LISTING, changed)] if changed else []
        if not key.isdecimal():
            return []
        rows = await content.connection.fetch(ENTRIES, locale, SITEMAP_LIMIT, int(key))
        return [(campaign_path(row["slug"]), row["updated_at"]) for row in rows]


async def _extent(content: Content) -> tuple[int, int]:
    """How many active campaigns there are, and the highest number among them."""
    last = await content.connection.fetchval(LAST, (await site_row(content)).locale)
    return sum((await state_counts(content)).values()), last


def _pages(total: int, last: int) -> range:
    """The numbers of the stable pages: none as long as the first page holds everything."""
    return range(1, _page_of(last) + 1) if total > PAGE_SIZE else range(0)


def _page_of(number: int) -> int:
    return (number - 1) // PAGE_SIZE + 1


def _numbered(page: int) -> str:
    return f"{LISTING}page/{page}/"


def _page(
    listed: Listed,
    row: dict[str, Any],
    *,
    known: Pictures,
    image: Image | None,
    own: tuple[Block, ...],
    endorsements: Snapshot,
) -> CampaignPage:
    return CampaignPage(
        title=row["title"],
        slug=row["slug"],
        summary=row["summary"],
        html=place_pictures(row["description_html"], known),
        state=listed.state,
        closes_on=listed.closes_on,
        outcome_html=place_pictures(row["outcome_html"], known),
        image=image,
        blocks=own,
        endorsements=endorsements,
        target_count=row["target_count"],
        target_obligation=row["target_obligation"],
        changed_at=row["updated_at"],
    )
