"""Many publishers of one site at once: they take turns, and those who come last find their work done."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import pytest

from app.publishing.pointer import Pointer, Superseded
from app.publishing.publish import publish
from app.publishing.report import Outcome, Silent
from app.storage.memory import MemoryStore
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
