"""The job that makes caches forget what flips have changed."""

from datetime import timedelta
from functools import partial

import msgspec
import structlog

from app.errors import AppError, JobRefused
from app.jobs.handlers import Handler, JobContext
from app.kit.clock import Clock
from app.publishing.afterwards.addresses import public_url, quoted
from app.publishing.afterwards.calls import CallRefused
from app.publishing.afterwards.changes import changed_paths
from app.publishing.afterwards.purger import Purger, Stale
from app.publishing.flips import (
    Flip,
    Purge,
    PurgeFlips,
    record_purge,
    sample_later,
    waiting_flips,
)
from app.publishing.manifest import load_root
from app.storage.facade import AsyncStore

RETRIES = 5

log = structlog.get_logger()


class Purging(msgspec.Struct, frozen=True, kw_only=True):
    """Without a purger there is nothing to purge, and the sample alone is taken."""

    store: AsyncStore
    purger: Purger | None
    clock: Clock

    def handler(self) -> Handler[PurgeFlips]:
        return Handler(
            PurgeFlips,
            self.run,
            retries=RETRIES,
            backoff=timedelta(seconds=20),
            timeout=timedelta(minutes=10),
        )

    async def run(self, context: JobContext, job: PurgeFlips) -> None:
        """Purges the union of what waits: what is live is the newest, however late the purge comes."""
        async with context.transaction() as connection:
            flips = await waiting_flips(connection, self.clock(), again=job.again)
        if not flips:
            return
        try:
            state, note = await self._purge(job, flips)
        except AppError as error:
            is_last = isinstance(error, CallRefused) or context.attempt > RETRIES
            await self._record(context, job, flips, "failed" if is_last else "pending", error.detail)
            if is_last:
                log.warning("purge_failed", release=flips[-1].number, reason=error.detail)
                raise JobRefused(error.detail) from error
            raise
        await self._record(context, job, flips, state, note)

    async def _purge(self, job: PurgeFlips, flips: list[Flip]) -> tuple[Purge, str]:
        if self.purger is None:
            return "skipped", "There is no cache to purge: HUSTINGS_PURGE_URL is not set."
        stale = await self._stale(job, flips)
        if not stale.base_url:
            return "skipped", "The site has no base_url, so that its addresses are not known."
        if not stale.paths and not stale.is_everything:
            return "done", "No address had changed."
        await self.purger.purge(stale)
        what = "everything" if stale.is_everything else _counted(len(stale.paths))
        return "done", f"{self.purger.name} was told to forget {what}."

    async def _stale(self, job: PurgeFlips, flips: list[Flip]) -> Stale:
        get = self.store.store.get
        root = await self.store.run(partial(load_root, get, flips[-1].root))
        changed = await self.store.run(partial(changed_paths, get, flips))
        assert self.purger is not None  # noqa: S101 - asked before
        is_everything = changed is None or len(changed) > self.purger.most
        listed = {} if changed is None or is_everything else changed
        return Stale(
            site_id=root.site_id,
            site=root.slug,
            release=root.number,
            generation=flips[-1].generation,
            base_url=public_url(root),
            paths=tuple(quoted(path) for path in listed),
            gone=frozenset(
                quoted(path) for path, entry in listed.items() if entry is None or entry.status == 410
            ),
            is_everything=is_everything,
            turn=2 if job.again else 1,
        )

    async def _record(
        self, context: JobContext, job: PurgeFlips, flips: list[Flip], state: Purge, note: str
    ) -> None:
        """A sample is taken when the purge has ended, whatever its end."""
        newest = flips[-1].generation
        async with context.transaction() as connection:
            await record_purge(connection, [flip.generation for flip in flips], state, note, self.clock())
            if state != "pending":
                turn = 2 if job.again == newest else 1
                await sample_later(connection, job.site_id, newest, turn)


def _counted(urls: int) -> str:
    return "1 address" if urls == 1 else f"{urls} addresses"
