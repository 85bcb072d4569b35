"""A publish and the gateway over a bucket, from the first page to a lost call."""

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from app.publishing.gateway.asgi import Gateway
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.storage.facade import AsyncStore
from app.storage.s3 import S3Store
from app.storage.s3_calls import Patience
from app.storage.store import StoreUnavailable
from app.wiring import make_engine
from tests.conftest import Database
from tests.publishing.world import World, world
from tests.storage.ceph import Ceph
from tests.storage.proxy import Proxy, running_proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def bucket(ceph: Ceph) -> str:
    return ceph.new_bucket()


@pytest.fixture
def proxy(ceph: Ceph) -> Iterator[Proxy]:
    with running_proxy(ceph.port) as running:
        yield running


@pytest.fixture
async def on_s3(ceph: Ceph, bucket: str, database: Database) -> AsyncIterator[World]:
    async with world(database, S3Store(ceph.address(bucket))) as it:
        yield it


async def test_what_was_published_is_in_the_bucket_and_publishing_again_uploads_nothing(on_s3: World) -> None:
    site = await on_s3.add_site()
    await on_s3.add_homepage(site)
    campaign = await on_s3.add_campaign(site, "clean-river")
    await on_s3.endorse(site, campaign)
    first = await on_s3.publish(site)
    assert first.uploaded > 0
    assert "Clean River" in on_s3.page(site, "/campaigns/clean-river/")
    again = await on_s3.publish(site)
    full = await on_s3.publish(site, full=True)
    assert (again.uploaded, again.release) == (0, first.release)
    assert (full.uploaded, full.release) == (0, first.release)


async def test_an_edit_uploads_what_changed(on_s3: World) -> None:
    site = await on_s3.add_site()
    await on_s3.add_homepage(site)
    campaign = await on_s3.add_campaign(site, "clean-river")
    first = await on_s3.publish(site)
    await on_s3.run(site, "UPDATE campaigns SET summary = 'Anew.' WHERE id = $1", campaign)
    second = await on_s3.publish(site)
    assert 0 < second.uploaded < first.uploaded
    assert "Anew." in on_s3.page(site, "/campaigns/clean-river/")


async def test_a_service_that_fails_before_the_flip_leaves_the_live_site_and_the_next_publish_succeeds(
    ceph: Ceph, bucket: str, proxy: Proxy, on_s3: World
) -> None:
    site = await on_s3.add_site()
    await on_s3.add_campaign(site, "clean-river")
    await on_s3.publish(site)
    live = on_s3.entries(site)
    await on_s3.add_campaign(site, "clean-air")
    spoiled = S3Store(ceph.address(bucket, port=proxy.port), patience=Patience(attempts=2, first_pause=0.01))
    engine = make_engine(on_s3.pool, spoiled, clock=lambda: on_s3.now)
    proxy.spoil("503", lambda call: call.method == "PUT" and "/manifests/" in call.path, times=1000)
    with pytest.raises(StoreUnavailable, match=r"could not write manifests/.* 503 SlowDown \(2 attempts\)"):
        await publish(engine, site, report=Silent())
    assert on_s3.entries(site) == live
    await on_s3.publish(site)
    assert "/campaigns/clean-air/" in on_s3.entries(site)


async def test_the_gateway_looks_at_the_bucket_as_soon_as_it_is_told(on_s3: World) -> None:
    """It would not look again by itself within this test."""
    gateway = Gateway(AsyncStore(on_s3.store))
    async with gateway.run(every=3600):
        site = await on_s3.add_site()
        await on_s3.add_campaign(site, "clean-river")
        await on_s3.publish(site)
        assert gateway.releases == {}
        gateway.notify()
        while not gateway.releases:  # noqa: ASYNC110 - the gateway tells nobody
            await anyio.sleep(0.01)
    assert gateway.releases == {"demo": 1}
