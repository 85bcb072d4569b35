"""Counts and times of requests, use of the database's connections and depth of the queue, for Prometheus.

Each server process keeps its own registry and labels every sample with its process id as `worker`: a scrape
reaches one worker, and `sum without (worker)` over time joins them.

`/metrics` answers only who connects directly from this machine. Behind a proxy on the same machine every
request comes from loopback, so one that says it was forwarded is refused too; elsewhere the address is 404.
"""

import ipaddress
import os
from typing import Any

import anyio
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.types import Scope
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from app.database.engine import Pool
from app.database.failures import from_driver
from app.jobs.metrics import DEPTH, JOBS, measure_queue
from app.web.inputs import header

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")
_TEXT = "text/plain; version=1.0.0"
"""Litestar adds the charset."""
_SECONDS = 2.0
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for one application in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._worker = str(os.getpid())
        self._seconds = Histogram(
            "hustings_request_seconds",
            "Requests by route template and status, and the time to answer them",
            ("worker", "method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._connections = Gauge(
            "hustings_database_connections",
            "Connections to the database, by door (engine, pool) and state (busy, idle)",
            ("worker", "door", "state"),
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        self._seconds.labels(self._worker, method, route, str(status)).observe(seconds)

    def look_at(self, engine: AsyncEngine, pool: Pool) -> None:
        """Takes down how many connections are in use now."""
        idle = pool.get_idle_size()
        self._set("pool", "idle", idle)
        self._set("pool", "busy", pool.get_size() - idle)
        if isinstance(engine.pool, QueuePool):
            self._set("engine", "idle", engine.pool.checkedin())
            self._set("engine", "busy", engine.pool.checkedout())

    def render(self) -> bytes:
        return generate_latest(self.registry) + generate_latest(JOBS)

    def _set(self, door: str, state: str, value: int) -> None:
        self._connections.labels(self._worker, door, state).set(value)


def is_direct(scope: Scope) -> bool:
    """Whether the client is on this machine and came through no proxy."""
    client = scope.get("client")
    if client is None or any(header(scope, name) is not None for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


async def measure_jobs(pool: Pool) -> None:
    """Takes down the queue's depth; without a database there is none to be seen."""
    try:
        with anyio.fail_after(_SECONDS):
            async with pool.acquire() as connection:
                await measure_queue(connection)
    except Exception as error:
        DEPTH.clear()
        if from_driver(error) is None:
            raise


@get("/metrics", include_in_schema=False, media_type=_TEXT)
async def metrics_page(
    request: Request[Any, Any, Any],
    metrics: NamedDependency[Metrics],
    engine: NamedDependency[AsyncEngine],
    pool: NamedDependency[Any],
) -> Response[bytes]:
    if not is_direct(request.scope):
        raise NotFoundException
    metrics.look_at(engine, pool)
    await measure_jobs(pool)
    return Response(metrics.render(), media_type=_TEXT)
