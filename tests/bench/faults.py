"""Publishers of 10,000 pages killed by SIGKILL at random moments, edits in between, a reader all the time.

BENCH_KILLS and BENCH_SEED in the environment choose how many, and repeat a run.
"""

import asyncio
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio
import msgspec
from anyio.abc import Process

from app.database import migrations
from app.database.cluster import Cluster, remove_cluster, running_cluster
from app.database.engine import make_pool
from app.database.provision import provision
from app.publishing.gateway.asgi import Gateway
from app.publishing.manifest import Entry, blob_key
from app.publishing.pointer import read_pointer
from app.storage.facade import AsyncStore
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from tests.bench.check import Check, at_least, at_most
from tests.faults.bed import MEMORY, give, is_alive, publishers
from tests.faults.ends import Broken, check_states
from tests.faults.publisher import Order, Told
from tests.faults.reader import Seen, ask
from tests.publishing.world import World

KILLS = int(os.environ.get("BENCH_KILLS", "200"))
PAGES = int(os.environ.get("BENCH_PAGES", "10000"))
PAUSE = 0.005
DEPTH = 30
NAMED = re.compile(rb"Campaign (\d+), edition (\d+)")
MAKE = """
INSERT INTO campaigns (id, site_id, translation_group_id, slug, title, summary, description_html)
SELECT gen_random_uuid(), $1, gen_random_uuid(), 'c' || n, 'Campaign ' || n || ', edition 0', 'About ' || n,
       repeat('<p>The harbour is for everybody, and it should stay so.</p>', 40)
  FROM generate_series($2::int, $3::int) AS n
"""
EDIT = """
UPDATE campaigns SET title = regexp_replace(title, '\\d+$', $1::text), updated_at = now()
 WHERE id IN (SELECT id FROM campaigns ORDER BY md5(id::text || $1) LIMIT $2)
"""
RENAME = """
WITH old AS (SELECT id, slug FROM campaigns ORDER BY md5(id::text || $2::text) LIMIT 3),
redirected AS (INSERT INTO redirects (id, site_id, from_path, to_path)
  SELECT gen_random_uuid(), $1, format('/campaigns/%s/', slug), format('/campaigns/%s-%s/', slug, $2::text)
    FROM old)
UPDATE campaigns c SET slug = old.slug || '-' || $2::text FROM old WHERE c.id = old.id
"""
DELETE = "DELETE FROM campaigns WHERE id IN (SELECT id FROM campaigns ORDER BY md5(id::text || $1) LIMIT 3)"
Edit = Callable[[World, UUID, int], Awaitable[object]]

EDITS: dict[str, tuple[int, Edit]] = {
    "one": (40, lambda here, site, n: here.run(site, EDIT, str(n), 1)),
    "a hundred": (30, lambda here, site, n: here.run(site, EDIT, str(n), 100)),
    "a thousand": (8, lambda here, site, n: here.run(site, EDIT, str(n), 1000)),
    "three renamed": (12, lambda here, site, n: here.run(site, RENAME, site, str(n))),
    "three deleted": (8, lambda here, site, n: here.run(site, DELETE, str(n))),
    "every page": (2, lambda here, site, n: here.run(site, "UPDATE sites SET name = $1", f"Demo {n}")),
}
"""How often, and what."""


class Trouble(msgspec.Struct):
    """What visitors saw, and what of it they must never see."""

    pages: int = 0
    missing: int = 0
    mixed: int = 0
    backwards: int = 0
    last: int = 0
    editions: dict[tuple[int, bytes], bytes] = {}

    def look(self, one: Seen) -> None:
        release = one.release or 0
        self.pages += 1
        self.missing += one.status not in {200, 301, 410}
        self.backwards += release < self.last
        self.last = max(self.last, release)
        for name, edition in NAMED.findall(one.body):
            self.mixed += self.editions.setdefault((release, name), edition) != edition


class Site(msgspec.Struct):
    """What the run works on."""

    here: World
    id: UUID
    url: str
    folder: Path
    dice: random.Random
    process: Process
    seconds: dict[str, float] = {}
    """What a publish after such an edit takes, undisturbed."""
    killed: Counter[str] = msgspec.field(default_factory=Counter)
    """Before and after the flip."""
    orphans: int = 0
    cut_off: int = 0
    looked_at: set[str] = set()
    """Blobs that were found whole in the store."""


