"""What a release serves: path by path, in 256 shards that are named by their content.

A release is canonical: the same entries give the same bytes, however they came together. So an incremental
release equals a full one, and a change rewrites only the shards of the paths it touches.

    manifests/<sha256>.json.gz               {path: entry}, sorted by path; the hash is of the JSON inside
    releases/<site_id>/<number>-<sha256>.json.gz    the root: the site, and the hash of each shard
"""

import hashlib
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, timedelta
from typing import Literal, TypeVar

import msgspec
from isal import isal_zlib

from app.errors import AppError

FORMAT = 1
JSON_GZ = "application/gzip"
NOT_FOUND_PATH = "/404.html"
LONGEST_PATH = 1_000
GRACE = timedelta(days=30)
"""What is not wanted any more stays so long at least, for pages that are still open somewhere."""

Encoding = Literal["br", "gz"]
CacheClass = Literal["page", "immutable", "feed"]

_LEVEL = 1
_GZIP = 31
_BAD_PATH = re.compile(r"^(?!/)|//|[\x00-\x1f\x7f\\]|/\.{1,2}(?:/|$)")
_DIGEST = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


class CorruptObject(AppError):
    """An object's bytes are not those its name promises; the sentence names the key."""

    title = "An object in the store is damaged"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the gateway answers at one path."""

    status: Literal[200, 301, 404, 410] = 200
    """404 only at /404.html, whose body answers every unknown path."""
    blob: str | None = None
    """From `blob_digest`; a 410 may have one for its page, a 301 has none."""
    content_type: str = ""
    cache: CacheClass = "page"
    size: int = 0
    """Bytes of the identity body."""
    encodings: tuple[Encoding, ...] = ()
    """Which encoded siblings the store holds, in this order: br, gz. The br may still be to come."""
    location: str | None = None
    fingerprint: str = ""
    """Of the input that made the body; for the planner, the gateway ignores it."""
    gone_on: str | None = None
    """ISO date since when a 410 is gone, or since when no page needs an asset that answers 200."""
    links: tuple[str, ...] = ()
    """Paths of the site that the page links to, sorted, without those of the shell: when one of them goes
    away it is known who leads there. The gateway ignores it."""

    def __post_init__(self) -> None:
        if (self.location is not None) != (self.status == 301):
            raise ValueError("a redirect has a location, and nothing else has one")
        if self.blob is not None and (self.status == 301 or not _DIGEST.fullmatch(self.blob)):
            raise ValueError("a blob is named by 64 hexadecimal digits, and a redirect has none")
        if self.blob is None and self.status in (200, 404):
            raise ValueError("a page has a blob")
        if list(self.encodings) != sorted(set(self.encodings)):
            raise ValueError("encodings are sorted and named once")


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """One release of one site."""

    format: int = FORMAT
    site_id: str
    slug: str
    hosts: tuple[str, ...]
    base_url: str
    number: int
    shards: dict[str, str]
    """Two hexadecimal digits to the hash of the shard; empty shards are left out."""
    counts: dict[str, int]
    """Paths by status, as text."""
    retired: dict[str, str] = {}
    """Each shard with retired assets, to the date on which the first of them retired."""


Change = Entry | None
"""None takes the path out of the manifest."""


class Manifest:
    """An immutable map of paths to entries that reads a shard when it is first asked for.

    Not safe for threads while shards are still being read.
    """

    def __init__(
        self,
        shards: Mapping[str, str],
        counts: Mapping[str, int],
        *,
        read: Callable[[str], bytes],
        fresh: Mapping[str, bytes],
        retired: Mapping[str, str] | None = None,
    ) -> None:
        self.retired = dict(sorted((retired or {}).items()))
        self.shards = dict(sorted(shards.items()))
        self.counts = {status: count for status, count in sorted(counts.items()) if count}
        self._read = read
        self._fresh = fresh
        self._entries: dict[str, dict[str, Entry]] = {}

    @classmethod
    def empty(cls) -> "Manifest":
        return cls({}, {}, read=_read_nothing, fresh={})

    @classmethod
    def load(cls, get: Callable[[str], bytes], root_key: str) -> "Manifest":
        """`get` is `ObjectStore.get`, kept for the shards. Raises ObjectNotFound, CorruptObject."""
        root = load_root(get, root_key)
        return cls.of(root, get)

    @classmethod
    def of(cls, root: Root, get: Callable[[str], bytes]) -> "Manifest":
        return cls(root.shards, root.counts, read=get, fresh={}, retired=root.retired)

    def get(self, path: str) -> Entry | None:
        """None when the path is not in the manifest. Raises ObjectNotFound, CorruptObject."""
        return self._shard(shard_of(path)).get(path)

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Every path, shard by shard: in a fixed order, which is not that of the paths."""
        for shard in self.shards:
            yield from self._shard(shard).items()

    def expired(self, today: date) -> list[str]:
        """Assets that retired longer ago than the grace; reads only shards that hold one."""
        shards = [shard for shard, first in self.retired.items() if is_expired(first, today)]
        return sorted(
            path
            for shard in shards
            for path, entry in self._shard(shard).items()
            if is_retired(entry) and is_expired(entry.gone_on, today)
        )

    def scan(self, words: Collection[str] = ()) -> Iterator[tuple[str, Entry]]:
        """Like `items`, without keeping what is read: for a look at a large site.

        With words, shards in whose JSON none of them stands as a string are passed over.
        """
        marks = [msgspec.json.encode(word) for word in words]
        for shard, name in self.shards.items():
            body = self._fresh.get(name) or unpack(self._read(shard_key(name)), shard_key(name), name)
            if not marks or any(mark in body for mark in marks):
                yield from (self._entries.get(shard) or self._decode(name)).items()

    def __len__(self) -> int:
        return sum(self.counts.values())

    def apply(self, changes: Mapping[str, Change]) -> "Manifest":
        """The manifest with these changes; raises ValueError for a path that no page can have."""
        touched: dict[str, dict[str, Change]] = defaultdict(dict)
        for path, change in changes.items():
            touched[shard_of(check_path(path, change))][path] = change
        shards, counts, fresh = dict(self.shards), Counter(self.counts), dict(self._fresh)
        retired = dict(self.retired)
        for shard, part in touched.items():
            old = self._shard(shard)
            new = {path: entry for path, entry in (old | part).items() if entry is not None}
            counts.subtract(_count(old))
            counts.update(_count(new))
            shards.pop(shard, None)
            retired.pop(shard, None)
            retired |= _first_retired(shard, new)
            if new:
                body = encode_shard(new)
                shards[shard] = digest(body)
                fresh[shards[shard]] = body
        return Manifest(shards, counts, read=self._read, fresh=fresh, retired=retired)

    def objects(self, root: Root) -> dict[str, bytes]:
        """What to put so that `root`, made by `root_of` of this manifest, can be loaded: key to body.

        Only shards that `apply` made, the root last; all of JSON_GZ, all `if_none_match`.
        """
        fresh = {
            shard_key(name): pack(self._fresh[name]) for name in self.shards.values() if name in self._fresh
        }
        return fresh | {root_key(root): pack(encode_root(root))}

    def root_of(self, *, site_id: str, slug: str, hosts: tuple[str, ...], base_url: str, number: int) -> Root:
        return Root(
            site_id=site_id,
            slug=slug,
            hosts=hosts,
            base_url=base_url,
            number=number,
            shards=self.shards,
            counts=self.counts,
            retired=self.retired,
        )

    def _shard(self, shard: str) -> dict[str, Entry]:
        if shard not in self._entries:
            name = self.shards.get(shard)
            self._entries[shard] = {} if name is None else self._decode(name)
        return self._entries[shard]

    def _decode(self, name: str) -> dict[str, Entry]:
        if name in self._fresh:
            return msgspec.json.decode(self._fresh[name], type=dict[str, Entry])
        return load_shard(self._read, name)


