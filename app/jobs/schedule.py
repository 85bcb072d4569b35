"""Jobs that come with the clock. The database decides which worker enqueues them: each tick at most once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from croniter import croniter

from app.database.engine import Connection
from app.jobs.job import Job, SiteJob, site_of
from app.jobs.queue import enqueue

FORGET = "DELETE FROM pgqueuer_schedules WHERE entrypoint = $1 AND expression <> $2"
PLAN = """
INSERT INTO pgqueuer_schedules (entrypoint, expression, next_run) VALUES ($1, $2, $3)
ON CONFLICT (expression, entrypoint) DO NOTHING
"""
DUE = """
SELECT id FROM pgqueuer_schedules
 WHERE entrypoint = $1 AND expression = $2 AND next_run <= $3 FOR UPDATE SKIP LOCKED
"""
DONE = "UPDATE pgqueuer_schedules SET last_run = $2, next_run = $3, updated = now() WHERE id = $1"
SITES = "SELECT id FROM site_directory() WHERE status = 'active'"


@dataclass(frozen=True)
class Scheduled:
    """A job at the times that `cron` names (five fields, UTC). A site's job comes once for each active site.

    A time that passed while no worker ran is made up for once, however many were missed. Raises ValueError
    for a bad expression, and for a job that wants more than its site.
    """

    cron: str
    job: type[Job]

    def __post_init__(self) -> None:
        if len(self.cron.split()) != 5 or not croniter.is_valid(self.cron):
            raise ValueError(f"{self.cron!r}, the schedule of {self.job.name}, is not a cron expression.")
        wanted = {field.name for field in msgspec.structs.fields(self.job) if field.required}
        if wanted - {"site_id"}:
            raise ValueError(f"The scheduled job {self.job.name} may ask for a site_id and nothing else.")

    def after(self, time: datetime) -> datetime:
        """The first time of the schedule after `time`."""
        found: datetime = croniter(self.cron, time.astimezone(UTC)).get_next(datetime)
        return found


async def plan(connection: Connection, schedule: Iterable[Scheduled], now: datetime) -> None:
    """Make the schedule known. What is known keeps its next time; a changed expression starts anew.

    Raises ValueError when a job stands there twice.
    """
    entries = list(schedule)
    if len({entry.job.name for entry in entries}) != len(entries):
        raise ValueError("A job has two schedules. Give it one expression that covers both.")
    async with connection.transaction():
        for entry in entries:
            await connection.execute(FORGET, entry.job.name, entry.cron)
            await connection.execute(PLAN, entry.job.name, entry.cron, entry.after(now))


async def tick(connection: Connection, schedule: Iterable[Scheduled], now: datetime) -> int:
    """Enqueue what is due at `now`; gives the number of jobs. Each entry is a transaction of its own."""
    count = 0
    for entry in schedule:
        async with connection.transaction():
            found = await connection.fetchval(DUE, entry.job.name, entry.cron, now)
            if found is not None:
                count += await _enqueue_all(connection, entry.job)
                await connection.execute(DONE, found, now, entry.after(now))
    return count


async def _enqueue_all(connection: Connection, kind: type[Job]) -> int:
    jobs: list[Job] = (
        [kind()]
        if not issubclass(kind, SiteJob)
        else [kind(site_id=row["id"]) for row in await connection.fetch(SITES)]
    )
    for job in jobs:
        await enqueue(connection, job, dedupe_key=dedupe_key(job))
    return len(jobs)


def dedupe_key(job: Job) -> str:
    """Of a scheduled job. Who enqueues it at other times too takes the same key, and so shares what waits."""
    return f"schedule {job.name} {site_of(job) or ''}"
