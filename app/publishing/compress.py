"""Brotli, made after the flip: it costs ten times a page, and a visitor gets gzip until it is there."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import ClassVar
from uuid import UUID

import brotli

from app.database.engine import Connection
from app.jobs.handlers import Handler, JobContext
from app.jobs.job import SiteJob
from app.jobs.queue import enqueue
from app.publishing.manifest import CorruptObject, Manifest, blob_key
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound, ObjectStore, PreconditionFailed

QUALITY = 9
"""4 ms for a page of 10 kB, a tenth smaller than gzip; quality 11 takes twice as long for 2 % less."""
AT_A_TIME = 20
CHANGED = """
SELECT r.root_key, array_agg(p.path) AS paths
  FROM release_pages p JOIN releases r ON r.site_id = p.site_id AND r.id = p.release_id
 WHERE r.id = $1 AND p.blob IS NOT NULL GROUP BY r.root_key
"""


class CompressPages(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make the brotli siblings of what a release has added or changed."""

    name: ClassVar[str] = "pages.compress"
    release_id: UUID


async def compress_later(connection: Connection, site_id: UUID, release_id: UUID) -> None:
    """In the transaction that records that the release is live."""
    await enqueue(connection, CompressPages(site_id=site_id, release_id=release_id), priority=-1)


def compress_handler(store: AsyncStore) -> Handler[CompressPages]:
    """One at a time: the pages are live, and visitors and publishes want the processor more."""
    return Handler(CompressPages, partial(_run, store), timeout=timedelta(hours=2), concurrency=1)


async def _run(store: AsyncStore, context: JobContext, job: CompressPages) -> None:
    async with context.transaction() as connection:
        row = await connection.fetchrow(CHANGED, job.release_id)
    if row is None:
        return
    try:
        waiting = await store.run(partial(_blobs, store.store, row["root_key"], row["paths"]))
    except (ObjectNotFound, CorruptObject):
        return  # the release is gone already, and its pages are compressed with those that came after
    blobs = iter(waiting.items())
    while some := dict(islice(blobs, AT_A_TIME)):
        await store.run(partial(compress_missing, store.store, some))


def _blobs(store: ObjectStore, root: str, paths: list[str]) -> dict[str, str]:
    """Name to content type, of those paths that a brotli sibling is promised for."""
    manifest = Manifest.load(store.get, root)
    entries = [entry for path in paths if (entry := manifest.get(path)) is not None]
    return {entry.blob: entry.content_type for entry in entries if entry.blob and "br" in entry.encodings}


def compress_missing(store: ObjectStore, content_types: Mapping[str, str]) -> int:
    """Makes the brotli sibling of each blob (name to content type) that has none; returns how many.

    Blocks for milliseconds a blob. A blob that is gone, or is no smaller for it, is left alone.
    """
    return sum(_compress(store, name, content_type) for name, content_type in content_types.items())


def _compress(store: ObjectStore, name: str, content_type: str) -> bool:
    key = blob_key(name, "br")
    try:
        store.stat(key)
    except ObjectNotFound:
        pass
    else:
        _is_kept(store, name)  # an earlier run may have been killed before it looked
        return False
    try:
        body = store.get(blob_key(name))
    except ObjectNotFound:
        return False
    packed = brotli.compress(body, quality=QUALITY)
    if len(packed) >= len(body):
        return False
    try:
        store.put(key, packed, content_type=content_type, if_none_match=True)
    except PreconditionFailed:
        return False
    return _is_kept(store, name)


def _is_kept(store: ObjectStore, name: str) -> bool:
    """A blob that was deleted meanwhile takes its sibling along: whoever deletes begins with the blob."""
    try:
        store.stat(blob_key(name))
    except ObjectNotFound:
        store.delete(blob_key(name, "br"))
        return False
    return True
