"""The running gateway: follows flips, outlives its store, mixes no releases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import anyio.lowlevel
import pytest
from anyio import create_task_group, move_on_after, sleep

from app.publishing.gateway.asgi import Gateway, Message
from app.publishing.manifest import Entry, blob_key
from app.storage.facade import AsyncStore
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.storage.store import Stored
from tests.publishing.gateway.world import HOME, Reply, ask, page, publish

pytestmark = pytest.mark.anyio


async def until(gateway: Gateway, number: int) -> None:
    with move_on_after(20):
        while gateway.releases.get("demo") != number:  # noqa: ASYNC110 - the gateway tells nobody
            await sleep(0.01)
    assert gateway.releases["demo"] == number


async def test_a_flip_is_seen_by_polling() -> None:
    store = MemoryStore()
    gateway = Gateway(AsyncStore(store))
    async with gateway.run(every=0.02):
        assert (await ask(gateway, "/")).status == 503
        publish(store, {"/": page(store, b"one")})
        await until(gateway, 1)
        assert (await ask(gateway, "/")).body == b"one"
        publish(store, {"/": page(store, b"two")}, number=2)
        await until(gateway, 2)
        assert (await ask(gateway, "/")).body == b"two"


async def test_a_flip_is_seen_at_once_when_somebody_notifies() -> None:
    store = MemoryStore()
    publish(store, {"/": page(store, b"one")})
    gateway = Gateway(AsyncStore(store))
    async with gateway.run(every=3600):
        for number in (2, 3):
            publish(store, {"/": page(store, b"%d" % number)}, number=number)
            gateway.notify()
            await until(gateway, number)


async def test_control_without_notice_and_before_the_next_poll_the_old_release_is_served() -> None:
    store = MemoryStore()
    publish(store, {"/": page(store, b"one")})
    gateway = Gateway(AsyncStore(store))
    async with gateway.run(every=3600):
        publish(store, {"/": page(store, b"two")}, number=2)
        await sleep(0.05)
        assert (await ask(gateway, "/")).body == b"one"


async def test_after_the_context_is_left_nothing_polls() -> None:
    store = MemoryStore()
    gateway = Gateway(AsyncStore(store))
    async with gateway.run(every=0.01):
        await sleep(0.05)
    publish(store, {"/": page(store, b"one")})
    await sleep(0.05)
    assert gateway.releases == {}


async def test_an_error_in_the_body_of_the_context_comes_out_as_it_is() -> None:
    gateway = Gateway(AsyncStore(MemoryStore()))
    with pytest.raises(KeyError, match="mine"):
        async with gateway.run():
            raise KeyError("mine")


async def test_a_lost_store_leaves_the_old_release_and_is_logged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "store"
    root.mkdir()
    store = FileStore(root)
    publish(store, {"/": page(store, HOME), "/cold/": page(store, b"cold")})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    assert (await ask(gateway, "/")).status == 200
    shutil.move(root, tmp_path / "away")
    capsys.readouterr()
    assert [await gateway.refresh() for _ in range(3)] == [False] * 3
    assert capsys.readouterr().out.count("store_away") == 1
    assert (await ask(gateway, "/")).body == HOME
    assert (await ask(gateway, "/cold/")).status == 503
    shutil.move(tmp_path / "away", root)
    assert await gateway.refresh() is False
    assert capsys.readouterr().out.count("store_back") == 1
    assert (await ask(gateway, "/cold/")).body == b"cold"


class BrokenStore(MemoryStore):
    """Fails in a way that nobody foresaw, until it is repaired."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False
        self.failures = 0

    def list(self, prefix: str) -> Iterator[Stored]:
        if self.is_broken:
            self.failures += 1
            raise RuntimeError("nobody foresaw this")
        return super().list(prefix)


async def test_polling_survives_what_nobody_foresaw() -> None:
    store = BrokenStore()
    gateway = Gateway(AsyncStore(store))
    async with gateway.run(every=0.01):
        store.is_broken = True
        with move_on_after(20):
            while store.failures < 2:  # noqa: ASYNC110 - the gateway tells nobody
                await sleep(0.01)
        assert store.failures >= 2
        store.is_broken = False
        publish(store, {"/": page(store, HOME)})
        await until(gateway, 1)


async def test_the_second_of_two_equal_requests_is_answered_without_the_store() -> None:
    store = MemoryStore()
    entries = {"/": page(store, HOME, encodings=("gz",)), "/cold/": page(store, b"cold")}
    publish(store, entries)
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    first = await ask(gateway, "/", accept_encoding="gzip, br")
    for stored in list(store.list("blobs/")):
        store.delete(stored.key)
    assert await ask(gateway, "/", accept_encoding="br,gzip") == first
    assert (await ask(gateway, "/cold/")).status == 503


