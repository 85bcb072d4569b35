"""The Atom feed of a site's campaigns (RFC 4287)."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from xml.sax import saxutils
from xml.sax.saxutils import quoteattr

from app.campaigns.listing import Rows, campaign_path
from app.publishing.kinds import Changes, Content, Raw
from app.publishing.manifest import CacheClass
from app.sites.site_row import SiteRow, site_row

ATOM = "application/atom+xml; charset=utf-8"
PATH = "/campaigns/feed.atom"
ENTRIES = 20
"""The newest; who was away for longer finds the others in the list."""

NEWEST = """
SELECT id, slug, title, summary, created_at, updated_at
  FROM campaigns WHERE active AND locale = $1 ORDER BY created_at DESC, slug LIMIT $2
"""


_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""No reader takes a feed with one of them, not even escaped; word processors leave them in titles."""


class Feed:
    """Without counts, so that no endorsement makes it anew; not there while there is no campaign."""

    name = "campaigns feed"
    template = None
    cache: CacheClass = "feed"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def paths(self, content: Content) -> Collection[str]:
        return {PATH}

    async def touched(self, content: Content, changes: Changes) -> Collection[str]:
        return {PATH} if await self._rows.turned(content, changes, ENTRIES) else set()

    async def load(self, content: Content, paths: Sequence[str]) -> Mapping[str, Raw]:
        site = await site_row(content)
        rows = await content.connection.fetch(NEWEST, site.locale, ENTRIES)
        if PATH not in paths or not rows:
            return {}
        return {PATH: Raw(_feed(site, [dict(row) for row in rows]).encode(), ATOM)}


def _feed(site: SiteRow, rows: Sequence[Mapping[str, Any]]) -> str:
    updated = max(row["updated_at"] for row in rows)
    entries = "".join(_entry(site.url, row) for row in rows)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={quoteattr(site.locale)}>\n'
        f"<title>{escape(site.name)}</title>\n"
        f"<id>{escape(site.url)}{PATH}</id>\n"
        f'<link rel="self" type="application/atom+xml" href={quoteattr(site.url + PATH)}/>\n'
        f'<link rel="alternate" type="text/html" href={quoteattr(site.url + "/campaigns/")}/>\n'
        f"<author><name>{escape(site.name)}</name></author>\n"
        f"<updated>{updated.isoformat()}</updated>\n{entries}</feed>\n"
    )


def _entry(base_url: str, row: Mapping[str, Any]) -> str:
    address = quoteattr(base_url + campaign_path(row["slug"]))
    return (
        f"<entry>\n<title>{escape(row['title'])}</title>\n<id>urn:uuid:{row['id']}</id>\n"
        f'<link rel="alternate" type="text/html" href={address}/>\n'
        f"<published>{row['created_at'].isoformat()}</published>\n"
        f"<updated>{row['updated_at'].isoformat()}</updated>\n"
        f"<summary>{escape(row['summary'])}</summary>\n</entry>\n"
    )


def escape(text: str) -> str:
    return saxutils.escape(_NO_XML.sub(" ", text))
