"""Deleting what no kept release names: roots first, then shards, then blobs. Never anything below media/.

Kept are the last releases of each site, what is live, and everything younger than the grace. A publish may
come to need an old blob again at any moment, so objects are deleted in small batches while no publisher is at
work, and each batch looks first at what the releases name by then. Publishers wait for one batch at most.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import anyio
import msgspec

from app.database.engine import Pool, site_transaction
from app.errors import AppError, Contended
from app.kit.ids import new_id
from app.publishing.base import DAMAGED
from app.publishing.engine import Engine, connections
from app.publishing.kept import LAST, Names, Tombstones, kept_roots, list_roots, names_in
from app.publishing.lease import EXCLUDE, PAUSE, lease
from app.publishing.manifest import GRACE, blob_key, shard_key
from app.publishing.pointer import PREFIX, decode_pointer
from app.publishing.report import Reporter
from app.publishing.takedown import CODINGS, every_tombstone
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore

BATCH = 500
"""Objects deleted while publishers wait."""
PROBES = "probes/"
PATIENCE = 600
"""Seconds to wait for a moment without a publish."""

LAST_LIVE = """
SELECT root_key FROM releases WHERE live_at IS NOT NULL AND root_key <> '' ORDER BY generation DESC LIMIT $1
"""
# A transaction below the lowest that was open when content was frozen had ended by then: the content has it.
HORIZON = """
SELECT min(pg_snapshot_xmin(content_snapshot))::text AS below, database_id
  FROM releases
 WHERE root_key = ANY($1) AND live_at IS NOT NULL AND content_snapshot IS NOT NULL
   AND database_id = (SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid
                        FROM pg_database WHERE datname = current_database())
 GROUP BY database_id
"""
COUNT = "SELECT count(*) FROM content_changes WHERE transaction_id < $1::text::xid8"
TELL = """
UPDATE publications SET pruned_below = $1::text::xid8, pruned_in = $2
 WHERE pruned_in <> $2 OR pruned_below IS NULL OR pruned_below < $1::text::xid8
