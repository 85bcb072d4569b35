"""What the gateway knows: for each site the release that its pointer names, shard by shard.

Reading is blocking and belongs in a thread; what it returns is an immutable snapshot for the event loop.
"""

import sys
from collections.abc import Callable
from itertools import count

import msgspec
import structlog

from app.errors import AppError
from app.kit.hosts import bare_host
from app.publishing.manifest import CorruptObject, Encoding, Root, load_root, shard_key, shard_of, unpack
from app.publishing.pointer import PREFIX, Pointer, decode_pointer, pointer_key
from app.storage.store import ObjectStore, Stored

logger = structlog.get_logger(__name__)

_MOST_HOSTS = 1_000
_tokens = count()


class Served(msgspec.Struct, gc=False):
    """The part of a manifest's Entry that an answer needs."""

    status: int = 200
    blob: str | None = None
    content_type: str = ""
    cache: str = "page"
    size: int = 0
    encodings: tuple[Encoding, ...] = ()
    location: str | None = None

    def __post_init__(self) -> None:
        self.content_type = sys.intern(self.content_type)


class Shard:
    """Entries of one shard, kept packed until one of its paths is asked for."""

    def __init__(self, name: str, packed: bytes) -> None:
        """Raises CorruptObject: nothing damaged gets into a snapshot."""
        self._name = name
        self._packed = packed
        self._entries: dict[str, Served] | None = None
        self._decode()

    def get(self, path: str) -> Served | None:
        if self._entries is None:
            self._entries, self._packed = self._decode(), b""
        return self._entries.get(path)

    def _decode(self) -> dict[str, Served]:
        key = shard_key(self._name)
        try:
            return msgspec.json.decode(unpack(self._packed, key, self._name), type=dict[str, Served])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise CorruptObject(f"{key} cannot be read: {error}.") from None


class SiteRelease:
    """One release of one site, whole in memory."""

    def __init__(self, pointer: Pointer, root: Root, shards: dict[str, Shard]) -> None:
        self.pointer = pointer
        self.root = root
        self.shards = shards
        self.token = next(_tokens)
        """A short name of this object for keys of caches."""
        self.header = (b"hustings-release", b"%d" % root.number)
        self.is_https = root.base_url.startswith("https://")
        self.hosts = [bare_host(host.encode("ascii" if host.isascii() else "idna")) for host in root.hosts]
        self.local_name = f"{root.slug}.localhost".encode()

    def find(self, path: str) -> Served | None:
        shard = self.shards.get(shard_of(path))
        return None if shard is None else shard.get(path)


class Snapshot:
    """All sites at one moment; a request keeps the one it started with."""

    def __init__(self, releases: list[SiteRelease], *, default_site: str | None, local_names: bool) -> None:
        self.releases = _newest_of_each_slug(releases)
        self._names: dict[bytes, SiteRelease] = {}
        for release in self.releases:
            for name in (*release.hosts, release.local_name) if local_names else release.hosts:
                self._names.setdefault(name, release)
        self._default = _default(self.releases, default_site)
        self._asked: dict[bytes, SiteRelease | None] = {}

    def site(self, host: bytes) -> SiteRelease | None:
        """By a Host header as it came; None when nothing that could answer it is published."""
        try:
            return self._asked[host]
        except KeyError:
            if len(self._asked) >= _MOST_HOSTS:
                self._asked.clear()
            found = self._asked[host] = self._names.get(bare_host(host), self._default)
            return found


class Catalogue:
    """Follows the pointers in a store. One thread at a time."""

    def __init__(self, store: ObjectStore, *, default_site: str | None, local_names: bool) -> None:
        self._store = store
        self._default_site = default_site
        self._local_names = local_names
        self._etags: dict[str, str] = {}
        self._releases: dict[str, SiteRelease] = {}
        self._troubles: dict[str, str] = {}
        self.snapshot = self._snapshot()

    def read(self) -> bool:
        """Brings `snapshot` up to date, and says whether it changed.

        A site whose new release cannot be read stays at its old one; that is logged once. Raises
        StoreUnavailable when the pointers cannot even be listed.
        """
        before = dict(self._releases)
        pointers = list(self._store.list(PREFIX))
        for key in self._releases.keys() - {pointer.key for pointer in pointers}:
            self._releases.pop(key)
            self._etags.pop(key, None)
        for stored in pointers:
            if self._etags.get(stored.key) != stored.etag:
                self._follow(stored)
        if self._releases == before:
            return False
        self.snapshot = self._snapshot()
        return True

    def _follow(self, stored: Stored) -> None:
        try:
            self._load(stored.key)
        except (AppError, ValueError) as error:
            if self._troubles.get(stored.key) != str(error):
                logger.warning("release_unreadable", pointer=stored.key, reason=str(error))
            self._troubles[stored.key] = str(error)
        else:
            self._troubles.pop(stored.key, None)

    def _load(self, key: str) -> None:
        body, etag = self._store.get_with_etag(key)
        pointer = decode_pointer(body, key)
        if pointer_key(pointer.site_id) != key:
            raise CorruptObject(f"{key} speaks of site {pointer.site_id}.")
        old = self._releases.get(key)
        if old is None or pointer.generation > old.pointer.generation:
            self._releases[key] = load_release(self._store.get, pointer, old)
        self._etags[key] = etag

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            list(self._releases.values()), default_site=self._default_site, local_names=self._local_names
        )


def load_release(get: Callable[[str], bytes], pointer: Pointer, old: SiteRelease | None) -> SiteRelease:
    """Reads the root, and the shards that the old release does not have. Raises what `load_root` does."""
    root = load_root(get, pointer.root)
    known = {old.root.shards[shard]: kept for shard, kept in old.shards.items()} if old else {}
    shards = {
        shard: known.get(name) or Shard(name, get(shard_key(name))) for shard, name in root.shards.items()
    }
    return SiteRelease(pointer, root, shards)


def _newest_of_each_slug(releases: list[SiteRelease]) -> list[SiteRelease]:
    """Sorted by age. Under a slug only the newest site counts.

    Two sites of one slug meet in a store that outlived its database: a new one gave the slug to a new site.
    """
    by_age = sorted(releases, key=lambda release: release.pointer.site_id)
    newest = {release.root.slug: release for release in by_age}
    return [release for release in by_age if newest[release.root.slug] is release]


def _default(releases: list[SiteRelease], slug: str | None) -> SiteRelease | None:
    """The site that is configured, or the oldest: ids are UUIDv7, which sort by age."""
    wanted = [release for release in releases if slug in {None, release.root.slug}]
    return wanted[0] if wanted else None
