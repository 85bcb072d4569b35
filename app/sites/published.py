"""What every page of a site shares, and the paths that belong to the site as a whole."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from app.publishing.kinds import Changes, Content, Raw, SiteFacts
from app.publishing.manifest import CacheClass
from app.sites.contours import contours, icon
from app.sites.schemas import Shell, Theme
from app.sites.site_row import SiteRow, site_row
from app.sites.theme import stylesheet, tokens

CSS = "text/css; charset=utf-8"
SVG = "image/svg+xml"
TEXT = "text/plain; charset=utf-8"


class SharedAssets:
    """The site's stylesheet, the drawing behind the hero and the icon: hashed by content, cached for good."""

    name = "assets"
    template = None
    cache: CacheClass = "immutable"

    def __init__(self, css: str) -> None:
        self._css = css

    async def load_site(self, content: Content) -> SiteFacts:
        row = await site_row(content)
        base_url = row.url
        paths = [path for path, _ in self._files(row)]
        colours = tokens(row.theme)
        shell = Shell(
            slug=row.slug,
            name=row.name,
            locale=row.locale,
            base_url=base_url,
            timezone=row.timezone,
            navigation=row.navigation,
            footer_text=row.settings.footer_text,
            contact_email=row.settings.contact_email,
            stylesheet=paths[0],
            contours=paths[1],
            favicon=paths[2],
            theme_color_light=colours.light["paper"],
            theme_color_dark=colours.dark["paper"],
        )
        links = ("/", shell.stylesheet, shell.favicon, *(item.url for item in row.navigation))
        return SiteFacts(slug=row.slug, hosts=row.hosts, base_url=base_url, shell=shell, links=links)

    async def paths(self, content: Content) -> Collection[str]:
        return {path for path, _ in self._files(await site_row(content))}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        """A new look is a new path; the shell changes with it, so that a full plan retires the old one."""
        return await self.paths(content) if changes.touch("sites") else set()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        files = dict(self._files(await site_row(content)))
        return {path: files[path] for path in paths if path in files}

    def _files(self, row: SiteRow) -> list[tuple[str, Raw]]:
        return _draw(row.theme, row.slug, row.name, self._css)


class Robots:
    name = "robots"
    template = None
    cache: CacheClass = "feed"

    async def paths(self, content: Content) -> Collection[str]:
        return {"/robots.txt"}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        return await self.paths(content) if changes.touch("sites") else set()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        base_url = (await site_row(content)).url
        text = f"User-agent: *\nDisallow: /api/\nDisallow: /desk/\n\nSitemap: {base_url}/sitemap.xml\n"
        return {path: Raw(text.encode(), TEXT) for path in paths}


@lru_cache(maxsize=64)
def _draw(theme: Theme, slug: str, name: str, css: str) -> list[tuple[str, Raw]]:
    return [
        _hashed("site", "css", stylesheet(theme, css), CSS),
        _hashed("contours", "svg", contours(slug, tokens(theme).light["accent-on-deep"]), SVG),
        _hashed("icon", "svg", icon(theme, name), SVG),
    ]


def _hashed(name: str, ending: str, text: str, content_type: str) -> tuple[str, Raw]:
    body = text.encode()
    return f"/assets/{name}-{hashlib.sha256(body).hexdigest()[:12]}.{ending}", Raw(body, content_type)
