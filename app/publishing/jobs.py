"""The jobs of publishing."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import ClassVar
from uuid import UUID

import msgspec
import structlog

from app.database.engine import Connection, Pool
from app.jobs.handlers import AnyHandler, Handler, JobContext
from app.jobs.job import Job, SiteJob
from app.jobs.queue import enqueue
from app.jobs.schedule import Scheduled, dedupe_key
from app.publishing.engine import Engine
from app.publishing.publish import publish
from app.publishing.reconcile import reconcile
from app.publishing.report import Silent

EVERY_FIVE_MINUTES = "*/5 * * * *"
LONGEST = timedelta(minutes=30)

log = structlog.get_logger(__name__)


class Reconcile(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settle what killed publishers left, on every site."""

    name: ClassVar[str] = "releases.reconcile"


class Refresh(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Publish what moves without an editor: what visitors did, and what opened or closed by time."""

    name: ClassVar[str] = "site.refresh"


async def ask_for_refresh(connection: Connection, site_id: UUID, *, delay: timedelta | None = None) -> int:
    """Enqueue a refresh in the connection's transaction; gives its id. While one waits, this is that one."""
    job = Refresh(site_id=site_id)
    return await enqueue(connection, job, delay=delay, dedupe_key=dedupe_key(job))


def handlers(engine_over: Callable[[Pool], Engine]) -> tuple[AnyHandler, ...]:
    """All jobs of one worker share an engine, because publishes take their connections in turn."""
    engine_of = cache(engine_over)

    async def settle(context: JobContext, _: Reconcile) -> None:
        for settled in await reconcile(context.pool, engine_of(context.pool).store):
            tell = log.warning if settled.trouble else log.info
            tell("releases_settled", **msgspec.structs.asdict(settled))

    async def refresh(context: JobContext, job: Refresh) -> None:
        outcome = await publish(engine_of(context.pool), job.site_id, report=Silent(), trigger="refresh")
        log.info("site_refreshed", site=outcome.site, release=outcome.release, waits=outcome.waits)

    return (
        Handler(Reconcile, settle, concurrency=1),
        Handler(Refresh, refresh, retries=3, backoff=timedelta(seconds=30), timeout=LONGEST, concurrency=2),
    )


def schedule(refresh_minutes: int) -> tuple[Scheduled, ...]:
    """0 minutes: no site is refreshed by the clock."""
    settling = Scheduled(EVERY_FIVE_MINUTES, Reconcile)
    if not refresh_minutes:
        return (settling,)
    every = "0" if refresh_minutes == 60 else f"*/{refresh_minutes}"
    return (settling, Scheduled(f"{every} * * * *", Refresh))
