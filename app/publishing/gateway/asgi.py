"""Serves what is published: an ASGI application that reads no database."""

from asyncio import create_task, wait
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from anyio import Event, Lock, move_on_after

from app.errors import AppError
from app.publishing.gateway.answers import Answer
from app.publishing.gateway.bodies import Bodies
from app.publishing.gateway.catalogue import Catalogue
from app.publishing.gateway.headers import Header
from app.publishing.gateway.negotiation import Coding, preferred_codings
from app.publishing.gateway.paths import path_location
from app.publishing.gateway.recent import Recent
from app.publishing.gateway.respond import CONDITIONS, Request, respond
from app.storage.facade import AsyncStore

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Messages = tuple[Message, Message]
Key = tuple[int, bytes, tuple[Coding, ...]]

logger = structlog.get_logger(__name__)

_UNCONDITIONAL: dict[bytes, bytes] = {}
_MEBIBYTE = 1024 * 1024
_WEIGHT = 2_000
"""Bytes of an answer beside its body, roughly."""


class Gateway:
    """Answers GET and HEAD for every site that has a pointer in `store`.

    It knows nothing until `refresh` has run, and serves the releases of the last `refresh` while the store is
    away. `default_site` is the slug of the site for unknown hosts; without it the oldest. With `local_names`
    a site also answers to <slug>.localhost. `cache_bytes` bounds what is kept of bodies in memory.

    Messages handed to `send` are shared between requests: whoever wraps it must copy before changing them.
    """

    def __init__(
        self,
        store: AsyncStore,
        *,
        default_site: str | None = None,
        local_names: bool = True,
        cache_bytes: int = 64 * _MEBIBYTE,
    ) -> None:
        self._store = store
        self._catalogue = Catalogue(store.store, default_site=default_site, local_names=local_names)
        self._bodies = Bodies(store, cache_bytes // 2)
        self._ready: Recent[Key, Messages] = Recent(cache_bytes // 2, _weigh)
        self._codings: Recent[bytes, tuple[Coding, ...]] = Recent(1_000)
        self._refreshing = Lock()
        self._notified = Event()
        self._is_store_away = False

    @property
    def releases(self) -> dict[str, int]:
        """Slug to release number, of every site that is served."""
        return {release.root.slug: release.root.number for release in self._catalogue.snapshot.releases}

    async def refresh(self) -> bool:
        """Follows the pointers; says whether anything changed. A broken store is logged once, not raised."""
        async with self._refreshing:
            try:
                changed = await self._store.run(self._catalogue.read)
            except AppError as error:
                if not self._is_store_away:
                    logger.warning("store_away", reason=str(error))
                self._is_store_away = True
                return False
            if self._is_store_away:
                logger.info("store_back")
            self._is_store_away = False
            if changed:
                logger.info("releases_served", **self.releases)
            return changed

    def notify(self) -> None:
        """Asks the running gateway to refresh at once; to be called in the event loop."""
        self._notified.set()

    @asynccontextmanager
    async def run(self, every: float = 0.5) -> AsyncIterator[None]:
        """Refreshes, then again after `every` seconds or `notify`, as long as the context is open."""
        await self.refresh()
        polling = create_task(self._poll(every))
        try:
            yield
        finally:
            polling.cancel()
            await wait([polling])

    async def _poll(self, every: float) -> None:
        while True:
            with move_on_after(every):
                await self._notified.wait()
            self._notified = Event()
            try:
                await self.refresh()
            except Exception:
                logger.exception("refresh_failed")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - of ASGI
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})
            return
        host, accept, conditions = _read_headers(scope["headers"])
        site = self._catalogue.snapshot.site(host)
        codings = self._codings.get(accept) or self._negotiate(accept)
        path = scope.get("raw_path") or path_location(scope["path"], b"")
        key = (site.token, path, codings) if site and not conditions and scope["method"] == "GET" else None
        messages = self._ready.get(key) if key else None
        if messages is None:
            request = Request(scope["method"], path, scope["query_string"], codings, conditions)
            answer = await respond(site, request, self._bodies)
            messages = _messages(answer, request.method)
            if key and answer.is_lasting:
                self._ready.put(key, messages)
        await send(messages[0])
        await send(messages[1])

    def _negotiate(self, accept: bytes) -> tuple[Coding, ...]:
        codings = preferred_codings(accept)
        self._codings.put(accept, codings)
        return codings


def _read_headers(headers: Iterable[Header]) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """Host, Accept-Encoding, and what makes a request conditional; a header given twice is joined."""
    host = accept = b""
    conditions = _UNCONDITIONAL
    for name, value in headers:
        if name == b"host":
            host = value
        elif name == b"accept-encoding":
            accept = accept + b"," + value if accept else value
        elif name in CONDITIONS:
            joined = conditions[name] + b"," + value if name in conditions else value
            conditions = {**conditions, name: joined}
    return host, accept, conditions


def _messages(answer: Answer, method: str) -> Messages:
    return (
        {"type": "http.response.start", "status": answer.status, "headers": answer.headers},
        {"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body},
    )


def _weigh(messages: Messages) -> int:
    return _WEIGHT + len(messages[1]["body"])
