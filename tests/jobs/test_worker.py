import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.database.engine import Connection, make_pool
from app.errors import ConfigurationError
from app.jobs.handlers import LONGEST_BACKOFF, Handler, JobContext
from app.jobs.housekeeping import SCHEDULE
from app.jobs.ledger import Ledger
from app.jobs.metrics import JOBS
from app.jobs.worker import Timing, Worker
from tests.conftest import Database
from tests.jobs.sample import (
    HANDLERS,
    CountCampaigns,
    Fail,
    Hang,
    Refuse,
    Wait,
    Write,
    jobs_left,
    notes,
    put,
    until,
    write,
)

pytestmark = pytest.mark.anyio
Start = Callable[..., Awaitable[Worker]]
QUICK = Timing(silence=3600, poll=0.05, schedule=3600, grace=60, reconnect=0.05)


@asynccontextmanager
async def working(database: Database, **options: Any) -> AsyncIterator[Worker]:
    """A worker of the sample jobs that has begun to listen."""
    options = {"handlers": HANDLERS, "timing": QUICK, **options}
    worker = Worker(database.url("app"), **options)
    ready = asyncio.Event()
    task = asyncio.create_task(worker.run(ready.set))
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        yield worker
    finally:
        worker.stop()
        await task


async def is_empty(connection: Connection) -> bool:
    return await jobs_left(connection) == {}


async def last_error(connection: Connection, job_id: int) -> str:
    query = (
        "SELECT traceback->>'exception_message' FROM pgqueuer_log WHERE job_id = $1 ORDER BY id DESC LIMIT 1"
    )
    return str(await connection.fetchval(query, job_id))


def finished(name: str, outcome: str) -> float:
    labels = {"job": name, "outcome": outcome}
    return JOBS.get_sample_value("hustings_jobs_finished_total", labels) or 0


async def add_site(owner: Connection, slug: str) -> UUID:
    site_id = uuid4()
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.site_id', $1, true)", str(site_id))
        await owner.execute("INSERT INTO sites (id, slug, name) VALUES ($1, $2, $2)", site_id, slug)
        await owner.execute(
            "INSERT INTO campaigns (id, translation_group_id, site_id, slug, title, summary)"
            " VALUES ($1, $1, $2, $3, $3, $3)",
            uuid4(),
            site_id,
            f"of-{slug}",
        )
    return site_id


async def test_a_job_is_done_once_and_leaves_its_trace_in_the_log(
    database: Database, connection: Connection
) -> None:
    before = finished(Write.name, "done")
    async with working(database):
        job_id = await put(connection, Write(note="hello"))
        await until(lambda: is_empty(connection))
    assert await notes(connection) == ["hello"]
    rows = await connection.fetch(
        "SELECT status::text FROM pgqueuer_log WHERE job_id = $1 ORDER BY id", job_id
    )
    assert [row["status"] for row in rows] == ["queued", "picked", "successful"]
    assert finished(Write.name, "done") == before + 1


async def test_a_new_job_is_heard_of_without_polling(database: Database, connection: Connection) -> None:
    timing = Timing(silence=3600, poll=3600, schedule=3600, reconnect=0.05)
    async with working(database, timing=timing):
        await put(connection, Write(note="heard"))
        await until(lambda: is_empty(connection))


async def test_a_job_is_found_by_polling_when_nothing_is_heard(
    database: Database, connection: Connection
) -> None:
    """The address to listen at leads nowhere, so that only polling can find the job."""
    worker = Worker(
        database.url("app"), handlers=HANDLERS, timing=QUICK, direct_url="postgresql://nobody@127.0.0.1:1/x"
    )
    task = asyncio.create_task(worker.run())
    await put(connection, Write(note="found"))
    await until(lambda: is_empty(connection))
    worker.stop()
    await task
    assert await notes(connection) == ["found"]


async def test_a_job_sees_the_rows_of_its_site_alone(database: Database, connection: Connection) -> None:
    one, other = await add_site(connection, "one"), await add_site(connection, "other")
    async with working(database):
        await put(connection, CountCampaigns(site_id=one))
        await put(connection, CountCampaigns(site_id=other))
        await until(lambda: is_empty(connection))
    assert sorted(await notes(connection)) == sorted([f"{one} of-one", f"{other} of-other"])


