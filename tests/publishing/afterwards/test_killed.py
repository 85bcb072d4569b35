"""A worker that is killed in the middle of a purge: the next one does it again."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from app.storage.file import FileStore
from tests.conftest import Database
from tests.jobs.sample import until
from tests.publishing.afterwards.service import Reply, Service
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "store").mkdir()
    async with world(database, FileStore(tmp_path / "store")) as made:
        yield made


@pytest.fixture
def start(database: Database, service: Service, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run() -> "subprocess.Popen[bytes]":
        module = "tests.publishing.afterwards.process"
        purge_url = f"webhook+http://:s@{service.host}/"
        command = [sys.executable, "-m", module, database.url("app"), str(tmp_path / "store"), purge_url]
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


async def test_a_purge_whose_worker_is_killed_is_done_by_the_next(
    here: World, service: Service, start: Start
) -> None:
    site = await here.add_site(base_url=service.url)
    await here.publish(site)
    service.replies = [Reply(is_hanging=True)]

    async def purge() -> str:
        [row] = await here.run(site, "SELECT purge FROM flips")
        state: str = row["purge"]
        return state

    async def has_asked() -> bool:
        return len(service.sent) > 0

    async def is_done() -> bool:
        return await purge() == "done"

    first = start()
    await until(has_asked)
    first.kill()
    first.wait()
    assert await purge() == "pending", "nothing is taken for done before the service has said so"
    start()
    await until(is_done)
    posts = [sent for sent in service.sent if sent.method == "POST"]
    assert len(posts) == 2
    assert posts[0].headers["webhook-id"] == posts[1].headers["webhook-id"], "receivers can tell the repeat"
