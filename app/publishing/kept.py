"""What the roots in the store name: which shards, and which blobs at which paths."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from app.publishing.manifest import Entry, Root, load_root, load_shard, shard_of
from app.storage.store import ObjectStore, Stored

ROOTS = "releases/"
IS_ROOT = re.compile(r"releases/[^/]+/[0-9]{8,}-[0-9a-f]{64}\.json\.gz")
LAST = 20
"""So many releases of a site are kept, however old."""

Tombstones = Mapping[str, Collection[str]]
"""Of each site, by its id as text: paths that no release may show any more."""


class Names(msgspec.Struct):
    """What some roots need in the store."""

    shards: set[str]
    blobs: set[str]

    def add(self, other: "Names") -> None:
        self.shards |= other.shards
        self.blobs |= other.blobs


def list_roots(store: ObjectStore) -> dict[str, list[Stored]]:
    """The roots of each site, the oldest release first. What else somebody put there is left alone."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for stored in store.list(ROOTS):
        if IS_ROOT.fullmatch(stored.key):
            found[stored.key.split("/")[1]].append(stored)
    return dict(found)


def kept_roots(
    roots: Mapping[str, list[Stored]], *, wanted: Collection[str], young_since: datetime, last: int = LAST
) -> set[str]:
    """The keys that stay: those wanted, the last of each site, and every one written since."""
    kept: set[str] = set()
    for of_site in roots.values():
        kept.update(stored.key for stored in of_site if stored.key in wanted)
        kept.update(stored.key for stored in of_site[-last:])
        kept.update(stored.key for stored in of_site if stored.modified >= young_since)
    return kept


def names_in(store: ObjectStore, keys: Iterable[str], tombstones: Tombstones) -> Names:
    """Everything the roots name, but for what lies only at paths that were taken down.

    Raises ObjectNotFound, CorruptObject: what a root needs is not known without its shards.
    """
    names = Names(set(), set())
    for site_id, name in _shards(store, keys):
        names.shards.add(name)
        hidden = tombstones.get(site_id, ())
        for path, entry in load_shard(store.get, name).items():
            if entry.blob is not None and (entry.status == 410 or path not in hidden):
                names.blobs.add(entry.blob)
    return names


def blobs_at(store: ObjectStore, keys: Iterable[str], path: str) -> set[str]:
    """Every blob that one of the roots shows at the path."""
    return {entry.blob for entry in entries_at(store, keys, path) if entry.blob and entry.status != 410}


def entries_at(store: ObjectStore, keys: Iterable[str], path: str) -> list[Entry]:
    roots = (load_root(store.get, key) for key in keys)
    names = {root.shards.get(shard_of(path)) for root in roots} - {None}
    found = (load_shard(store.get, name).get(path) for name in names if name is not None)
    return [entry for entry in found if entry is not None]


def _shards(store: ObjectStore, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Site and name of each shard, once."""
    seen: set[tuple[str, str]] = set()
    for key in keys:
        root: Root = load_root(store.get, key)
        fresh = {(root.site_id, name) for name in root.shards.values()} - seen
        seen |= fresh
        yield from sorted(fresh)