def is_same(old: Change, new: Entry) -> bool:
    """Whether visitors get the same answer: fingerprint and links are for publishers alone."""
    if old is None:
        return False
    return old == msgspec.structs.replace(new, fingerprint=old.fingerprint, links=old.links)


def diff(old: Manifest, new: Manifest) -> dict[str, tuple[Change, Change]]:
    """Path to what was and what is, for each path where they differ; reads only shards that differ."""
    changed: dict[str, tuple[Change, Change]] = {}
    for shard in sorted(old.shards.keys() | new.shards.keys()):
        if old.shards.get(shard) == new.shards.get(shard):
            continue
        before, after = old._shard(shard), new._shard(shard)  # noqa: SLF001 - one class, one module
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                changed[path] = (before.get(path), after.get(path))
    return dict(sorted(changed.items()))


def is_retired(entry: Entry) -> bool:
    """An asset that answers although nothing needs it any more."""
    return entry.status == 200 and entry.gone_on is not None


def is_expired(gone_on: str | None, today: date) -> bool:
    return gone_on is not None and date.fromisoformat(gone_on) + GRACE < today


def split(entries: Mapping[str, Entry]) -> dict[str, bytes]:
    """Shard to canonical JSON: the whole manifest of these entries. Empty shards are left out."""
    parts: dict[str, dict[str, Entry]] = defaultdict(dict)
    for path, entry in entries.items():
        parts[shard_of(path)][path] = entry
    return {shard: encode_shard(part) for shard, part in sorted(parts.items())}


