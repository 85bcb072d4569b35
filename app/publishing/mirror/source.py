"""What is to be mirrored: the live release of a site, file by file."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from html import escape

import msgspec

from app.errors import AppError, NotFound
from app.publishing.gateway.headers import CACHE, SHORTLY
from app.publishing.gateway.paths import location_of
from app.publishing.kinds import HTML
from app.publishing.manifest import (
    GRACE,
    CacheClass,
    CorruptObject,
    Entry,
    Manifest,
    Root,
    blob_digest,
    blob_key,
    digest,
    load_root,
)
from app.publishing.pointer import Pointer, read_pointer
from app.publishing.report import Reporter
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore
from app.storage.web import NameRefused, check_name

INDEX = "index.html"


class MirrorRefused(AppError):
    """The mirror cannot be made there; nothing was changed."""

    status = 409
    title = "The site cannot be mirrored"


class Live(msgspec.Struct, frozen=True):
    """One release, as it was live when the mirror began."""

    pointer: Pointer
    root: Root
    manifest: Manifest


class Placed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of the mirror: what it is made of, and what is said beside it."""

    blob: str
    """From `blob_digest`; of a page that leads elsewhere too, though no store holds that."""
    content_type: str
    cache: CacheClass = "page"
    location: str | None = None
    """Of a redirect, percent-encoded."""
    is_error: bool = False
    """The page for unknown paths."""
    mark: str
    gone_on: str | None = None
    """ISO date since when no release needs it any more; it stays for GRACE."""


def read_live(store: ObjectStore, site_id: str) -> Live:
    """Raises NotFound when nothing is live, CorruptObject, ObjectNotFound."""
    found = read_pointer(store, site_id)
    if found is None:
        raise NotFound("Nothing was published yet, so there is nothing to mirror. Run `hustings publish`.")
    root = load_root(store.get, found[0].root)
    return Live(found[0], root, Manifest.of(root, store.get))


async def newer_than(store: AsyncStore, live: Live, report: Reporter) -> int | None:
    """The number of a release that went live since, which is told."""
    found = await store.run(partial(read_pointer, store.store, live.root.site_id))
    if found is None or found[0].generation <= live.pointer.generation:
        return None
    report.note(f"Release {found[0].number} went live meanwhile. Run the mirror again for it.")
    return found[0].number


def wanted(live: Live, today: date, *, has_folders: bool) -> dict[str, Placed]:
    """Name to file of everything that the release serves. Raises MirrorRefused, NameRefused."""
    entries = sorted(_kept(live.manifest, today), key=lambda item: item[1].status == 301)
    files: dict[str, Placed] = {}
    for path, entry in entries:
        name = name_of(path, entry)
        if name not in files:
            files[name] = _placed(live.root.base_url, entry)
        elif entry.status != 301:
            raise MirrorRefused(f"{path} and another path would both be the file {name}. Rename one of them.")
    if has_folders:
        _check_folders(files)
    return files


def name_of(path: str, entry: Entry) -> str:
    """The file at which a plain server looks for the path. Raises NameRefused."""
    if path.endswith("/"):
        return check_name(f"{path}{INDEX}"[1:])
    if entry.status == 301 and "." not in path.rpartition("/")[2]:
        return check_name(f"{path}/{INDEX}"[1:])
    return check_name(path[1:])


def buried(live: Live) -> set[str]:
    """Files of paths that are gone: taken away by an editor or a court, so without any grace."""
    names = set()
    for path, entry in live.manifest.items():
        if entry.status == 410:
            try:
                names.add(name_of(path, entry))
            except NameRefused:  # then it was never mirrored
                continue
    return names


def is_over(gone_on: str | None, today: date, grace: timedelta = GRACE) -> bool:
    return gone_on is not None and date.fromisoformat(gone_on) + grace <= today


def retained(
    old: dict[str, Placed], new: dict[str, Placed], gone: set[str], today: date
) -> dict[str, Placed]:
    """Assets of earlier releases that stay a while, for pages that are still open somewhere."""
    left = {
        name: msgspec.structs.replace(file, gone_on=file.gone_on or today.isoformat())
        for name, file in old.items()
        if name not in new and name not in gone and file.cache == "immutable"
    }
    return {name: file for name, file in left.items() if not is_over(file.gone_on, today)}


def body_of(store: ObjectStore, placed: Placed, base_url: str) -> bytes:
    """Raises ObjectNotFound, CorruptObject: nothing damaged is mirrored."""
    if placed.location is not None:
        return stub(placed.location, base_url)
    key = blob_key(placed.blob)
    body = store.get(key)
    if not is_body(placed, body):
        raise CorruptObject(f"{key} does not hold what its name says. Publish with --full.")
    return body


def is_body(placed: Placed, body: bytes) -> bool:
    return blob_digest(placed.content_type, body) == placed.blob


def cache_control(placed: Placed) -> str:
    is_brief = placed.location is not None or placed.is_error
    return (SHORTLY if is_brief else CACHE[placed.cache]).decode()


def stub(location: str, base_url: str) -> bytes:
    """A page that leads elsewhere, for hosts that cannot answer 301."""
    address = escape(location)
    canonical = escape(f"{base_url}{location}" if location.startswith("/") else location)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>This page has moved</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><link rel="canonical" href="{canonical}">'
        f'</head><body><p>This page has moved: <a href="{address}">{address}</a></p></body></html>\n'
    ).encode()


def _kept(manifest: Manifest, today: date) -> Iterator[tuple[str, Entry]]:
    for path, entry in manifest.items():
        if entry.status != 410 and not is_over(entry.gone_on, today):
            yield path, entry


def _placed(base_url: str, entry: Entry) -> Placed:
    if entry.location is not None:
        location = location_of(entry.location, b"").decode()
        name = blob_digest(HTML, stub(location, base_url))
        return _marked(Placed(blob=name, content_type=HTML, location=location, mark=""))
    assert entry.blob is not None  # noqa: S101 - a page has one
    return _marked(
        Placed(
            blob=entry.blob,
            content_type=entry.content_type,
            cache=entry.cache,
            is_error=entry.status == 404,
            mark="",
            gone_on=entry.gone_on,
        )
    )


def _marked(placed: Placed) -> Placed:
    """The date is no part of the file."""
    parts = [placed.blob, placed.content_type, cache_control(placed), placed.location or ""]
    return msgspec.structs.replace(placed, mark=digest(msgspec.json.encode(parts))[:32])


def _check_folders(files: dict[str, Placed]) -> None:
    for name in files:
        for parent in parents(name):
            if parent in files:
                raise MirrorRefused(
                    f"/{parent} is a file, and /{name} would need a folder of that name. Rename one of them."
                )


def parents(name: str) -> Iterator[str]:
    """The folders in which it lies, the nearest first."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
