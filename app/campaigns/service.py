"""Reading campaigns. Only active ones, in the site's own language, exist for a visitor."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, ScalarSelect, and_, case, column, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from app.campaigns.models import Campaign
from app.campaigns.schemas import CampaignRead, CampaignSummary
from app.database.session import site_of
from app.errors import NotFound
from app.pages.schemas import State
from app.sites.models import Site

_ENDORSEMENTS = table("endorsements", column("site_id"), column("campaign_id"))
"""By name: that domain stands above this one, and only its rows are counted here."""


async def list_campaigns(
    session: AsyncSession, *, now: datetime, limit: int, after: str | None = None, state: State | None = None
) -> list[CampaignSummary]:
    """At most `limit + 1` campaigns, newest first as on the pages, behind the position `after`."""
    query = (
        select(*_columns(CampaignSummary.__struct_fields__, now))
        .where(*_visible(session, now, state))
        .order_by(Campaign.created_at.desc(), Campaign.slug)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(_behind(after))
    rows = (await session.execute(query)).mappings()
    return [CampaignSummary(**row) for row in rows]


def position_of(campaign: CampaignSummary) -> str:
    """Where a campaign stands in the list; it stays true when that campaign is gone."""
    return f"{campaign.created_at.isoformat()} {campaign.slug}"


async def count_campaigns(session: AsyncSession, *, now: datetime, state: State | None = None) -> int:
    """How many the whole list has; one look at an index."""
    query = select(func.count()).select_from(Campaign).where(*_visible(session, now, state))
    return (await session.execute(query)).scalar_one()


async def read_campaign(session: AsyncSession, slug: str, *, now: datetime) -> CampaignRead:
    """Raises NotFound for one that is not there, not active, or of another site."""
    query = select(*_columns(CampaignRead.__struct_fields__, now)).where(
        *_visible(session, now, None), Campaign.slug == slug
    )
    row: RowMapping | None = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no campaign at this address.")
    return CampaignRead(**row)


def state_of(now: datetime) -> ColumnElement[State]:
    """Won when there is an outcome, closed when its time is over or nobody may endorse, else open."""
    is_over = or_(Campaign.closes_at <= now, ~Campaign.allow_endorsements)
    return case((Campaign.outcome != "", "won"), (is_over, "closed"), else_="open")


def _columns(names: tuple[str, ...], now: datetime) -> list[ColumnElement[Any]]:
    computed: dict[str, ColumnElement[Any]] = {
        "state": state_of(now),
        "endorsement_count": _count_of_endorsements(),
    }
    return [computed[name].label(name) if name in computed else getattr(Campaign, name) for name in names]


def _count_of_endorsements() -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(_ENDORSEMENTS)
        .where(
            _ENDORSEMENTS.c.site_id == Campaign.site_id,
            _ENDORSEMENTS.c.campaign_id == Campaign.id,
        )
        .scalar_subquery()
    )


def _behind(position: str) -> ColumnElement[bool]:
    moment, _, slug = position.partition(" ")
    created_at = datetime.fromisoformat(moment)
    same_moment = and_(Campaign.created_at == created_at, Campaign.slug > slug)
    return and_(Campaign.created_at <= created_at, or_(Campaign.created_at < created_at, same_moment))


def _visible(session: AsyncSession, now: datetime, state: State | None) -> list[ColumnElement[bool]]:
    site_id: UUID | None = site_of(session)
    locale = select(Site.locale).where(Site.id == site_id).scalar_subquery()
    conditions = [Campaign.active.is_(True), Campaign.locale == locale]
    return conditions if state is None else [*conditions, state_of(now) == state]
