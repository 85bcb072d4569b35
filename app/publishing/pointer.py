"""The pointer `live/<site_id>.json`: which release of a site is live. No other key is ever overwritten."""

from datetime import datetime

import msgspec

from app.errors import Conflict
from app.publishing.manifest import CorruptObject
from app.storage.store import ObjectNotFound, ObjectStore, PreconditionFailed, StoreUnavailable

PREFIX = "live/"
MOST_REFUSALS = 5
"""In a row, with one and the same etag: nobody writes in between, so that trying on would never end."""


class Superseded(Conflict):
    """A newer generation is live already; nothing was changed."""

    title = "Superseded by a newer release"


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    site_id: str
    slug: str
    number: int
    """Of the release: a rollback has a lower one than what it replaces."""
    generation: int
    """Of the flip: only ever grows."""
    root: str
    """Key of the release's root."""
    activated_at: datetime


def pointer_key(site_id: str) -> str:
    return f"{PREFIX}{site_id}.json"


def read_pointer(store: ObjectStore, site_id: str) -> tuple[Pointer, str] | None:
    """The pointer and its etag; None before the first release. Raises CorruptObject, StoreUnavailable."""
    key = pointer_key(site_id)
    try:
        body, etag = store.get_with_etag(key)
    except ObjectNotFound:
        return None
    return decode_pointer(body, key), etag


def decode_pointer(body: bytes, key: str) -> Pointer:
    try:
        return msgspec.json.decode(body, type=Pointer)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CorruptObject(f"{key} cannot be read: {error}. Activate a release to write it anew.") from None


def flip(store: ObjectStore, pointer: Pointer) -> str:
    """Makes `pointer` live unless a newer generation is, and returns the etag of what was written.

    Durable when it returns. Repeating a flip that succeeded succeeds again; a damaged pointer is overwritten.
    Raises Superseded when an equal or newer generation that is not this very pointer is live; raises
    StoreUnavailable when it is not known whether the flip took place: flip again, or read the pointer; and
    when the store refuses what it has told itself.
    """
    refused = 0
    before: str | None = None
    while True:
        current, etag = _current(store, pointer.site_id)
        if current is not None and current.generation >= pointer.generation:
            return _repeat(store, pointer, current, etag)
        refused = refused + 1 if etag == before else 1
        if refused > MOST_REFUSALS:
            raise StoreUnavailable(
                f"The object store refuses to write {pointer_key(pointer.site_id)} over the etag it tells. "
                "Nothing went live; look at the service's own log, then publish again."
            )
        before = etag
        try:
            written = _swap(store, pointer, etag)
        except PreconditionFailed:
            continue
        _confirm(store, pointer)
        return written


def _confirm(store: ObjectStore, pointer: Pointer) -> None:
    """A store that says it wrote the pointer is not believed until it shows it, or a newer one."""
    current, _ = _current(store, pointer.site_id)
    if current is None or current.generation < pointer.generation:
        raise StoreUnavailable(
            f"The object store says that it wrote {pointer_key(pointer.site_id)}, but does not give it back. "
            "Look at its own log, and at its disks."
        )


def _current(store: ObjectStore, site_id: str) -> tuple[Pointer | None, str | None]:
    key = pointer_key(site_id)
    try:
        body, etag = store.get_with_etag(key)
    except ObjectNotFound:
        return None, None
    try:
        return decode_pointer(body, key), etag
    except CorruptObject:
        return None, etag


def _repeat(store: ObjectStore, pointer: Pointer, current: Pointer, etag: str | None) -> str:
    if current != pointer or etag is None:
        raise Superseded(
            f"Generation {current.generation} (release {current.number}) of {current.slug} is live; "
            f"generation {pointer.generation} (release {pointer.number}) comes too late."
        )
    store.sync([pointer_key(pointer.site_id)])
    return etag


def _swap(store: ObjectStore, pointer: Pointer, etag: str | None) -> str:
    return store.put(
        pointer_key(pointer.site_id),
        msgspec.json.encode(pointer),
        content_type="application/json",
        if_none_match=etag is None,
        if_match=etag,
        durable=True,
    )
