"""`hustings worker` as a process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.database.cluster import is_running, remove_cluster
from app.jobs.housekeeping import PruneJobLog
from tests.conftest import Database
from tests.jobs.sample import jobs_left, put, until

pytestmark = pytest.mark.anyio
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]
LISTENS = "The worker listens for jobs."


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `hustings worker` with these arguments and settings; what it says is in `worker.log`."""
    processes: list[Process] = []

    def run(*arguments: str, **settings: str) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUSTINGS_")}
        with (tmp_path / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "worker", *arguments],
                env={**inherited, **settings},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def wait_for_line(process: Process, log: Path, line: str) -> None:
    deadline = time.monotonic() + 100
    while line not in log.read_text().splitlines():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_listens_works_and_ends_well_on_a_signal(
    database: Database, start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(HUSTINGS_DATABASE_URL=database.url("app"))
    wait_for_line(process, tmp_path / "worker.log", LISTENS)
    connection = await asyncpg.connect(database.url("app"))
    await put(connection, PruneJobLog())

    async def is_empty() -> bool:
        return await jobs_left(connection) == {}

    await until(is_empty)
    assert await connection.fetchval("SELECT count(*) FROM pgqueuer_schedules") == 2
    await connection.close()
    process.send_signal(number)
    assert process.wait(60) == 0
    assert (tmp_path / "worker.log").read_text().splitlines().count(LISTENS) == 1


async def test_a_database_of_another_version_ends_it_with_a_sentence(
    database: Database, start: Start, tmp_path: Path
) -> None:
    owner = await asyncpg.connect(database.url("owner"))
    await owner.execute("UPDATE schema_meta SET version = '7.0.0'")
    await owner.close()
    process = start(HUSTINGS_DATABASE_URL=database.url("app"))
    assert process.wait(60) == 1
    text = (tmp_path / "worker.log").read_text()
    assert "The database has schema 7.0.0, this program needs" in text
    assert "Traceback" not in text


def test_it_stops_while_it_waits_for_a_database_that_is_away(start: Start, tmp_path: Path) -> None:
    process = start(HUSTINGS_DATABASE_URL="postgresql://hustings_app@127.0.0.1:1/hustings")
    log = tmp_path / "worker.log"
    deadline = time.monotonic() + 60
    while "jobs.disconnected" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_it_starts_the_private_database_of_its_data_folder_and_leaves_nothing(
    start: Start, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    process = start("--data", str(data))
    wait_for_line(process, tmp_path / "worker.log", LISTENS)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not is_running(data)
    remove_cluster(data)
