"""What is live now: the pointer, its release, and what the database knows of it."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

import msgspec

from app.database.engine import Connection
from app.errors import AppError
from app.publishing import releases
from app.publishing.manifest import CorruptObject, Manifest, Root, load_root
from app.publishing.pointer import Pointer, read_pointer
from app.publishing.releases import LiveRow
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound, ObjectStore

T = TypeVar("T")
DAMAGED = (CorruptObject, ObjectNotFound)


class Base(msgspec.Struct, frozen=True):
    pointer: Pointer | None
    root: Root | None
    manifest: Manifest
    live: LiveRow | None
    """None when the database has never heard of the live release: then nothing is known of its content."""


async def read_base(
    store: AsyncStore, connection: Connection, site_id: UUID, report: Reporter, *, full: bool
) -> Base:
    """Under the lease. Raises CorruptObject or ObjectNotFound for a damaged release, unless `full`.

    With `full` what cannot be read counts as empty, so that everything is made anew: what only the old
    manifest knew, which pages are gone and which assets retired, is lost with it.
    """

    async def attempt(read: Callable[[ObjectStore], T], otherwise: T) -> T:
        try:
            return await store.run(partial(read, store.store))
        except DAMAGED as error:
            if not full:
                raise with_advice(error) from None
            report.note(f"{error} It is made anew.")
            return otherwise

    found = await attempt(partial(_pointer, site_id=site_id), None)
    live = await releases.follow_pointer(connection, site_id, found) if found else None
    if found is None:
        await releases.abandon(connection, site_id)
        return Base(None, None, Manifest.empty(), None)
    root = await attempt(partial(_root, key=found.root), None)
    if root is None:
        return Base(found, None, Manifest.empty(), None)
    manifest = Manifest.of(root, store.store.get)
    manifest = await attempt(partial(_whole, manifest=manifest, read=full), Manifest.empty())
    return Base(found, root, manifest, live)


def _pointer(store: ObjectStore, site_id: UUID) -> Pointer | None:
    found = read_pointer(store, str(site_id))
    return found[0] if found else None


def _root(store: ObjectStore, key: str) -> Root | None:
    return load_root(store.get, key)


def _whole(_: ObjectStore, manifest: Manifest, *, read: bool) -> Manifest:
    """The manifest; with `read` every shard of it has been read."""
    if read:
        for _path, _entry in manifest.items():
            pass
    return manifest


def with_advice(error: AppError) -> AppError:
    """The same failure, with the way out."""
    if "--full" in error.detail:
        return error
    return type(error)(f"{error.detail} `hustings publish --full` makes everything anew.")
