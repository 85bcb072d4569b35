"""A scenario, played again and again, while its publisher is killed at another step each time."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import msgspec
from anyio.abc import Process as Publishers

from app.kit.ids import new_id
from app.storage.file import FileStore
from tests.conftest import Database
from tests.faults.ends import Broken, Undisturbed, check_end
from tests.faults.publisher import NAME, Order, Told
from tests.faults.reader import Reader, check_whole, see_whole
from tests.faults.saved import Saved, SavedFolder, superuser_of
from tests.faults.scenarios import Scenario
from tests.publishing.world import World, visible, world

ROOT = Path(__file__).resolve().parent.parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there


class Bed:
    def __init__(
        self,
        here: World,
        database: Database,
        scenario: Scenario,
        site: UUID,
        *,
        saved: Saved,
        stored: SavedFolder,
    ) -> None:
        self.here = here
        self.site = site
        self.scenario = scenario
        self.saved = saved
        self.stored = stored
        self.folder = _root(here)
        self._database = database
        self._now = here.now

    async def undisturbed(self, process: Publishers) -> Undisturbed:
        """Once without a kill."""
        await self.bring_back()
        await self._publish(process, act=("warm",))
        entrances = await see_whole(self.here.store)
        told = await self._publish(process)
        if told.status != 0:
            raise Broken(f"{told.error} after {told.steps[-3:]}")
        after = await see_whole(self.here.store, {*entrances.paths, *self.here.entries(self.site)})
        manifest = visible(self.here.entries(self.site))
        await self.bring_back()
        before = await see_whole(self.here.store, after.paths)
        return Undisturbed(told.steps, before, after, manifest)

    async def bring_back(self) -> None:
        """To where the publisher starts."""
        await self.saved.bring_back()
        self.stored.bring_back()
        self.here.now = self._now

    async def steps(self, process: Publishers, breach: str) -> list[str]:
        """Those of a publisher that lacks a protection, when nobody kills it."""
        await self.bring_back()
        return (await self._publish(process, breach=breach)).steps

    async def kill(self, process: Publishers, known: Undisturbed, step: int, breach: str = "") -> str:
        """The name of the step. Raises Mixed or Broken for what must not be."""
        await self.bring_back()
        reader = Reader(self.here.store, known.before, known.after)
        await reader.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.read)
            told = await self._publish(process, deadly=step, breach=breach)
            reader.stopping.set()
        await self._all_gone(told)
        await check_whole(self.here.store, (known.before, known.after))
        for change in self.scenario.again:
            await change(self.here, self.site)
        await check_end(self.here, self.site, known)
        return told.steps[-1]

    async def _publish(self, process: Publishers, act: tuple[str, ...] = (), **options: Any) -> Told:
        order = Order(
            database=self._database.url("app"),
            folder=str(self.folder),
            site=self.site,
            now=self._now,
            act=act or self.scenario.act,
            **options,
        )
        return await give(process, order)

    async def _all_gone(self, told: Told) -> None:
        """Nothing of the killed publisher is left, neither a child nor a statement on the server."""
        with anyio.fail_after(30):
            while is_alive(told.process) or await self.saved.is_busy(NAME):  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.005)


def is_alive(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


async def give(process: Publishers, order: Order) -> Told:
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdin.send(msgspec.json.encode(order) + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += await process.stdout.receive()
    return msgspec.json.decode(answer, type=Told)


@asynccontextmanager
async def publishers() -> AsyncIterator[Publishers]:
    """The process that forks a publisher for each order."""
    command = [sys.executable, "-m", "tests.faults.publisher"]
    async with await anyio.open_process(command, cwd=ROOT, stderr=None) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            await process.stdin.aclose()


@asynccontextmanager
async def bed(database: Database, scenario: Scenario) -> AsyncIterator[Bed]:
    """The scenario up to where its publisher starts; the store lies in memory if it can."""
    folder = Path(tempfile.mkdtemp(prefix="hustings-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    store = folder / "store"
    store.mkdir()
    superuser = await superuser_of(database)
    try:
        async with world(database, FileStore(store)) as here:
            site = new_id()
            for change in scenario.before:
                await change(here, site)
            saved = Saved(superuser)
            await saved.save()
            yield Bed(here, database, scenario, site, saved=saved, stored=SavedFolder(store))
    finally:
        await superuser.close()
        shutil.rmtree(folder)


def _root(here: World) -> Path:
    store: Any = here.store
    root: Path = store.root
    return root
