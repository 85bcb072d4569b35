"""Jobs whose effects tests can read in a table, and a process that works on them."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar

import asyncpg
import msgspec

from app.database.engine import Connection
from app.errors import JobRefused
from app.jobs.handlers import AnyHandler, Handler, JobContext
from app.jobs.job import Job, SiteJob
from app.jobs.process import work_until_signalled
from app.jobs.queue import enqueue
from app.jobs.worker import Timing, Worker

EFFECTS = "CREATE TABLE job_effects (id bigserial PRIMARY KEY, note text NOT NULL, attempt int, process int)"
SHORT = timedelta(milliseconds=20)


class Write(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "sample.write"
    note: str


class Wait(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Writes `<note> started`, waits for a row `<note> go`, writes `<note> finished`."""

    name: ClassVar[str] = "sample.wait"
    note: str


class Fail(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fails as often as `times`, then writes `<note>`."""

    name: ClassVar[str] = "sample.fail"
    note: str
    times: int


class Refuse(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "sample.refuse"


class Hang(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "sample.hang"


class Kill(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ends its worker as the kernel does when memory runs out."""

    name: ClassVar[str] = "sample.kill"


class CountCampaigns(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "sample.count_campaigns"


async def note_down(context: JobContext, note: str) -> None:
    async with context.transaction() as connection:
        await connection.execute(
            "INSERT INTO job_effects (note, attempt, process) VALUES ($1, $2, $3)",
            note,
            context.attempt,
            os.getpid(),
        )


async def write(context: JobContext, job: Write) -> None:
    await note_down(context, job.note)


async def wait(context: JobContext, job: Wait) -> None:
    await note_down(context, f"{job.note} started")
    while True:
        async with context.transaction() as connection:
            if await connection.fetchval("SELECT 1 FROM job_effects WHERE note = $1", f"{job.note} go"):
                break
        await asyncio.sleep(0.02)
    await note_down(context, f"{job.note} finished")


async def fail(context: JobContext, job: Fail) -> None:
    if context.attempt <= job.times:
        raise RuntimeError(f"no luck at try {context.attempt}")
    await note_down(context, job.note)


async def refuse(_context: JobContext, _job: Refuse) -> None:
    raise JobRefused("There is nothing to be done about this.")


async def hang(_context: JobContext, _job: Hang) -> None:
    await asyncio.Event().wait()


async def kill(context: JobContext, _job: Kill) -> None:
    await note_down(context, "killing")
    os.kill(os.getpid(), signal.SIGKILL)


async def count_campaigns(context: JobContext, job: CountCampaigns) -> None:
    async with context.transaction() as connection:
        slugs = await connection.fetch("SELECT slug FROM campaigns ORDER BY slug")
        note = f"{job.site_id} {' '.join(row['slug'] for row in slugs)}"
        await connection.execute("INSERT INTO job_effects (note) VALUES ($1)", note)


HANDLERS: tuple[AnyHandler, ...] = (
    Handler(Write, write, backoff=SHORT),
    Handler(Wait, wait, backoff=SHORT),
    Handler(Fail, fail, retries=2, backoff=SHORT),
    Handler(Refuse, refuse, backoff=SHORT),
    Handler(Hang, hang, retries=0, timeout=timedelta(milliseconds=100)),
    Handler(Kill, kill, retries=1, backoff=SHORT),
    Handler(CountCampaigns, count_campaigns),
)


async def put(connection: Connection, job: Job, **options: Any) -> int:
    async with connection.transaction():
        return await enqueue(connection, job, **options)


async def notes(connection: Connection) -> list[str]:
    return [row["note"] for row in await connection.fetch("SELECT note FROM job_effects ORDER BY id")]


async def jobs_left(connection: Connection, name: str = "%") -> dict[str, int]:
    """How many jobs whose name is like this the queue holds in each state."""
    query = "SELECT status::text AS state, count(*) AS n FROM pgqueuer WHERE entrypoint LIKE $1 GROUP BY 1"
    rows = await connection.fetch(query, name)
    return {row["state"]: row["n"] for row in rows}


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait for a condition; a minute is far more than it should need."""
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come true")
        await asyncio.sleep(0.02)


async def make_effects(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(EFFECTS)
    finally:
        await connection.close()


def main() -> None:
    """`URL TIMING-AS-JSON`: a worker that says `listening` on standard output."""
    timing = msgspec.json.decode(sys.argv[2], type=Timing)

    async def work() -> None:
        worker = Worker(sys.argv[1], handlers=HANDLERS, timing=timing)
        await work_until_signalled(worker, lambda: print("listening", flush=True))  # noqa: T201 - for the test

    asyncio.run(work())


if __name__ == "__main__":
    main()