def check_path(path: str, change: Change = None) -> str:
    """The path itself, percent-decoded as the gateway will ask for it, or ValueError."""
    if _BAD_PATH.search(path) or len(path) > LONGEST_PATH or not path.isprintable():
        raise ValueError(f"no page can have the path {path[:80]!r}")
    if change is not None and (change.status == 404) != (path == NOT_FOUND_PATH):
        raise ValueError(f"{path!r}: the page for unknown paths, and no other, is at {NOT_FOUND_PATH}")
    return path


def shard_of(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:2]


def encode_shard(entries: Mapping[str, Entry]) -> bytes:
    return msgspec.json.encode(dict(sorted(entries.items())))


def encode_root(root: Root) -> bytes:
    return msgspec.json.encode(root)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def shard_key(name: str) -> str:
    return f"manifests/{name}.json.gz"


def root_key(root: Root) -> str:
    return f"releases/{root.site_id}/{root.number:08d}-{digest(encode_root(root))}.json.gz"


def load_root(get: Callable[[str], bytes], key: str) -> Root:
    """Raises ObjectNotFound, CorruptObject."""
    name = key.rpartition("-")[2].removesuffix(".json.gz")
    root = _load(get, key, name, Root)
    if root.format != FORMAT:
        raise CorruptObject(f"{key} has format {root.format}; this version of the program reads {FORMAT}.")
    return root


def load_shard(get: Callable[[str], bytes], name: str) -> dict[str, Entry]:
    """Raises ObjectNotFound, CorruptObject."""
    return _load(get, shard_key(name), name, dict[str, Entry])


def blob_digest(content_type: str, body: bytes) -> str:
    """The name of a blob: the same bytes of another content type are another blob."""
    return hashlib.sha256(content_type.encode() + b"\0" + body).hexdigest()


def blob_key(name: str, encoding: Encoding | None = None) -> str:
    return f"blobs/{name}.{encoding}" if encoding else f"blobs/{name}"


def pack(body: bytes) -> bytes:
    """Gzip without a time, at a fixed level."""
    packed: bytes = isal_zlib.compress(body, _LEVEL, _GZIP)
    return packed


def unpack(packed: bytes, key: str, name: str) -> bytes:
    """The JSON whose hash is `name`, or CorruptObject naming `key`."""
    try:
        body = zlib.decompress(packed, _GZIP)
    except zlib.error:
        raise CorruptObject(f"{key} is not gzip, or cut off. Restore it, or publish with --full.") from None
    if digest(body) != name:
        raise CorruptObject(f"{key} does not hold what its name says. Restore it, or publish with --full.")
    return body


def _load(get: Callable[[str], bytes], key: str, name: str, wanted: type[T]) -> T:
    body = unpack(get(key), key, name)
    try:
        return msgspec.json.decode(body, type=wanted)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CorruptObject(f"{key} cannot be read: {error}.") from None


def _count(entries: Mapping[str, Entry]) -> Counter[str]:
    return Counter(str(entry.status) for entry in entries.values())


def _first_retired(shard: str, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Nothing, or the shard and the first date: dates in ISO format sort by time."""
    dates = [entry.gone_on for entry in entries.values() if is_retired(entry) and entry.gone_on]
    return {shard: min(dates)} if dates else {}


def _read_nothing(key: str) -> bytes:
    raise AssertionError(key)
