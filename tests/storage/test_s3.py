"""What the S3 store owes beyond the contract, against a real service through a proxy that spoils calls."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import urllib3

from app.storage.s3 import S3Store
from app.storage.s3_address import parse_address
from app.storage.s3_calls import Patience
from app.storage.store import ObjectNotFound, ObjectStore, PreconditionFailed, StoreUnavailable
from tests.storage.ceph import SECRET, Ceph
from tests.storage.proxy import Call, Proxy, running_proxy

TEXT = "text/plain; charset=utf-8"
FAULTS = ["reset", "reset-after", "hang", "hang-after", "cut", "500", "500-after", "503"]
LARGE = os.urandom(6_000_000)
KEY = "live/a.json"


class Scene:
    """A bucket, reached directly and through a proxy."""

    def __init__(self, ceph: Ceph, proxy: Proxy) -> None:
        self.ceph = ceph
        self.proxy = proxy
        self.bucket = ceph.new_bucket()
        self.direct = S3Store(ceph.address(self.bucket))

    def through(self, patience: Patience) -> S3Store:
        address = self.ceph.address(self.bucket, port=self.proxy.port)
        return S3Store(address, patience=patience, part_size=5 * 1024 * 1024)


@pytest.fixture
def scene(ceph: Ceph) -> Iterator[Scene]:
    with running_proxy(ceph.port) as proxy:
        yield Scene(ceph, proxy)


class Verb:
    """One way to use a store: what must be there before, what is done, what must be there after."""

    def __init__(
        self,
        act: Callable[[ObjectStore, str], object],
        *,
        before: bytes | None = b"before",
        after: bytes | None = b"before",
        spoiled: Callable[[Call], bool] = lambda call: "probes/" not in call.path,
    ) -> None:
        self.act = act
        self.before = before
        self.after = after
        self.spoiled = spoiled


VERBS = {
    "get": Verb(lambda store, _: store.get(KEY)),
    "stat": Verb(lambda store, _: store.stat(KEY)),
    "list": Verb(lambda store, _: list(store.list("live/"))),
    "delete": Verb(lambda store, _: store.delete(KEY), after=None),
    "put": Verb(lambda store, _: store.put(KEY, b"after", content_type=TEXT), after=b"after"),
    "put where nothing is": Verb(
        lambda store, _: store.put(KEY, b"after", content_type=TEXT, if_none_match=True),
        before=None,
        after=b"after",
    ),
    "put over what is known": Verb(
        lambda store, etag: store.put(KEY, b"after", content_type=TEXT, if_match=etag), after=b"after"
    ),
    **{
        f"put in parts, {name}": Verb(
            lambda store, _: store.put(KEY, LARGE, content_type=TEXT, if_none_match=True),
            before=None,
            after=LARGE,
            spoiled=spoiled,
        )
        for name, spoiled in {
            "at the begin": lambda call: call.path.endswith("?uploads="),
            "at a part": lambda call: "partNumber=2" in call.path,
            "at the end": lambda call: call.method == "POST" and "uploadId=" in call.path,
        }.items()
    },
}


def patience(fault: str, attempts: int) -> Patience:
    """Long for what comes, short for what hangs."""
    read = 1.0 if fault.startswith("hang") else 30.0
    return Patience(attempts=attempts, first_pause=0.01, longest_pause=0.05, read=read, total=60)


def body_of(store: ObjectStore) -> bytes | None:
    try:
        return store.get(KEY)
    except ObjectNotFound:
        return None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_is_spoiled_once_succeeds(scene: Scene, verb: str, fault: str) -> None:
    done = VERBS[verb]
    etag = "" if done.before is None else scene.direct.put(KEY, done.before, content_type=TEXT)
    scene.proxy.spoil(fault, done.spoiled)
    result = done.act(scene.through(patience(fault, 5)), etag)
    assert scene.proxy.spoiled_all
    assert body_of(scene.direct) == done.after
    if verb.startswith("put"):
        assert result == scene.direct.stat(KEY).etag


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
def test_control_without_repeating_the_same_call_fails_with_a_sentence(
    scene: Scene, verb: str, fault: str
) -> None:
    done = VERBS[verb]
    etag = "" if done.before is None else scene.direct.put(KEY, done.before, content_type=TEXT)
    scene.proxy.spoil(fault, done.spoiled)
    with pytest.raises(StoreUnavailable) as caught:
        done.act(scene.through(patience(fault, 1)), etag)
    sentence = str(caught.value)
    assert re.search(rf"bucket {scene.bucket}, could not \S+( \S+)? (live/a\.json|live/): ", sentence)
    assert SECRET not in sentence
    assert body_of(scene.direct) in {done.before, done.after}


@pytest.mark.parametrize(("attempts", "after"), [(5, LARGE), (1, None)], ids=["repeated", "control"])
def test_a_failure_after_the_status_of_success_is_a_failure(
    scene: Scene, attempts: int, after: bytes | None
) -> None:
    scene.proxy.spoil("late", VERBS["put in parts, at the end"].spoiled)
    with suppress(StoreUnavailable):
        scene.through(patience("", attempts)).put(KEY, LARGE, content_type=TEXT)
    assert scene.proxy.spoiled_all
    assert body_of(scene.direct) == after


def test_a_large_object_is_not_written_over_another(scene: Scene) -> None:
    scene.direct.put(KEY, b"theirs", content_type=TEXT)
    with pytest.raises(PreconditionFailed):
        scene.through(patience("", 5)).put(KEY, LARGE, content_type=TEXT, if_none_match=True)
    assert scene.direct.get(KEY) == b"theirs"


def test_a_service_that_stays_slow_is_given_up_with_a_sentence(scene: Scene) -> None:
    scene.proxy.spoil("503", times=1000)
    with pytest.raises(StoreUnavailable, match=r"could not read a: it answered 503 SlowDown \(5 attempts\)"):
        scene.through(patience("503", 5)).get("a")
    assert len(scene.proxy.calls) == 5


def test_no_attempt_starts_after_the_time_is_up(scene: Scene) -> None:
    scene.proxy.spoil("503", times=1000)
    with pytest.raises(StoreUnavailable):
        scene.through(Patience(attempts=100, first_pause=2, total=1)).get("a")
    assert len(scene.proxy.calls) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("expired", r"could not write a: the credentials have expired \(403 ExpiredToken\)\. Put new ones"),
        ("507", r"could not write a: it is full \(507 InsufficientStorage\)\. Make room"),
    ],
)
def test_what_repeating_cannot_help_is_not_repeated(scene: Scene, fault: str, sentence: str) -> None:
    scene.proxy.spoil(fault, times=1000)
    with pytest.raises(StoreUnavailable, match=sentence):
        scene.through(patience(fault, 5)).put("a", b"1", content_type=TEXT)
    assert len(scene.proxy.calls) == 1


def test_one_connection_serves_many_calls(scene: Scene) -> None:
    store = scene.through(patience("", 5))
    for number in range(20):
        store.put(f"blobs/{number}", b"1", content_type=TEXT)
    assert scene.proxy.connections == 1


def test_a_lost_answer_does_not_hide_that_somebody_else_was_first(scene: Scene) -> None:
    store = scene.through(patience("", 5))
    scene.direct.put(KEY, b"theirs", content_type=TEXT)
    scene.proxy.spoil("reset-after", lambda call: call.path.endswith(KEY))
    with pytest.raises(PreconditionFailed):
        store.put(KEY, b"ours", content_type=TEXT, if_none_match=True)
    assert scene.direct.get(KEY) == b"theirs"


def lies_about(call: Call) -> bool:
    return call.method == "PUT" and "probes/" not in call.path


@pytest.mark.parametrize("body", [b"after", LARGE], ids=["whole", "in parts"])
def test_a_service_that_says_it_wrote_something_else_is_not_believed(scene: Scene, body: bytes) -> None:
    """Nothing stays that a later publish would take for the right object."""
    scene.proxy.spoil("lie", lies_about)
    store = scene.through(patience("", 5))
    with pytest.raises(StoreUnavailable, match=rf"could not write {KEY}: it says that it stored something"):
        store.put(KEY, body, content_type=TEXT, if_none_match=True)
    assert body_of(scene.direct) is None


def test_a_lie_about_the_end_of_many_parts_is_found_too(scene: Scene) -> None:
    looked = iter([False, True])
    scene.proxy.spoil("lie", lambda call: call.method == "HEAD" and next(looked))
    store = scene.through(patience("", 5))
    with pytest.raises(StoreUnavailable, match=f"could not write {KEY}: it says that it stored something"):
        store.put(KEY, LARGE, content_type=TEXT, if_none_match=True)
    assert body_of(scene.direct) is None


def test_a_lie_about_the_pointer_deletes_nothing(scene: Scene) -> None:
    etag = scene.direct.put(KEY, b"before", content_type=TEXT)
    scene.proxy.spoil("lie", lies_about)
    with pytest.raises(StoreUnavailable):
        scene.through(patience("", 5)).put(KEY, b"after", content_type=TEXT, if_match=etag)
    assert scene.direct.get(KEY) == b"after"


def test_a_bucket_that_is_not_there_is_a_broken_store_and_not_an_empty_one(ceph: Ceph) -> None:
    store = S3Store(ceph.address("nowhere"))
    verbs: list[Callable[[], object]] = [
        lambda: store.get("a"),
        lambda: store.stat("a"),
        lambda: list(store.list("")),
        lambda: store.put("a", b"", content_type=TEXT),
        lambda: store.put("a", LARGE * 3, content_type=TEXT),
        lambda: store.delete("a"),
    ]
    for verb in verbs:
        with pytest.raises(StoreUnavailable, match=r"bucket nowhere, could not .* the bucket does not exist"):
            verb()


def test_wrong_credentials_are_a_sentence_without_the_secret(scene: Scene) -> None:
    store = S3Store(parse_address(scene.ceph.url(scene.bucket, secret="another-secret")))
    with pytest.raises(StoreUnavailable, match="does not accept the credentials") as caught:
        store.get("a")
    assert "another-secret" not in str(caught.value)


def test_a_full_bucket_is_a_sentence_and_changes_nothing(scene: Scene) -> None:
    scene.direct.put("a", b"before", content_type=TEXT)
    scene.ceph.limit(scene.bucket, objects=1)
    with pytest.raises(StoreUnavailable, match=r"could not write b: it is full \(403 QuotaExceeded\)"):
        scene.direct.put("b", b"2", content_type=TEXT)
    assert [stored.key for stored in scene.direct.list("")] == ["a"]


def test_nothing_listens_is_a_sentence(scene: Scene) -> None:
    store = S3Store(scene.ceph.address(scene.bucket, port=1), patience=patience("", 2))
    with pytest.raises(StoreUnavailable, match=r"cannot be reached \(2 attempts\)"):
        store.get("a")


def test_a_service_without_tls_is_a_sentence(scene: Scene) -> None:
    url = scene.ceph.url(scene.bucket).replace("s3+http:", "s3+https:")
    with pytest.raises(StoreUnavailable, match="TLS failed"):
        S3Store(parse_address(url)).get("a")


def test_listing_goes_on_where_a_page_ends(scene: Scene) -> None:
    keys = [f"blobs/{number:04}" for number in range(1005)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: scene.direct.put(key, b"", content_type=TEXT), keys))
    assert [stored.key for stored in scene.direct.list("")] == keys
    small = S3Store(scene.ceph.address(scene.bucket), page_size=335)
    assert [stored.key for stored in small.list("blobs/")] == keys


def test_content_type_and_body_come_back_at_a_signed_address(scene: Scene) -> None:
    scene.direct.put("a b".replace(" ", "-"), b"hello", content_type=TEXT)
    with urllib3.PoolManager(retries=False) as pool:
        signed = pool.request("GET", scene.direct.presign("a-b", 60))
        unsigned = pool.request("GET", scene.direct.presign("a-b", 60).partition("?")[0])
    assert (signed.status, signed.data, signed.headers["content-type"]) == (200, b"hello", TEXT)
    assert unsigned.status == 403


def test_a_signed_address_does_not_hold_the_secret_and_lives_at_most_a_week(scene: Scene) -> None:
    assert SECRET not in scene.direct.presign("a", 604_800)
    for seconds in (0, -1, 604_801):
        with pytest.raises(ValueError, match="from 1 second to 7 days"):
            scene.direct.presign("a", seconds)


def test_a_forked_process_uses_a_connection_of_its_own(scene: Scene) -> None:
    scene.direct.put("a", b"1", content_type=TEXT)
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os._exit(0 if scene.direct.get("a") == b"1" else 1)
        os._exit(2)
    bodies = {scene.direct.get("a") for _ in range(20)}
    assert os.waitpid(child, 0)[1] == 0
    assert bodies == {b"1"}


def test_the_store_does_not_show_its_secret(scene: Scene) -> None:
    assert scene.bucket in repr(scene.direct)
    assert SECRET not in repr(scene.direct) + repr(vars(scene.direct)["_calls"].address)
