"""A publish whose chunks workers make, in processes of their own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from app.database.engine import site_transaction
from app.jobs.handlers import JobContext
from app.kit.ids import new_id
from app.publishing import build, elsewhere, spread
from app.publishing.chunk import Chunk
from app.publishing.elsewhere import Begin
from app.publishing.publish import publish
from app.publishing.report import Outcome, Silent
from app.publishing.spread import RenderChunks, Request, Spread, spread_handler
from app.wiring import make_workshop
from tests.publishing.conftest import Live
from tests.publishing.large import BAD_PAGE, SITE, Large, broken_templates, end_of, ended
from tests.publishing.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ANOTHER_VERSION = "from app.kit import resources\nresources.program_digest = lambda: 'another'"
SMALL_CHUNKS = "from app.publishing import build\nbuild.CHUNK = 50"
OPEN_CHUNKS = "SELECT count(*) FROM build_chunks WHERE reply IS NULL"
IS_PUBLISHED = "SELECT count(*) FROM releases WHERE number = 2 AND state = 'live'"
LEFT = "SELECT count(*) FROM build_chunks"
JOBS = "SELECT status::text FROM pgqueuer WHERE entrypoint = 'chunks.render'"
FAILED = "SELECT count(*) FROM pgqueuer_log WHERE entrypoint = 'chunks.render' AND status = 'failed'"


@asynccontextmanager
async def sharing(large: Large) -> AsyncIterator[World]:
    """A world whose engine shares with workers, in small chunks."""
    async with large.world() as here:
        workshop = make_workshop(here.store)
        database = elsewhere.Database(large.database.url("app"))
        helped = Spread(here.pool, workshop, database)
        here.engine = msgspec.structs.replace(here.engine, elsewhere=helped)
        yield here


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher makes no chunk itself: what there is, workers have made."""

    async def nothing(*_: Any) -> bool:
        return False

    monkeypatch.setattr(spread, "make_one", nothing)
    monkeypatch.setattr(build, "CHUNK", 50)


async def count(large: Large, query: str) -> int:
    return int((await large.run(query))[0][0])


async def until(large: Large, query: str, wanted: int) -> None:
    with anyio.fail_after(60):
        while await count(large, query) != wanted:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.02)


async def jobs_end(large: Large) -> None:
    with anyio.fail_after(60):
        while await large.run(JOBS):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.02)
    assert await count(large, FAILED) == 0


@pytest.mark.usefixtures("idle")
async def test_two_workers_make_what_one_process_makes(large: Large, live: Live) -> None:
    outcomes: list[Outcome] = []

    async def run() -> None:
        outcomes.append(await publish(here.engine, SITE, report=Silent()))

    with large.working("one"), large.working("two"):
        async with sharing(large) as here, large.held() as hold, anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await hold.waiting(names=frozenset({"one", "two"}))
            await hold.end()
        await jobs_end(large)
    assert outcomes[0].rendered > 700
    assert await large.entries() == live.after
    assert await count(large, LEFT) == 0


@pytest.mark.usefixtures("idle")
async def test_without_any_worker_an_idle_publisher_would_wait_for_ever(large: Large) -> None:
    """The control of the test above: nobody else makes chunks."""
    async with sharing(large) as here, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: publish(here.engine, SITE, report=Silent()))
        with anyio.fail_after(60):
            while not (before := await count(large, OPEN_CHUNKS)):  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.02)
        assert before > 14
        assert await count(large, LEFT) == before
        tasks.cancel_scope.cancel()
    assert await count(large, LEFT) == 0


@pytest.mark.usefixtures("idle")
async def test_what_a_killed_worker_held_another_makes(large: Large, live: Live) -> None:
    with large.working("killed") as killed:
        async with sharing(large) as here, large.held() as hold, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: publish(here.engine, SITE, report=Silent()))
            await hold.waiting(names=frozenset({"killed"}))
            with large.working("heir"):
                await hold.waiting(names=frozenset({"killed", "heir"}))
                killed.kill()
                await ended(killed.pid)
                await hold.end()
                await until(large, IS_PUBLISHED, 1)
    assert await large.entries() == live.after


async def test_a_publish_without_workers_ends_and_late_jobs_do_nothing(large: Large, live: Live) -> None:
    with large.publishing("--spread", "--json") as process:
        status, output, errors = await end_of(process)
    assert status == 0, errors
    assert json.loads(output)["rendered"] > 700
    assert await large.entries() == live.after
    assert len(await large.run(JOBS)) > 1
    with large.working("late"):
        await jobs_end(large)
    assert await large.entries() == live.after


async def test_workers_stop_when_their_publisher_is_killed(large: Large, live: Live) -> None:
    """They finish the four chunks that they hold."""
    async with large.held() as hold:
        with large.publishing("--spread", prelude=SMALL_CHUNKS) as process, large.working("helper"):
            await hold.waiting(1 + 4)
            chunks = await count(large, OPEN_CHUNKS)
            process.kill()
            await ended(process.pid)
            await hold.end()
            await jobs_end(large)
    assert await count(large, OPEN_CHUNKS) == chunks - 4 > 10
    assert await large.entries() == live.before
    with large.publishing("--spread") as process:
        status, _, errors = await end_of(process)
    assert status == 0, errors
    assert await count(large, LEFT) == 0
    assert await large.entries() == live.after


async def test_a_worker_of_another_version_neither_helps_nor_harms(large: Large, live: Live) -> None:
    async with large.held() as hold:
        with large.working("other", prelude=ANOTHER_VERSION), large.publishing("--spread") as process:
            await hold.waiting(names=frozenset({"publisher"}))
            await jobs_end(large)
            assert len(await hold.waiting()) == 1
            await hold.end()
            status, _, errors = await end_of(process)
    assert status == 0, errors
    assert await large.entries() == live.after


async def test_a_page_that_fails_at_a_worker_is_told_by_its_name(
    large: Large, live: Live, tmp_path: Path
) -> None:
    broken = broken_templates(tmp_path / "broken")
    with large.working("helper", prelude=broken), large.publishing("--spread", prelude=broken) as process:
        status, _, errors = await end_of(process)
    assert status == 1
    assert f"The page {BAD_PAGE} cannot be rendered: site/campaign.html:" in errors
    assert "Traceback" not in errors
    assert await large.entries() == live.before
    assert await count(large, LEFT) == 0


async def test_a_job_whose_publisher_has_gone_is_done_at_once(large: Large) -> None:
    """Chunks that are left of a snapshot that nobody can see any more."""
    async with sharing(large) as here:
        begin = Begin(
            site_id=SITE,
            frozen_at=here.now,
            snapshot="",
            database_id="",
            exported="00000003-0000001B-1",
            recipe="",
            verify=False,
            dry_run=False,
        )
        request = msgspec.msgpack.encode(Request(begin, Chunk("campaign", (), {})))
        job = RenderChunks(site_id=SITE, build_id=new_id())
        async with here.pool.acquire() as connection, site_transaction(connection, SITE):
            await connection.execute(spread.WRITE, SITE, job.build_id, [request])
        context = JobContext(1, 1, SITE, here.pool)
        handler = spread_handler(make_workshop(here.store), elsewhere.Database(large.database.url("app")))
        await handler.run(context, job)
        await handler.run(context, msgspec.structs.replace(job, build_id=new_id()))
        assert await count(large, OPEN_CHUNKS) == 1
