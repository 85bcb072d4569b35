import pytest
from prometheus_client import generate_latest

from app.database.engine import Connection
from app.jobs.metrics import JOBS, measure_queue
from tests.jobs.sample import Write, put

pytestmark = pytest.mark.anyio


async def test_the_depth_of_the_queue_is_what_the_database_says(connection: Connection) -> None:
    for _ in range(3):
        await put(connection, Write(note="x"))
    await connection.execute(
        "UPDATE pgqueuer SET status = 'failed' WHERE id = (SELECT min(id) FROM pgqueuer)"
    )
    await measure_queue(connection)
    text = generate_latest(JOBS).decode()
    assert 'hustings_jobs{job="sample.write",state="queued"} 2.0' in text
    assert 'hustings_jobs{job="sample.write",state="failed"} 1.0' in text
    await connection.execute("DELETE FROM pgqueuer")
    await measure_queue(connection)
    assert 'state="queued"' not in generate_latest(JOBS).decode()
