"""Taking a page down for good: a tombstone, a release without the path, and its bytes deleted.

The tombstone is written first, so that whatever happens then, no later release or activation shows the path.
The blobs of every version of the page go at once, unless something else that a release shows needs them.
Taking down a path again finishes what a crash left undone.
"""

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from uuid import UUID

import msgspec

from app.database.engine import Connection, site_transaction
from app.errors import Conflict, NotFound, Unprocessable
from app.kit.ids import new_id
from app.publishing.activation import Hands, release_without
from app.publishing.base import Base, read_base
from app.publishing.engine import Engine, connections
from app.publishing.kept import Tombstones, blobs_at, list_roots, names_in
from app.publishing.lease import lease
from app.publishing.manifest import NOT_FOUND_PATH, Encoding, Manifest, blob_key
from app.publishing.prepare import read_tombstones
from app.publishing.report import Reporter
from app.publishing.spread import wait_for_helpers
from app.storage.store import ObjectNotFound, ObjectStore

FIND = "SELECT created_at, reason FROM tombstones WHERE path = $1 AND lifted_at IS NULL"
LIFT = """
UPDATE tombstones SET lifted_at = $2, lifted_by = $3 WHERE path = $1 AND lifted_at IS NULL
RETURNING path, created_at, reason
"""
HIDDEN = "SELECT path FROM tombstones WHERE lifted_at IS NULL ORDER BY path"
CODINGS: tuple[Encoding | None, ...] = (None, "br", "gz")


class TakenDown(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    release: int
    """The live release: a new one, unless the path was not shown any more."""
    deleted: int
    """Versions of the page that were deleted from the store."""
    shared: int
    """Versions that stay, because another path shows the same bytes."""


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    taken_down_at: datetime
    reason: str
    """Why it was taken down."""


async def takedown(engine: Engine, site_id: UUID, path: str, reason: str, *, report: Reporter) -> TakenDown:
    """Take the path down. Raises NotFound for a path no release knows, Conflict when it is down."""
    if path == NOT_FOUND_PATH:
        raise Unprocessable(f"{NOT_FOUND_PATH} answers every unknown path and cannot be taken down.")
    if not reason.strip():
        raise Unprocessable("Give the reason: whoever asks later wants to know why the page is gone.")
    async with (
        connections(engine) as (leasing, control, reading),
        lease(leasing, site_id, report) as held,
    ):
        live = await read_base(engine.store, control, site_id, report, full=False)
        roots = await engine.store.run(partial(list_roots, engine.store.store))
        keys = [stored.key for stored in roots.get(str(site_id), ())]
        versions = await engine.store.run(partial(blobs_at, engine.store.store, keys, path))
        before = await _tombstone(control, site_id, path)
        if before is None:
            _refuse_unknown(live.manifest, path, versions)
            await _bury(control, site_id, path, reason.strip(), engine.actor)
        release = await _release(engine, Hands(control, reading, held), live, path, report)
        await wait_for_helpers(control, site_id)  # they could write anew what is deleted
        deleted, shared = await _delete(engine, reading, versions)
    if before is not None and release is None and not deleted:
        raise Conflict(before)
    number = release or (live.pointer.number if live.pointer else 0)
    return TakenDown(path=path, release=number, deleted=deleted, shared=shared)


async def lift(engine: Engine, site_id: UUID, path: str) -> Lifted:
    """Let a path that was taken down be published again; the next publish shows what is there by then.

    The row stays, with the time and the engine's actor. Raises NotFound when the path is not down.
    """
    async with engine.pool.acquire() as connection, site_transaction(connection, site_id):
        row = await connection.fetchrow(LIFT, path, engine.clock(), engine.actor)
        if row is None:
            down = [other["path"] for other in await connection.fetch(HIDDEN)]
            raise NotFound(f"{path} is not taken down.{_did_you_mean(path, down)}")
    return Lifted(path=path, taken_down_at=row["created_at"], reason=row["reason"])


async def _tombstone(control: Connection, site_id: UUID, path: str) -> str | None:
    """The sentence about an earlier takedown."""
    async with site_transaction(control, site_id):
        row = await control.fetchrow(FIND, path)
    if row is None:
        return None
    return f"{path} was taken down already, on {row['created_at']:%Y-%m-%d}: {row['reason']}"


def _refuse_unknown(manifest: Manifest, path: str, versions: set[str]) -> None:
    if versions or manifest.get(path) is not None:
        return
    hint = _did_you_mean(path, [known for known, _ in manifest.items()])
    raise NotFound(f"No release shows {path}; nothing was taken down.{hint}")


def _did_you_mean(path: str, known: Sequence[str]) -> str:
    near = get_close_matches(path, known, n=3)
    return f" Did you mean {' or '.join(near)}?" if near else ""


async def _bury(control: Connection, site_id: UUID, path: str, reason: str, actor: str) -> None:
    async with site_transaction(control, site_id):
        await control.execute(
            "INSERT INTO tombstones (id, site_id, path, reason, actor) VALUES ($1, $2, $3, $4, $5)",
            new_id(),
            site_id,
            path,
            reason,
            actor,
        )


async def _release(engine: Engine, at: Hands, live: Base, path: str, report: Reporter) -> int | None:
    """None: the live release does not show the path."""
    entry = live.manifest.get(path)
    if entry is None or entry.status == 410:
        return None
    return await release_without(engine, at, live, live, [path], report=report)


async def _delete(engine: Engine, connection: Connection, versions: set[str]) -> tuple[int, int]:
    """How many versions were deleted, and how many are still shown elsewhere, by whatever site."""
    if not versions:
        return 0, 0
    tombstones = await every_tombstone(connection)

    def delete() -> tuple[int, int]:
        store = engine.store.store
        roots = [stored.key for some in list_roots(store).values() for stored in some]
        shared = versions & names_in(store, roots, tombstones).blobs
        return sum([_delete_blob(store, name) for name in sorted(versions - shared)]), len(shared)

    return await engine.store.run(delete)


async def every_tombstone(connection: Connection) -> Tombstones:
    """Of each site of the database; the connection must not be in a transaction."""
    found: dict[str, set[str]] = {}
    for row in await connection.fetch("SELECT id FROM site_directory()"):
        async with site_transaction(connection, row["id"], readonly=True):
            found[str(row["id"])] = await read_tombstones(connection)
    return found


def _delete_blob(store: ObjectStore, name: str) -> bool:
    """Whether it was there."""
    try:
        store.stat(blob_key(name))
    except ObjectNotFound:
        was_there = False
    else:
        was_there = True
    for coding in CODINGS:
        store.delete(blob_key(name, coding))
    return was_there
