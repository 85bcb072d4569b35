"""A small world to serve: sites with pages in a store, and a way to ask the gateway in raw ASGI."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.publishing.gateway.asgi import Gateway, Message
from app.publishing.manifest import (
    JSON_GZ,
    Encoding,
    Entry,
    Manifest,
    blob_digest,
    blob_key,
    pack,
    root_key,
)
from app.publishing.pointer import Pointer, flip
from app.storage.store import ObjectStore

HTML = "text/html; charset=utf-8"
HOME = b"<!doctype html><title>Home</title>" + b"<p>water</p>" * 50


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes


def page(
    store: ObjectStore,
    body: bytes,
    *,
    content_type: str = HTML,
    encodings: tuple[Encoding, ...] = (),
    **fields: Any,
) -> Entry:
    """Puts the blob and its siblings; a sibling's body is the coding's name before the body."""
    name = blob_digest(content_type, body)
    store.put(blob_key(name), body, content_type=content_type)
    for encoding in encodings:
        sibling = pack(body) if encoding == "gz" else b"br:" + body
        store.put(blob_key(name, encoding), sibling, content_type=content_type)
    return Entry(blob=name, content_type=content_type, size=len(body), encodings=encodings, **fields)


def publish(
    store: ObjectStore,
    entries: Mapping[str, Entry | None],
    *,
    site_id: str = "site-1",
    slug: str = "demo",
    hosts: tuple[str, ...] = ("demo.test",),
    number: int = 1,
    generation: int | None = None,
    scheme: str = "http",
    base: Manifest | None = None,
) -> Manifest:
    """One release, made live."""
    manifest = (base or Manifest.empty()).apply(entries)
    root = manifest.root_of(
        site_id=site_id, slug=slug, hosts=hosts, base_url=f"{scheme}://{slug}.test", number=number
    )
    for key, body in manifest.objects(root).items():
        store.put(key, body, content_type=JSON_GZ)
    pointer = Pointer(
        site_id=site_id,
        slug=slug,
        number=number,
        generation=generation or number,
        root=root_key(root),
        activated_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    flip(store, pointer)
    return manifest


async def ask(
    gateway: Gateway,
    path: str | bytes,
    method: str = "GET",
    *,
    host: str | None = "demo.test",
    query: bytes = b"",
    **headers: str,
) -> Reply:
    """One request; header names are given with underscores."""
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    if host is not None:
        raw.insert(0, (b"host", host.encode("latin-1")))
    return await ask_raw(gateway, path if isinstance(path, bytes) else path.encode(), method, query, raw)


async def ask_raw(
    gateway: Gateway, path: bytes, method: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> Reply:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the gateway reads no body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "headers": headers,
    }
    await gateway(scope, receive, send)
    start, body = sent
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names)), "a header is sent twice"
    return Reply(
        start["status"],
        {name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        body["body"],
    )
