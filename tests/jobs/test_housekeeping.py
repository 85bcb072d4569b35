import asyncio

import pytest

from app.database.engine import Connection
from app.jobs.housekeeping import HANDLERS, SCHEDULE, PruneJobLog
from app.jobs.worker import Timing, Worker
from tests.conftest import Database
from tests.jobs.sample import jobs_left, put, until

pytestmark = pytest.mark.anyio

LOG = """
INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint)
VALUES (now() - $1::text::interval, $2, $3::text::pgqueuer_status, 0, 'x')
"""
FAILED = """
INSERT INTO pgqueuer (id, updated, priority, status, entrypoint)
VALUES ($1, now() - $2::text::interval, 0, 'failed', 'x')
"""


async def test_old_entries_go_and_what_an_operator_has_to_see_stays(
    database: Database, connection: Connection
) -> None:
    await connection.execute(LOG, "13 days", 9001, "successful")
    await connection.execute(LOG, "15 days", 9002, "successful")
    await connection.execute(FAILED, 9003, "20 days")
    await connection.execute(LOG, "20 days", 9003, "failed")
    await connection.execute(FAILED, 9004, "91 days")
    await connection.execute(LOG, "91 days", 9004, "failed")
    worker = Worker(database.url("app"), handlers=HANDLERS, schedule=SCHEDULE, timing=Timing(poll=0.05))
    task = asyncio.create_task(worker.run())
    await put(connection, PruneJobLog())

    async def is_done() -> bool:
        return await jobs_left(connection) == {"failed": 1}

    await until(is_done)
    worker.stop()
    await task
    rows = await connection.fetch("SELECT job_id FROM pgqueuer_log WHERE job_id > 9000 ORDER BY job_id")
    assert [row["job_id"] for row in rows] == [9001, 9003]
