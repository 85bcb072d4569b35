"""A state machine that does to one site whatever editors and operators can do, and publishes in between.

After each publish the live manifest has to be that of a rebuild from nothing, and a full publish must find
nothing to do. Its world runs in an event loop of its own thread; each example has a site of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.database.engine import Pool, make_pool, site_transaction
from app.errors import Conflict, NotFound, PublishError
from app.publishing import build
from app.publishing.activation import activate, rollback
from app.publishing.chunk import LATER
from app.publishing.garbage import collect
from app.publishing.manifest import Entry, blob_key
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from tests.conftest import Database
from tests.publishing.edits import DELETES, INSERTS, PATHS, PICTURES, SWITCH_ALL, UPDATES
from tests.publishing.world import START, World

T = TypeVar("T")

REFUSED = (asyncpg.IntegrityConstraintViolationError, asyncpg.LockNotAvailableError)
"""An edit that the database does not take, or that waits for the open transaction, did not happen."""
CHANGES = [
    f"UPDATE {table} SET {change} WHERE id = $1"
    for table, changes in UPDATES.items()
    if table != "sites"
    for change in changes
]
SITE_CHANGES = [f"UPDATE sites SET {change} WHERE id = $1" for change in UPDATES["sites"]]
"""Apart, because most of them change every page: what is planned in full hides what an edit alone misses."""
ORDER = {
    "campaigns": "locale, slug",
    "endorsements": "(SELECT locale || slug FROM campaigns c WHERE c.id = campaign_id)",
}
"""Of rows that one statement has made: their keys are random."""

OPERATIONS = ("wait", "set_the_clock_back", "activate", "rollback", "take_down", "collect_garbage")

Edit = tuple[str, int, int]
"""A statement, which row it is about, a small number."""
numbers = st.integers(0, len(PATHS) - 1)
updates = st.tuples(st.sampled_from(CHANGES), numbers, numbers)
others = st.tuples(st.sampled_from([*INSERTS, *DELETES, SWITCH_ALL]), numbers, numbers)
edits = st.lists(updates | others, min_size=2, max_size=8)

LIVE = """
SELECT r.id, r.frozen_at, p.live_generation, p.is_paused
  FROM publications p JOIN releases r ON r.id = p.live_release_id
"""


class Differs(AssertionError):
    """An incremental release is not what the content says."""


class Stage:
    """What all examples share: the loop, the pool, an engine without its store."""

    def __init__(self, portal: BlockingPortal, database: Database, pool: Pool) -> None:
        self.portal = portal
        self.database = database
        self.world = World(pool, MemoryStore())
        self.published = 0

    def run(self, do: Callable[[], Awaitable[T]]) -> T:
        return self.portal.call(do)


@contextmanager
def staged(database: Database) -> Iterator[Stage]:
    """Small pages, files and chunks, so that a dozen of campaigns crosses every limit there is."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Pool]:
        pool = await make_pool(database.url("app"), size=8)
        try:
            yield pool
        finally:
            await pool.close()

    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        patch.setattr("app.campaigns.published.PAGE_SIZE", 3)
        patch.setattr("app.campaigns.published.SITEMAP_LIMIT", 5)
        patch.setattr("app.sites.sitemap.SITEMAP_LIMIT", 5)
        patch.setattr("app.campaigns.feed.ENTRIES", 2)
        patch.setattr("app.endorsements.published.SHOWN", 2)
        patch.setattr("app.pages.published.ROWS_AT_HOME", 2)
        patch.setattr(build, "CHUNK", 4)
        with portal.wrap_async_context_manager(opened()) as pool:
            yield Stage(portal, database, pool)


