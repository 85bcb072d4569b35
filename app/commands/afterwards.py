"""`hustings publish --wait`: what follows a flip, worked on here and now, and told."""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

import msgspec

from app.database.engine import site_transaction
from app.jobs.handlers import AnyHandler
from app.jobs.ledger import DISCONNECTED
from app.jobs.worker import Timing, Worker
from app.logs import configure_logs
from app.publishing.engine import Engine
from app.publishing.flips import FollowUp, follow_up_of
from app.settings import Settings

LONGEST = 90.0
"""Seconds. What takes longer is left to the worker, and to be seen in `releases show`."""
LOOK = 0.1


async def follow_through(
    settings: Settings,
    engine: Engine,
    handlers: tuple[AnyHandler, ...],
    sites: Mapping[str, UUID],
    live: Mapping[str, int | None],
) -> list[str]:
    """Lines for people, about each site's new release. What goes wrong is told too: the release is live.

    This process is a worker of these jobs alone until they have ended; one that runs elsewhere may be faster.
    """
    configure_logs(msgspec.structs.replace(settings, log_level="error"))
    worker = Worker(
        str(settings.database_url),
        direct_url=settings.database_direct_url,
        pooler=settings.database_pooler,
        handlers=handlers,
        timing=Timing(grace=1),
    )
    working = asyncio.create_task(worker.run())
    try:
        told = await _until_over(engine, {sites[slug]: number for slug, number in live.items()}, working)
    except DISCONNECTED:
        told = {}
    finally:
        worker.stop()
        await asyncio.wait([working])
    return [
        f"{slug}: {line}"
        for slug in live
        for line in _lines(told.get(sites[slug]), f"hustings releases --site {slug} show {live[slug]}")
    ]


async def _until_over(
    engine: Engine, live: Mapping[UUID, int | None], working: asyncio.Task[None]
) -> dict[UUID, FollowUp | None]:
    deadline = time.monotonic() + LONGEST
    while True:
        found = {site_id: await _look(engine, site_id, number) for site_id, number in live.items()}
        is_over = all(each is not None and each.is_over for each in found.values())
        if is_over or working.done() or time.monotonic() > deadline:
            return found
        await asyncio.sleep(LOOK)


async def _look(engine: Engine, site_id: UUID, number: int | None) -> FollowUp | None:
    async with engine.pool.acquire() as connection, site_transaction(connection, site_id, readonly=True):
        return await follow_up_of(connection, number or 0)


def _lines(found: FollowUp | None, command: str) -> list[str]:
    if found is None:
        return [f"what follows is not known yet; see `{command}`."]
    return found.lines if found.is_over else [*found.lines, f"It goes on in the worker; see `{command}`."]
