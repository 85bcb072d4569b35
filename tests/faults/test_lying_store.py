"""A store that says it has written what it lost, cut off or mixed up."""

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pytest

from app.errors import AppError
from app.publishing import pointer
from app.publishing.gateway.asgi import Gateway
from app.publishing.manifest import CorruptObject
from app.storage import s3_proofs
from app.storage.facade import AsyncStore
from app.storage.s3 import S3Store
from app.storage.s3_proofs import Proofs
from app.storage.store import ObjectNotFound, PreconditionFailed, StoreUnavailable
from tests.conftest import Database
from tests.faults.broken_store import Scene, broken_store, check_whole, is_write, one_campaign
from tests.storage.ceph import Ceph
from tests.storage.proxy import Call

pytestmark = pytest.mark.anyio
TEXT = "text/plain"
LIES: dict[str, Callable[[bytes], bytes | None]] = {
    "lost": lambda _: None,
    "cut off": lambda body: body[: len(body) // 2],
    "mixed up": lambda body: bytes(255 - byte for byte in body),
}
"""What is there in truth of what was to be written."""
LIED = [*(("blobs", truth) for truth in LIES), ("manifests", "lost"), ("releases", "cut off")]


@pytest.fixture
async def scene(ceph: Ceph, database: Database, anyio_backend: str) -> AsyncIterator[Scene]:  # noqa: ARG001 - async
    async with broken_store(ceph, database) as made:
        yield made


def lie(scene: Scene, folder: str, truth: str) -> None:
    """About the next object of the folder: the answer is right in all, and wrong."""
    store = scene.reader.store

    def matches(call: Call) -> bool:
        if not is_write(call, folder) or (folder == "blobs" and "." in call.path):
            return False  # encoded siblings are written in any order
        found = LIES[truth](call.body)
        if found is not None:
            store.put(call.path.removeprefix(f"/{scene.bucket}/"), found, content_type=TEXT)
        return True

    scene.proxy.spoil("lost", matches)


async def edited(scene: Scene) -> UUID:
    site = await one_campaign(scene.reader)
    await scene.edit(site, "Edited under a lie.")
    return site


@pytest.mark.parametrize(
    ("folder", "truth", "few"), [*((*each, 1000) for each in LIED), *(("blobs", truth, 0) for truth in LIES)]
)
async def test_nothing_goes_live_of_what_is_not_there(
    scene: Scene, folder: str, truth: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above so `few`, objects are not looked at one by one, but listed."""
    monkeypatch.setattr(s3_proofs, "FEW", few)
    site = await edited(scene)
    live = scene.reader.entries(site)
    lie(scene, folder, truth)
    with pytest.raises(StoreUnavailable, match=rf"could not write {folder}/\S+: it said that it had, but"):
        await scene.publisher().publish(site)
    assert scene.proxy.spoiled_all
    assert scene.reader.entries(site) == live
    assert (await scene.last_release(site))[0] == "failed"
    assert (await scene.publisher().publish(site)).release == 3
    assert "Edited under a lie." in scene.reader.page(site, "/campaigns/clean-river/")
    check_whole(scene.reader, site)


@pytest.mark.parametrize(("folder", "truth"), LIED)
async def test_control_without_a_second_look_the_site_breaks(
    scene: Scene, folder: str, truth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Proofs, "check", lambda *_: None)
    site = await edited(scene)
    lie(scene, folder, truth)
    await scene.publisher().publish(site)
    with pytest.raises((ObjectNotFound, CorruptObject, AssertionError)):
        check_whole(scene.reader, site)


@pytest.mark.parametrize("truth", LIES)
async def test_a_pointer_that_is_not_there_is_no_release(scene: Scene, truth: str) -> None:
    """A pointer that the store has damaged shows nobody anything else: gateways keep what they have."""
    site = await edited(scene)
    gateway = Gateway(AsyncStore(scene.reader.store))
    async with gateway.run(every=3600):
        await gateway.refresh()
        lie(scene, "live", truth)
        with pytest.raises(AppError, match=r"live/\S+"):
            await scene.publisher().publish(site)
        await gateway.refresh()
        assert gateway.releases == {"demo": 1}
    assert (await scene.last_release(site))[0] == "failed"
    assert (await scene.publisher().publish(site, full=True)).release == 3
    assert "Edited under a lie." in scene.reader.page(site, "/campaigns/clean-river/")
    check_whole(scene.reader, site)


async def test_control_a_pointer_that_is_believed_tells_of_a_release_that_nobody_sees(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointer, "_confirm", lambda *_: None)
    site = await edited(scene)
    lie(scene, "live", "lost")
    assert (await scene.publisher().publish(site)).release == 2
    assert "Edited under a lie." not in scene.reader.page(site, "/campaigns/clean-river/")


async def test_what_somebody_else_wrote_since_is_no_lie(scene: Scene) -> None:
    """Of what this store has not written last it knows no etag, and deletes nothing."""
    store = S3Store(scene.ceph.address(scene.bucket))
    store.put("blobs/a", b"1", content_type=TEXT)
    scene.reader.store.put("blobs/a", b"2", content_type=TEXT)
    with pytest.raises(PreconditionFailed):
        store.put("blobs/a", b"1", content_type=TEXT, if_none_match=True)
    store.sync(["blobs/a"])
    assert store.get("blobs/a") == b"2"


async def test_what_another_process_wrote_has_to_be_there_too(scene: Scene) -> None:
    store = S3Store(scene.ceph.address(scene.bucket))
    scene.reader.store.put("blobs/a", b"1", content_type=TEXT)
    store.sync(["blobs/a"])
    with pytest.raises(
        StoreUnavailable, match="could not write blobs/b: it said that it had, but it does not"
    ):
        store.sync(["blobs/a", "blobs/b"])