"""
PRUNE = "DELETE FROM content_changes WHERE transaction_id < $1::text::xid8"


class Garbage(msgspec.Struct, kw_only=True):
    """Keys that nothing kept needs, and what is known of the roots that are kept."""

    roots: list[str]
    shards: list[str]
    blobs: list[str]
    kept: set[str]
    names: Names


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be: numbers of objects, and of rows in the log of changes."""

    roots: int
    shards: int
    blobs: int
    changes: int


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept."""

    young_since: datetime
    last: int
    tombstones: Tombstones


async def collect(
    engine: Engine,
    *,
    report: Reporter,
    dry_run: bool = False,
    last: int = LAST,
    grace: timedelta = GRACE,
    patience: float = PATIENCE,
) -> Collected:
    """Delete what no kept release of any site names. Raises Contended when publishers leave no moment."""
    async with engine.pool.acquire() as connection:
        tombstones = await every_tombstone(connection)
    present = await engine.store.run(partial(_present, engine.store.store))
    rules = Rules(young_since=present - grace, last=last, tombstones=tombstones)
    report.step("Looking for what no kept release names")
    wanted = await _last_live(engine, last)
    garbage = await _find(engine, rules, wanted)
    groups = (garbage.roots, garbage.shards, garbage.blobs)
    report.step("Deleting", sum(map(len, groups)))
    counts = [
        len(keys) if dry_run else await _delete(engine, garbage, keys, rules, report, patience)
        for keys in groups
    ]
    report.step("Pruning the log of changes")
    changes = [
        await _prune(engine, site_id, garbage.kept, report, dry_run=dry_run)
        for site_id in await _sites(engine.pool)
    ]
    return Collected(roots=counts[0], shards=counts[1], blobs=counts[2], changes=sum(changes))


async def _find(engine: Engine, rules: Rules, wanted: set[str]) -> Garbage:
    try:
        return await engine.store.run(partial(find_garbage, engine.store.store, rules, wanted))
    except DAMAGED as error:
        raise type(error)(
            f"Nothing was deleted, because it is not known what a release that is kept needs: {error}"
        ) from None


def _present(store: ObjectStore) -> datetime:
    """By the clock that dated the objects: ours may be wrong, and then everything would look old."""
    key = f"{PROBES}clock-{new_id()}"
    store.put(key, b"clock", content_type="application/octet-stream")
    try:
        return store.stat(key).modified
    finally:
        store.delete(key)


def find_garbage(store: ObjectStore, rules: Rules, wanted: set[str]) -> Garbage:
    """What could go at this moment. Raises CorruptObject, ObjectNotFound when a kept release is damaged."""
    roots = list_roots(store)
    kept = _kept(store, rules, wanted)
    names = names_in(store, sorted(kept), rules.tombstones)
    shards = {shard_key(name) for name in names.shards}
    blobs = {blob_key(name, coding) for name in names.blobs for coding in CODINGS}

    def old(prefix: str, needed: set[str]) -> list[str]:
        return [
            stored.key
            for stored in store.list(prefix)
            if stored.modified < rules.young_since and stored.key not in needed
        ]

    return Garbage(
        roots=[stored.key for some in roots.values() for stored in some if stored.key not in kept],
        shards=old("manifests/", shards),
        blobs=old("blobs/", blobs),
        kept=kept,
        names=names,
    )


def _kept(store: ObjectStore, rules: Rules, wanted: set[str]) -> set[str]:
    pointers = [stored.key for stored in store.list(PREFIX) if stored.key.endswith(".json")]
    live = {decode_pointer(store.get(key), key).root for key in pointers}
    return live | kept_roots(list_roots(store), wanted=wanted, young_since=rules.young_since, last=rules.last)


async def _delete(  # noqa: PLR0917 - the parts of one call, each used once
    engine: Engine, garbage: Garbage, keys: list[str], rules: Rules, report: Reporter, patience: float
) -> int:
    deleted = 0
    for start in range(0, len(keys), BATCH):
        async with _alone(engine.pool, patience):
            still = await _still_garbage(engine, garbage, keys[start : start + BATCH], rules)
            await _delete_all(engine.store, still)
        deleted += len(still)
        report.advance(BATCH)
    return deleted


async def _still_garbage(engine: Engine, garbage: Garbage, keys: list[str], rules: Rules) -> list[str]:
    """Nobody publishes now: what was released or activated since is known, and nothing comes in between."""
    wanted = await _last_live(engine, rules.last)
    store = engine.store.store

    def look() -> list[str]:
        fresh = _kept(store, rules, wanted) - garbage.kept
        if fresh:
            garbage.names.add(names_in(store, sorted(fresh), rules.tombstones))
            garbage.kept |= fresh
        return [key for key in keys if not _is_needed(garbage, key)]

    return await engine.store.run(look)


def _is_needed(garbage: Garbage, key: str) -> bool:
    if key in garbage.kept:
        return True
    folder, _, name = key.partition("/")
    name = name.partition(".")[0]
    return (folder == "manifests" and name in garbage.names.shards) or (
        folder == "blobs" and name in garbage.names.blobs
    )


async def _delete_all(store: AsyncStore, keys: list[str]) -> None:
    """The first failure is raised when all were tried: what is left, the next gc finds."""
    failures: list[AppError] = []

    async def delete(key: str) -> None:
        try:
            await store.delete(key)
        except AppError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for key in keys:
            tasks.start_soon(delete, key)
    if failures:
        raise failures[0]


@asynccontextmanager
async def _alone(pool: Pool, patience: float) -> AsyncIterator[None]:
    """A moment in which no publisher of any site is at work, and none begins."""
    deadline = anyio.current_time() + patience
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(EXCLUDE):
                yield
                return
        if anyio.current_time() > deadline:
            raise Contended("There was always a publish running. Nothing more was deleted; try again later.")
        await anyio.sleep(PAUSE)


async def _sites(pool: Pool) -> list[UUID]:
    return [row["id"] for row in await pool.fetch("SELECT id FROM site_directory()")]


async def _last_live(engine: Engine, last: int) -> set[str]:
    """By the database: the releases that were live last are not always those with the highest numbers."""
    found: set[str] = set()
    for site_id in await _sites(engine.pool):
        async with engine.pool.acquire() as connection, site_transaction(connection, site_id, readonly=True):
            found.update(row["root_key"] for row in await connection.fetch(LAST_LIVE, last))
    return found


async def _prune(engine: Engine, site_id: UUID, kept: set[str], report: Reporter, *, dry_run: bool) -> int:
    """Rows that every kept release has seen, while nobody publishes the site; and the horizon."""
    async with (
        connections(engine) as (leasing, connection, _),
        lease(leasing, site_id, report),
        site_transaction(connection, site_id),
    ):
        horizon = await connection.fetchrow(HORIZON, list(kept))
        if horizon is None:
            return 0
        count: int = await connection.fetchval(COUNT, horizon["below"])
        if not dry_run:
            await connection.execute(TELL, horizon["below"], horizon["database_id"])
            await connection.execute(PRUNE, horizon["below"])
        return count
