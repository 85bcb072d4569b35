"""The one way into a blocking store from the event loop."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

import msgspec
from anyio import CapacityLimiter, create_task_group, to_thread

from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectStore, PreconditionFailed, Stored

T = TypeVar("T")


class Item(msgspec.Struct, frozen=True):
    key: str
    body: bytes
    content_type: str


class AsyncStore:
    """The verbs of ObjectStore in threads of their own, so that a slow store never starves other threads."""

    def __init__(self, store: ObjectStore, *, threads: int = 16) -> None:
        self.store = store
        self._limiter = CapacityLimiter(threads)
        # A store of this very machine waits for nothing: more threads would only take turns.
        self._writers = 1 if isinstance(store, FileStore | MemoryStore) else threads

    async def get(self, key: str) -> bytes:
        return await self.run(partial(self.store.get, key))

    async def get_with_etag(self, key: str) -> tuple[bytes, str]:
        return await self.run(partial(self.store.get_with_etag, key))

    async def stat(self, key: str) -> Stored:
        return await self.run(partial(self.store.stat, key))

    async def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,
    ) -> str:
        return await self.run(
            partial(
                self.store.put,
                key,
                body,
                content_type=content_type,
                if_none_match=if_none_match,
                if_match=if_match,
                durable=durable,
            )
        )

    async def list(self, prefix: str) -> list[Stored]:
        return await self.run(lambda: list(self.store.list(prefix)))

    async def delete(self, key: str) -> None:
        await self.run(partial(self.store.delete, key))

    async def sync(self, keys: Iterable[str]) -> None:
        await self.run(partial(self.store.sync, keys))

    async def confirm(self, keys: Iterable[str]) -> None:
        """Has a store elsewhere prove what this process wrote; one of this machine has nothing to prove."""
        if self._writers > 1:
            await self.sync(keys)

    async def put_many(self, items: Iterable[Item]) -> set[str]:
        """Writes the items that the store does not have, and returns their keys.

        Keys must be named by content: one that is there is taken to be the same, unless its size differs,
        which a power cut can cause, and then it is written anew. The first failure stops all and is raised.
        """
        queue = _Queue(items)
        written: set[str] = set()
        failures: list[Exception] = []

        async def drain() -> None:
            try:
                written.update(await self.run(partial(_put_missing, self.store, queue)))
            except Exception as error:  # noqa: BLE001 - raised below, without the task group's wrapping
                queue.close()
                failures.append(error)

        async with create_task_group() as tasks:
            for _ in range(self._writers):
                tasks.start_soon(drain)
        if failures:
            raise failures[0]
        return written

    async def run(self, function: Callable[[], T]) -> T:
        """Calls what reads or writes the store many times, in one of the threads."""
        return await to_thread.run_sync(function, limiter=self._limiter)


class _Queue:
    """One iterator that many threads take from."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)

    def close(self) -> None:
        with self._lock:
            self._items = iter(())


def _put_missing(store: ObjectStore, items: Iterable[Item]) -> set[str]:
    return {item.key for item in items if _put_one(store, item)}


def _put_one(store: ObjectStore, item: Item) -> bool:
    try:
        store.put(item.key, item.body, content_type=item.content_type, if_none_match=True)
    except PreconditionFailed:
        if store.stat(item.key).size == len(item.body):
            return False
        store.put(item.key, item.body, content_type=item.content_type)
    return True
