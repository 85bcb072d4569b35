"""Workers that are killed, stopped and cut off, as processes of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import msgspec
import pytest

from app.database import migrations
from app.database.cluster import Cluster, remove_cluster, running_cluster
from app.database.engine import Connection
from app.database.keeper import is_ready, read_pid_file
from app.database.provision import provision
from app.jobs.worker import Timing
from tests.conftest import Database
from tests.jobs.sample import Kill, Wait, Write, jobs_left, make_effects, notes, put, until

pytestmark = pytest.mark.anyio
TIMING = {"silence": 1.5, "poll": 0.1, "schedule": 3600, "grace": 60, "reconnect": 0.1}


@dataclass(frozen=True)
class Process:
    """A worker, and the file with what it says."""

    popen: subprocess.Popen[bytes]
    output: Path

    def says(self, words: str) -> None:
        """Wait until it has said these words."""
        deadline = time.monotonic() + 60
        while words not in self.output.read_text():
            assert time.monotonic() < deadline
            assert self.popen.poll() is None, self.output.read_text()
            time.sleep(0.02)

    def ends(self) -> int:
        return self.popen.wait(timeout=60)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts workers of the sample jobs; none outlives the test."""
    started: list[Process] = []

    def run(url: str, *, listens: bool = True, **timing: float) -> Process:
        values = msgspec.json.encode(Timing(**{**TIMING, **timing})).decode()
        output = tmp_path / f"worker-{len(started)}.log"
        with output.open("wb") as file:
            command = [sys.executable, "-m", "tests.jobs.sample", url, values]
            process = Process(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT), output)
        started.append(process)
        if listens:
            process.says("listening")
        return process

    yield run
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A cluster that a test may stop: the shared one is in use."""
    with TemporaryDirectory() as folder:
        data = Path(folder)
        with running_cluster(data, safe=False) as cluster:
            provision(cluster.url("superuser", "postgres"))
            migrations.upgrade(cluster.url("owner"))
            asyncio.run(make_effects(cluster.url("owner")))
            yield cluster
        remove_cluster(data)


@pytest.fixture
async def connection(database: Database, anyio_backend: str) -> AsyncIterator[Connection]:  # noqa: ARG001 - async
    await make_effects(database.url("owner"))
    opened = await asyncpg.connect(database.url("app"))
    try:
        yield opened
    finally:
        await opened.close()


async def has(connection: Connection, *wanted: str) -> bool:
    return set(wanted) <= set(await notes(connection))


async def is_empty(connection: Connection) -> bool:
    return await jobs_left(connection) == {}


async def go(connection: Connection, note: str) -> None:
    await connection.execute("INSERT INTO job_effects (note) VALUES ($1)", f"{note} go")


async def test_another_worker_takes_over_the_job_of_a_killed_one(
    database: Database, connection: Connection, start: Start
) -> None:
    killed = start(database.url("app"))
    await put(connection, Wait(note="a"))
    await until(lambda: has(connection, "a started"))
    killed.popen.kill()
    killed.ends()
    heir = start(database.url("app"))
    await go(connection, "a")
    await until(lambda: is_empty(connection))
    rows = await connection.fetch(
        "SELECT note, attempt, process FROM job_effects WHERE process > 0 ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("a started", 1, killed.popen.pid),
        ("a started", 2, heir.popen.pid),
        ("a finished", 2, heir.popen.pid),
    ]


async def test_a_living_worker_keeps_its_job_beyond_the_time_of_silence(
    database: Database, connection: Connection, start: Start
) -> None:
    """The control of the take-over: five times the silence pass, and nobody takes the job away."""
    start(database.url("app"), silence=0.4)
    start(database.url("app"), silence=0.4)
    await put(connection, Wait(note="long"))
    await until(lambda: has(connection, "long started"))
    await connection.execute("SELECT pg_sleep(2)")
    await go(connection, "long")
    await until(lambda: is_empty(connection))
    assert Counter(await notes(connection)) == {"long started": 1, "long go": 1, "long finished": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_worker_finishes_what_it_began_and_takes_nothing_new(
    database: Database, connection: Connection, start: Start, number: signal.Signals
) -> None:
    worker = start(database.url("app"))
    await put(connection, Wait(note="a"))
    await until(lambda: has(connection, "a started"))
    worker.popen.send_signal(number)
    worker.says("jobs.stopping")
    await put(connection, Write(note="too late"))
    await go(connection, "a")
    assert worker.ends() == 0
    assert await notes(connection) == ["a started", "a go", "a finished"]
    assert await jobs_left(connection) == {"queued": 1}


async def test_after_the_grace_a_job_returns_to_the_queue_and_the_try_does_not_count(
    database: Database, connection: Connection, start: Start
) -> None:
    worker = start(database.url("app"), grace=0.2)
    job_id = await put(connection, Wait(note="a"))
    await until(lambda: has(connection, "a started"))
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.ends() == 0
    assert await jobs_left(connection) == {"queued": 1}
    assert await connection.fetchval("SELECT attempts FROM pgqueuer WHERE id = $1", job_id) == 0
    await go(connection, "a")
    start(database.url("app"))
    await until(lambda: is_empty(connection))
    assert (await notes(connection)).count("a finished") == 1


async def test_two_workers_share_many_jobs_and_do_each_exactly_once(
    database: Database, connection: Connection, start: Start
) -> None:
    workers = [start(database.url("app")) for _ in range(2)]
    names = [f"job {number}" for number in range(400)]
    async with connection.transaction():
        for name in names:
            await put(connection, Write(note=name))
    await until(lambda: is_empty(connection))
    assert Counter(await notes(connection)) == Counter(names)
    rows = await connection.fetch("SELECT DISTINCT process FROM job_effects")
    assert {row["process"] for row in rows} == {worker.popen.pid for worker in workers}


async def test_a_job_that_kills_its_worker_is_given_up(
    database: Database, connection: Connection, start: Start
) -> None:
    """One retry, then a third worker finds that it was started too often, and lives on."""
    await put(connection, Kill())
    for deaths in (1, 2):
        process = start(database.url("app"), listens=False)
        assert process.ends() == -signal.SIGKILL
        assert await notes(connection) == ["killing"] * deaths
    start(database.url("app"))
    await put(connection, Write(note="alive"))
    await until(lambda: has(connection, "alive"))

    async def is_given_up() -> bool:
        return await jobs_left(connection) == {"failed": 1}

    await until(is_given_up)
    query = "SELECT traceback->>'exception_message' FROM pgqueuer_log WHERE status = 'failed'"
    error = await connection.fetchval(query)
    assert error == "The job sample.kill was started 2 times, the last time its worker died with it."


async def test_a_worker_goes_on_when_the_database_comes_back(own_cluster: Cluster, start: Start) -> None:
    """A job that was in work meanwhile is finished, once, by the same worker."""
    url = own_cluster.url("app")
    worker = start(url, silence=60)
    connection = await asyncpg.connect(url)
    await put(connection, Wait(note="during"))
    await until(lambda: has(connection, "during started"))
    postmaster = int(read_pid_file(own_cluster.folder)[0])
    os.kill(postmaster, signal.SIGINT)
    await until(lambda: _is_another(own_cluster, postmaster))
    connection = await asyncpg.connect(url)
    await put(connection, Write(note="after"))
    await go(connection, "during")
    await until(lambda: is_empty(connection))
    assert Counter(await notes(connection))["after"] == 1
    assert Counter(await notes(connection))["during finished"] == 1
    await connection.close()
    worker.popen.send_signal(signal.SIGTERM)
    assert worker.ends() == 0


async def _is_another(cluster: Cluster, postmaster: int) -> bool:
    lines = read_pid_file(cluster.folder)
    return is_ready(cluster.folder) and int(lines[0]) != postmaster
