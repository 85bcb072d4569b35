"""The composition of the server: everything is wired here, in explicit lists.

One ASGI callable answers all: the API, the desk, health and metrics, and the lifespan, go to Litestar behind
the edge; every other address goes to the gateway, which serves the published pages and asks no database.
A Litestar mount would swallow routes with path parameters and rewrite slashes.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncEngine

from app.campaigns.api import routes as campaign_routes
from app.database.engine import Pool, make_pool
from app.database.listen import listening
from app.database.orm import make_engine
from app.errors import ConfigurationError
from app.kit.clock import Clock, system_clock
from app.kit.paging import Cursors
from app.logs import configure_logs
from app.pages.api import routes as page_routes
from app.publishing.gateway.asgi import Gateway
from app.publishing.releases import CHANNEL
from app.settings import Settings, read_settings
from app.sites.api import routes as site_routes
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore
from app.storage.urls import polling_seconds
from app.web.bodies import MAX_BODY, BodyGuard, CheckedRequest
from app.web.health import healthz, readyz
from app.web.inputs import split_hosts
from app.web.metrics import Metrics, metrics_page
from app.web.openapi import openapi_config
from app.web.paging import provide_window
from app.web.problems import problem_handler
from app.web.requests import Edge
from app.web.sessions import database_plugin, session_dependencies
from app.wiring import DYNAMIC, make_store

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
PlainApp = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI without Litestar's narrow types."""

_API: list[ControllerRouterHandler] = [*site_routes, *page_routes, *campaign_routes]
_PLAIN: list[ControllerRouterHandler] = [healthz, readyz, metrics_page]


def create_app(
    settings: Settings,
    *,
    engine: AsyncEngine,
    open_pool: Callable[[], Awaitable[Pool]],
    store: ObjectStore,
    clock: Clock = system_clock,
    gateway: PlainApp | None = None,
    lifespan: Sequence[Lifespan] = (),
    more_routes: Sequence[ControllerRouterHandler] = (),
) -> ASGIApp:
    """The whole server as one ASGI callable.

    `engine` stays the caller's to dispose of; the pool is opened at startup, because it belongs to an event
    loop, and closed at shutdown. `lifespan` runs inside that, for what listens or polls. `more_routes` are
    served beside ours. Without a gateway every address goes to Litestar.
    """
    metrics = Metrics()
    application = Litestar(
        route_handlers=[Router("/api/v1", route_handlers=_API), *_PLAIN, *more_routes],
        plugins=[database_plugin(engine)],
        dependencies={
            **session_dependencies(settings.default_site),
            **_collaborators(settings, engine, store, clock, metrics),
        },
        lifespan=[_pool_lifespan(open_pool), *lifespan],
        middleware=[BodyGuard()],
        exception_handlers={Exception: problem_handler, HTTPException: problem_handler},
        request_class=CheckedRequest,
        request_max_body_size=MAX_BODY,
        openapi_config=openapi_config(),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    edge = Edge(application, metrics=metrics, allowed_hosts=split_hosts(settings.allowed_hosts))
    return _dispatch(edge, edge if gateway is None else gateway)


def application(settings: Settings | None = None) -> ASGIApp:
    """What each server process runs: granian's factory, which gives no settings, so the environment does.

    Raises ConfigurationError for a bad setting.
    """
    settings = settings or read_settings()
    configure_logs(settings)
    if settings.database_url is None:
        raise ConfigurationError("HUSTINGS_DATABASE_URL is missing; `hustings up` sets it for its server.")
    url, size, pooler = settings.database_url, settings.database_pool_size, settings.database_pooler
    engine = make_engine(url, pool_size=size, pooler=pooler)
    store = make_store(settings)
    gateway = Gateway(
        AsyncStore(store), default_site=settings.default_site, local_names=not settings.is_production
    )
    follow = _gateway_lifespan(gateway, settings.database_direct_url or url, every=polling_seconds(store))
    return create_app(
        settings,
        engine=engine,
        open_pool=lambda: make_pool(url, size=size, pooler=pooler),
        store=store,
        gateway=gateway,
        lifespan=[_engine_lifespan(engine), follow],
    )


def is_dynamic(path: str) -> bool:
    """Whether an address is Litestar's; the rest is the gateway's."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in DYNAMIC)


def _dispatch(edge: PlainApp, gateway: PlainApp) -> ASGIApp:
    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and not is_dynamic(scope["path"]):
            await gateway(scope, receive, send)
        else:
            await edge(scope, receive, send)

    return server


def _collaborators(
    settings: Settings, engine: AsyncEngine, store: ObjectStore, clock: Clock, metrics: Metrics
) -> dict[str, Provide]:
    facade, cursors = AsyncStore(store), Cursors(settings.secret_key)

    def constant(value: Any) -> Provide:
        return Provide(lambda: value, sync_to_thread=False)

    return {
        "engine": constant(engine),
        "pool": Provide(_provide_pool, sync_to_thread=False),
        "store": constant(facade),
        "now": Provide(lambda: clock(), sync_to_thread=False),  # noqa: PLW0108 - a clock may be a class
        "cursors": constant(cursors),
        "metrics": constant(metrics),
        "window": Provide(provide_window, sync_to_thread=False),
    }


def _provide_pool(state: State) -> Any:
    return state["pool"]


def _pool_lifespan(open_pool: Callable[[], Awaitable[Pool]]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
        pool = await open_pool()
        app.state["pool"] = pool
        try:
            yield
        finally:
            pool.terminate()

    return lifespan


def _gateway_lifespan(gateway: Gateway, listen_url: str, *, every: float) -> Lifespan:
    """The gateway follows the store by itself; a notification only makes it look at once."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        async with gateway.run(every), listening(listen_url, CHANNEL, gateway.notify):
            yield

    return lifespan


def _engine_lifespan(engine: AsyncEngine) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await engine.dispose()

    return lifespan
