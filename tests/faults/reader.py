"""Readers of a published site: each follows every link and asset that it is shown."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urljoin

import msgspec
from anyio import Event, sleep
from anyio.lowlevel import checkpoint

from app.publishing.gateway.asgi import Gateway, Message
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore

PAUSE = 0.005
"""Seconds between two requests of a reader, so that the publisher is not starved."""
UNKNOWN = "/no-such-page"
"""Answered by the site's own page for that."""
ENTRANCES = ("/", "/robots.txt", "/sitemap.xml", UNKNOWN)
LINKS = re.compile(rb'(?:(?:href|src)="|url\(["\']?|<loc>[a-z]+://[^/<]+)(/[^"\'#?)<]*)')


class Seen(msgspec.Struct, frozen=True):
    status: int
    release: int | None
    body: bytes
    links: frozenset[str]

    @property
    def content(self) -> tuple[int, str]:
        """The same in any release that shows the same."""
        return self.status, hashlib.sha256(self.body).hexdigest()[:16]


class Mixed(Exception):
    """A visitor met something that no whole release shows."""


async def ask(gateway: Gateway, path: str) -> Seen:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        raise AssertionError

    raw = path.encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": raw,
        "query_string": b"",
        "headers": [],
    }
    await gateway(scope, receive, send)
    headers = dict(messages[0]["headers"])
    body: bytes = messages[1]["body"]
    links = {link.decode() for link in LINKS.findall(body)}
    if b"location" in headers:
        links.add(urljoin(path, headers[b"location"].decode()))
    return Seen(
        status=messages[0]["status"],
        release=int(headers[b"hustings-release"]) if b"hustings-release" in headers else None,
        body=body,
        links=frozenset(links),
    )


async def crawl(gateway: Gateway) -> dict[str, Seen]:
    """What is found from the entrances on. Yields to other tasks after each page."""
    seen: dict[str, Seen] = {}
    waiting = list(ENTRANCES)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path] = await ask(gateway, path)
            waiting += seen[path].links
            await checkpoint()
    return seen


class Whole(msgspec.Struct, frozen=True):
    """All that a release shows, as an undisturbed publish made it."""

    found: Mapping[str, tuple[int, str]]
    """By following links."""
    known: Mapping[str, tuple[int, str]]
    """The same, and what it answers at the paths of the release before or after it."""

    @property
    def paths(self) -> set[str]:
        return set(self.known)


async def see_whole(store: ObjectStore, others: Iterable[str] = ()) -> Whole:
    """Raises Mixed when a link leads nowhere, or when nothing is shown at all but an empty store."""
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    seen = await crawl(gateway)
    check_followed(seen)
    known = {path: (await ask(gateway, path)).content for path in {*seen, *others}}
    return Whole({path: one.content for path, one in seen.items()}, known)


def is_missing(path: str, one: Seen) -> bool:
    """Whether a link led there, and there is nothing."""
    return one.status not in {200, 301, 410} and path != UNKNOWN


def check_followed(seen: Mapping[str, Seen]) -> None:
    if len({one.release for one in seen.values()}) != 1:
        raise Mixed(f"several releases in one walk: { {path: one.release for path, one in seen.items()} }")
    bad = {path: one.status for path, one in seen.items() if is_missing(path, one)}
    is_empty = seen["/"].release is None
    if bad and not is_empty:
        raise Mixed(f"linked, and not there: {bad}")


async def check_whole(store: ObjectStore, wholes: Iterable[Whole]) -> int:
    """Which of them a visitor of a freshly started gateway sees. Raises Mixed."""
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    seen = await crawl(gateway)
    check_followed(seen)
    found = {path: one.content for path, one in seen.items()}
    for number, whole in enumerate(wholes):
        if whole.found == found:
            return number
    raise Mixed(f"a release that is neither the old nor the new one: {found}")


class Reader:
    """Walks through the site again and again, while a publisher is at work."""

    def __init__(self, store: ObjectStore, before: Whole, after: Whole) -> None:
        self._gateway = Gateway(AsyncStore(store))
        self._before = before
        self._after = after
        self._first: int | None = None
        self.walks = 0
        self.stopping = Event()

    async def start(self) -> None:
        await self._gateway.refresh()
        self._first = (await ask(self._gateway, "/")).release

    async def read(self) -> None:
        """Until it is told to stop. Raises Mixed."""
        while not self.stopping.is_set():
            await self._gateway.refresh()
            await self._walk()
            self.walks += 1

    async def _walk(self) -> None:
        """The release may change on the way: each answer has to be that of its own release."""
        seen: set[str] = set()
        waiting = list(ENTRANCES)
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            one = await ask(self._gateway, path)
            self._check(path, one)
            waiting += one.links
            await sleep(PAUSE)
            await self._gateway.refresh()

    def _check(self, path: str, one: Seen) -> None:
        whole = self._before if one.release == self._first else self._after
        if one.content != whole.known.get(path):
            raise Mixed(f"{path} of release {one.release} is {one.content}, not {whole.known.get(path)}")
        if is_missing(path, one) and one.release is not None:
            raise Mixed(f"{path} of release {one.release} answers {one.status}")
