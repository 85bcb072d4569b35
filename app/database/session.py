"""Sessions of requests: each transaction is told its site before its first statement."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, SessionTransaction

SITE = "site_id"
HOST = "host"
FOUND = "found_site"

SET_SITE = text("SELECT set_config('app.site_id', :site_id, true)")
FIND_SITE = text(
    "SELECT set_config('app.site_id', coalesce(site_for_host(:host, :fallback)::text, ''), true)"
)


class SiteSession(Session):
    """`info["site_id"]`, or `info["host"]` with a fallback slug, names the site; neither: no rows are seen.

    Passed to advanced-alchemy inside a session maker: it overwrites a `sync_session_class` of its own config.
    """


@event.listens_for(SiteSession, "after_begin")
def _tell_site(session: Session, _: SessionTransaction, connection: Connection) -> None:
    if SITE in session.info:
        connection.execute(SET_SITE, {"site_id": str(session.info[SITE])})
        session.info[FOUND] = session.info[SITE]
    elif HOST in session.info:
        host, fallback = session.info[HOST]
        found = connection.execute(FIND_SITE, {"host": host, "fallback": fallback}).scalar_one()
        session.info[FOUND] = UUID(found) if found else None


def make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions see no tenant's row until `for_site` or `for_host` was called on them."""
    return async_sessionmaker(engine, sync_session_class=SiteSession, expire_on_commit=False)


def for_site(session: AsyncSession, site_id: UUID) -> AsyncSession:
    return _tell(session, SITE, site_id)


def for_host(session: AsyncSession, host: str, fallback: str | None) -> AsyncSession:
    """The site that answers for `host` (without a port), else the site `fallback`, if None the oldest."""
    return _tell(session, HOST, (host, fallback))


def site_of(session: AsyncSession) -> UUID | None:
    """The site of the transaction that has begun; None before that, and when no site answers for the host."""
    found: UUID | None = session.sync_session.info.get(FOUND)
    return found


def _tell(session: AsyncSession, key: str, value: Any) -> AsyncSession:
    session.sync_session.info[key] = value
    return session