def run() -> list[Check]:
    seed = int(os.environ.get("BENCH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    sys.stderr.write(f"{KILLS} kills of publishers of {PAGES} pages, BENCH_SEED={seed}\n")
    started = time.monotonic()
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="hustings-bench-", dir=place) as folder:
        try:
            with running_cluster(Path(folder), safe=False) as cluster:
                store = Path(folder) / "store"
                store.mkdir()
                checks = asyncio.run(_run(_prepare(cluster), store, random.Random(seed)))
        finally:
            remove_cluster(Path(folder))
    return [*checks, Check("seed", seed, ""), Check("all of it", time.monotonic() - started, "s")]


def _prepare(cluster: Cluster) -> str:
    provision(cluster.url("superuser", "postgres"))
    migrations.upgrade(cluster.url("owner"))
    return cluster.url("app")


async def _run(url: str, folder: Path, dice: random.Random) -> list[Check]:
    async with _site(url, folder, dice) as site:
        trouble = Trouble()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read, site, trouble)
            await _rounds(site)
            tasks.cancel_scope.cancel()
        differences, rendered = await _end(site)
    return [
        at_least("killed publishers", site.killed.total(), "", KILLS),
        Check("of them after the flip", site.killed["after"], ""),
        Check("pages and assets read meanwhile", trouble.pages, ""),
        at_most("linked, and not there", trouble.missing, "", 0),
        at_most("of two releases at once", trouble.mixed, "", 0),
        at_most("older than what was read before", trouble.backwards, "", 0),
        at_most("objects of the live release missing or cut off", site.cut_off, "", 0),
        at_most("publishers that left children", site.orphans, "", 0),
        at_most("entries unlike those of a first publish", differences, "", 0),
        at_most("pages that --full makes anew in the end", rendered, "", 0),
    ]


@asynccontextmanager
async def _site(url: str, folder: Path, dice: random.Random) -> AsyncIterator[Site]:
    pool = await make_pool(url, size=8)
    try:
        here = World(pool, FileStore(folder))
        site = await here.add_site()
        await here.add_homepage(site)
        await here.run(site, MAKE, site, 1, PAGES)
        await here.publish(site)
        async with publishers() as process:
            yield Site(here, site, url, folder, dice, process)
    finally:
        await pool.close()


async def _rounds(site: Site) -> None:
    """The first publish after each kind of edit is left alone, to know how long it takes."""
    names = list(EDITS)
    for number, name in enumerate(names, 1):
        await EDITS[name][1](site.here, site.id, number)
        started = time.monotonic()
        told = await _publish(site, 3600)
        site.seconds[name] = time.monotonic() - started
        if told.status != 0:
            raise Broken(told.error)
    number = len(names)
    while site.killed.total() < KILLS:
        number += 1
        [name] = site.dice.choices(names, [often for often, _ in EDITS.values()])
        await EDITS[name][1](site.here, site.id, number)
        await _kill(site, site.seconds[name] * _moment(site.dice))


def _moment(dice: random.Random) -> float:
    """At any time of a publish, and as often around its end, where the flip is."""
    return dice.uniform(*dice.choice([(0.0, 1.0), (0.85, 1.1)]))


async def _kill(site: Site, seconds: float) -> None:
    before = _generation(site)
    told = await _publish(site, seconds)
    if told.status not in {0, -signal.SIGKILL}:
        raise Broken(told.error)
    if told.status != 0:
        site.killed["before" if _generation(site) == before else "after"] += 1
    await anyio.sleep(0.05)  # children notice that their parent has gone
    site.orphans += is_alive(told.process)
    site.cut_off += _cut_off(site)


async def _publish(site: Site, seconds: float) -> Told:
    site.here.now += timedelta(seconds=1)
    order = Order(
        database=site.url, folder=str(site.folder), site=site.id, now=site.here.now, seconds=seconds
    )
    return await give(site.process, order)


def _generation(site: Site) -> int:
    found = read_pointer(site.here.store, str(site.id))
    assert found is not None
    return found[0].generation


def _cut_off(site: Site) -> int:
    """Objects that the live release needs, and that are not in the store; brotli may come later."""
    found = 0
    for entry in site.here.entries(site.id).values():
        if entry.blob is None or entry.blob in site.looked_at:
            continue
        keys = [blob_key(entry.blob, encoding) for encoding in entry.encodings if encoding != "br"]
        sizes = [_size(site.folder / key) for key in [blob_key(entry.blob), *keys]]
        found += sizes[0] != entry.size or not all(sizes)
        site.looked_at.add(entry.blob)
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _read(site: Site, trouble: Trouble) -> None:
    """Walks at random, with a gateway that follows the releases."""
    gateway = Gateway(AsyncStore(site.here.store))
    async with gateway.run(every=0.05):
        while True:
            links = frozenset({"/", "/campaigns/"})
            for _ in range(DEPTH):
                one = await ask(gateway, site.dice.choice(sorted(links)))
                trouble.look(one)
                links = one.links or frozenset({"/"})
                await anyio.sleep(PAUSE)


async def _end(site: Site) -> tuple[int, int]:
    """An undisturbed publish; how it differs from a first one, and what `full` finds to do after it."""
    here = site.here
    await here.publish(site.id)
    await check_states(here, site.id)
    full = await here.publish(site.id, full=True)
    shown = _shown(here.entries(site.id))
    first = World(here.pool, MemoryStore())
    first.now = here.now
    await first.publish(site.id)
    anew = _shown(first.entries(site.id))
    unlike = {path for path, _ in {*shown.items()} ^ {*anew.items()}}
    if unlike:
        sys.stderr.write(f"Unlike those of a first publish: {sorted(unlike)[:20]}\n")
    return len(unlike), full.rendered


def _shown(entries: dict[str, Entry]) -> dict[str, str]:
    """Without what only the history of releases can tell: what is gone."""
    return {path: repr(entry) for path, entry in entries.items() if entry.gone_on is None}
