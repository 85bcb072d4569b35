"""Every call of the S3 service in turn goes wrong during a publish, once or from then on.

Once is healed by repeating. From then on, the publish fails with a sentence that names the call, and the live
site stays; when the service is back, the next publish ends in the manifest of an undisturbed one.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import msgspec
import pytest

from app.kit.ids import new_id
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage import s3_uploads
from app.storage.facade import AsyncStore
from app.storage.s3 import S3Store
from app.storage.s3_address import Address
from app.storage.s3_calls import Patience
from app.storage.store import StoreUnavailable
from tests.conftest import Database
from tests.faults.ends import Undisturbed, check_end
from tests.faults.reader import Mixed, check_whole, see_whole
from tests.faults.saved import Saved, SavedBucket, superuser_of
from tests.faults.scenarios import SCENARIOS
from tests.publishing.world import World, visible, world
from tests.storage.ceph import Ceph
from tests.storage.proxy import Call, Headers, Proxy, running_proxy

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]
FAULTS = ("reset", "reset-after", "500", "503", "hang", "cut", "short")
OF_BODIES = {"short"}
CARRIED_OUT = {"reset-after", "cut"}
PATIENCE = Patience(attempts=3, first_pause=0.001, longest_pause=0.01, read=10)
HASTE = msgspec.structs.replace(PATIENCE, read=0.3)
"""For what hangs."""


class Bucket:
    """A site in a bucket; its publisher goes through the proxy, its readers do not."""

    def __init__(self, address: Address, proxy: Proxy, here: World, site: UUID, saved: Saved) -> None:
        self.proxy = proxy
        self.here = here
        self.site = site
        self._address = address
        self._saved = saved
        self._stored = SavedBucket(here.store)
        self._now = here.now

    async def bring_back(self) -> None:
        await self._saved.bring_back()
        self._stored.bring_back()
        self.here.now = self._now
        self.proxy.calm()

    async def publish(self, patience: Patience = PATIENCE) -> None:
        """A new process would not know the service any better."""
        store = AsyncStore(S3Store(self._address, patience=patience), threads=1)
        await publish(msgspec.structs.replace(self.here.engine, store=store), self.site, report=Silent())

    async def undisturbed(self) -> tuple[Undisturbed, list[Call]]:
        await self.bring_back()
        before = await see_whole(self.here.store)
        await self.publish()
        calls = list(self.proxy.calls)
        after = await see_whole(self.here.store)
        return Undisturbed([], before, after, visible(self.here.entries(self.site))), calls


@pytest.fixture(scope="module")
def proxy(ceph: Ceph) -> Iterator[Proxy]:
    with running_proxy(ceph.port) as running:
        yield running


@pytest.fixture
async def bucket(ceph: Ceph, proxy: Proxy, database: Database) -> AsyncIterator[Bucket]:
    name = ceph.new_bucket(is_open=True)
    superuser = await superuser_of(database)
    try:
        async with world(database, S3Store(ceph.address(name))) as here:
            site = new_id()
            for change in SCENARIOS["edit"].before:
                await change(here, site)
            saved = Saved(superuser)
            await saved.save()
            yield Bucket(ceph.address(name, port=proxy.port), proxy, here, site, saved)
    finally:
        proxy.calm()
        await superuser.close()


class Calls:
    """Picks calls by their number, counted from 1."""

    def __init__(self, first: int) -> None:
        self._left = first

    def __call__(self, _: Call) -> bool:
        self._left -= 1
        return self._left <= 0


def numbers(fault: str, calls: list[Call]) -> list[int]:
    """Of the calls that the fault can befall."""
    return [number for number, call in enumerate(calls, 1) if fault not in OF_BODIES or call.method == "PUT"]


def patience(fault: str) -> Patience:
    return HASTE if fault == "hang" else PATIENCE


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_call_spoiled_once_is_repeated(bucket: Bucket, fault: str) -> None:
    known, calls = await bucket.undisturbed()
    for number in numbers(fault, calls):
        await bucket.bring_back()
        bucket.proxy.spoil(fault, Calls(number))
        await bucket.publish(patience(fault))
        assert bucket.proxy.spoiled_all
        assert visible(bucket.here.entries(bucket.site)) == known.manifest
    await check_end(bucket.here, bucket.site, known)


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_call_spoiled_for_good_leaves_the_live_site(bucket: Bucket, fault: str) -> None:
    known, calls = await bucket.undisturbed()
    flip = flip_of(calls)
    for number in numbers(fault, calls):
        await bucket.bring_back()
        bucket.proxy.spoil(fault, Calls(number), times=1_000_000)
        with pytest.raises(StoreUnavailable) as caught:
            await bucket.publish(patience(fault))
        spoiled = bucket.proxy.calls[number - 1 :]
        assert any(names(str(caught.value), call) for call in that_may_be_named(spoiled))
        assert ("not known whether" in str(caught.value)) == (number >= flip - 1)
        is_done = number > flip or (number == flip and fault in CARRIED_OUT)
        await check_whole(bucket.here.store, [known.after if is_done else known.before])
        await check_failed(bucket)
        bucket.proxy.calm()
        await bucket.here.publish(bucket.site)
        await check_end(bucket.here, bucket.site, known)


def that_may_be_named(spoiled: list[Call]) -> list[Call]:
    """The first, unless it removes an object of the probes, which may stay, or is one of many at a time."""
    first = next(call for call in spoiled if call.method != "DELETE")
    return [call for call in spoiled if call.method == "HEAD"] if first.method == "HEAD" else [first]


def names(sentence: str, call: Call) -> bool:
    """Whether the sentence tells where, which call and which object."""
    verbs = {"GET": "read", "PUT": "write", "DELETE": "delete", "HEAD": "look at"}
    path, query = unquote(urlsplit(call.path).path), parse_qs(urlsplit(call.path).query)
    verb, what = ("list", query["prefix"][0]) if "prefix" in query else (verbs[call.method], path)
    found = re.match(r"The object store at http://\S+, bucket \S+, could not (.+?) (\S+): ", sentence)
    return found is not None and found[1] == verb and what.endswith(found[2])


def flip_of(calls: list[Call]) -> int:
    """The number of the call that writes the pointer."""
    [found] = [n for n, call in enumerate(calls, 1) if call.method == "PUT" and "/live/" in call.path]
    return found


async def check_failed(bucket: Bucket) -> None:
    """The row of the release, if it came to one."""
    rows = await bucket.here.run(bucket.site, "SELECT state, error FROM releases WHERE number > 1")
    assert {row["state"] for row in rows} <= {"failed"}
    assert all(row["error"].startswith("The object store") for row in rows)


async def test_the_control_that_does_not_repeat(bucket: Bucket) -> None:
    _, calls = await bucket.undisturbed()
    for number in [n for n in range(1, flip_of(calls) + 1) if calls[n - 1].method != "DELETE"]:
        await bucket.bring_back()
        bucket.proxy.spoil("503", Calls(number))
        with pytest.raises(StoreUnavailable):
            await bucket.publish(msgspec.structs.replace(PATIENCE, attempts=1))


async def test_a_service_that_cuts_what_it_stores_is_found_out(bucket: Bucket) -> None:
    """It checks neither signature nor checksum; what it says it wrote is compared."""
    known, calls = await bucket.undisturbed()
    with careless(bucket.proxy):
        for number in objects_of(calls):
            await bucket.bring_back()
            bucket.proxy.spoil("stunted", Calls(number))
            with pytest.raises(StoreUnavailable, match="it says that it stored something else"):
                await bucket.publish()
            await check_whole(bucket.here.store, [known.before])
            await bucket.here.publish(bucket.site)
            await check_end(bucket.here, bucket.site, known)


async def test_the_control_that_believes_the_service(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    known, calls = await bucket.undisturbed()
    monkeypatch.setattr(s3_uploads, "_has_md5", lambda _: False)
    found: list[bool] = []
    with careless(bucket.proxy):
        for number in objects_of(calls):
            await bucket.bring_back()
            bucket.proxy.spoil("stunted", Calls(number))
            await bucket.publish()
            found.append(await is_whole(bucket, known))
    assert found == [False] * len(found)


async def is_whole(bucket: Bucket, known: Undisturbed) -> bool:
    try:
        await check_whole(bucket.here.store, [known.after])
    except Mixed:
        return False
    return True


def objects_of(calls: list[Call]) -> list[int]:
    """The numbers of the calls that write what a visitor's browser asks for, not packed."""
    return [
        number
        for number, call in enumerate(calls, 1)
        if call.method == "PUT" and re.search(r"/blobs/[0-9a-f]{64}$", call.path)
    ]


@contextmanager
def careless(proxy: Proxy) -> Iterator[None]:
    def unchecked(headers: Headers) -> Headers:
        return [pair for pair in headers if pair[0].lower() != "content-md5"]

    proxy.rewrite = unchecked
    try:
        yield
    finally:
        proxy.rewrite = None
