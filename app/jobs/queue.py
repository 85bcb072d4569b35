"""The way into the queue: a job is a row in the transaction of what caused it, and shares its fate."""

from datetime import timedelta
from typing import TypeAlias, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.engine import Connection
from app.jobs.job import Job, encode
from app.jobs.tables import queries

Caller: TypeAlias = "AsyncSession | Connection"  # quoted, as Connection is itself


async def enqueue(
    where: Caller,
    job: Job,
    *,
    delay: timedelta | None = None,
    dedupe_key: str | None = None,
    priority: int = 0,
) -> int:
    """Put `job` into the queue in the caller's transaction; gives its id. Higher `priority` comes first.

    Workers see it when the transaction commits, and never when it is rolled back. A plain connection must be
    in a transaction (RuntimeError otherwise).

    With a `dedupe_key`, while a job of that key waits there is no second one: the waiting one's id is given,
    its time stays, its priority is raised if need be, and it is held back until this transaction has ended,
    so that it sees what this transaction wrote. A job that has started no longer counts as waiting.
    """
    connection = await _connection_of(where)
    [job_id] = await queries(connection).enqueue(
        job.name, encode(job), priority, delay, dedupe_key, on_conflict="update_priority"
    )
    return job_id


async def _connection_of(where: Caller) -> Connection:
    if isinstance(where, AsyncSession):
        # SQLAlchemy opens the transaction with the first statement, not before.
        await where.execute(text("SELECT 1"))
        raw = await (await where.connection()).get_raw_connection()
        return cast("Connection", raw.driver_connection)
    if not where.is_in_transaction():
        raise RuntimeError("enqueue needs a transaction, so that the job shares the fate of what caused it.")
    return where
