"""Bodies of blobs, from memory or the store."""

import time
from collections.abc import Callable

from anyio import Event

from app.publishing.gateway.catalogue import Served
from app.publishing.gateway.negotiation import Coding
from app.publishing.gateway.recent import Recent
from app.publishing.manifest import CorruptObject, blob_key
from app.storage.facade import AsyncStore
from app.storage.store import ObjectNotFound

_LOOK_AGAIN = 60.0
"""Seconds after which a sibling that was missing is looked for again: brotli is made after the flip."""
_MOST_MISSING = 10_000


class Bodies:
    """Keeps up to `limit` bytes of blobs. Many requests for one blob read it once."""

    def __init__(self, store: AsyncStore, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._bodies: Recent[str, bytes] = Recent(limit, len)
        self._loading: dict[str, Event] = {}
        self._missing: dict[str, float] = {}

    async def first(self, entry: Served, codings: tuple[Coding, ...]) -> tuple[Coding, bytes]:
        """The body in the first of these codings that the store has, None being the last.

        Raises ObjectNotFound, CorruptObject, StoreUnavailable.
        """
        for coding in codings:
            if coding is not None and (body := await self._sibling(entry, coding)) is not None:
                return coding, body
        key = blob_key(entry.blob or "")
        body = await self._body(key)
        if len(body) != entry.size:
            raise CorruptObject(f"{key} has {len(body)} bytes instead of {entry.size}. Publish with --full.")
        return None, body

    async def _sibling(self, entry: Served, coding: Coding) -> bytes | None:
        key = blob_key(entry.blob or "", coding)
        if coding not in entry.encodings or self._missing.get(key, 0) > self._now():
            return None
        try:
            return await self._body(key)
        except ObjectNotFound:
            if len(self._missing) >= _MOST_MISSING:
                self._missing.clear()
            self._missing[key] = self._now() + _LOOK_AGAIN
            return None

    async def _body(self, key: str) -> bytes:
        while (body := self._bodies.get(key)) is None:
            if (loading := self._loading.get(key)) is not None:
                await loading.wait()
                continue
            return await self._load(key)
        return body

    async def _load(self, key: str) -> bytes:
        done = self._loading[key] = Event()
        try:
            body = await self._store.get(key)
            self._bodies.put(key, body)
            return body
        finally:
            del self._loading[key]
            done.set()
