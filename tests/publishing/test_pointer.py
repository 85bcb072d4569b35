"""Flips: the newest generation wins, whoever comes last."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.publishing.manifest import CorruptObject
from app.publishing.pointer import Pointer, Superseded, flip, pointer_key, read_pointer
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.store import ObjectStore, PreconditionFailed, StoreUnavailable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = pointer_key("s1")


def pointer(generation: int, number: int | None = None) -> Pointer:
    return Pointer(
        site_id="s1",
        slug="demo",
        number=number or generation,
        generation=generation,
        root=f"releases/s1/{generation:08d}-{'0' * 64}.json.gz",
        activated_at=NOON,
    )


class RacedStore(MemoryStore):
    """Lets somebody else in between the reading and the writing of a flip, once."""

    def __init__(self, meanwhile: Callable[[ObjectStore], object]) -> None:
        super().__init__()
        self._meanwhile: Callable[[ObjectStore], object] | None = meanwhile

    def put(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        if_none_match: bool = False,
        if_match: str | None = None,
        durable: bool = False,
    ) -> str:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile(self)
        return super().put(
            key,
            body,
            content_type=content_type,
            if_none_match=if_none_match,
            if_match=if_match,
            durable=durable,
        )


def generation(store: ObjectStore) -> int:
    found = read_pointer(store, "s1")
    assert found is not None
    return found[0].generation


def test_before_the_first_release_there_is_no_pointer() -> None:
    assert read_pointer(MemoryStore(), "s1") is None


def test_what_was_flipped_is_what_is_read() -> None:
    store = MemoryStore()
    etag = flip(store, pointer(1))
    assert read_pointer(store, "s1") == (pointer(1), etag)


def test_a_rollback_is_an_older_release_with_a_newer_generation() -> None:
    store = MemoryStore()
    flip(store, pointer(7))
    flip(store, pointer(8, number=3))
    found = read_pointer(store, "s1")
    assert found is not None
    assert (found[0].number, found[0].generation) == (3, 8)


def test_an_older_generation_comes_too_late() -> None:
    store = MemoryStore()
    flip(store, pointer(2))
    with pytest.raises(Superseded, match=r"Generation 2 \(release 2\) of demo is live; generation 1 "):
        flip(store, pointer(1))
    assert generation(store) == 2


def test_two_flips_of_one_generation_cannot_both_win() -> None:
    store = MemoryStore()
    flip(store, pointer(2))
    with pytest.raises(Superseded):
        flip(store, pointer(2, number=99))


def test_repeating_a_flip_whose_answer_was_lost_succeeds() -> None:
    store = MemoryStore()
    assert flip(store, pointer(2)) == flip(store, pointer(2))


def test_a_race_lost_to_a_newer_generation_is_superseded() -> None:
    store = RacedStore(lambda store: flip(store, pointer(9)))
    with pytest.raises(Superseded):
        flip(store, pointer(5))
    assert generation(store) == 9


def test_a_race_lost_to_an_older_generation_is_tried_again() -> None:
    store = RacedStore(lambda store: flip(store, pointer(3)))
    flip(store, pointer(5))
    assert generation(store) == 5


def test_a_store_that_refuses_its_own_etag_is_given_up() -> None:
    class Refusing(MemoryStore):
        def put(self, key: str, body: bytes, **options: Any) -> str:
            if options.get("if_match"):
                raise PreconditionFailed(f"{key} was written by somebody else.")
            return super().put(key, body, **options)

    store = Refusing()
    flip(store, pointer(1))
    with pytest.raises(StoreUnavailable, match="over the etag it tells"):
        flip(store, pointer(2))


def test_control_a_put_that_does_not_compare_lowers_the_generation() -> None:
    store = RacedStore(lambda store: flip(store, pointer(9)))
    store.put(KEY, msgspec.json.encode(pointer(5)), content_type="application/json")
    assert generation(store) == 5


@given(st.lists(st.integers(1, 50), min_size=1, unique=True))
def test_in_any_order_the_highest_generation_ends_up_live(generations: list[int]) -> None:
    store = MemoryStore()
    live = 0
    for candidate in generations:
        with suppress(Superseded):
            flip(store, pointer(candidate))
        assert generation(store) >= live
        live = generation(store)
    assert live == max(generations)


def test_of_many_publishers_at_once_the_newest_ends_up_live_and_it_never_goes_back(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    flip(store, pointer(1))
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(generation(store))

    def publish(start: int) -> None:
        for candidate in range(start, 100, 4):
            with suppress(Superseded):
                flip(store, pointer(candidate))

    watcher = threading.Thread(target=watch)
    publishers = [threading.Thread(target=publish, args=(start,)) for start in (2, 3, 4, 5)]
    for thread in (watcher, *publishers):
        thread.start()
    for thread in publishers:
        thread.join()
    done.set()
    watcher.join()
    assert generation(store) == 99
    assert seen == sorted(seen)


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"\xff"])
def test_a_damaged_pointer_is_named_and_a_flip_writes_it_anew(body: bytes) -> None:
    store = MemoryStore()
    store.put(KEY, body, content_type="application/json")
    with pytest.raises(CorruptObject, match=KEY):
        read_pointer(store, "s1")
    flip(store, pointer(4))
    assert generation(store) == 4
