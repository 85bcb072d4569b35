"""What a worker writes about the jobs that it holds.

PGQueuer hands jobs out; it would let a worker that was taken for dead finish a job that another has by then.
So every entry here is made only while the job is still this worker's own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from app.database.engine import Pool
from app.jobs.tables import queries

DISCONNECTED = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""The database is away, starting or full: to be tried again."""

LONGEST_ERROR = 20_000
"""Characters of an error that are kept, from its end."""

# A started job gives its key free, so that what happens from now on gets a job of its own.
START = "UPDATE pgqueuer SET attempts = attempts + 1, dedupe_key = NULL WHERE id = ANY($1::bigint[])"
BEAT = """
UPDATE pgqueuer SET heartbeat = now()
 WHERE id = ANY($1::bigint[]) AND queue_manager_id = $2 AND status = 'picked' RETURNING id
"""
OWN = "WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked' RETURNING id, entrypoint, priority"
LOG = """
INSERT INTO pgqueuer_log (job_id, entrypoint, priority, status, traceback)
SELECT id, entrypoint, priority, $3::pgqueuer_status, $4::jsonb FROM job RETURNING job_id
"""
FREE = "queue_manager_id = NULL, slot = NULL, updated = now()"
FINISH = f"WITH job AS (DELETE FROM pgqueuer {OWN}) {LOG}"
FAIL = f"WITH job AS (UPDATE pgqueuer SET status = 'failed', {FREE} {OWN}) {LOG}"
AGAIN = f"""
WITH job AS (
  UPDATE pgqueuer SET status = 'queued', execute_after = now() + $5::interval,
    attempts = attempts - $6, {FREE} {OWN}
) {LOG}"""


@dataclass(frozen=True)
class Taken:
    """A job in this worker's hands. `attempt` counts every start, also those whose worker died."""

    id: int
    name: str
    payload: bytes | None
    attempt: int


@dataclass(frozen=True)
class Ledger:
    """The entries of one worker. All of them raise one of DISCONNECTED when the database is away."""

    pool: Pool
    worker: UUID

    async def take(
        self, limits: Mapping[str, int], count: int, stale: timedelta, held: Collection[int]
    ) -> list[Taken]:
        """At most `count` jobs that are due, or whose worker was silent for `stale`; `held` are left out."""
        async with self.pool.acquire() as connection, connection.transaction():
            jobs = await queries(connection).dequeue(
                batch_size=count,
                entrypoints={
                    QueueEntrypoint(name): EntrypointExecutionParameter(limit)
                    for name, limit in limits.items()
                },
                queue_manager_id=QueueManagerId(self.worker),
                global_concurrency_limit=None,
                heartbeat_timeout=stale,
            )
            new = [job for job in jobs if job.id not in held]
            if new:
                await connection.execute(START, [job.id for job in new])
        return [Taken(job.id, job.entrypoint, job.payload, job.attempts + 1) for job in new]

    async def next_due(self, names: Collection[str]) -> timedelta | None:
        """How long until the next job that waits for its time; None when there is none."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await queries(connection).next_deferred_eta([QueueEntrypoint(name) for name in names])

    async def beat(self, ids: Collection[int]) -> set[int]:
        """Say that these jobs are alive; gives those that are still this worker's own."""
        async with self.pool.acquire() as connection, connection.transaction():
            return {row["id"] for row in await connection.fetch(BEAT, list(ids), self.worker)}

    async def finish(self, job: Taken) -> bool:
        return await self._write(FINISH, job, "successful", None)

    async def fail(self, job: Taken, error: Exception) -> bool:
        """Keep the job for an operator, with the error in the log."""
        return await self._write(FAIL, job, "failed", _record(job, error))

    async def retry(self, job: Taken, error: Exception, delay: timedelta) -> bool:
        return await self._write(AGAIN, job, "queued", _record(job, error), delay, 0)

    async def give_back(self, job: Taken) -> bool:
        """Return a job that was interrupted through no fault of its own: this try does not count."""
        return await self._write(AGAIN, job, "queued", None, timedelta(0), 1)

    async def _write(self, statement: str, job: Taken, *values: Any) -> bool:
        """False when the job is no longer this worker's: then nothing was written."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await connection.fetchval(statement, job.id, self.worker, *values) is not None


def _record(job: Taken, error: Exception) -> str:
    """What the log keeps of an error, in characters that PostgreSQL can store."""
    record = TracebackRecord.from_exception(
        error, JobId(job.id), {"entrypoint": job.name, "attempt": job.attempt}
    )
    storable = {
        "exception_message": _storable(record.exception_message),
        "traceback": _storable(record.traceback),
    }
    return record.model_copy(update=storable).model_dump_json()


def _storable(text: str) -> str:
    return text[-LONGEST_ERROR:].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
