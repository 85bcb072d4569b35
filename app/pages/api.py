"""The home page as JSON."""

from litestar import get
from litestar.di import NamedDependency

from app.pages.schemas import HomepageRead
from app.pages.service import read_homepage
from app.web.openapi import problems
from app.web.sessions import DbSession


@get(
    "/homepage", operation_id="get_homepage", summary="The home page", tags=["pages"], responses=problems(404)
)
async def get_homepage(db_session: NamedDependency[DbSession]) -> HomepageRead:
    """The active home page with its visible blocks, in the site's own language."""
    return await read_homepage(db_session)


routes = [get_homepage]
