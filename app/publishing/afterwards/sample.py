"""The job that fetches some pages of a release through the site's public address, and compares them."""

import time
from datetime import timedelta
from functools import partial

import msgspec
import structlog
from anyio import sleep

from app.jobs.handlers import Handler, JobContext
from app.jobs.queue import enqueue
from app.kit.clock import Clock
from app.publishing.afterwards.addresses import public_url, quoted
from app.publishing.afterwards.calls import Calls
from app.publishing.afterwards.changes import changed_paths
from app.publishing.afterwards.chosen import choose
from app.publishing.afterwards.compare import Page, look_at_all
from app.publishing.flips import (
    Flip,
    PurgeFlips,
    Sampled,
    SampleFlip,
    find_flip,
    record_sample,
    sample_later,
)
from app.publishing.manifest import Manifest, Root, load_root
from app.publishing.pointer import read_pointer
from app.storage.facade import AsyncStore

TURNS = 2

log = structlog.get_logger()


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """All in seconds."""

    lag: float = 12.0
    """How long pages may differ before it counts: gateways look at a bucket every few seconds."""
    pause: float = 1.0
    again: float = 15.0
    """After this a purge that a lagging gateway has undone is repeated."""
    expiry: float = 130.0
    """After this no cache that was not purged may show an old page: see the gateway's Cache-Control."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """It only looks: whatever it finds, the release stays live."""

    store: AsyncStore
    calls: Calls
    clock: Clock
    waits: Waits = Waits()

    def handler(self) -> Handler[SampleFlip]:
        return Handler(
            SampleFlip, self.run, retries=3, backoff=timedelta(seconds=20), timeout=timedelta(minutes=10)
        )

    async def run(self, context: JobContext, job: SampleFlip) -> None:
        async with context.transaction() as connection:
            flip = await find_flip(connection, job.generation)
        if flip is None:
            return
        root = await self.store.run(partial(load_root, self.store.store.get, flip.root))
        if not public_url(root):
            sampled = Sampled("skipped", "The site has no base_url, so that its pages cannot be asked for.")
        else:
            sampled = await self._sample(job, flip, root)
        await self._record(context, job, flip, sampled)

    async def _sample(self, job: SampleFlip, flip: Flip, root: Root) -> Sampled:
        pages = await self._pages(flip, root)
        findings = await self._look(job, pages)
        if findings is None:
            return Sampled("skipped", "A newer release was live already.")
        same = len(pages) - len(findings)
        note = f"{same} of {len(pages)} pages are as released at {public_url(root)}."
        if not findings:
            return Sampled("same", note)
        outlook = self._outlook(flip, is_again=job.turn < TURNS)
        return Sampled("different", f"{note} {outlook}", tuple(findings.values()))

    async def _pages(self, flip: Flip, root: Root) -> list[Page]:
        get = self.store.store.get

        def read() -> list[Page]:
            changed = changed_paths(get, [flip]) or {}
            base = public_url(root)
            chosen = choose(Manifest.load(get, flip.root), changed)
            return [
                Page(url=base + quoted(path), path=path, entry=entry, release=flip.number)
                for path, entry in chosen.items()
            ]

        return await self.store.run(read)

    async def _look(self, job: SampleFlip, pages: list[Page]) -> dict[str, str] | None:
        """Path to what differs, when that lasts; None when a newer flip makes the question idle."""
        deadline = time.monotonic() + self.waits.lag
        left = pages
        while True:
            if not await self._is_live(job):
                return None
            findings = await look_at_all(self.calls, left)
            if not findings:
                return {}
            if time.monotonic() >= deadline:
                return findings if await self._is_live(job) else None
            left = [page for page in left if page.path in findings]
            await sleep(self.waits.pause)

    async def _is_live(self, job: SampleFlip) -> bool:
        found = await self.store.run(partial(read_pointer, self.store.store, str(job.site_id)))
        return found is not None and found[0].generation == job.generation

    async def _record(self, context: JobContext, job: SampleFlip, flip: Flip, sampled: Sampled) -> None:
        """What differs is looked at once more, when caches have had time."""
        async with context.transaction() as connection:
            await record_sample(connection, job.generation, sampled, self.clock())
            if sampled.state != "different":
                return
            log.warning("pages_differ", release=flip.number, turn=job.turn, findings=sampled.findings)
            if job.turn < TURNS and flip.purge == "done":
                again = PurgeFlips(site_id=job.site_id, again=job.generation)
                await enqueue(connection, again, delay=timedelta(seconds=self.waits.again))
            elif job.turn < TURNS:
                later = timedelta(seconds=self.waits.expiry)
                await sample_later(connection, job.site_id, job.generation, job.turn + 1, later)

    def _outlook(self, flip: Flip, *, is_again: bool) -> str:
        if not is_again:
            return "Caches should show it by now: look at how the CDN is configured."
        if flip.purge == "done":
            return f"They are purged again, and looked at again, in {self.waits.again:.0f} s."
        return (
            "Caches that were not purged may hold a page for 2 minutes; "
            f"it is looked at again in {self.waits.expiry:.0f} s."
        )