class SiteMachine(RuleBasedStateMachine):
    """Subclassed with a stage by `on`."""

    stage: Stage

    @classmethod
    def on(cls, stage: Stage) -> type["SiteMachine"]:
        return type(cls.__name__, (cls,), {"stage": stage})

    def __init__(self) -> None:
        super().__init__()
        self.site = UUID(int=0)
        self.now = START
        self.late: asyncpg.Connection[asyncpg.Record] | None = None
        self.store = MemoryStore(lambda: self.now)
        for digest in PICTURES:
            self.store.put(f"media/{digest}", digest.encode(), content_type="image/webp")
        self.pool = self.stage.world.pool
        self.engine = self._engine(self.store)

    def _engine(self, store: MemoryStore, now: datetime | None = None) -> Any:
        return msgspec.structs.replace(
            self.stage.world.engine, store=AsyncStore(store), clock=lambda: now or self.now
        )

    def teardown(self) -> None:
        self.stage.run(self._close)

    async def _close(self) -> None:
        if self.late is not None:
            await self.late.close()
        await self._rows("DELETE FROM sites")

    @initialize(campaigns=st.integers(0, 6))
    def open_site(self, campaigns: int) -> None:
        async def do() -> None:
            self.site = await self.stage.world.add_site(f"s{self.stage.published}")
            await self.stage.world.add_homepage(self.site)
            for number in range(campaigns):
                await self.stage.world.add_campaign(self.site, f"c{number}")
            for insert in (statement for statement in INSERTS if "INTO tombstones" not in statement):
                await self._edit(insert, self.site, *_used(insert, 8))

        self.stage.run(do)
        self.publish()

    # --- what editors do ---

    @rule(edits=edits)
    def edit(self, edits: list[Edit]) -> None:
        self.stage.run(lambda: self._make(edits))

    @rule(edits=edits)
    def edit_and_publish(self, edits: list[Edit]) -> None:
        self.edit(edits)
        self.publish()

    @rule(change=st.sampled_from(SITE_CHANGES), number=numbers)
    def change_site(self, change: str, number: int) -> None:
        self.stage.run(lambda: self._make([(change, 0, number)]))

    @precondition(lambda self: self.late is None)
    @rule(change=updates)
    def begin_late(self, change: Edit) -> None:
        """An edit that stays uncommitted while others go on."""

        async def do() -> None:
            self.late = await asyncpg.connect(self.stage.database.url("app"))
            await self.late.execute("BEGIN")
            await self.late.execute("SELECT set_config('app.site_id', $1, true)", str(self.site))
            with suppress(*REFUSED):
                for arguments in await self._arguments(change):
                    await self.late.execute(change[0], *arguments)

        self.stage.run(do)

    @precondition(lambda self: self.late is not None)
    @rule()
    def end_late(self) -> None:
        async def do() -> None:
            assert self.late is not None
            await self.late.execute("COMMIT")
            await self.late.close()
            self.late = None

        self.stage.run(do)

    # --- what operators do ---

    @rule(what=st.sampled_from(OPERATIONS), number=numbers)
    def operate(self, what: str, number: int) -> None:
        with suppress(NotFound, Conflict, PublishError):
            getattr(self, f"_{what}")(number)

    def _wait(self, number: int) -> None:
        self.now += timedelta(hours=number % 4)

    def _set_the_clock_back(self, number: int) -> None:
        self.now -= timedelta(hours=number * 2)

    def _activate(self, number: int) -> None:
        self.stage.run(lambda: activate(self.engine, self.site, number + 1, report=Silent()))

    def _rollback(self, _: int) -> None:
        self.stage.run(lambda: rollback(self.engine, self.site, report=Silent()))

    def _take_down(self, number: int) -> None:
        if PATHS[number] != "/404.html":
            self.stage.run(lambda: takedown(self.engine, self.site, PATHS[number], "odd", report=Silent()))

    def _collect_garbage(self, number: int) -> None:
        last = number % 3 + 1
        self.stage.run(lambda: collect(self.engine, report=Silent(), last=last, grace=timedelta(0)))

    @rule()
    def publish(self) -> None:
        self.now += timedelta(minutes=1)
        self.stage.run(lambda: self._publish(full=False))
        self.stage.published += 1
        self._compare()

    # --- what has to be true ---

    def _compare(self) -> None:
        incremental = self._entries()
        rebuilt = self.stage.run(self._rebuilt)
        _same(_living(incremental), _living(rebuilt), "a rebuild from nothing")
        _hold(self._is_stored, incremental)
        full = self.stage.run(lambda: self._publish(full=True))
        if (full.rendered, full.removed) != (0, 0):
            raise Differs(f"A full publish rendered {full.rendered} and removed {full.removed}.")
        _same(incremental, self._entries(), "a full publish")

    async def _publish(self, *, full: bool) -> Any:
        return await publish(self.engine, self.site, report=Silent(), full=full, yes=True)

    def _entries(self) -> dict[str, Entry]:
        world = self.stage.world
        world.store = self.store
        return world.entries(self.site)

    def _is_stored(self, entry: Entry) -> bool:
        keys = {stored.key for stored in self.store.list("blobs/")}
        return (
            entry.blob is None
            or {blob_key(entry.blob, c) for c in (None, *entry.encodings) if c != LATER} <= keys
        )

    async def _rebuilt(self) -> dict[str, Entry]:
        """Of the same content at the same clock, by a publisher with an empty store; then forgotten."""
        [live] = await self._rows(LIVE)
        store = MemoryStore()
        for digest in PICTURES:
            store.put(f"media/{digest}", digest.encode(), content_type="image/webp")
        await publish(self._engine(store, live["frozen_at"]), self.site, report=Silent(), yes=True)
        fresh = World.__new__(World)
        fresh.store = store
        await self._forget(live)
        return fresh.entries(self.site)

    async def _forget(self, live: dict[str, Any]) -> None:
        """The rebuild has left a release behind in the database, which nothing of this store knows."""
        [rebuilt] = await self._rows("SELECT live_release_id AS id FROM publications")
        await self._rows(
            "UPDATE publications SET live_release_id = $1, live_generation = $2, is_paused = $3",
            live["id"],
            live["live_generation"],
            live["is_paused"],
        )
        await self._rows("DELETE FROM releases WHERE id = $1", rebuilt["id"])
        await self._rows("UPDATE releases SET state = 'live', ended_at = NULL WHERE id = $1", live["id"])

    # --- SQL ---

    async def _rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.stage.world.run(self.site, query, *arguments)

    async def _make(self, edits: list[Edit]) -> None:
        for edit in edits:
            for arguments in await self._arguments(edit):
                await self._edit(edit[0], *arguments)

    async def _edit(self, query: str, *arguments: Any) -> None:
        with suppress(*REFUSED):
            async with self.pool.acquire() as connection, site_transaction(connection, self.site):
                await connection.execute("SET LOCAL lock_timeout = '20ms'")
                await connection.execute(query, *arguments)

    async def _arguments(self, edit: Edit) -> list[tuple[Any, ...]]:
        """The key of one row, the same in each run, and the number; nothing for an empty table."""
        query, row, number = edit
        if "WHERE id = $1" not in query:
            return [(self.site, *_used(query, number))]
        table = query.split()[1 if query.startswith("UPDATE") else 2]
        rows = await self._rows(f"SELECT id FROM {table} ORDER BY created_at, {ORDER.get(table, 'id')}")
        return [(rows[row % len(rows)]["id"], *_used(query, number))] if rows else []


def _used(query: str, number: int) -> tuple[int, ...]:
    return (number,) if "$2" in query else ()


def _living(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Without what only the history knows: pages that are gone, assets of the past."""
    return {path: entry for path, entry in entries.items() if entry.gone_on is None}


def _hold(holds: Callable[[Entry], bool], entries: dict[str, Entry]) -> None:
    lost = sorted(path for path, entry in entries.items() if not holds(entry))
    if lost:
        raise Differs(f"These name what the store does not hold: {', '.join(lost)}.")


def _same(one: dict[str, Entry], other: dict[str, Entry], what: str) -> None:
    paths = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    if paths:
        told = "\n".join(f"{path}: {one.get(path)} != {other.get(path)}" for path in paths)
        raise Differs(f"It is not {what}:\n{told}")