async def test_a_flip_to_a_release_with_the_same_page_changes_only_its_number() -> None:
    store = MemoryStore()
    home = page(store, HOME)
    publish(store, {"/": home})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    before = await ask(gateway, "/")
    publish(store, {"/": home, "/new/": page(store, b"new")}, number=2)
    await gateway.refresh()
    after = await ask(gateway, "/")
    assert after.headers == before.headers | {"hustings-release": "2"}
    assert after.body == before.body


async def test_a_cached_page_of_an_old_release_is_never_served_after_the_flip() -> None:
    store = MemoryStore()
    gateway = Gateway(AsyncStore(store))
    for number in range(1, 20):
        publish(store, {"/": page(store, b"%d" % number)}, number=number)
        await gateway.refresh()
        for _ in range(2):
            reply = await ask(gateway, "/")
            assert (reply.body, reply.headers["hustings-release"]) == (b"%d" % number, str(number))


async def test_under_flips_every_answer_is_of_one_release() -> None:
    store = MemoryStore()
    publish(store, {"/": page(store, b"1")})
    gateway = Gateway(AsyncStore(store))
    replies: list[Reply] = []
    is_over = False

    async def read() -> None:
        while not is_over:
            replies.append(await ask(gateway, "/"))
            await anyio.lowlevel.checkpoint()

    async with gateway.run(every=3600), create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(read)
        for number in range(2, 30):
            publish(store, {"/": page(store, b"%d" % number)}, number=number)
            gateway.notify()
            await until(gateway, number)
            replies.append(await ask(gateway, "/"))
        is_over = True
    assert all(reply.body.decode() == reply.headers["hustings-release"] for reply in replies)
    assert len({reply.body for reply in replies}) >= 28


async def test_two_sites_never_share_an_answer() -> None:
    store = MemoryStore()
    for name in ("a", "b"):
        body = page(store, name.encode())
        publish(store, {"/": body}, site_id=f"site-{name}", slug=name, hosts=(f"{name}.test",))
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    for _ in range(2):
        for name in ("a", "b"):
            assert (await ask(gateway, "/", host=f"{name}.test")).body == name.encode()


async def test_the_memory_for_answers_is_bounded() -> None:
    store = MemoryStore()
    entries: dict[str, Entry | None] = {
        f"/p{number}/": page(store, b"x" * 1_000 + b"%d" % number) for number in range(200)
    }
    publish(store, entries)
    gateway = Gateway(AsyncStore(store), cache_bytes=100_000)
    await gateway.refresh()
    for path in entries:
        assert (await ask(gateway, path)).status == 200
    assert len(gateway._ready._young) + len(gateway._ready._old) <= 50_000 // 3_000


async def test_a_server_that_gives_no_raw_path_is_served_by_the_decoded_one() -> None:
    store = MemoryStore()
    publish(store, {"/größe/": page(store, HOME)})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the gateway reads no body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/größe/", "query_string": b"", "headers": []}
    await gateway(scope, receive, send)
    assert sent[0]["status"] == 200
    sent.clear()
    await gateway({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close"}]
    sent.clear()
    await gateway({"type": "lifespan"}, receive, send)
    assert sent == []


async def test_a_coding_that_is_made_after_the_flip_is_served_once_it_is_there() -> None:
    store = MemoryStore()
    home = page(store, HOME, encodings=("br", "gz"))
    store.delete(blob_key(home.blob or "", "br"))
    publish(store, {"/": home})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    for _ in range(2):
        assert (await ask(gateway, "/", accept_encoding="br, gzip")).headers["content-encoding"] == "gzip"
    store.put(blob_key(home.blob or "", "br"), b"brotli", content_type="text/html")
    gateway._bodies._missing.clear()
    reply = await ask(gateway, "/", accept_encoding="br, gzip")
    assert (reply.headers["content-encoding"], reply.body) == ("br", b"brotli")


async def test_unknown_paths_take_no_memory() -> None:
    store = MemoryStore()
    publish(store, {"/404.html": page(store, b"unknown", status=404)})
    gateway = Gateway(AsyncStore(store))
    await gateway.refresh()
    for number in range(50):
        assert (await ask(gateway, f"/nowhere-{number}/")).body == b"unknown"
    assert not gateway._ready._young
