"""What every place for a plain web server must do, and what a bucket's lease does."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import urllib3

from app.errors import ConfigurationError
from app.storage.s3 import S3Store
from app.storage.s3_calls import Patience
from app.storage.store import ObjectStore, StoreUnavailable
from app.storage.web import NameRefused, Taken, WebFile, WebPlace, check_name
from app.storage.web_bucket import WebBucket
from app.storage.web_folder import WebFolder
from app.storage.web_lease import KEY, LIFETIME, RENEWED_AFTER, BucketLease, Holder, space
from app.storage.web_urls import open_trees, open_web
from tests.storage.ceph import Ceph
from tests.storage.proxy import Proxy, running_proxy

HTML = "text/html; charset=utf-8"
NAMES = [
    "index.html",
    "campaigns/café/index.html",
    "campaigns/cafe\u0301/index.html",
    "מים נקיים/index.html",
    "a+b 100%/c&d=e;f,g/(h)'i'*!.html",
    "%2e%2e/~x/index.html",
    ".well-known/security.txt",
]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> WebPlace:
    if request.param == "folder":
        return WebFolder(tmp_path)
    ceph: Ceph = request.getfixturevalue("ceph")
    return WebBucket(ceph.address(ceph.new_bucket()))


def file(name: str, body: bytes = b"body", mark: str = "m1") -> WebFile:
    return WebFile(name=name, body=body, content_type=HTML, cache_control="no-cache", mark=mark)


def holds(place: WebPlace, name: str, body: bytes = b"body", mark: str = "m1") -> bool:
    return place.holds(name, mark, lambda found: found == body)


def test_files_of_every_name_are_held_apart(place: WebPlace) -> None:
    for number, name in enumerate(NAMES):
        assert not holds(place, name)
        place.put(file(name, b"%d" % number, f"mark-{number}"))
    place.settle(NAMES)
    for number, name in enumerate(NAMES):
        assert holds(place, name, b"%d" % number, f"mark-{number}"), name
    assert not holds(place, NAMES[0], b"1", "mark-1")


def test_a_file_is_overwritten_and_deleted(place: WebPlace) -> None:
    place.put(file("a/b/index.html"))
    place.put(file("a/b/index.html", b"anew", "m2"))
    assert not holds(place, "a/b/index.html")
    assert holds(place, "a/b/index.html", b"anew", "m2")
    for _ in range(2):
        place.delete("a/b/index.html")
    assert not holds(place, "a/b/index.html", b"anew", "m2")
    assert not holds(place, "a/b")


def test_a_place_is_empty_but_for_notes(place: WebPlace) -> None:
    assert place.is_empty()
    place.notes.put("_hustings/journal.json.gz", b"", content_type=HTML)
    assert place.is_empty()
    place.put(file("a/index.html"))
    assert not place.is_empty()
    place.put(file("~z"))
    place.delete("a/index.html")
    assert not place.is_empty()
    place.delete("~z")
    assert place.is_empty()


def test_one_writer_at_a_time(place: WebPlace) -> None:
    first = place.lease()
    first.keep()
    with pytest.raises(Taken, match=rf"process {os.getpid()} on .*Nothing was changed"):
        place.lease()
    first.release()
    place.lease().release()


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a\x00b", "a\nb", "a\\b", "a\ud800"),
        *("_hustings/lock.json", ".incoming/x", ".lock", "a" * 251, "é" * 126, "a/" * 600 + "a"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameRefused):
        check_name(name)
    with pytest.raises(NameRefused):
        WebFolder(tmp_path).put(file(name))
    assert list(tmp_path.iterdir()) == []


def test_the_headers_of_a_file_stand_in_the_bucket(ceph: Ceph) -> None:
    bucket = ceph.new_bucket(is_open=True)
    place = WebBucket(ceph.address(bucket))
    place.put(
        WebFile(
            name="campaigns/café +/index.html",
            body=b"<h1>Moved</h1>",
            content_type=HTML,
            cache_control="public, max-age=0, s-maxage=10",
            location="/campaigns/caf%C3%A9/",
            mark="0123",
        )
    )
    url = f"http://127.0.0.1:{ceph.port}/{bucket}/campaigns/caf%C3%A9%20%2B/index.html"
    found = urllib3.PoolManager(retries=False).request("GET", url)
    assert (found.status, found.data) == (200, b"<h1>Moved</h1>")
    assert found.headers["content-type"] == HTML
    assert found.headers["cache-control"] == "public, max-age=0, s-maxage=10"
    assert found.headers["x-amz-website-redirect-location"] == "/campaigns/caf%C3%A9/"


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


def elsewhere(store: ObjectStore, until: datetime) -> None:
    """Another host's mirror has the lease."""
    holder = Holder(host="elsewhere", space="other", process=7, nonce="x", until=until)
    store.put(KEY, msgspec.json.encode(holder), content_type="application/json")


