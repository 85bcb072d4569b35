"""One run of one job: read it, run its handler, write down how it ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from app.database.engine import Pool
from app.errors import JobRefused
from app.jobs.handlers import AnyHandler, JobContext
from app.jobs.job import decode, site_of
from app.jobs.ledger import DISCONNECTED, Ledger, Taken
from app.jobs.metrics import FINISHED, SECONDS
from app.logs import traceback_of

log = structlog.get_logger()


@dataclass(eq=False)
class Run:
    """A job in work. `is_lost`: another worker has it by now. `is_stopped`: it is cancelled
    because the worker stops. `is_ending`: its end is being written down.
    """

    taken: Taken
    handler: AnyHandler
    ledger: Ledger
    pool: Pool
    pause: float
    """Seconds between tries to write down the end while the database is away."""
    is_lost: bool = False
    is_stopped: bool = False
    is_ending: bool = False
    log: structlog.stdlib.BoundLogger = field(init=False)

    def __post_init__(self) -> None:
        self.log = log.bind(job=self.taken.name, job_id=self.taken.id, attempt=self.taken.attempt)

    async def __call__(self) -> None:
        started = time.perf_counter()
        outcome = await self._outcome()
        seconds = time.perf_counter() - started
        SECONDS.labels(self.taken.name).observe(seconds)
        FINISHED.labels(self.taken.name, outcome).inc()
        self.log.info("jobs.run", outcome=outcome, seconds=round(seconds, 3))

    async def _outcome(self) -> str:
        try:
            await self._handle()
        except asyncio.CancelledError:
            if self.is_lost:
                return "lost"
            if not self.is_stopped:
                return await self._retry(RuntimeError(f"The handler of {self.taken.name} cancelled itself."))
            return await self._end("returned", lambda: self.ledger.give_back(self.taken))
        except JobRefused as error:
            return await self._fail(error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the worker goes on
            return await self._retry(error)
        return await self._end("done", lambda: self.ledger.finish(self.taken))

    async def _handle(self) -> None:
        tries = self.handler.retries + 1
        if self.taken.attempt > tries:
            raise JobRefused(
                f"The job {self.taken.name} was started {tries} times, the last time its worker died with it."
            )
        job = decode(self.handler.job, self.taken.payload)
        context = JobContext(self.taken.id, self.taken.attempt, site_of(job), self.pool)
        seconds = self.handler.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                await self.handler.run(context, job)
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"The job {self.taken.name} was not done within {seconds:g} s.") from error
            raise

    async def _retry(self, error: Exception) -> str:
        if self.taken.attempt > self.handler.retries:
            return await self._fail(error)
        delay = self.handler.delay(self.taken.attempt)
        self.log.warning(
            "jobs.try_failed", again_in=round(delay.total_seconds(), 1), traceback=traceback_of(error)
        )
        return await self._end("retried", lambda: self.ledger.retry(self.taken, error, delay))

    async def _fail(self, error: Exception) -> str:
        self.log.error("jobs.failed", traceback=traceback_of(error))
        return await self._end("failed", lambda: self.ledger.fail(self.taken, error))

    async def _end(self, outcome: str, write: Callable[[], Awaitable[bool]]) -> str:
        """Write the end down, waiting for the database if need be: a job that is done must not run again."""
        self.is_ending = True
        while True:
            try:
                return outcome if await write() else "lost"
            except DISCONNECTED as error:
                self.log.warning("jobs.end_not_written", outcome=outcome, error=type(error).__name__)
            await asyncio.sleep(self.pause)
