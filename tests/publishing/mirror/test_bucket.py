"""A mirror into a real bucket, cut short by a service that fails."""

from collections.abc import Iterator

import pytest
import urllib3

from app.publishing.gateway.headers import CACHE, SHORTLY
from app.publishing.mirror.outcome import MirrorInterrupted
from app.storage.s3_calls import Patience
from app.storage.web_bucket import WebBucket
from tests.publishing.mirror.world import Site, broken_links
from tests.storage.ceph import Ceph
from tests.storage.proxy import Proxy, running_proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def proxy(ceph: Ceph) -> Iterator[Proxy]:
    with running_proxy(ceph.port) as running:
        yield running


class Reader:
    """Reads as a visitor does, unsigned."""

    def __init__(self, ceph: Ceph, bucket: str) -> None:
        self._pool = urllib3.PoolManager(retries=False)
        self._url = f"http://127.0.0.1:{ceph.port}/{bucket}/"

    def __call__(self, name: str) -> bytes | None:
        found = self._pool.request("GET", self._url + name)
        return found.data if found.status == 200 else None

    def headers(self, name: str) -> dict[str, str]:
        return dict(self._pool.request("HEAD", self._url + name).headers)


def puts(proxy: Proxy) -> list[str]:
    written = [call.path for call in proxy.calls if call.method == "PUT"]
    return [path for path in written if "/_hustings/" not in path and "/probes/" not in path]


async def test_a_mirror_in_a_bucket_is_cut_short_goes_on_and_follows_releases(
    ceph: Ceph, proxy: Proxy
) -> None:
    bucket = ceph.new_bucket(is_open=True)
    reader, site = Reader(ceph, bucket), Site()
    address = ceph.address(bucket, port=proxy.port)
    place = WebBucket(address, patience=Patience(attempts=2, first_pause=0.01), clock=lambda: site.now)
    site.release(site.old())
    first = await site.mirror(place)
    assert (first.uploaded, len(puts(proxy))) == (len(site.old()), len(site.old()))
    proxy.calls.clear()
    assert (await site.mirror(place)).uploaded == 0
    assert {call.method for call in proxy.calls} == {"GET"}

    site.release(site.new())
    proxy.spoil("503", lambda call: call.method == "PUT" and "campaigns/a/" in call.path, times=2)
    with pytest.raises(MirrorInterrupted, match=r"503 SlowDown \(2 attempts\).*Run the same command again"):
        await site.mirror(place, concurrency=1)
    assert broken_links(reader) == []
    done = await site.mirror(place)
    assert broken_links(reader) == []
    assert (done.release, done.kept, reader("campaigns/e/index.html")) == (2, 2, None)
    assert reader.headers("404.html")["Cache-Control"] == SHORTLY.decode()
    once = [path for path in puts(proxy) if "campaigns/a/" not in path]
    assert len(once) == len(set(once))

    page, asset = reader.headers("index.html"), reader.headers("assets/site-2.css")
    assert page["Cache-Control"] == CACHE["page"].decode()
    assert (asset["Content-Type"], asset["Cache-Control"]) == (
        "text/css; charset=utf-8",
        CACHE["immutable"].decode(),
    )
    assert reader.headers("campaigns/b/index.html")["x-amz-website-redirect-location"] == "/campaigns/c/"
