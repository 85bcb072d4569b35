"""The session of a request: its site is found by Host, and it commits at the edge or not at all.

advanced-alchemy's own "autocommit" hides a commit that fails and answers 201 without a row; hence a
dependency of our own, whose failing commit fails the request.
"""

from collections.abc import AsyncGenerator
from typing import Any, TypeAlias
from uuid import UUID

from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyInitPlugin
from litestar import Request
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.database.failures import from_driver
from app.database.session import for_host, make_sessions, site_of
from app.errors import NotFound
from app.web.inputs import host_of

DbSession: TypeAlias = AsyncSession
"""What a handler asks for as `db_session: NamedDependency[DbSession]`."""


def database_plugin(engine: AsyncEngine) -> SQLAlchemyInitPlugin:
    """Opens and closes one session for each request; the engine stays its maker's to dispose of."""
    return SQLAlchemyInitPlugin(
        SQLAlchemyAsyncConfig(
            engine_instance=engine,
            session_maker=make_sessions(engine),
            session_dependency_key="plugin_session",
            engine_dependency_key="plugin_engine",
            set_default_exception_handler=False,
        )
    )


def session_dependencies(default_site: str | None) -> dict[str, Provide]:
    """`db_session` and `site_id`; both are 404 when no site answers at all."""

    async def provide_session(
        request: Request[Any, Any, Any], plugin_session: NamedDependency[AsyncSession]
    ) -> AsyncGenerator[AsyncSession, None]:
        site_id = await begin(for_host(plugin_session, host_of(request.scope), default_site))
        request.scope["state"]["site"] = str(site_id)
        try:
            yield plugin_session
        except BaseException:
            await plugin_session.rollback()
            raise
        await plugin_session.commit()

    return {"db_session": Provide(provide_session), "site_id": Provide(provide_site, sync_to_thread=False)}


async def begin(session: AsyncSession) -> UUID:
    """Begins the transaction and returns its site. Raises NotFound when there is none, or Unavailable."""
    try:
        await session.connection()
    except Exception as error:
        expected = from_driver(error)
        if expected is None:
            raise
        raise expected from error
    return provide_site(session)


def provide_site(db_session: NamedDependency[AsyncSession]) -> UUID:
    site_id = site_of(db_session)
    if site_id is None:
        raise NotFound(
            "No site is set up for this host. Load a content pack with `hustings content load`, "
            "or correct HUSTINGS_DEFAULT_SITE."
        )
    return site_id