async def test_a_failed_try_is_repeated_until_it_succeeds(database: Database, connection: Connection) -> None:
    before = finished(Fail.name, "retried")
    async with working(database):
        await put(connection, Fail(note="at last", times=2))
        await until(lambda: is_empty(connection))
    assert await notes(connection) == ["at last"]
    assert await connection.fetchval("SELECT max(attempt) FROM job_effects") == 3
    assert finished(Fail.name, "retried") == before + 2


async def test_after_the_last_try_the_job_is_kept_with_its_error(
    database: Database, connection: Connection
) -> None:
    async with working(database):
        job_id = await put(connection, Fail(note="never", times=99))
        await until(lambda: _has_failed(connection))
    assert await last_error(connection, job_id) == "no luck at try 3"
    assert await notes(connection) == []


async def test_an_error_that_cannot_be_stored_as_it_is_still_ends_the_job(
    database: Database, connection: Connection
) -> None:
    """PostgreSQL takes neither NUL nor half a surrogate pair; the worker must not fall over them."""

    async def odd(_context: JobContext, _job: Write) -> None:
        raise ValueError("NUL \0 and half \ud800 of a pair")

    job_id = await put(connection, Write(note="x"))
    async with working(database, handlers=(Handler(Write, odd, retries=0),)):
        await until(lambda: _has_failed(connection))
    assert await last_error(connection, job_id) == "NUL \N{REPLACEMENT CHARACTER} and half ? of a pair"


async def test_a_handler_that_cancels_itself_has_failed(database: Database, connection: Connection) -> None:
    """It must not count as returned by a stopping worker, or it would be tried for ever."""

    async def cancel(_context: JobContext, _job: Write) -> None:
        raise asyncio.CancelledError

    job_id = await put(connection, Write(note="x"))
    async with working(database, handlers=(Handler(Write, cancel, retries=0),)):
        await until(lambda: _has_failed(connection))
    assert await last_error(connection, job_id) == "The handler of sample.write cancelled itself."


async def test_it_works_without_anything_prepared_on_a_connection(
    database: Database, connection: Connection
) -> None:
    """As behind a pooler in transaction mode; only the listening connection leads to the database itself."""
    async with working(database, pooler="transaction", direct_url=database.url("app")):
        await put(connection, Fail(note="pooled", times=1))
        await until(lambda: is_empty(connection))
    assert await notes(connection) == ["pooled"]


async def test_what_is_refused_is_not_tried_again(database: Database, connection: Connection) -> None:
    async with working(database):
        job_id = await put(connection, Refuse())
        await until(lambda: _has_failed(connection))
    assert await last_error(connection, job_id) == "There is nothing to be done about this."
    assert await connection.fetchval("SELECT attempts FROM pgqueuer WHERE id = $1", job_id) == 1


async def test_a_job_that_takes_too_long_is_stopped(database: Database, connection: Connection) -> None:
    async with working(database):
        job_id = await put(connection, Hang())
        await until(lambda: _has_failed(connection))
    assert await last_error(connection, job_id) == "The job sample.hang was not done within 0.1 s."


async def test_poison_fails_with_a_sentence_and_blocks_nothing(
    database: Database, connection: Connection
) -> None:
    poison = await put(connection, Write(note="poison"), priority=100)
    await connection.execute("UPDATE pgqueuer SET payload = '\\xff00'")
    async with working(database, concurrency=1):
        await put(connection, Write(note="behind it"))
        await until(lambda: _has_failed(connection))
        await until(lambda: _has_note(connection, "behind it"))
    assert (await last_error(connection, poison)).startswith(
        "The payload of the job sample.write cannot be read"
    )


