"""The row of a site, as its pages need it."""

import msgspec

from app.publishing.kinds import Content
from app.sites.schemas import NavigationItem, Theme

SITE = """
SELECT s.slug, s.name, s.base_url, s.timezone, s.locale, s.theme, s.navigation, s.settings,
       array(SELECT host::text FROM site_hosts WHERE site_id = s.id ORDER BY host) AS hosts
  FROM sites s
"""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of `sites.settings` that pages show."""

    footer_text: str = ""
    contact_email: str = ""


class SiteRow(msgspec.Struct, frozen=True, kw_only=True):
    slug: str
    name: str
    base_url: str
    timezone: str
    locale: str
    hosts: tuple[str, ...]
    theme: Theme
    navigation: tuple[NavigationItem, ...]
    settings: SiteSettings

    @property
    def url(self) -> str:
        """Scheme and host without a trailing slash; in development a name that leads to this machine."""
        return self.base_url or f"http://{self.slug}.localhost"


async def site_row(content: Content) -> SiteRow:
    """Read once for each frozen content."""
    known: SiteRow | None = content.memo.get("site")
    if known is None:
        known = content.memo["site"] = await _read(content)
    return known


async def _read(content: Content) -> SiteRow:
    row = await content.connection.fetchrow(SITE)
    assert row is not None  # noqa: S101 - the transaction has this very site set
    fields = dict(row)
    for column in ("theme", "navigation", "settings"):
        fields[column] = msgspec.json.decode(fields[column])
    return msgspec.convert(fields, SiteRow)
