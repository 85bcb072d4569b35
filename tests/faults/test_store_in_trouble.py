"""A store that goes down, slows down, fills up, refuses or forgets a key in the middle of a publish."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from app.publishing.manifest import CorruptObject
from app.storage.facade import AsyncStore, Item
from app.storage.s3_calls import Patience
from app.storage.store import ObjectNotFound, StoreUnavailable
from tests.conftest import Database
from tests.faults.broken_store import (
    PATIENCE,
    Scene,
    before,
    broken_store,
    check_whole,
    from_then_on,
    is_write,
    one_campaign,
)
from tests.storage.ceph import Ceph
from tests.storage.proxy import Call

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Trouble:
    begin: Callable[[Scene], None]
    end: Callable[[Scene], None]
    sentence: str
    patience: Patience = PATIENCE


def in_the_middle(call: Call) -> bool:
    """Blobs are there by now; what names them is not."""
    return is_write(call, "manifests")


def spoiled(fault: str) -> Callable[[Scene], None]:
    return lambda scene: scene.proxy.spoil(fault, from_then_on(in_the_middle), times=1_000)


def in_the_service(act: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """The service itself changes, while a call is on its way to it."""
    return lambda scene: scene.proxy.spoil("", before(in_the_middle, lambda: act(scene)))


def soothed(scene: Scene) -> None:
    scene.proxy.soothe()


TROUBLES = {
    "down": Trouble(
        spoiled("reset"), soothed, r"write \w+/\S+: the connection broke off \(2 attempts\)\. Check"
    ),
    "slow": Trouble(
        spoiled("hang"),
        soothed,
        r"write \w+/\S+: it was silent for 0\.5 seconds \(2 attempts\)\. Look",
        Patience(attempts=2, first_pause=0.01, read=0.5),
    ),
    "full": Trouble(
        in_the_service(lambda scene: scene.ceph.limit(scene.bucket, objects=1)),
        lambda scene: scene.ceph.limit(scene.bucket, objects=None),
        r"write \w+/\S+: it is full \(403 QuotaExceeded\)\. Make room, or raise the quota",
    ),
    "refusing": Trouble(
        in_the_service(lambda scene: scene.ceph.allow_all(scene.bucket, but="manifests/")),
        lambda scene: scene.ceph.allow_all(scene.bucket),
        r"write \w+/\S+: it denies access \(403 AccessDenied\)\. .* lack rights to this bucket",
    ),
    "key removed": Trouble(
        in_the_service(lambda scene: scene.ceph.remove_key(scene.user, scene.key)),
        Scene.renew_key,
        r"write \w+/\S+: it does not accept the credentials \(403 InvalidAccessKeyId\)\. Put a valid",
    ),
    "key expired": Trouble(
        spoiled("expired"), soothed, r"write \w+/\S+: the credentials have expired .* Put new ones into"
    ),
}


@pytest.fixture
async def scene(ceph: Ceph, database: Database, anyio_backend: str) -> AsyncIterator[Scene]:  # noqa: ARG001 - async
    async with broken_store(ceph, database) as made:
        yield made


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))
async def test_the_release_fails_with_a_sentence_the_site_stays_and_the_next_publish_succeeds(
    scene: Scene, trouble: Trouble
) -> None:
    site = await one_campaign(scene.reader)
    live = scene.reader.entries(site)
    await scene.edit(site, "Edited in trouble.")
    trouble.begin(scene)
    with pytest.raises(StoreUnavailable, match=trouble.sentence) as caught:
        await scene.publisher(patience=trouble.patience).publish(site)
    assert scene.reader.entries(site) == live
    check_whole(scene.reader, site)
    assert await scene.last_release(site) == ("failed", str(caught.value))
    trouble.end(scene)
    assert (await scene.publisher().publish(site)).release == 3
    assert "Edited in trouble." in scene.reader.page(site, "/campaigns/clean-river/")
    check_whole(scene.reader, site)


async def test_a_store_that_nobody_listens_for_is_told_before_anything_is_made(scene: Scene) -> None:
    site = await one_campaign(scene.reader)
    live = scene.reader.entries(site)
    await scene.edit(site, "Edited in trouble.")
    with pytest.raises(
        StoreUnavailable, match=r"could not read live/\S+: it cannot be reached \(2 attempts\)"
    ):
        await scene.publisher(port=1).publish(site)
    assert scene.reader.entries(site) == live
    assert (await scene.publisher().publish(site)).release == 2


async def test_control_a_publisher_that_goes_on_after_a_refusal_breaks_the_site(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps the site whole is that a failure of the store stops the release before its flip."""

    async def careless(store: AsyncStore, items: list[Item], concurrency: int = 16) -> set[str]:
        del concurrency
        written = set()
        for item in items:
            try:
                await store.put(item.key, item.body, content_type=item.content_type)
                written.add(item.key)
            except StoreUnavailable:
                continue
        return written

    async def believing(*_: object) -> None:
        return

    monkeypatch.setattr(AsyncStore, "put_many", careless)
    monkeypatch.setattr(AsyncStore, "sync", believing)
    site = await one_campaign(scene.reader)
    await scene.edit(site, "Edited in trouble.")
    scene.proxy.spoil("denied", in_the_middle, times=1_000)
    await scene.publisher().publish(site)
    with pytest.raises((ObjectNotFound, CorruptObject, AssertionError)):
        check_whole(scene.reader, site)