async def test_a_job_without_a_handler_waits_for_a_worker_that_has_one(
    database: Database, connection: Connection
) -> None:
    await put(connection, Fail(note="foreign", times=0))
    async with working(database, handlers=(Handler(Write, write),)):
        await put(connection, Write(note="known"))
        await until(lambda: _has_note(connection, "known"))
    assert await jobs_left(connection) == {"queued": 1}
    async with working(database):
        await until(lambda: _has_note(connection, "foreign"))


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (0, 3)])
async def test_concurrency_of_a_job_holds_over_all_workers(
    database: Database, connection: Connection, limit: int, most: int
) -> None:
    """Without a limit, which is the control, the jobs do overlap."""
    now, peak = 0, 0

    async def overlap(_context: JobContext, _job: Write) -> None:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.2)
        now -= 1

    for number in range(3):
        await put(connection, Write(note=str(number)))
    handlers = (Handler(Write, overlap, concurrency=limit),)
    async with working(database, handlers=handlers), working(database, handlers=handlers):
        await until(lambda: is_empty(connection))
    assert peak == most


async def test_a_worker_that_lost_its_job_stops_and_writes_nothing(
    database: Database, connection: Connection
) -> None:
    before = finished(Wait.name, "lost")
    timing = Timing(silence=0.4, poll=3600, schedule=3600, grace=60, reconnect=0.05)
    async with working(database, timing=timing):
        job_id = await put(connection, Wait(note="a"))
        await until(lambda: _has_note(connection, "a started"))
        await connection.execute(
            "UPDATE pgqueuer SET queue_manager_id = gen_random_uuid(), heartbeat = now() + '1h'"
        )

        async def is_lost() -> bool:
            return finished(Wait.name, "lost") == before + 1

        await until(is_lost)
    assert await jobs_left(connection) == {"picked": 1}
    assert await connection.fetchval("SELECT attempts FROM pgqueuer WHERE id = $1", job_id) == 1


async def test_no_end_is_written_for_a_job_that_another_worker_has(
    database: Database, connection: Connection
) -> None:
    """The owner's own entry is the control."""
    pool = await make_pool(database.url("app"), size=1)
    owner, other = Ledger(pool, uuid4()), Ledger(pool, uuid4())
    await put(connection, Write(note="x"))
    [job] = await owner.take({Write.name: 0}, 5, timedelta(hours=1), ())
    error = RuntimeError("late")
    assert not await other.finish(job)
    assert not await other.fail(job, error)
    assert not await other.retry(job, error, timedelta(0))
    assert not await other.give_back(job)
    assert await other.beat([job.id]) == set()
    assert await jobs_left(connection) == {"picked": 1}
    assert await owner.beat([job.id]) == {job.id}
    assert await owner.finish(job)
    await pool.close()


async def test_a_database_of_another_version_is_refused(database: Database, connection: Connection) -> None:
    owner = await asyncpg.connect(database.url("owner"))
    await owner.execute("UPDATE schema_meta SET version = '7.0.0'")
    await owner.close()
    await put(connection, Write(note="x"))
    with pytest.raises(ConfigurationError, match=r"has schema 7\.0\.0, this program needs"):
        await Worker(database.url("app"), handlers=HANDLERS, schedule=SCHEDULE, timing=QUICK).run()
    assert await jobs_left(connection) == {"queued": 1}


async def test_a_worker_ends_when_the_queue_itself_is_gone(
    database: Database, connection: Connection
) -> None:
    """Unlike a database that is away, this does not heal: whoever runs the worker has to hear of it."""
    await connection.close()
    ready = asyncio.Event()
    work = asyncio.create_task(Worker(database.url("app"), handlers=HANDLERS, timing=QUICK).run(ready.set))
    await ready.wait()
    owner = await asyncpg.connect(database.url("owner"))
    await owner.execute("DROP TABLE pgqueuer")
    await owner.close()
    with pytest.raises(asyncpg.UndefinedTableError):
        await work


def test_two_handlers_for_one_job_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same name"):
        Worker("postgresql://", handlers=(*HANDLERS, Handler(Write, write)))


def test_waits_grow_twofold_with_chance_up_to_a_bound() -> None:
    handler = Handler(Write, write, backoff=timedelta(seconds=4))
    for attempt, longest in ((1, 4), (2, 8), (3, 16)):
        delays = {handler.delay(attempt).total_seconds() for _ in range(50)}
        assert longest / 2 <= min(delays) < max(delays) <= longest
    assert handler.delay(1000) <= LONGEST_BACKOFF


async def _has_failed(connection: Connection) -> bool:
    return (await jobs_left(connection)).get("failed") == 1


async def _has_note(connection: Connection, note: str) -> bool:
    return note in await notes(connection)
