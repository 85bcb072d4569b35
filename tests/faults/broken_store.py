"""A site on a real S3 service, published through a proxy that spoils calls and read past it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from app.publishing.chunk import LATER
from app.publishing.manifest import blob_digest, blob_key
from app.storage.s3 import S3Store
from app.storage.s3_address import parse_address
from app.storage.s3_calls import Patience
from app.storage.store import ObjectStore
from tests.conftest import Database
from tests.publishing.world import World, world
from tests.storage.ceph import Ceph
from tests.storage.proxy import Call, Proxy, running_proxy

PATIENCE = Patience(attempts=2, first_pause=0.01, read=30)


class Scene:
    def __init__(self, ceph: Ceph, proxy: Proxy, reader: World, bucket: str) -> None:
        self.ceph = ceph
        self.proxy = proxy
        self.reader = reader
        """Past the proxy, with rights of its own."""
        self.bucket = bucket
        self.user = f"publisher-{bucket}"
        self.renew_key()

    def renew_key(self) -> None:
        self.key = self.ceph.new_key(self.user)

    def publisher(self, *, patience: Patience = PATIENCE, port: int | None = None) -> World:
        """As the program would start now, with the key of now."""
        url = self.ceph.url(self.bucket, port=port or self.proxy.port, key=self.key)
        made = World(self.reader.pool, S3Store(parse_address(url), patience=patience))
        made.now = self.reader.now
        return made

    async def edit(self, site: UUID, summary: str) -> None:
        await self.reader.run(site, "UPDATE campaigns SET summary = $1", summary)

    async def last_release(self, site: UUID) -> tuple[str, str]:
        """State and error."""
        [row] = await self.reader.run(site, "SELECT state, error FROM releases ORDER BY number DESC LIMIT 1")
        return row["state"], row["error"]


@asynccontextmanager
async def broken_store(ceph: Ceph, database: Database) -> AsyncIterator[Scene]:
    bucket = ceph.new_bucket(is_open=True)
    with running_proxy(ceph.port) as proxy:
        async with world(database, S3Store(ceph.address(bucket))) as reader:
            yield Scene(ceph, proxy, reader, bucket)


async def one_campaign(reader: World) -> UUID:
    site = await reader.add_site()
    await reader.add_homepage(site)
    await reader.add_campaign(site, "clean-river")
    await reader.publish(site)
    return site


def is_write(call: Call, folder: str) -> bool:
    return call.method == "PUT" and f"/{folder}/" in call.path


def from_then_on(begins: Callable[[Call], bool]) -> Callable[[Call], bool]:
    """True for the call that begins it and for every later one."""
    begun: list[Call] = []

    def matches(call: Call) -> bool:
        if begun or begins(call):
            begun.append(call)
        return bool(begun)

    return matches


def before(begins: Callable[[Call], bool], act: Callable[[], None]) -> Callable[[Call], bool]:
    """Spoils nothing, and acts once, before the first such call is carried out."""
    acted: list[Call] = []

    def matches(call: Call) -> bool:
        if not acted and begins(call):
            acted.append(call)
            act()
        return False

    return matches


def check_whole(world: World, site: UUID) -> None:
    """Every object that the live release names is there, with the bytes that its name promises."""
    store: ObjectStore = world.store
    for path, entry in world.entries(site).items():
        if entry.blob is not None:
            body = store.get(blob_key(entry.blob))
            assert blob_digest(entry.content_type, body) == entry.blob, path
            assert all(
                store.stat(blob_key(entry.blob, coding)).size for coding in entry.encodings if coding != LATER
            ), path
