"""The sitemap: which pages there are and when each last changed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from xml.sax.saxutils import escape

from app.publishing.kinds import Changes, Content, Raw
from app.publishing.manifest import CacheClass
from app.sites.site_row import site_row

XML = "application/xml; charset=utf-8"
INDEX = "/sitemap.xml"
PREFIX = "/sitemap/"
SITEMAP_LIMIT = 1000
"""URLs in one sitemap file: beyond it /sitemap.xml is an index, so that an edit rewrites a small part."""


class SitemapSource(Protocol):
    """Declared by a domain whose pages belong into the sitemap."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> tuple[str, ...]: ...

    async def total(self, content: Content) -> int:
        """How many URLs in all its parts."""
        ...

    async def parts(self, content: Content) -> list[str]:
        """Keys of the parts that hold anything. A part is stable, and never holds more than SITEMAP_LIMIT."""
        ...

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
        return {INDEX, *(_part_path(*part) for part in await self._parts(content))}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        paths: set[str] = set()
        for name, source in self._sources.items():
            if changes.touch(*source.tables):
                keys = await source.touched_parts(content, changes)
                paths |= {INDEX, *(_part_path(name, key) for key in keys)}
        # So many rows changed that the index may have come or gone: then every file is looked at.
        if paths and abs(await self._total(content) - SITEMAP_LIMIT) <= len(changes.rows):
            return paths | set(await self.paths(content))
        return paths

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        is_small = await self._total(content) <= SITEMAP_LIMIT
        made = {}
        for path in paths:
            text = await (self._alone(content, path) if is_small else self._one_of_many(content, path))
            if text is not None:
                made[path] = Raw(text.encode(), XML)
        return made

    async def _total(self, content: Content) -> int:
        return sum([await source.total(content) for source in self._sources.values()])

    async def _parts(self, content: Content) -> list[tuple[str, str]]:
        return [(name, key) for name, source in self._sources.items() for key in await source.parts(content)]

    async def _alone(self, content: Content, path: str) -> str | None:
        if path != INDEX:
            return None
        entries = []
        for name, key in await self._parts(content):
            entries += await self._sources[name].entries(content, key)
        return _urls(entries, (await site_row(content)).url)

    async def _one_of_many(self, content: Content, path: str) -> str | None:
        base_url = (await site_row(content)).url
        if path == INDEX:
            return _index(await self._parts(content), base_url)
        name, _, key = path.removeprefix(PREFIX).removesuffix(".xml").partition("-")
        if name not in self._sources:
            return None
        entries = await self._sources[name].entries(content, key)
        return _urls(entries, base_url) if entries else None


def _part_path(source: str, key: str) -> str:
    return f"{PREFIX}{source}-{key}.xml"


def _urls(entries: Sequence[tuple[str, datetime]], base_url: str) -> str:
    urls = "".join(
        f"<url><loc>{escape(base_url + path)}</loc><lastmod>{_when(changed)}</lastmod></url>\n"
        for path, changed in entries
    )
    return _xml(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n')


def _index(parts: list[tuple[str, str]], base_url: str) -> str:
    """Without times: that of the part an edit is in would make this file anew with every edit."""
    files = "".join(
        f"<sitemap><loc>{escape(base_url + _part_path(name, key))}</loc></sitemap>\n" for name, key in parts
    )
    return _xml(
        f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{files}</sitemapindex>\n'
    )


def _xml(text: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _when(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
