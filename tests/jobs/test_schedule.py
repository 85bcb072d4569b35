import asyncio
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import asyncpg
import pytest

from app.database.engine import Connection
from app.jobs.job import Job, SiteJob
from app.jobs.schedule import Scheduled, plan, tick
from app.jobs.worker import Timing, Worker
from tests.conftest import Database
from tests.jobs.sample import HANDLERS, Write, jobs_left, until

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Sweep(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "test.sweep"


class SweepSite(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "test.sweep_site"


HOURLY = (Scheduled("30 * * * *", Sweep),)


async def empty_queue(connection: Connection) -> None:
    await connection.execute("DELETE FROM pgqueuer")


async def test_a_job_comes_when_its_time_has_come_and_not_before(connection: Connection) -> None:
    await plan(connection, HOURLY, NOON)
    assert await tick(connection, HOURLY, NOON + timedelta(minutes=29)) == 0
    assert await tick(connection, HOURLY, NOON + timedelta(minutes=30)) == 1
    assert await tick(connection, HOURLY, NOON + timedelta(minutes=31)) == 0
    assert await jobs_left(connection) == {"queued": 1}


async def test_missed_times_are_made_up_for_once(connection: Connection) -> None:
    await plan(connection, HOURLY, NOON)
    assert await tick(connection, HOURLY, NOON + 9.75 * HOUR) == 1
    assert await tick(connection, HOURLY, NOON + 9.75 * HOUR) == 0
    assert await tick(connection, HOURLY, NOON + 10.5 * HOUR) == 1


async def test_a_job_that_still_waits_is_not_joined_by_a_second(connection: Connection) -> None:
    """The job that was worked off meanwhile is the control: then there is another."""
    await plan(connection, HOURLY, NOON)
    for hours in (0.5, 1.5, 2.5):
        await tick(connection, HOURLY, NOON + hours * HOUR)
    assert await jobs_left(connection) == {"queued": 1}
    await empty_queue(connection)
    await tick(connection, HOURLY, NOON + 3.5 * HOUR)
    assert await jobs_left(connection) == {"queued": 1}


async def test_many_workers_enqueue_a_time_once(database: Database, connection: Connection) -> None:
    await plan(connection, HOURLY, NOON)
    others = [await asyncpg.connect(database.url("app")) for _ in range(8)]
    counts = await asyncio.gather(*(tick(other, HOURLY, NOON + HOUR) for other in others))
    assert sum(counts) == 1
    for other in others:
        await other.close()


async def test_a_clock_that_is_behind_brings_nothing_back(connection: Connection) -> None:
    await plan(connection, HOURLY, NOON)
    await tick(connection, HOURLY, NOON + HOUR)
    await empty_queue(connection)
    await plan(connection, HOURLY, NOON)
    assert await tick(connection, HOURLY, NOON + HOUR) == 0


async def test_a_changed_expression_replaces_the_old_one(connection: Connection) -> None:
    await plan(connection, HOURLY, NOON)
    daily = (Scheduled("0 3 * * *", Sweep),)
    await plan(connection, daily, NOON)
    assert await tick(connection, HOURLY, NOON + HOUR) == 0
    assert await tick(connection, daily, NOON + 16 * HOUR) == 1


async def test_two_schedules_of_one_job_are_a_mistake(connection: Connection) -> None:
    with pytest.raises(ValueError, match="two schedules"):
        await plan(connection, (*HOURLY, Scheduled("0 3 * * *", Sweep)), NOON)


async def test_a_job_of_a_site_comes_once_for_each_active_site(connection: Connection) -> None:
    ids = []
    for slug, status in (("one", "active"), ("two", "active"), ("closed", "inactive")):
        site_id = uuid4()
        ids.append(str(site_id))
        async with connection.transaction():
            await connection.execute("SELECT set_config('app.site_id', $1, true)", str(site_id))
            await connection.execute(
                "INSERT INTO sites (id, slug, name, status) VALUES ($1, $2, $2, $3)", site_id, slug, status
            )
    schedule = (Scheduled("30 * * * *", SweepSite),)
    await plan(connection, schedule, NOON)
    assert await tick(connection, schedule, NOON + HOUR) == 2
    rows = await connection.fetch(
        "SELECT convert_from(payload, 'UTF8')::jsonb->'job'->>'site_id' AS id FROM pgqueuer"
    )
    assert {row["id"] for row in rows} == set(ids[:2])


async def test_a_worker_keeps_the_schedule_by_its_clock(database: Database, connection: Connection) -> None:
    now = NOON
    schedule = (Scheduled("30 * * * *", Sweep),)
    timing = Timing(poll=0.05, schedule=0.05, reconnect=0.05)
    worker = Worker(
        database.url("app"), handlers=HANDLERS, schedule=schedule, timing=timing, clock=lambda: now
    )
    task = asyncio.create_task(worker.run())

    async def is_planned() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM pgqueuer_schedules"))

    async def is_enqueued() -> bool:
        return await jobs_left(connection) == {"queued": 1}

    await until(is_planned)
    assert await jobs_left(connection) == {}
    now = NOON + HOUR
    await until(is_enqueued)
    worker.stop()
    await task


def test_times_are_utc_whatever_zone_the_present_is_given_in() -> None:
    daily = Scheduled("0 3 * * *", Sweep)
    assert daily.after(NOON) == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert daily.after(datetime.fromisoformat("2026-11-22T04:30:00+02:00")) == datetime(
        2026, 11, 22, 3, 0, tzinfo=UTC
    )


@pytest.mark.parametrize("cron", ["", "every day", "60 * * * *", "* * * * * *", "@daily"])
def test_a_bad_expression_is_named(cron: str) -> None:
    with pytest.raises(ValueError, match=r"the schedule of test\.sweep, is not a cron expression"):
        Scheduled(cron, Sweep)


def test_a_scheduled_job_asks_for_nothing_but_its_site() -> None:
    with pytest.raises(ValueError, match=r"sample\.write may ask for a site_id and nothing else"):
        Scheduled("* * * * *", Write)
