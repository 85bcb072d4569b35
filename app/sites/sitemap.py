"""The sitemap: which pages there are and when each last changed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from xml.sax.saxutils import escape

import msgspec

from app.publishing.kinds import Changes, Content, Raw
from app.publishing.manifest import CacheClass
from app.sites.site_row import site_row

XML = "application/xml; charset=utf-8"
SITEMAP_LIMIT = 1000
"""URLs in one sitemap file: beyond it /sitemap.xml is an index, so that an edit rewrites a small part."""


class Part(msgspec.Struct, frozen=True):
    """A stable part of a source of the sitemap: a part never holds more than SITEMAP_LIMIT URLs."""

    key: str
    count: int
    changed_at: datetime


class SitemapSource(Protocol):
    """Declared by a domain whose pages belong into the sitemap."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> tuple[str, ...]: ...

    async def parts(self, content: Content) -> list[Part]: ...

    async def touched_parts(self, content: Content, changes: Changes) -> set[str]:
        """Keys of parts whose URLs or times may have changed."""
        ...

    async def entries(self, content: Content, key: str) -> list[tuple[str, datetime]]:
        """Path and time of the last change, in the order of the paths."""
        ...


class Sitemap:
    """One file as long as all URLs fit into it; beyond that an index over the parts of the sources."""

    name = "sitemap"
    template = None
    cache: CacheClass = "feed"

    def __init__(self, sources: Sequence[SitemapSource]) -> None:
        self._sources = {source.name: source for source in sources}

    async def paths(self, content: Content) -> Collection[str]:
        parts = await self._parts(content)
        return {"/sitemap.xml", *(_part_path(name, part.key) for name, part in parts)}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        paths: set[str] = set()
        for name, source in self._sources.items():
            if changes.touch(*source.tables):
                keys = await source.touched_parts(content, changes)
                paths |= {"/sitemap.xml", *(_part_path(name, key) for key in keys)}
        if paths and _crosses_limit(await self._parts(content), changes):
            return paths | set(await self.paths(content))
        return paths

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        parts = await self._parts(content)
        base_url = (await site_row(content)).url
        made = {}
        for path in paths:
            text = await self._file(content, parts, path, base_url)
            if text is not None:
                made[path] = Raw(text.encode(), XML)
        return made

    async def _parts(self, content: Content) -> list[tuple[str, Part]]:
        return [
            (name, part) for name, source in self._sources.items() for part in await source.parts(content)
        ]

    async def _file(
        self, content: Content, parts: list[tuple[str, Part]], path: str, base_url: str
    ) -> str | None:
        is_small = sum(part.count for _, part in parts) <= SITEMAP_LIMIT
        if path == "/sitemap.xml":
            return await self._whole(content, parts, base_url) if is_small else _index(parts, base_url)
        if is_small:
            return None
        for name, part in parts:
            if path == _part_path(name, part.key):
                return _urls(await self._sources[name].entries(content, part.key), base_url)
        return None

    async def _whole(self, content: Content, parts: list[tuple[str, Part]], base_url: str) -> str:
        entries = []
        for name, part in parts:
            entries += await self._sources[name].entries(content, part.key)
        return _urls(entries, base_url)


def _part_path(source: str, key: str) -> str:
    return f"/sitemap/{source}-{key}.xml"


def _crosses_limit(parts: list[tuple[str, Part]], changes: Changes) -> bool:
    """So many rows changed that the index may have come or gone: then every file is looked at."""
    return abs(sum(part.count for _, part in parts) - SITEMAP_LIMIT) <= len(changes.rows)


def _urls(entries: Sequence[tuple[str, datetime]], base_url: str) -> str:
    urls = "".join(
        f"<url><loc>{escape(base_url + path)}</loc><lastmod>{_when(changed)}</lastmod></url>\n"
        for path, changed in entries
    )
    return _xml(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n')


def _index(parts: list[tuple[str, Part]], base_url: str) -> str:
    files = "".join(
        f"<sitemap><loc>{escape(base_url + _part_path(name, part.key))}</loc>"
        f"<lastmod>{_when(part.changed_at)}</lastmod></sitemap>\n"
        for name, part in parts
    )
    return _xml(
        f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{files}</sitemapindex>\n'
    )


def _xml(text: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _when(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
