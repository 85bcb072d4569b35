"""What is still being written when a page is taken down does not stay."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import anyio.lowlevel
import msgspec
import pytest
from anyio import to_thread

from app.kit.ids import new_id
from app.publishing import elsewhere, spread
from app.publishing.chunk import Chunk, Maker
from app.publishing.compress import compress_missing
from app.publishing.content import freeze
from app.publishing.manifest import blob_key
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from app.storage.facade import AsyncStore
from app.wiring import make_workshop
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
PAGE = "/campaigns/one/"
WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM build_chunks%'
"""


class Late:
    """A store that is about to write when it is let go on."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.is_writing, self.may_go_on = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, *arguments: Any, **options: Any) -> Any:
        self.is_writing.set()
        assert self.may_go_on.wait(30)
        return self._store.put(*arguments, **options)


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database) as made:
        yield made


@asynccontextmanager
async def helping(
    here: World, database: Database, site: UUID, late: Late
) -> AsyncIterator[tuple[UUID, Maker]]:
    """A build whose publisher is gone, and the maker of a worker that is at its only chunk."""
    workshop = msgspec.structs.replace(make_workshop(here.store), store=AsyncStore(late))
    build_id = new_id()
    async with here.pool.acquire() as connection, freeze(connection, site, here.now) as content:
        recipe = (await workshop.recipe(content)).digest(workshop.kinds.all)
        begin = await elsewhere.export(content, recipe, verify=True, dry_run=False)
        request = spread.Request(begin, Chunk("campaign", (PAGE,), {}))
        await here.run(site, spread.WRITE, site, build_id, [msgspec.msgpack.encode(request)])
        where = elsewhere.Database(database.url("app"))
        async with elsewhere.opened(begin, workshop, where) as maker:
            yield build_id, maker


@pytest.mark.parametrize("waits", [True, False])
async def test_a_worker_without_a_publisher_writes_nothing_anew(
    here: World, database: Database, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Without the wait, the control, its bytes are back."""
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    blob = blob_key(here.entries(site)[PAGE].blob or "")
    late, is_down = Late(here.store), anyio.Event()
    if not waits:
        monkeypatch.setattr(
            "app.publishing.takedown.wait_for_helpers", lambda *_: anyio.lowlevel.checkpoint()
        )

    async def take_down() -> None:
        await takedown(here.engine, site, PAGE, "a court order", report=Silent())
        is_down.set()

    async with helping(here, database, site, late) as (build_id, maker), anyio.create_task_group() as tasks:
        tasks.start_soon(spread.make_one, here.pool, site, build_id, maker)
        await to_thread.run_sync(late.is_writing.wait, 30)
        tasks.start_soon(take_down)
        with anyio.fail_after(30):
            while not is_down.is_set() and not await here.pool.fetchval(WAITING):  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.02)
        late.may_go_on.set()
    assert is_down.is_set()
    assert (blob in [stored.key for stored in here.store.list("blobs/")]) is not waits


async def test_brotli_that_a_killed_worker_left_is_deleted_with_its_blob(here: World) -> None:
    """It was killed between its writing and its look at whether the blob was still there."""
    here.store.put(blob_key("a" * 64, "br"), b"packed", content_type="text/html")
    assert compress_missing(here.store, {"a" * 64: "text/html"}) == 0
    assert list(here.store.list("blobs/")) == []
