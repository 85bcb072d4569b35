"""The publisher is killed at every call of the store and of the database in turn, while somebody reads.

Nobody ever sees half a release, nor a link that leads nowhere; and the next start ends in the manifest of an
undisturbed publish. The controls take a protection out, and see that this is found out.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anyio import create_task_group
from anyio.abc import Process as Publishers

from app.database.cluster import Cluster
from app.database.engine import Connection, site_transaction
from app.publishing import releases
from app.publishing.pointer import Pointer
from app.publishing.releases import LiveRow
from app.storage import facade
from tests.conftest import Database, copied
from tests.faults.bed import Bed, bed, publishers
from tests.faults.breaches import trusting_put
from tests.faults.ends import Broken
from tests.faults.reader import Mixed, Reader, check_whole
from tests.faults.scenarios import SCENARIOS

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]
DIGEST = re.compile("[0-9a-f]{64}")
LANES = 2
"""So many beds at a time: while one waits for its server, another goes on."""


@pytest.fixture
def databases(cluster: Cluster, template: str) -> Iterator[list[Database]]:
    with ExitStack() as stack:
        yield [stack.enter_context(copied(cluster, template)) for _ in range(LANES)]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_killed_at_every_step(databases: list[Database], name: str) -> None:
    kills: list[str] = []

    async def kill(lane: int) -> None:
        async with publishers() as process, bed(databases[lane], SCENARIOS[name]) as it:
            known = await it.undisturbed(process)
            for number in range(lane, len(known.steps), LANES):
                kills.append(await it.kill(process, known, number + 1))
                assert kind_of(kills[-1]) == kind_of(known.steps[number])

    async with create_task_group() as tasks:
        for lane in range(LANES):
            tasks.start_soon(kill, lane)
    assert {kill.partition(":")[0] for kill in kills} == {"store", "file", "database"}
    assert sum(kill == "database: COMMIT sent" for kill in kills) > 3


def kind_of(step: str) -> str:
    """Without the name of the object: rows come in any order, and so do the pages that are made of them."""
    return DIGEST.sub("", step)


@pytest.fixture
async def process(anyio_backend: str) -> AsyncIterator[Publishers]:  # noqa: ARG001 - async
    async with publishers() as started:
        yield started


@pytest.fixture
async def edited(database: Database) -> AsyncIterator[Bed]:
    async with bed(database, SCENARIOS["edit"]) as it:
        yield it


async def kill_at(it: Bed, process: Publishers, kind: str, breach: str = "") -> list[Exception | None]:
    """What is found out after each kill at a step of this kind."""
    known = await it.undisturbed(process)
    steps = await it.steps(process, breach)
    found: list[Exception | None] = []
    for number, step in enumerate(steps, 1):
        if step.startswith(kind):
            try:
                await it.kill(process, known, number, breach)
                found.append(None)
            except (Mixed, Broken) as error:
                found.append(error)
    assert found
    return found


async def test_the_control_that_flips_before_it_uploads(edited: Bed, process: Publishers) -> None:
    """Each of the files that get their names after the flip is missed."""
    found = await kill_at(edited, process, "file: link", "flip first")
    assert [type(each) for each in found] == [Mixed] * len(found)


async def test_the_control_that_writes_the_pointer_in_place(edited: Bed, process: Publishers) -> None:
    found = await kill_at(edited, process, "half of live/", "pointer in place")
    assert [type(each) for each in found] == [Mixed]


async def test_objects_in_place_are_found_by_their_length(edited: Bed, process: Publishers) -> None:
    """A second protection: what a killed publisher cut off is written anew by the next."""
    assert set(await kill_at(edited, process, "half of blobs/", "objects in place")) == {None}


async def test_the_control_that_trusts_what_is_there(
    edited: Bed, process: Publishers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facade, "_put_one", trusting_put)
    found = await kill_at(edited, process, "half of blobs/", "objects in place")
    assert Mixed in [type(each) for each in found]


async def test_the_control_that_does_not_settle_what_was_left(
    edited: Bed, process: Publishers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "follow_pointer", follow_blindly)
    earlier, *found = await kill_at(edited, process, "database: UPDATE releases")
    assert earlier is None  # before the release had a row
    assert found
    assert {type(each) for each in found} == {Broken}
    assert any("not settled" in str(each) for each in found)


async def follow_blindly(connection: Connection, site_id: Any, pointer: Pointer) -> LiveRow | None:
    async with site_transaction(connection, site_id):
        row = await connection.fetchrow(releases.LIVE, pointer.number)
    return LiveRow(*row) if row else None


async def test_the_control_of_the_readers(edited: Bed, process: Publishers) -> None:
    """A page of another release below the name of the right one is seen by everybody."""
    known = await edited.undisturbed(process)
    path = "/campaigns/one/"
    old = edited.here.entries(edited.site)[path]
    await edited.here.publish(edited.site)
    new = edited.here.entries(edited.site)[path]
    await check_whole(edited.here.store, [known.after])
    reader = Reader(edited.here.store, known.before, known.after)
    (edited.folder / f"blobs/{new.blob}").unlink()
    (edited.folder / f"blobs/{new.blob}").hardlink_to(edited.folder / f"blobs/{old.blob}")
    with pytest.raises(Mixed):
        await check_whole(edited.here.store, [known.after])
    with pytest.raises(Mixed):
        await reader.read()
