"""What every object store must do. A new store is one more entry in STORES."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.s3 import S3Store
from app.storage.store import ObjectNotFound, ObjectStore, PreconditionFailed
from tests.storage.ceph import Ceph

TEXT = "text/plain; charset=utf-8"
STORES = ["memory", "file", "s3"]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        ceph: Ceph = request.getfixturevalue("ceph")
        return S3Store(ceph.address(ceph.new_bucket()))
    return MemoryStore() if request.param == "memory" else FileStore(tmp_path)


def test_what_was_put_is_what_is_got(store: ObjectStore) -> None:
    body = bytes(range(256)) * 300
    store.put("blobs/abc", body, content_type=TEXT)
    assert store.get("blobs/abc") == body


def test_an_empty_body_is_a_body(store: ObjectStore) -> None:
    store.put("blobs/empty", b"", content_type=TEXT)
    assert store.get("blobs/empty") == b""
    assert store.stat("blobs/empty").size == 0


def test_a_second_put_replaces_the_body_and_changes_the_etag(store: ObjectStore) -> None:
    first = store.put("live/a.json", b"one", content_type=TEXT)
    second = store.put("live/a.json", b"two", content_type=TEXT)
    assert first != second
    assert store.get_with_etag("live/a.json") == (b"two", second)


def test_many_quick_writes_of_one_length_never_share_an_etag(store: ObjectStore) -> None:
    etags = [store.put("live/a.json", b"%04d" % turn, content_type=TEXT) for turn in range(300)]
    assert len(set(etags)) == 300


def test_stat_says_size_etag_and_time(store: ObjectStore) -> None:
    etag = store.put("a", b"12345", content_type=TEXT)
    stored = store.stat("a")
    assert (stored.key, stored.size, stored.etag) == ("a", 5, etag)
    assert abs(stored.modified - datetime.now(UTC)) < timedelta(minutes=10)


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    for read in (store.get, store.get_with_etag, store.stat):
        with pytest.raises(ObjectNotFound, match="blobs/none"):
            read("blobs/none")


def test_a_folder_of_keys_is_not_an_object(store: ObjectStore) -> None:
    store.put("blobs/a", b"1", content_type=TEXT)
    with pytest.raises(ObjectNotFound):
        store.get("blobs")
    with pytest.raises(ObjectNotFound):
        store.get("blobs/a/b")
    store.delete("blobs")
    store.delete("blobs/a/b")
    assert store.get("blobs/a") == b"1"


def test_if_none_match_writes_only_where_nothing_is(store: ObjectStore) -> None:
    store.put("blobs/a", b"first", content_type=TEXT, if_none_match=True)
    with pytest.raises(PreconditionFailed):
        store.put("blobs/a", b"second", content_type=TEXT, if_none_match=True)
    assert store.get("blobs/a") == b"first"


def test_if_match_writes_only_over_the_body_that_was_read(store: ObjectStore) -> None:
    etag = store.put("live/a.json", b"one", content_type=TEXT)
    newer = store.put("live/a.json", b"two", content_type=TEXT, if_match=etag, durable=True)
    with pytest.raises(PreconditionFailed):
        store.put("live/a.json", b"three", content_type=TEXT, if_match=etag)
    assert store.get_with_etag("live/a.json") == (b"two", newer)


def test_if_match_over_nothing_fails(store: ObjectStore) -> None:
    with pytest.raises(PreconditionFailed):
        store.put("live/a.json", b"one", content_type=TEXT, if_match="x")
    assert list(store.list("")) == []


def test_list_is_recursive_sorted_and_takes_any_start_of_a_key(store: ObjectStore) -> None:
    keys = ["a-b", "a.c", "a/b", "a/b-c/d", "ab", "b/x/y"]
    for key in reversed(keys):
        store.put(key, key.encode(), content_type=TEXT)
    assert [stored.key for stored in store.list("")] == keys
    assert [stored.key for stored in store.list("a/")] == ["a/b", "a/b-c/d"]
    assert [stored.key for stored in store.list("a/b")] == ["a/b", "a/b-c/d"]
    assert [stored.key for stored in store.list("b/x/y")] == ["b/x/y"]
    assert list(store.list("nothing/here")) == []
    assert list(store.list("ab/c")) == []


def test_list_and_stat_agree(store: ObjectStore) -> None:
    store.put("live/a.json", b"one", content_type=TEXT)
    assert list(store.list("live/")) == [store.stat("live/a.json")]


def test_delete_is_idempotent(store: ObjectStore) -> None:
    store.put("a", b"1", content_type=TEXT)
    store.delete("a")
    store.delete("a")
    with pytest.raises(ObjectNotFound):
        store.get("a")


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.b", ".lock", "ä", "a b", "a\x00b", "a\n", "x" * 901],
)
def test_a_bad_key_is_refused_by_every_verb(store: ObjectStore, key: str) -> None:
    verbs: list[Callable[[], object]] = [
        lambda: store.get(key),
        lambda: store.get_with_etag(key),
        lambda: store.stat(key),
        lambda: store.put(key, b"", content_type=TEXT),
        lambda: store.delete(key),
        lambda: store.sync([key]),
    ]
    for verb in verbs:
        with pytest.raises(ValueError, match="not a key"):
            verb()


@pytest.mark.parametrize("prefix", ["../", "a/../b", ".incoming/", "ä", "a b"])
def test_a_bad_prefix_is_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        list(store.list(prefix))


def test_sync_of_few_and_of_many_objects_keeps_them(store: ObjectStore) -> None:
    keys = [f"blobs/{number:03}" for number in range(70)]
    for key in keys:
        store.put(key, key.encode(), content_type=TEXT)
    store.sync(keys[:3])
    store.sync(keys)
    assert [store.get(key) for key in keys] == [key.encode() for key in keys]


def test_of_many_threads_that_compare_and_swap_each_one_counts_once(store: ObjectStore) -> None:
    """The control below shows what they would lose."""
    store.put("live/count", b"0", content_type=TEXT)

    def add() -> None:
        turns = 0
        while turns < 25:
            body, etag = store.get_with_etag("live/count")
            with suppress(PreconditionFailed):
                store.put("live/count", b"%d" % (int(body) + 1), content_type=TEXT, if_match=etag)
                turns += 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("live/count") == b"100"


def test_control_two_readers_that_do_not_compare_lose_a_turn(store: ObjectStore) -> None:
    store.put("live/count", b"0", content_type=TEXT)
    first, second = store.get("live/count"), store.get("live/count")
    for seen in (first, second):
        store.put("live/count", b"%d" % (int(seen) + 1), content_type=TEXT)
    assert store.get("live/count") == b"1"
