"""A site with too many pages for one process, live in a folder; its publishers and workers as processes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from shutil import copytree
from uuid import UUID

import anyio
import asyncpg

from app.database.engine import Connection
from app.kit.process import die_with_parent
from app.publishing.manifest import Entry
from app.storage.file import FileStore
from tests.bench.sites import SITE_ID
from tests.conftest import Database
from tests.publishing.world import World, visible, world

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = UUID(SITE_ID)
EVERY_PAGE = "UPDATE sites SET name = 'The lake coalition', base_url = 'https://lake.example.org'"
"""After it no page is what it was."""
AS_BEFORE = "UPDATE sites SET name = 'The river coalition', base_url = 'https://bench.example.org'"
BAD_PAGE = "/campaigns/clean-water-for-district-333/"
BROKEN = '{{ page.nothing if page.slug == "clean-water-for-district-333" }}'
WAITING = """
SELECT pid, application_name AS name FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'relation'
"""


@dataclass(frozen=True)
class Large:
    """The database, and a folder whose `store` has release 1 of it."""

    database: Database
    data: Path

    def world(self) -> AbstractAsyncContextManager[World]:
        return at_present(self.database, self.data)

    async def entries(self) -> dict[str, Entry]:
        async with self.world() as here:
            return visible(here.entries(SITE))

    async def run(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.connection() as connection:
            return list(await connection.fetch(query, *arguments))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """As the superuser, who sees every row."""
        connection = await asyncpg.connect(self.database.url("superuser"))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def held(self) -> AsyncIterator["Hold"]:
        """Whoever makes the page of a campaign waits for the end of the block."""
        async with self.connection() as holding, self.connection() as looking:
            await holding.execute("BEGIN; LOCK TABLE content_blocks IN ACCESS EXCLUSIVE MODE")
            yield Hold(holding, looking)

    @contextmanager
    def publishing(
        self, *options: str, prelude: str = "", site: str | None = "bench"
    ) -> Iterator["subprocess.Popen[str]"]:
        """`hustings publish` in a process group of its own, like that of a terminal."""
        chosen = ("--site", site) if site else ()
        with self.process("publish", *chosen, *options, prelude=prelude) as process:
            yield process

    @contextmanager
    def working(self, name: str, prelude: str = "") -> Iterator["subprocess.Popen[str]"]:
        """`hustings worker` that listens; its connections bear the name."""
        with self.process("worker", name=name, prelude=prelude) as process:
            until_it_listens(process)
            yield process

    @contextmanager
    def process(self, *words: str, name: str = "", prelude: str = "") -> Iterator["subprocess.Popen[str]"]:
        """The command line after the lines of `prelude`; killed at the end of the block."""
        script = f"{prelude}\nfrom app.cli import main\nmain()"
        with self.running(sys.executable, "-c", script, *words, name=name) as process:
            yield process

    @contextmanager
    def running(
        self, *command: str, name: str = "", store_url: str | None = None
    ) -> Iterator["subprocess.Popen[str]"]:
        settings = {"HUSTINGS_STORE_URL": store_url} if store_url else {}
        process = subprocess.Popen(
            command,
            env=self._environment(name) | settings,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no thread holds a lock
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def _environment(self, name: str) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HUSTINGS_")}
        return clean | {
            "HUSTINGS_DATABASE_URL": f"{self.database.url('app')}&application_name={name or 'publisher'}",
            "HUSTINGS_DATA": str(self.data),
            "HUSTINGS_STORE_URL": (self.data / "store").as_uri(),
        }


@dataclass(frozen=True)
class Hold:
    holding: Connection
    looking: Connection

    async def end(self) -> None:
        await self.holding.execute("ROLLBACK")

    async def waiting(self, count: int = 1, *, names: frozenset[str] = frozenset()) -> list[int]:
        """The servers' processes of those who wait, as soon as there are so many and all of these names."""
        with anyio.fail_after(60):
            while True:
                rows = await self.looking.fetch(WAITING)
                if len(rows) >= count and names <= {row["name"] for row in rows}:
                    return [row["pid"] for row in rows]
                await anyio.sleep(0.02)


@asynccontextmanager
async def at_present(database: Database, data: Path) -> AsyncIterator[World]:
    """A world with the time of other processes."""
    async with world(database, FileStore(data / "store")) as here:
        here.now = datetime.now(UTC)
        yield here


async def publish_here(database: Database, data: Path, *before: str) -> dict[str, Entry]:
    """What this process alone makes of it."""
    async with at_present(database, data) as here:
        for query in before:
            await here.run(SITE, query)
        await here.publish(SITE)
        return visible(here.entries(SITE))


def linked(data: Path, to: Path) -> None:
    """A copy of the store: nothing in it is ever written in place."""
    copytree(data / "store", to / "store", copy_function=os.link)


def broken_templates(folder: Path) -> str:
    """The prelude of a process that fails at one page."""
    copytree(ROOT / "templates", folder)
    template = folder / "site" / "campaign.html"
    changed = "{% block changed %}"
    template.write_text(template.read_text().replace(changed, f"{changed}{BROKEN}"))
    return f"import app.wiring, pathlib\napp.wiring.resource = lambda _: pathlib.Path({str(folder)!r})"


def until_it_listens(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    said = ""
    while "listens" not in said:
        line = process.stderr.readline()
        assert line, f"it ended: {said}"
        said += line


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def ended(*pids: int) -> None:
    """Wait until all of them are gone; one that nobody has asked for its status counts as gone."""
    with anyio.fail_after(20):
        while any(_is_alive(pid) for pid in pids):  # noqa: ASYNC110 - they are no children of this process
            await anyio.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def end_of(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Status, output, errors."""
    output, errors = await asyncio.to_thread(process.communicate, timeout=100)
    return process.returncode, output, errors
