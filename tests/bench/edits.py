"""One edit of a large site, from the first query of the publish to the flip, in a process that is warm."""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from app.database.engine import Pool, make_pool, site_transaction
from app.publishing.engine import Engine
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage.file import FileStore
from app.storage.store import ObjectStore
from app.storage.urls import open_store
from app.wiring import make_engine
from tests.bench.check import Check, at_most
from tests.bench.sites import SITE_ID
from tests.storage.ceph import running_ceph

ROUNDS = 21
WARM = 5
"""Publishes before the first that is counted."""
FILES, S3 = 50.0, 200.0
"""Milliseconds that an edit may take."""
ALIKE = 1.5
SITE = UUID(SITE_ID)
_numbers = count(300)
EDIT = "UPDATE campaigns SET title = title || '.' WHERE number = $1"
NEW = """
INSERT INTO campaigns (id, site_id, translation_group_id, title, slug, summary, description_html)
VALUES (md5($1)::uuid, $2, md5($1)::uuid, 'New ' || $1, 'new-' || $1::text, 'One more.', '<p>Because.</p>')
"""
NAMES = ("manifests", "releases", "live")
"""What a publish reads of the releases before it; the blobs it does not look at."""


def edits(sites: Mapping[int, tuple[str, Path]]) -> list[Check]:
    """Campaigns to the URL of the database and the folder of the store where the site is live."""
    checks = _both(
        sites, "the file store", FILES, {size: FileStore(folder) for size, (_, folder) in sites.items()}
    )
    with running_ceph() as ceph:
        stores = {size: open_store(ceph.url(ceph.new_bucket()), Path()) for size in sites}
        for size, (_, folder) in sites.items():
            _copy(folder, stores[size])
        return checks + _both(sites, "radosgw", S3, stores)


def _both(
    sites: Mapping[int, tuple[str, Path]], name: str, goal: float, stores: Mapping[int, ObjectStore]
) -> list[Check]:
    found = {size: asyncio.run(_times(url, stores[size])) for size, (url, _) in sites.items()}
    sys.stderr.write(f"{name}: {found}\n")
    checks = []
    for what in ("one edit", "one new campaign"):
        for size, times in found.items():
            checks.append(at_most(f"{what} on {name}, {size:,} campaigns", times[what], "ms", goal))
        small, large = min(found), max(found)
        ratio = found[large][what] / found[small][what]
        checks.append(at_most(f"{what} on {name}, {large:,} over {small:,}", ratio, "", ALIKE))
    return checks


async def _times(url: str, store: ObjectStore) -> dict[str, float]:
    pool = await make_pool(url, size=4)
    engine = make_engine(pool, store)
    found = {
        "one edit": await _median(engine, pool, lambda: (EDIT, next(_numbers))),
        "one new campaign": await _median(engine, pool, lambda: (NEW, str(next(_numbers)), SITE)),
    }
    await pool.close()
    return found


async def _median(engine: Engine, pool: Pool, change: Callable[[], tuple[Any, ...]]) -> float:
    times = []
    for _ in range(WARM + ROUNDS):
        query, *arguments = change()
        async with pool.acquire() as connection, site_transaction(connection, SITE):
            await connection.execute(query, *arguments)
        start = time.perf_counter()
        outcome = await publish(engine, SITE, report=Silent())
        times.append((time.perf_counter() - start) * 1000)
        if not outcome.rendered:
            raise RuntimeError("the change did not go live")
    return statistics.median(times[WARM:])


def _copy(folder: Path, store: ObjectStore) -> None:
    for name in NAMES:
        for path in sorted((folder / name).rglob("*.json*")):
            key = path.relative_to(folder).as_posix()
            store.put(key, path.read_bytes(), content_type="application/json")
