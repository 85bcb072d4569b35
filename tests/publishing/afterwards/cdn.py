"""A content delivery network in small: it asks the real gateway, and keeps what it got until it is purged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from app.publishing.gateway.asgi import Gateway
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore
from tests.publishing.afterwards.service import Reply, Sent, Service
from tests.publishing.gateway.world import Reply as Served
from tests.publishing.gateway.world import ask

SECONDS = 30


class Cdn:
    """Answers GET for its origin, and POST as the receiver of purges. It runs in the test's event loop."""

    def __init__(self, gateway: Gateway, origin: Service) -> None:
        self.gateway = gateway
        self.kept: dict[tuple[str, str], Reply] = {}
        self.is_deaf = False
        """Takes purges and forgets nothing."""
        self.lag = 0
        """So many answers later the gateway behind it learns of a new release, and what was kept expires."""
        self.asked: list[str] = []
        self._loop = asyncio.get_running_loop()
        origin.answer = self.answer

    def answer(self, sent: Sent) -> Reply:
        """In a thread of the service."""
        if sent.method == "POST":
            self._forget(sent)
            return Reply()
        self.asked.append(sent.path)
        if self.lag:
            self.lag -= 1
            self.kept = self.kept if self.lag else {}
        key = (sent.path, sent.headers.get("accept-encoding", ""))
        if key not in self.kept:
            self.kept[key] = asyncio.run_coroutine_threadsafe(self._fetch(*key), self._loop).result(SECONDS)
        return self.kept[key]

    def _forget(self, sent: Sent) -> None:
        data = sent.json["data"]
        paths = {urlsplit(url).path for url in data["urls"]}
        if not self.is_deaf:
            self.kept = {
                key: reply
                for key, reply in self.kept.items()
                if not data["everything"] and key[0] not in paths
            }

    async def _fetch(self, path: str, coding: str) -> Reply:
        if not self.lag:
            await self.gateway.refresh()
        served: Served = await ask(self.gateway, path, accept_encoding=coding)
        return Reply(served.status, served.headers, served.body)


@asynccontextmanager
async def running_cdn(store: ObjectStore, service: Service) -> AsyncIterator[Cdn]:
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    yield Cdn(gateway, service)