def test_a_lease_of_another_host_runs_out_and_its_holder_finds_out(ceph: Ceph, clock: Clock) -> None:
    store = S3Store(ceph.address(ceph.new_bucket()))
    elsewhere(store, clock() + LIFETIME)
    with pytest.raises(Taken, match=r"process 7 on elsewhere.*runs out at"):
        BucketLease(store, clock=clock)
    clock.wait(LIFETIME)
    lease = BucketLease(store, clock=clock)
    clock.wait(RENEWED_AFTER)
    lease.keep()
    held = msgspec.json.decode(store.get(KEY), type=Holder)
    assert held.until == clock() + LIFETIME
    elsewhere(store, clock() + LIFETIME)
    lease.keep()  # looked at a moment ago
    clock.wait(RENEWED_AFTER)
    with pytest.raises(Taken, match=r"took over this bucket .process 7 on elsewhere"):
        lease.keep()
    lease.release()
    assert b"elsewhere" in store.get(KEY), "it is no longer ours to release"


def test_a_lease_of_a_process_that_died_here_is_free_at_once(ceph: Ceph, clock: Clock) -> None:
    store = S3Store(ceph.address(ceph.new_bucket()))
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    here = Holder(host="here", space=space(), process=child, nonce="x", until=clock() + LIFETIME)
    store.put(KEY, msgspec.json.encode(here), content_type="application/json")
    BucketLease(store, clock=clock).release()
    store.put(KEY, b"?", content_type="application/json")
    with pytest.raises(Taken, match=r"cannot be read. Delete it"):
        BucketLease(store, clock=clock)


@pytest.fixture
def proxy(ceph: Ceph) -> Iterator[Proxy]:
    with running_proxy(ceph.port) as running:
        yield running


def test_a_service_that_compares_nothing_can_be_mirrored_to(ceph: Ceph, proxy: Proxy, clock: Clock) -> None:
    """The second is found out all the same, by what it wrote."""
    ignored = ("if-none-match", "if-match")
    proxy.rewrite = lambda headers: [each for each in headers if each[0].lower() not in ignored]
    place = WebBucket(ceph.address(ceph.new_bucket(is_open=True), port=proxy.port), clock=clock)
    lease = place.lease()
    with pytest.raises(Taken):
        place.lease()
    place.put(file("index.html"))
    elsewhere(place.notes, clock() + LIFETIME)
    clock.wait(RENEWED_AFTER)
    with pytest.raises(Taken):
        lease.keep()


def test_failures_name_the_setting_of_the_mirror(ceph: Ceph, tmp_path: Path) -> None:
    nowhere = open_web(ceph.url("no-such-bucket"))
    with pytest.raises(
        StoreUnavailable, match=r"bucket does not exist. Make it, or correct HUSTINGS_MIRROR_URL"
    ):
        nowhere.put(file("index.html"))
    unreached = open_web("s3+http://k:s@127.0.0.1:1/bucket")
    assert isinstance(unreached, WebBucket)
    unreached = WebBucket(unreached._calls.address, patience=Patience(attempts=1))
    with pytest.raises(StoreUnavailable, match="HUSTINGS_MIRROR_URL names it"):
        unreached.put(file("index.html"))
    for url in ("file://host/x", "s3+https://host/bucket", "s3+https://k:secret@host/B"):
        with pytest.raises(ConfigurationError, match=r"^HUSTINGS_MIRROR_URL must look like") as refused:
            open_web(url)
        assert "secret" not in refused.value.detail
    with pytest.raises(ConfigurationError, match="need a folder"):
        open_trees(ceph.url("bucket"))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"The mirror's folder .* cannot be made"):
        open_web((tmp_path / "file" / "x").as_uri())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    place = WebFolder(tmp_path)
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StoreUnavailable, match=r"cannot be used: (File exists|Not a directory)"):
        place.put(file("a/index.html"))
    (tmp_path / "b").mkdir()
    with pytest.raises(StoreUnavailable, match="Is a directory"):
        place.put(file("b"))
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path) -> None:
    place = WebFolder(tmp_path)
    place.put(file("index.html"))
    (tmp_path / ".incoming" / "1-left").write_text("half a page")
    place.lease().release()
    assert list((tmp_path / ".incoming").iterdir()) == []
