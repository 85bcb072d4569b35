"""The page kinds of this domain: home page, 404 and 410."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import msgspec

from app.pages.parts import (
    MEDIA_PREFIX,
    blocks,
    media_path,
    named_pictures,
    picture,
    pictures,
    place_pictures,
)
from app.pages.schemas import Block, Image, Row, Tally
from app.publishing.kinds import Changes, Content, InStore, Raw, Redirect
from app.publishing.manifest import NOT_FOUND_PATH, CacheClass
from app.sites.site_row import site_row

HOME = "/"
ROWS_AT_HOME = 6
HOMEPAGE = "SELECT * FROM homepages WHERE is_active AND locale = $1"
MEDIA = "SELECT filename, digest, content_type FROM media"
REDIRECTS = "SELECT from_path, to_path FROM redirects"
CHANGED = "SELECT updated_at FROM homepages WHERE is_active AND locale = $1"
NETWORKS = {
    "bluesky": "Bluesky",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "youtube": "YouTube",
}


class SocialLink(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    url: str


class HomePage(msgspec.Struct, frozen=True, kw_only=True):
    """Template site/home.html. With `is_holding` nothing but names is filled: no home page is active."""

    is_holding: bool
    organization_name: str
    tagline: str
    hero_title: str
    """May hold a line break, which is kept."""
    hero_subtitle: str
    hero_image: Image | None
    about_section_title: str
    about_section_html: str
    blocks: tuple[Block, ...]
    show_campaigns_section: bool
    campaigns_section_title: str
    campaigns_section_subtitle: str
    campaigns: tuple[Row, ...]
    """The newest active ones, at most six; the first is shown as the feature."""
    campaigns_total: int
    tally: Tally | None
    cta_title: str
    cta_html: str
    cta_button_text: str
    cta_button_url: str
    contact_email: str
    contact_phone: str
    social_links: tuple[SocialLink, ...]
    changed_at: datetime | None


class NotFoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """Template site/404.html."""

    campaigns: tuple[Row, ...]


class GonePage(msgspec.Struct, frozen=True, kw_only=True):
    """Template site/410.html."""

    gone_on: date


class Highlights(Protocol):
    """What the home page shows of campaigns; given by the composition root."""

    async def turned(self, content: Content, changes: Changes, limit: int) -> bool:
        """Whether the newest rows or their number may have changed, by an edit or by time."""
        ...

    async def newest(self, content: Content, limit: int) -> tuple[Row, ...]: ...

    async def total(self, content: Content) -> int: ...


class Tallies(Protocol):
    """The home page's line of numbers; given by the composition root."""

    @property
    def tables(self) -> tuple[str, ...]: ...

    async def tally(self, content: Content) -> Tally | None: ...


class Home:
    name = "home"
    template = "site/home.html"
    cache: CacheClass = "page"

    def __init__(self, highlights: Highlights, tallies: Tallies) -> None:
        self._highlights = highlights
        self._tallies = tallies
        self._tables = ("homepages", "content_blocks", "media", *tallies.tables)

    async def paths(self, content: Content) -> Collection[str]:
        return {HOME}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        is_touched = changes.touch(*self._tables) or await self._highlights.turned(
            content, changes, ROWS_AT_HOME
        )
        return {HOME} if is_touched else set()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, HomePage]:
        if HOME not in paths:
            return {}
        site = await site_row(content)
        row = await content.connection.fetchrow(HOMEPAGE, site.locale)
        if row is None:
            return {HOME: _holding(site.name, site.settings.contact_email)}
        return {HOME: await self._page(content, dict(row), site.locale)}

    async def _page(self, content: Content, row: dict[str, Any], locale: str) -> HomePage:
        image = row["hero_background_image"]
        known = await pictures(
            content, named_pictures([row], "hero_background_image", "about_section_html", "cta_html")
        )
        for text in ("about_section_html", "cta_html"):
            row[text] = place_pictures(row[text], known)
        own = await blocks(content, "homepage_id", [row["id"]], locale)
        is_listed = row["show_campaigns_section"]
        fields = {name: row[name] for name in HomePage.__struct_fields__ if name in row}
        return HomePage(
            **fields,
            is_holding=False,
            hero_image=picture(known, image),
            blocks=own.get(row["id"], ()),
            campaigns=await self._highlights.newest(content, ROWS_AT_HOME) if is_listed else (),
            campaigns_total=await self._highlights.total(content),
            tally=await self._tallies.tally(content),
            social_links=_social_links(row["social_media_urls"]),
            changed_at=row["updated_at"],
        )


