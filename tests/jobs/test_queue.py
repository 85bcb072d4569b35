import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from app.database.engine import Connection, make_pool
from app.database.orm import make_engine
from app.database.session import make_sessions
from app.jobs.ledger import Ledger, Taken
from app.jobs.queue import enqueue
from app.jobs.session import connection_of
from tests.conftest import Database
from tests.jobs.sample import Write, jobs_left, notes, put

pytestmark = pytest.mark.anyio
JOB = Write(note="x")
STALE = timedelta(hours=1)


async def take(database: Database, count: int = 10) -> list[Taken]:
    pool = await make_pool(database.url("app"), size=1)
    try:
        return await Ledger(pool, uuid4()).take({Write.name: 0}, count, STALE, ())
    finally:
        await pool.close()


async def add_note(where: Connection) -> None:
    await where.execute("INSERT INTO job_effects (note) VALUES ('cause')")


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_job_shares_the_fate_of_its_session(
    database: Database, connection: Connection, is_kept: bool
) -> None:
    """The kept side is the control: the same steps leave both the row and the job."""
    engine = make_engine(database.url("app"), pool_size=1)
    async with make_sessions(engine)() as session:
        await enqueue(await connection_of(session), JOB)
        await session.execute(text("INSERT INTO job_effects (note) VALUES ('cause')"))
        assert await jobs_left(connection) == {}
        await (session.commit() if is_kept else session.rollback())
    await engine.dispose()
    assert await jobs_left(connection) == ({"queued": 1} if is_kept else {})
    assert await notes(connection) == (["cause"] if is_kept else [])


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_job_shares_the_fate_of_a_plain_transaction(
    database: Database, connection: Connection, is_kept: bool
) -> None:
    other = await asyncpg.connect(database.url("app"))
    transaction = other.transaction()
    await transaction.start()
    await add_note(other)
    await enqueue(other, JOB)
    assert await jobs_left(connection) == {}
    await (transaction.commit() if is_kept else transaction.rollback())
    await other.close()
    assert await jobs_left(connection) == ({"queued": 1} if is_kept else {})
    assert await notes(connection) == (["cause"] if is_kept else [])


async def test_enqueueing_outside_a_transaction_is_a_mistake(connection: Connection) -> None:
    with pytest.raises(RuntimeError, match="needs a transaction"):
        await enqueue(connection, JOB)
    assert await jobs_left(connection) == {}


async def test_higher_priority_comes_first_and_a_delayed_job_not_yet(
    database: Database, connection: Connection
) -> None:
    low = await put(connection, JOB)
    high = await put(connection, JOB, priority=5)
    await put(connection, JOB, priority=9, delay=timedelta(hours=1))
    assert [job.id for job in await take(database)] == [high, low]


async def test_a_key_has_one_waiting_job_of_the_highest_priority_asked_for(connection: Connection) -> None:
    first = await put(connection, JOB, dedupe_key="k", priority=3)
    assert await put(connection, JOB, dedupe_key="k", priority=7) == first
    assert await put(connection, JOB, dedupe_key="other") != first
    assert await jobs_left(connection) == {"queued": 2}
    assert await connection.fetchval("SELECT priority FROM pgqueuer WHERE id = $1", first) == 7


async def test_a_started_job_does_not_count_as_waiting(database: Database, connection: Connection) -> None:
    """What changes while a job runs, it may have missed: there must be another."""
    first = await put(connection, JOB, dedupe_key="k")
    assert [job.id for job in await take(database)] == [first]
    assert await put(connection, JOB, dedupe_key="k") != first
    assert await jobs_left(connection) == {"picked": 1, "queued": 1}


async def test_a_waiting_job_is_held_back_until_those_who_rely_on_it_have_committed(
    database: Database, connection: Connection
) -> None:
    """Or it would run before their change can be seen, and nobody would publish that change."""
    first = await put(connection, JOB, dedupe_key="k")
    async with connection.transaction():
        await add_note(connection)
        assert await enqueue(connection, JOB, dedupe_key="k") == first
        assert await take(database) == []
    assert [job.id for job in await take(database)] == [first]


async def test_a_key_that_is_being_started_gets_a_new_job(database: Database, connection: Connection) -> None:
    first = await put(connection, JOB, dedupe_key="k")
    results = await asyncio.gather(take(database), *(take(database) for _ in range(3)))
    assert [job.id for jobs in results for job in jobs] == [first]
    assert await put(connection, JOB, dedupe_key="k") != first
