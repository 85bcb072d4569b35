"""Reading the home page."""

from typing import Any

import msgspec
from sqlalchemy import RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.database.session import site_of
from app.errors import NotFound
from app.pages.models import ContentBlock, Homepage
from app.pages.schemas import BlockRead, HomepageRead
from app.sites.models import Site

_HOMEPAGE = tuple(name for name in HomepageRead.__struct_fields__ if name != "content_blocks")


async def read_homepage(session: AsyncSession) -> HomepageRead:
    """The active home page in the site's own language, with visible blocks. Raises NotFound without one."""
    locale = select(Site.locale).where(Site.id == site_of(session)).scalar_subquery()
    query = select(*_columns(Homepage, _HOMEPAGE)).where(Homepage.is_active, Homepage.locale == locale)
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotFound("No home page is active.")
    blocks = (await session.execute(_blocks_of(row))).mappings()
    content_blocks = [BlockRead(**block) for block in blocks]
    return msgspec.convert({**row, "content_blocks": content_blocks}, HomepageRead)


def _blocks_of(homepage: RowMapping) -> Select[Any]:
    return (
        select(*_columns(ContentBlock, BlockRead.__struct_fields__))
        .where(
            ContentBlock.homepage_id == homepage["id"],
            ContentBlock.is_visible,
            ContentBlock.locale == homepage["locale"],
        )
        .order_by(ContentBlock.position, ContentBlock.name, ContentBlock.id)
    )


def _columns(model: type[Any], names: tuple[str, ...]) -> list[InstrumentedAttribute[Any]]:
    return [getattr(model, name) for name in names]