class NotFound:
    """The titles of the newest campaigns help who is lost; their counts stay out, so that no signature
    makes this page anew."""

    name = "not found"
    template = "site/404.html"
    cache: CacheClass = "page"

    def __init__(self, highlights: Highlights) -> None:
        self._highlights = highlights

    async def paths(self, content: Content) -> Collection[str]:
        return {NOT_FOUND_PATH}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        return {NOT_FOUND_PATH} if await self._highlights.turned(content, changes, ROWS_AT_HOME) else set()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, NotFoundPage]:
        rows = await self._highlights.newest(content, ROWS_AT_HOME)
        bare = tuple(
            msgspec.structs.replace(row, summary="", count=0, as_of=None, image=None) for row in rows
        )
        return {path: NotFoundPage(campaigns=bare) for path in paths}


class Gone:
    """Made by the engine for each path that was a page; never asked for paths of its own."""

    name = "gone"
    template = "site/410.html"
    cache: CacheClass = "page"

    async def paths(self, content: Content) -> Collection[str]:
        return ()

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        return ()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        return {}


def gone_page(gone_on: date) -> GonePage:
    return GonePage(gone_on=gone_on)


class MediaFiles:
    """Every picture of the site, hashed by content."""

    name = "media"
    template = None
    cache: CacheClass = "immutable"

    async def paths(self, content: Content) -> Collection[str]:
        return set(await self._files(content))

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        rows = [facts for change in changes.of("media") for facts in (change.old, change.new) if facts]
        return {media_path(facts["filename"], facts["digest"]) for facts in rows}

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, InStore]:
        files = await self._files(content)
        return {path: files[path] for path in paths if path in files}

    async def _files(self, content: Content) -> dict[str, InStore]:
        rows = await content.connection.fetch(MEDIA)
        return {
            media_path(row["filename"], row["digest"]): InStore(
                MEDIA_PREFIX + row["digest"], row["content_type"]
            )
            for row in rows
        }


class Redirects:
    name = "redirects"
    template = None
    cache: CacheClass = "page"

    async def paths(self, content: Content) -> Collection[str]:
        return set(await self._targets(content, None))

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        return changes.values("redirects", "from_path")

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Redirect]:
        targets = await self._targets(content, paths)
        return {path: Redirect(target) for path, target in targets.items()}

    async def _targets(self, content: Content, paths: Sequence[str] | None) -> dict[str, str]:
        query = REDIRECTS if paths is None else REDIRECTS + " WHERE from_path = ANY($1::text[])"
        rows = await content.connection.fetch(query, *([] if paths is None else [list(paths)]))
        return {row["from_path"]: row["to_path"] for row in rows}


class HomeInSitemap:
    name = "pages"
    tables = ("homepages",)

    async def total(self, content: Content) -> int:
        return len(await self.parts(content))

    async def parts(self, content: Content) -> list[str]:
        return ["1"] if await self.entries(content, "1") else []

    async def touched_parts(self, content: Content, changes: Changes) -> set[str]:
        return {"1"}

    async def entries(self, content: Content, key: str) -> list[tuple[str, datetime]]:
        locale = (await site_row(content)).locale
        changed = await content.connection.fetchval(CHANGED, locale) if key == "1" else None
        return [(HOME, changed)] if changed else []


def _holding(name: str, contact_email: str) -> HomePage:
    blank = dict.fromkeys(_TEXTS, "")
    return HomePage(
        **blank | {"organization_name": name, "contact_email": contact_email},
        is_holding=True,
        hero_image=None,
        blocks=(),
        show_campaigns_section=False,
        campaigns=(),
        campaigns_total=0,
        tally=None,
        social_links=(),
        changed_at=None,
    )


_TEXTS = tuple(field.name for field in msgspec.structs.fields(HomePage) if field.type is str)


def _social_links(urls: str) -> tuple[SocialLink, ...]:
    known = msgspec.json.decode(urls, type=dict[str, str])
    return tuple(
        SocialLink(label=NETWORKS.get(name, name.title()), url=url) for name, url in sorted(known.items())
    )
