"""Campaigns as JSON."""

from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.campaigns.schemas import CampaignList, CampaignRead
from app.campaigns.service import count_campaigns, list_campaigns, position_of, read_campaign
from app.pages.schemas import State
from app.web.openapi import problems
from app.web.paging import Window
from app.web.sessions import DbSession

OnlyState = Annotated[State | None, QueryParameter(name="state", description="Only campaigns in this state.")]


@get(
    "/campaigns",
    operation_id="list_campaigns",
    summary="Active campaigns",
    tags=["campaigns"],
    responses=problems(404),
)
async def list_all(
    db_session: NamedDependency[DbSession],
    window: NamedDependency[Window],
    now: NamedDependency[datetime],
    only: OnlyState = None,
) -> CampaignList:
    """Newest first. `total` is given with the first page."""
    listing = f"campaigns/{only}"
    rows = await list_campaigns(
        db_session, now=now, limit=window.limit, after=window.after(listing), state=only
    )
    total = await count_campaigns(db_session, now=now, state=only) if window.is_first else None
    return window.page(CampaignList, listing, rows, position_of, total)


@get(
    "/campaigns/{slug:str}",
    operation_id="get_campaign",
    summary="One campaign",
    tags=["campaigns"],
    responses=problems(404),
)
async def get_one(
    db_session: NamedDependency[DbSession], now: NamedDependency[datetime], slug: FromPath[str]
) -> CampaignRead:
    """An active campaign with its texts and the number of its endorsements."""
    return await read_campaign(db_session, slug, now=now)


routes = [list_all, get_one]
