"""The way into the queue: a job is a row in the transaction of what caused it, and shares its fate."""

from datetime import timedelta

from app.database.engine import Connection
from app.jobs.job import Job, encode


async def enqueue(
    connection: Connection,
    job: Job,
    *,
    delay: timedelta | None = None,
    dedupe_key: str | None = None,
    priority: int = 0,
) -> int:
    """Put `job` into the queue in the caller's transaction; gives its id. Higher `priority` comes first.

    Workers see it when the transaction commits, and never when it is rolled back. The connection must be
    in a transaction (RuntimeError otherwise); for that of a session see `app.jobs.session`.

    With a `dedupe_key`, while a job of that key waits there is no second one: the waiting one's id is given,
    its time stays, its priority is raised if need be, and it is held back until this transaction has ended,
    so that it sees what this transaction wrote. A job that has started no longer counts as waiting.
    """
    if not connection.is_in_transaction():
        raise RuntimeError("enqueue needs a transaction, so that the job shares the fate of what caused it.")
    # Only here: PGQueuer takes as long to load as everything else, and most publishes are short.
    from app.jobs.tables import queries  # noqa: PLC0415

    [job_id] = await queries(connection).enqueue(
        job.name, encode(job), priority, delay, dedupe_key, on_conflict="update_priority"
    )
    return job_id
