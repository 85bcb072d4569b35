"""Reading the site of a transaction."""

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.session import site_of
from app.errors import NotFound
from app.sites.models import Site
from app.sites.schemas import SiteRead


async def read_site(session: AsyncSession) -> SiteRead:
    """The site that the session works for. Raises NotFound when it is gone."""
    query = select(*(getattr(Site, name) for name in SiteRead.__struct_fields__)).where(
        Site.id == site_of(session)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such site.")
    return msgspec.convert(dict(row), SiteRead)
