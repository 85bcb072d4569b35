"""`site.toml`: the site's own row and its hosts."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import babel
import msgspec
from msgspec import Meta

from app.packs.document import read_toml
from app.packs.fields import Email, Line, Link, Locale, Slug, build
from app.packs.parts import Dumping, Identity, Loading, Part, Reading
from app.packs.upsert import Table
from app.packs.writing import toml_text
from app.sites.schemas import Fonts, Theme

FILE = "site.toml"

Host = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]+(?:\.[a-z0-9-]+)*$", max_length=253, description="a host such as www.example.org"
    ),
]
BaseUrl = Annotated[
    str,
    Meta(
        pattern=r"^(?:https?://[^/\s?#]+)?$",
        description="scheme and host without a slash at the end, such as https://www.example.org",
    ),
]
Colour = Annotated[
    str, Meta(pattern=r"^#[0-9a-f]{6}$", description="a colour such as #0b5563, in lower-case letters")
]


class ThemeFields(msgspec.Struct, frozen=True, kw_only=True):
    primary: Colour = Theme().primary
    accent: Colour = Theme().accent
    font: Fonts = Theme().font


class NavigationFields(msgspec.Struct, frozen=True, kw_only=True):
    label: Line
    url: Link


class SiteFields(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of site.toml. `tagline`, `contact_email` and `footer_text` are kept in `sites.settings`."""

    slug: Slug
    name: Line
    kind: Literal["organization", "city", "department"] = "organization"
    hosts: list[Host] = []
    base_url: BaseUrl = ""
    locale: Locale = "en"
    timezone: str = "UTC"
    tagline: str = ""
    contact_email: Email = ""
    footer_text: str = ""
    theme: ThemeFields = ThemeFields()
    navigation: list[NavigationFields] = []


SETTINGS = ("tagline", "contact_email", "footer_text")
SITES = Table(
    name="sites",
    key=("id",),
    columns={
        "id": "uuid",
        "kind": "text",
        "slug": "text",
        "name": "text",
        "base_url": "text",
        "timezone": "text",
        "locale": "text",
        "theme": "text",
        "navigation": "text",
        "settings": "text",
    },
    expressions={name: f"given.{name}::jsonb" for name in ("theme", "navigation", "settings")},
    kept=frozenset(),
    of_site=False,
)


class SiteContent:
    """`fields` is None when site.toml has problems; nothing is written then."""

    def __init__(self, fields: SiteFields | None) -> None:
        self._fields = fields

    async def check(self, load: Loading) -> None:
        """Hosts of other sites cannot be seen: `save` finds them."""

    async def prune(self, load: Loading) -> None:
        if self._fields:
            status = await load.connection.execute(
                "DELETE FROM site_hosts WHERE host <> ALL ($1::text[]::citext[])", self._fields.hosts
            )
            load.count("site_hosts").removed += int(status.rpartition(" ")[2])

    async def save(self, load: Loading) -> None:
        if self._fields:
            settings = await load.connection.fetchval("SELECT settings FROM sites")
            await load.upsert(SITES, [_row(load, self._fields, json.loads(settings or "{}"))])
            await self._save_hosts(load, self._fields.hosts)

    async def _save_hosts(self, load: Loading, hosts: list[str]) -> None:
        """A host of another site is invisible here: it conflicts, and is missing afterwards."""
        added = await load.connection.fetch(
            "INSERT INTO site_hosts (host, site_id) SELECT unnest($2::text[]), $1 ON CONFLICT DO NOTHING "
            "RETURNING host",
            load.site_id,
            hosts,
        )
        own = {row["host"] for row in await load.connection.fetch("SELECT host FROM site_hosts")}
        for host in hosts:
            if host not in own:
                load.problems.add(
                    FILE, f"{host} belongs to another site; remove it there first", field="hosts"
                )
        load.count("site_hosts").inserted += len(added)
        load.count("site_hosts").unchanged += len(hosts) - len(added)


def read(pack: Reading) -> SiteContent:
    text = pack.folder.text(FILE)
    document = read_toml(text, FILE, pack.problems) if text is not None else None
    fields = build(SiteFields, document, pack.problems) if document else None
    if fields is None or document is None:
        return SiteContent(None)
    pack.identity = Identity(fields.slug, fields.locale)
    if fields.timezone not in available_timezones():
        message = f"{fields.timezone!r} is not a time zone; write one such as America/New_York"
        pack.problems.add(FILE, message, line=document.line("timezone"), field="timezone")
    if not _is_language(fields.locale):
        message = f"{fields.locale!r} is no language whose dates and numbers are known; write one such as en"
        pack.problems.add(FILE, message, line=document.line("locale"), field="locale")
    if len(set(fields.hosts)) < len(fields.hosts):
        pack.problems.add(FILE, "names a host twice", line=document.line("hosts"), field="hosts")
    return SiteContent(fields)


def _is_language(locale: str) -> bool:
    try:
        babel.Locale.parse(locale, sep="-")
    except (babel.UnknownLocaleError, ValueError):
        return False
    return True


async def dump(pack: Dumping) -> None:
    row = await pack.connection.fetchrow("SELECT * FROM sites")
    if row is None:
        raise AssertionError("the site was found in the directory")
    hosts = await pack.connection.fetch("SELECT host::text FROM site_hosts ORDER BY host")
    settings: dict[str, Any] = json.loads(row["settings"])
    pack.locale = row["locale"]
    fields = SiteFields(
        **{name: row[name] for name in ("slug", "name", "kind", "base_url", "locale", "timezone")},
        **{name: settings.get(name, "") for name in SETTINGS},
        hosts=[host["host"] for host in hosts],
        theme=ThemeFields(**json.loads(row["theme"])),
        navigation=[NavigationFields(**item) for item in json.loads(row["navigation"])],
    )
    pack.write(FILE, toml_text(fields))


def _row(load: Loading, fields: SiteFields, settings: Mapping[str, object]) -> dict[str, object]:
    """Settings that a pack does not know are kept."""
    known = {name: getattr(fields, name) for name in SETTINGS}
    merged = {name: value for name, value in {**settings, **known}.items() if value or name not in known}
    return {
        "id": load.site_id,
        **{
            name: getattr(fields, name) for name in ("kind", "slug", "name", "base_url", "timezone", "locale")
        },
        "theme": json.dumps(msgspec.to_builtins(fields.theme)),
        "navigation": json.dumps(msgspec.to_builtins(fields.navigation)),
        "settings": json.dumps(merged),
    }


PACK = Part(read=read, dump=dump)
