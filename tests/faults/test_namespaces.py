"""Workers of two machines, as far as the kernel can tell: each in a network namespace of its own."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from app.publishing import build, elsewhere, spread
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.publishing.spread import Spread
from app.storage.s3 import S3Store
from app.wiring import make_workshop
from tests.faults.enclosed import into_port
from tests.publishing.conftest import Live
from tests.publishing.large import AS_BEFORE, SITE, Large, until_it_listens
from tests.publishing.world import World, visible
from tests.storage.ceph import Ceph

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ENCLOSED = "tests.faults.enclosed"


@pytest.fixture(scope="module")
def enclose() -> tuple[str, ...]:
    """What runs a command in a network namespace of its own."""
    words = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return words
    if os.geteuid() == 0:
        pytest.fail(f"Root cannot make a network namespace here; run with CAP_SYS_ADMIN: {tried.stderr}")
    pytest.skip(f"This user may not make a network namespace: {tried.stderr}")


@pytest.fixture
async def way_out(ceph: Ceph, tmp_path: Path) -> AsyncIterator[Path]:
    """A socket file that leads to the S3 service, also from where there is no network."""
    path = tmp_path / "s3"
    server = await asyncio.start_unix_server(partial(into_port, ceph.port), path)
    async with server:
        yield path


@contextmanager
def enclosed_workers(
    large: Large, enclose: tuple[str, ...], way_out: Path, ceph: Ceph, url: str
) -> Iterator[None]:
    with ExitStack() as stack:
        for name in ("one", "two"):
            command = (*enclose, sys.executable, "-m", ENCLOSED, str(way_out), str(ceph.port))
            until_it_listens(stack.enter_context(large.running(*command, name=name, store_url=url)))
        yield


async def test_workers_of_two_machines_make_what_one_process_makes(  # noqa: PLR0917 - fixtures
    large: Large,
    live: Live,
    ceph: Ceph,
    way_out: Path,
    enclose: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The publisher makes no chunk itself, and each worker holds some at the same time as the other."""

    async def nothing(*_: Any) -> bool:
        return False

    monkeypatch.setattr(spread, "make_one", nothing)
    monkeypatch.setattr(build, "CHUNK", 50)
    await large.run(AS_BEFORE)  # the bucket is empty: nothing is left of earlier releases
    bucket = ceph.new_bucket()
    store = S3Store(ceph.address(bucket))
    database = elsewhere.Database(large.database.url("app"))
    async with large.world() as from_files:
        here = World(from_files.pool, store)
        helped = Spread(here.pool, make_workshop(store), database)
        engine = msgspec.structs.replace(here.engine, elsewhere=helped, clock=from_files.engine.clock)
        with enclosed_workers(large, enclose, way_out, ceph, ceph.url(bucket)):
            async with large.held() as hold, anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: publish(engine, SITE, report=Silent()))
                await hold.waiting(names=frozenset({"one", "two"}))
                await hold.end()
        assert visible(here.entries(SITE)) == live.before


async def test_without_the_way_out_a_worker_would_reach_nothing(ceph: Ceph, enclose: tuple[str, ...]) -> None:
    """The control: it is a namespace indeed."""
    with socket.create_connection(("127.0.0.1", ceph.port), timeout=5):
        pass
    command = [*enclose, sys.executable, "-m", ENCLOSED, "", str(ceph.port)]
    inside = await anyio.run_process(command, check=False)
    assert inside.returncode == 3, inside.stderr
