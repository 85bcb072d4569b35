import threading
from pathlib import Path

import pytest
from anyio import create_task_group

from app.storage.facade import AsyncStore, Item
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectNotFound, PreconditionFailed, StoreUnavailable

TEXT = "text/plain"
pytestmark = pytest.mark.anyio


class ThreadedStore(MemoryStore):
    """Notes in which threads it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def get(self, key: str) -> bytes:
        self.threads.add(threading.get_ident())
        return super().get(key)


async def test_every_verb_does_what_the_store_does(tmp_path: Path) -> None:
    store = AsyncStore(FileStore(tmp_path))
    etag = await store.put("live/a", b"1", content_type=TEXT, if_none_match=True)
    assert await store.get("live/a") == b"1"
    assert await store.get_with_etag("live/a") == (b"1", etag)
    assert [await store.stat("live/a")] == await store.list("live/")
    with pytest.raises(PreconditionFailed):
        await store.put("live/a", b"2", content_type=TEXT, if_match="other")
    await store.put("live/a", b"2", content_type=TEXT, if_match=etag, durable=True)
    await store.sync(["live/a"])
    await store.delete("live/a")
    with pytest.raises(ObjectNotFound):
        await store.get("live/a")


async def test_the_store_is_never_called_in_the_event_loop() -> None:
    blocking = ThreadedStore()
    store = AsyncStore(blocking, threads=2)
    await store.put("a", b"1", content_type=TEXT)
    async with create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(store.get, "a")
    assert threading.get_ident() not in blocking.threads
    assert 1 <= len(blocking.threads) <= 3


async def test_put_many_writes_what_is_missing_and_says_what_it_wrote(tmp_path: Path) -> None:
    store = AsyncStore(FileStore(tmp_path))
    items = [Item(f"blobs/{number}", b"%d" % number, TEXT) for number in range(50)]
    await store.put_many(items[:20])
    assert await store.put_many(items) == {item.key for item in items[20:]}
    assert await store.put_many(items) == set()
    assert [stored.key for stored in await store.list("blobs/")] == sorted(item.key for item in items)


async def test_put_many_replaces_what_a_power_cut_left_torn(tmp_path: Path) -> None:
    store = AsyncStore(FileStore(tmp_path))
    await store.put("blobs/a", b"", content_type=TEXT)
    assert await store.put_many([Item("blobs/a", b"whole", TEXT)]) == {"blobs/a"}
    assert await store.get("blobs/a") == b"whole"


async def test_put_many_raises_the_first_failure_as_it_is(tmp_path: Path) -> None:
    store = AsyncStore(FileStore(tmp_path / "gone"))
    with pytest.raises(StoreUnavailable):
        await store.put_many([Item(f"blobs/{number}", b"", TEXT) for number in range(5)])
