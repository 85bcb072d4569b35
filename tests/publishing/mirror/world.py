"""A small site written straight into a store, and a reader who follows every link of a mirror."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio

from app.publishing.manifest import (
    JSON_GZ,
    CacheClass,
    Entry,
    Manifest,
    blob_digest,
    blob_key,
    pack,
    root_key,
)
from app.publishing.mirror.outcome import Mirrored
from app.publishing.mirror.run import Mirror
from app.publishing.mirror.trees import TreeMirror
from app.publishing.pointer import Pointer, flip
from app.publishing.report import Reporter, Silent
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from app.storage.web import WebPlace
from app.storage.web_trees import WebTrees

SITE = "0198c0de-0000-7000-8000-000000000001"
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HTML, CSS, XML = "text/html; charset=utf-8", "text/css; charset=utf-8", "application/xml; charset=utf-8"
LINKS = re.compile(r'(?:href|src)="(/[^"#?]*)"|url=(/[^"#?]*)"|<loc>https://demo.test(/[^<]*)</loc>')


class Site:
    """`release` makes a release of exactly these paths and flips to it."""

    def __init__(self, site_id: str = SITE, slug: str = "demo") -> None:
        self.store = MemoryStore()
        self.site_id = site_id
        self.slug = slug
        self.now = START
        self.number = 0
        self.generation = 0

    def release(self, entries: Mapping[str, Entry]) -> None:
        manifest = Manifest.empty().apply(dict(entries))
        self.number += 1
        root = manifest.root_of(
            site_id=self.site_id, slug=self.slug, hosts=(), base_url="https://demo.test", number=self.number
        )
        for key, body in manifest.objects(root).items():
            self.store.put(key, body, content_type=JSON_GZ)
        self.activate(self.number, root_key(root))

    def activate(self, number: int, key: str) -> None:
        self.generation += 1
        flip(
            self.store,
            Pointer(
                site_id=self.site_id,
                slug=self.slug,
                number=number,
                generation=self.generation,
                root=key,
                activated_at=self.now,
            ),
        )

    def page(self, *links: str, words: str = "") -> Entry:
        anchors = "".join(f'<a href="{link}">there</a>' for link in links)
        return self.raw(f"<!doctype html><h1>Page</h1><p>{words}</p>{anchors}", HTML)

    def raw(
        self, text: str | bytes, content_type: str, cache: CacheClass = "page", status: Any = 200
    ) -> Entry:
        body = text.encode() if isinstance(text, str) else text
        name = blob_digest(content_type, body)
        self.store.put(blob_key(name), body, content_type=content_type)
        self.store.put(blob_key(name, "gz"), pack(body), content_type=content_type)
        return Entry(
            status=status,
            blob=name,
            content_type=content_type,
            cache=cache,
            size=len(body),
            encodings=("gz",),
        )

    def gone(self) -> Entry:
        made = self.raw("<!doctype html><h1>Gone</h1>", HTML, status=410)
        return Entry(**{f: getattr(made, f) for f in made.__struct_fields__} | {"gone_on": "2026-11-21"})

    def sitemap(self, *paths: str) -> Entry:
        return self.raw("".join(f"<loc>https://demo.test{path}</loc>" for path in paths), XML, "feed")

    def old(self) -> dict[str, Entry]:
        css = "/assets/site-1.css"
        return {
            css: self.raw("p {}", CSS, "immutable"),
            "/media/1-a.webp": self.raw(b"one", "image/webp", "immutable"),
            "/": self.page(css, "/campaigns/", "/campaigns/a/"),
            "/campaigns/": self.page(css, "/campaigns/a/", "/campaigns/b/", "/campaigns/e/"),
            "/campaigns/a/": self.page(css, "/media/1-a.webp", "/campaigns/b/"),
            "/campaigns/b/": self.page(css, "/"),
            "/campaigns/e/": self.page(css, "/", words="e"),
            "/campaigns/same/": self.page("/"),
            "/404.html": self.not_found(css),
            "/sitemap.xml": self.sitemap("/", "/campaigns/", "/campaigns/a/", "/campaigns/e/"),
        }

    def new(self) -> dict[str, Entry]:
        """b is called c now, e is gone, there are new pages that link to each other, all looks different."""
        css = "/assets/site-2.css"
        return {
            css: self.raw("p { color: red }", CSS, "immutable"),
            "/media/2-a.webp": self.raw(b"two", "image/webp", "immutable"),
            "/": self.page(css, "/campaigns/", "/campaigns/a/", "/topics/"),
            "/campaigns/": self.page(css, "/campaigns/a/", "/campaigns/c/", "/campaigns/d/"),
            "/campaigns/a/": self.page(css, "/media/2-a.webp", "/campaigns/c/", "/topics/", "/campaigns/b/"),
            "/campaigns/b/": Entry(status=301, location="/campaigns/c/"),
            "/campaigns/c/": self.page(css, "/campaigns/d/", "/topics/x/"),
            "/campaigns/d/": self.page(css, "/campaigns/c/"),
            "/campaigns/e/": self.gone(),
            "/campaigns/same/": self.page("/"),
            "/topics/": self.page(css, "/topics/x/"),
            "/topics/x/": self.page(css, "/topics/"),
            "/404.html": self.not_found(css),
            "/sitemap.xml": self.sitemap("/", "/campaigns/", "/campaigns/c/", "/topics/x/"),
        }

    def not_found(self, css: str) -> Entry:
        return self.raw(f'<!doctype html><h1>Not found</h1><link href="{css}">', HTML, status=404)

    async def mirror(self, place: WebPlace, report: Reporter | None = None, concurrency: int = 4) -> Mirrored:
        return await Mirror(
            AsyncStore(self.store),
            self.site_id,
            place,
            clock=lambda: self.now,
            report=report or Silent(),
            concurrency=concurrency,
        ).run()

    async def plant(
        self, root: Path, tombstones: Collection[str] = (), report: Reporter | None = None, trees: Any = None
    ) -> Mirrored:
        """Mirrors into trees for nginx."""
        return await TreeMirror(
            AsyncStore(self.store),
            self.site_id,
            trees or WebTrees(root),
            tombstones=tombstones,
            clock=lambda: self.now,
            report=report or Silent(),
        ).run()

    def plant_now(self, root: Path, **options: Any) -> Mirrored:
        return anyio.run(lambda: self.plant(root, **options))

    def mirror_now(self, place: WebPlace, concurrency: int = 1) -> Mirrored:
        return anyio.run(lambda: self.mirror(place, concurrency=concurrency))

    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)


class Heard(Silent):
    """Remembers what a person was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []

    def step(self, name: str, total: int | None = None) -> None:  # noqa: ARG002 - of a reporter
        self.steps.append(name)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class Watched:
    """Anything with verbs, of which each is told to `hook` before it is carried out."""

    def __init__(self, inner: Any, hook: Callable[[str, str], None], prefix: str = "") -> None:
        self._inner = inner
        self._hook = hook
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "notes":
            return Watched(found, self._hook, "notes.")
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            first = getattr(arguments[0], "name", arguments[0]) if arguments else ""
            self._hook(f"{self._prefix}{name}", first if isinstance(first, str) else "")
            return found(*arguments, **options)

        return call


def broken_links(get: Callable[[str], bytes | None]) -> list[tuple[str, str]]:
    """Page and link, for each link that leads nowhere; found from the home page and the sitemap on."""
    waiting = [("", path) for path in ("/", "/sitemap.xml") if find(get, path) is not None]
    seen, broken = set(), []
    while waiting:
        page, path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        body = find(get, path)
        if body is None:
            broken.append((page, path))
        elif not path.startswith(("/assets/", "/media/")):
            waiting += [(path, next(filter(None, found))) for found in LINKS.findall(body.decode())]
    return broken


def find(get: Callable[[str], bytes | None], path: str) -> bytes | None:
    """As a plain web server finds it."""
    name = unquote(path)[1:]
    return get(f"{name}index.html") if path.endswith("/") else get(name) or get(f"{name}/index.html")


def reader(root: Path) -> Callable[[str], bytes | None]:
    def get(name: str) -> bytes | None:
        try:
            return (root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    return get


def files(root: Path) -> dict[str, bytes]:
    """What visitors can see."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in {"_hustings", ".incoming", ".lock"}
    }
