"""Services differ in how they compare, and some do not compare at all."""

from collections.abc import Callable, Iterator

import pytest

from app.storage.s3 import S3Store
from app.storage.store import PreconditionFailed, StoreUnavailable
from tests.storage.ceph import Ceph
from tests.storage.proxy import Headers, Proxy, running_proxy

TEXT = "text/plain"
KEY = "live/a.json"


@pytest.fixture
def proxy(ceph: Ceph) -> Iterator[Proxy]:
    with running_proxy(ceph.port) as running:
        yield running


@pytest.fixture
def store(ceph: Ceph, proxy: Proxy) -> S3Store:
    return S3Store(ceph.address(ceph.new_bucket(is_open=True), port=proxy.port))


def without(*names: str) -> Callable[[Headers], Headers]:
    return lambda headers: [pair for pair in headers if pair[0].lower() not in names]


def quoted_only(headers: Headers) -> Headers:
    """As AWS reads If-Match: an etag without quotes is none. Ceph, behind this, reads it without."""
    return [
        (name, value.strip('"') if value.startswith('"') else "other")
        if name == "If-Match"
        else (name, value)
        for name, value in headers
    ]


@pytest.mark.parametrize("rewrite", [None, quoted_only], ids=["bare", "quoted"])
def test_the_way_of_writing_an_etag_is_found_out(
    store: S3Store, proxy: Proxy, rewrite: Callable[[Headers], Headers] | None
) -> None:
    proxy.rewrite = rewrite
    etag = store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    newer = store.put(KEY, b"two", content_type=TEXT, if_match=etag)
    with pytest.raises(PreconditionFailed):
        store.put(KEY, b"three", content_type=TEXT, if_match=etag)
    assert store.get_with_etag(KEY) == (b"two", newer)


def test_the_service_is_asked_once_and_nothing_stays_behind(store: S3Store, proxy: Proxy) -> None:
    store.put("blobs/a", b"1", content_type=TEXT, if_none_match=True)
    asked = [call for call in proxy.calls if "/probes/" in call.path]
    store.put("blobs/b", b"1", content_type=TEXT, if_none_match=True)
    store.put("blobs/b", b"2", content_type=TEXT, if_match=store.stat("blobs/b").etag)
    assert asked
    assert [call for call in proxy.calls if "/probes/" in call.path] == asked
    assert [stored.key for stored in store.list("")] == ["blobs/a", "blobs/b"]


def test_who_only_reads_or_overwrites_asks_nothing(store: S3Store, proxy: Proxy) -> None:
    store.put("blobs/a", b"1", content_type=TEXT)
    store.get("blobs/a")
    assert not [call for call in proxy.calls if "/probes/" in call.path]


@pytest.mark.parametrize("ignored", [("if-none-match", "if-match"), ("if-none-match",), ("if-match",)])
def test_a_service_that_ignores_conditions_is_refused_for_what_compares(
    store: S3Store, proxy: Proxy, ignored: tuple[str, ...]
) -> None:
    proxy.rewrite = without(*ignored)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="does not hold to If-None-Match and If-Match"):
            store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    with pytest.raises(StoreUnavailable, match="two publishers could overwrite each other"):
        store.put(KEY, b"one", content_type=TEXT, if_match="x")
    store.put(KEY, b"one", content_type=TEXT)
    assert [stored.key for stored in store.list("")] == [KEY]


def test_a_service_that_cannot_be_asked_is_asked_again(store: S3Store, proxy: Proxy) -> None:
    proxy.spoil("expired", lambda call: "/probes/" in call.path, times=2)
    with pytest.raises(StoreUnavailable, match="expired"):
        store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    assert store.get(KEY) == b"one"


@pytest.mark.parametrize("fault", ["reset-after", "500-after", "cut"])
def test_lost_answers_do_not_spoil_the_finding_out(store: S3Store, proxy: Proxy, fault: str) -> None:
    for number in range(7):
        proxy.spoil(fault, lambda call: "/probes/" in call.path, times=number % 2)
    store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    etag = store.stat(KEY).etag
    store.put(KEY, b"two", content_type=TEXT, if_match=etag)
    assert proxy.spoiled_all


@pytest.mark.parametrize("fault", ["reset", "reset-after", "503"])
@pytest.mark.parametrize("number", range(1, 7))
def test_no_single_lost_answer_makes_it_err(store: S3Store, proxy: Proxy, fault: str, number: int) -> None:
    """A refusal after a lost answer may speak of the lost attempt or of this one."""
    seen = iter(range(1, 100))
    proxy.spoil(fault, lambda call: "/probes/" in call.path and next(seen) == number)
    store.put(KEY, b"one", content_type=TEXT, if_none_match=True)
    store.put(KEY, b"two", content_type=TEXT, if_match=store.stat(KEY).etag)
    assert proxy.spoiled_all
    assert store.get(KEY) == b"two"
