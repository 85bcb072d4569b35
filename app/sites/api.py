"""The site as JSON."""

from litestar import get
from litestar.di import NamedDependency

from app.sites.schemas import SiteRead
from app.sites.service import read_site
from app.web.openapi import problems
from app.web.sessions import DbSession


@get("/site", operation_id="get_site", summary="The site", tags=["site"], responses=problems(404))
async def get_site(db_session: NamedDependency[DbSession]) -> SiteRead:
    """Name, language, colours and navigation of the site that answers for the Host."""
    return await read_site(db_session)


routes = [get_site]
