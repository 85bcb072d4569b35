"""Bodies come from the store once, and from memory then."""

import pytest
from anyio import Event, create_task_group

from app.publishing.gateway.bodies import Bodies
from app.publishing.gateway.catalogue import Served
from app.publishing.manifest import CorruptObject, blob_digest, blob_key
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectNotFound, StoreUnavailable

pytestmark = pytest.mark.anyio

NAME = blob_digest("text/plain", b"body")
PLAIN, BROTLI = blob_key(NAME), blob_key(NAME, "br")
ENTRY = Served(blob=NAME, content_type="text/plain", size=4, encodings=("br", "gz"))


class FlakyStore(MemoryStore):
    """Counts reads, and fails as often as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.failures = 0
        self.put(PLAIN, b"body", content_type="text/plain")

    def get(self, key: str) -> bytes:
        self.reads.append(key)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("The store is away.")
        return super().get(key)


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_body_is_read_once() -> None:
    store = FlakyStore()
    bodies = Bodies(AsyncStore(store), 1_000)
    assert await bodies.first(ENTRY, (None,)) == (None, b"body")
    assert await bodies.first(ENTRY, (None,)) == (None, b"body")
    assert store.reads == [PLAIN]


async def test_what_does_not_fit_is_read_each_time() -> None:
    store = FlakyStore()
    bodies = Bodies(AsyncStore(store), 6)
    for _ in range(2):
        assert await bodies.first(ENTRY, (None,)) == (None, b"body")
    assert store.reads == [PLAIN, PLAIN]


async def test_many_requests_at_once_read_it_once() -> None:
    store = FlakyStore()
    bodies = Bodies(AsyncStore(store), 1_000)
    results: list[bytes] = []

    async def ask() -> None:
        results.append((await bodies.first(ENTRY, (None,)))[1])

    async with create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert results == [b"body"] * 20
    assert store.reads == [PLAIN]


async def test_those_who_waited_for_a_reader_that_failed_read_for_themselves() -> None:
    store = FlakyStore()
    store.failures = 1
    bodies = Bodies(AsyncStore(store), 1_000)
    results: list[object] = []

    async def ask() -> None:
        try:
            results.append((await bodies.first(ENTRY, (None,)))[1])
        except StoreUnavailable:
            results.append("away")

    async with create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    assert sorted(map(str, results)) == ["away", "b'body'", "b'body'"]


async def test_a_reader_that_is_cancelled_holds_nobody_up() -> None:
    store = FlakyStore()
    started, done = Event(), Event()

    class SlowStore(AsyncStore):
        async def get(self, key: str) -> bytes:
            if not started.is_set():
                started.set()
                await done.wait()
            return await super().get(key)

    bodies = Bodies(SlowStore(store), 1_000)
    async with create_task_group() as tasks:
        tasks.start_soon(bodies.first, ENTRY, (None,))
        await started.wait()
        tasks.cancel_scope.cancel()
    assert await bodies.first(ENTRY, (None,)) == (None, b"body")


async def test_a_sibling_that_is_not_made_yet_is_looked_for_again_after_a_while() -> None:
    store, now = FlakyStore(), Time()
    bodies = Bodies(AsyncStore(store), 1_000, now)
    for _ in range(3):
        assert await bodies.first(ENTRY, ("br", None)) == (None, b"body")
    assert store.reads == [BROTLI, PLAIN]
    store.put(BROTLI, b"br", content_type="text/plain")
    assert await bodies.first(ENTRY, ("br", None)) == (None, b"body")
    now.seconds = 61
    assert await bodies.first(ENTRY, ("br", None)) == ("br", b"br")


async def test_a_coding_that_the_manifest_does_not_name_is_not_looked_for() -> None:
    store = FlakyStore()
    bodies = Bodies(AsyncStore(store), 1_000)
    plain = Served(blob=NAME, content_type="text/plain", size=4)
    assert await bodies.first(plain, ("br", "gz", None)) == (None, b"body")
    assert store.reads == [PLAIN]


async def test_missing_siblings_are_not_remembered_without_limit() -> None:
    bodies = Bodies(AsyncStore(FlakyStore()), 1_000)
    bodies._missing.update({str(number): 1e12 for number in range(10_000)})
    await bodies.first(ENTRY, ("br", None))
    assert list(bodies._missing) == [BROTLI]


async def test_a_missing_blob_and_a_torn_one_are_named() -> None:
    store = FlakyStore()
    store.put(PLAIN, b"bo", content_type="text/plain")
    with pytest.raises(CorruptObject, match=f"{PLAIN} has 2 bytes instead of 4"):
        await Bodies(AsyncStore(store), 1_000).first(ENTRY, (None,))
    store.delete(PLAIN)
    with pytest.raises(ObjectNotFound, match=PLAIN):
        await Bodies(AsyncStore(store), 1_000).first(ENTRY, (None,))
