"""What runs a job: a function with its limits, and what it is given."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic
from uuid import UUID

from app.database.engine import Connection, Pool, site_transaction
from app.jobs.job import J

LONGEST_BACKOFF = timedelta(hours=1)


@dataclass(frozen=True)
class JobContext:
    """What a handler gets beside its job. `attempt` counts from 1."""

    job_id: int
    attempt: int
    site_id: UUID | None
    pool: Pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that sees the rows of the job's site; of no site when the job has none."""
        async with self.pool.acquire() as connection:
            if self.site_id is None:
                async with connection.transaction():
                    yield connection
            else:
                async with site_transaction(connection, self.site_id):
                    yield connection


@dataclass(frozen=True)
class Handler(Generic[J]):
    """`run` does the job. A job is done at least once: `run` must come to the same when it is run again.

    It must leave the event loop free (compute in threads): a worker that is silent for longer than its
    heartbeat timeout is taken for dead. `retries` come after the first try; `backoff` is the wait before the
    first of them, doubled for each that follows. `concurrency` holds over all workers; 0 sets no limit.
    """

    job: type[J]
    run: Callable[[JobContext, J], Awaitable[None]]
    retries: int = 5
    backoff: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(minutes=5)
    concurrency: int = 0

    @property
    def name(self) -> str:
        return self.job.name

    def delay(self, attempt: int) -> timedelta:
        """How long to wait after the try `attempt` failed: half of it fixed, half of it chance."""
        doubled: timedelta = self.backoff * 2 ** min(attempt - 1, 20)
        longest = min(doubled, LONGEST_BACKOFF)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing


AnyHandler = Handler[Any]


def by_name(handlers: tuple[AnyHandler, ...]) -> dict[str, AnyHandler]:
    """Raises ValueError when two handlers want the same job."""
    found = {handler.name: handler for handler in handlers}
    if len(found) != len(handlers):
        raise ValueError("Two handlers have a job of the same name.")
    return found
