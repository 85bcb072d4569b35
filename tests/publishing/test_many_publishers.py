"""Many publishers of one site at once: they take turns, and those who come last find their work done."""

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import msgspec
import pytest

from app.database.engine import Connection
from app.publishing import golive
from app.publishing import publish as publishing
from app.publishing.kinds import Content, SiteFacts
from app.publishing.lease import Lease
from app.publishing.pointer import Pointer, Superseded, pointer_key
from app.publishing.publish import publish
from app.publishing.report import Outcome, Silent
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectStore
from tests.conftest import Database
from tests.publishing.world import World, world

pytestmark = pytest.mark.anyio
MANY = 20


class Watched(MemoryStore):
    """Remembers every pointer that was written."""

    def __init__(self) -> None:
        super().__init__()
        self.pointers: list[Pointer] = []

    def put(self, key: str, body: bytes, **options: Any) -> str:
        etag = super().put(key, body, **options)
        if key.startswith("live/"):
            self.pointers.append(msgspec.json.decode(body, type=Pointer))
        return etag


@pytest.fixture
async def here(database: Database) -> AsyncIterator[World]:
    async with world(database, Watched()) as made:
        yield made


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_twenty_at_once_end_live_or_with_nothing_left_to_do(here: World, pause: float) -> None:
    """Each edits, then publishes. They share a pool with fewer connections than they would need together."""
    site = await here.add_site()
    for number in range(MANY):
        await here.add_campaign(site, f"c{number}")
    await here.publish(site)
    outcomes: list[Outcome] = []
    late: list[Superseded] = []

    async def work(number: int) -> None:
        await anyio.sleep(pause * number)
        await here.run(site, "UPDATE campaigns SET summary = 'Edited' WHERE slug = $1", f"c{number}")
        try:
            outcomes.append(await publish(here.engine, site, report=Silent()))
        except Superseded as error:
            late.append(error)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for number in range(MANY):
                tasks.start_soon(work, number)

    assert len(outcomes) + len(late) == MANY
    assert isinstance(here.store, Watched)
    generations = [pointer.generation for pointer in here.store.pointers]
    assert generations == sorted(set(generations))
    rows = await here.run(site, "SELECT number, generation, state FROM releases ORDER BY number")
    assert [row["state"] for row in rows] == ["superseded"] * (len(rows) - 1) + ["live"]
    assert [row["generation"] for row in rows] == generations
    released = {outcome.release for outcome in outcomes if outcome.rendered}
    assert released == {row["number"] for row in rows[1:]}
    for number in range(MANY):
        assert "Edited" in here.page(site, f"/campaigns/c{number}/")
    incremental = here.entries(site)
    assert (await here.publish(site, full=True)).rendered == 0
    assert here.entries(site) == incremental


@asynccontextmanager
async def no_lease(connection: Connection, *_: object) -> AsyncIterator[Lease]:
    yield Lease(connection)


class Waiting(Silent):
    """Tells when a publisher waits for another."""

    def __init__(self, waits: anyio.Event) -> None:
        self._waits = waits

    def note(self, text: str) -> None:
        super().note(text)
        self._waits.set()


async def edited_while_another_publishes(here: World) -> UUID:
    """The other has frozen the content, but has no number yet, when somebody edits and publishes as well."""
    site = await here.add_site()
    for slug in ("one", "two"):
        await here.add_campaign(site, slug)
    await here.publish(site)
    await here.run(site, "UPDATE campaigns SET summary = 'First words' WHERE slug = 'one'")
    is_frozen, may_go_on = anyio.Event(), anyio.Event()

    async def load_site(content: Content) -> SiteFacts:
        is_frozen.set()
        await may_go_on.wait()
        return await here.engine.load_site(content)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            slow = msgspec.structs.replace(here.engine, load_site=load_site)
            tasks.start_soon(partial(publish, slow, site, report=Silent()))
            await is_frozen.wait()
            await here.run(site, "UPDATE campaigns SET summary = 'Last words' WHERE slug = 'two'")
            await publish(here.engine, site, report=Waiting(may_go_on))
            may_go_on.set()
    return site


async def test_the_last_content_is_live(here: World) -> None:
    site = await edited_while_another_publishes(here)
    assert "First words" in here.page(site, "/campaigns/one/")
    assert "Last words" in here.page(site, "/campaigns/two/")


async def test_the_control_without_a_lease_the_older_content_wins(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "lease", no_lease)
    site = await edited_while_another_publishes(here)
    assert "Last words" not in here.page(site, "/campaigns/two/")


class Stalling:
    """The same store, for a publisher that stands still with its ticket taken."""

    def __init__(self, store: Watched) -> None:
        self._store = store
        self.stands = threading.Event()
        self.may_go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def sync(self, keys: Iterable[str]) -> None:
        self._store.sync(keys)
        self.stands.set()
        self.may_go_on.wait(60)


async def flip_of_one_who_was_overtaken(here: World) -> tuple[list[int], bool]:
    """The generations as they went live, and whether the late one was told. Its lease was lost meanwhile."""
    site = await here.add_site()
    await here.add_campaign(site, "one")
    await here.publish(site)
    assert isinstance(here.store, Watched)
    stalling, told = Stalling(here.store), False
    slow = msgspec.structs.replace(here.engine, store=AsyncStore(stalling))

    async def publish_slowly() -> None:
        nonlocal told
        try:
            await publish(slow, site, report=Silent())
        except Superseded:
            told = True

    async with anyio.create_task_group() as tasks:
        await here.run(site, "UPDATE campaigns SET summary = 'First words'")
        tasks.start_soon(publish_slowly)
        await anyio.to_thread.run_sync(stalling.stands.wait, 60)
        await here.run(site, "UPDATE campaigns SET summary = 'Last words'")
        await publish(here.engine, site, report=Silent())
        stalling.may_go_on.set()
    return [pointer.generation for pointer in here.store.pointers], told


async def test_generations_rise_even_when_a_lease_is_lost(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "lease", no_lease)
    assert await flip_of_one_who_was_overtaken(here) == ([1, 3], True)


async def test_the_control_without_compare_and_swap_a_generation_falls(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwrite(store: ObjectStore, pointer: Pointer) -> str:
        body = msgspec.json.encode(pointer)
        return store.put(pointer_key(pointer.site_id), body, content_type="application/json")

    monkeypatch.setattr(publishing, "lease", no_lease)
    monkeypatch.setattr(golive, "flip", overwrite)
    assert await flip_of_one_who_was_overtaken(here) == ([1, 3, 2], False)
