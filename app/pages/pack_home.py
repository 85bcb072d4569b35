"""`homepage.toml`, `homepage.<locale>.toml` and `blocks/`."""

import json
import re
from collections.abc import Mapping

import msgspec

from app.kit.markup import render_markdown
from app.packs.document import read_toml
from app.packs.fields import Email, ImageName, Line, Link, WebAddress, build
from app.packs.identities import Identities, Known
from app.packs.names import FileName, home_name, name_text
from app.packs.parts import Dumping, Loading, Reading
from app.packs.upsert import Table
from app.packs.writing import toml_text
from app.pages.activation import activate
from app.pages.pack_blocks import BlockFile, Blocks, dump_blocks, read_blocks

_FILES = re.compile(r"homepage(?:\.[^/]+)?\.toml")


class HomepageFields(msgspec.Struct, frozen=True, kw_only=True):
    organization_name: Line
    tagline: str = ""
    hero_title: str = ""
    hero_subtitle: str = ""
    hero_background_image: ImageName = ""
    about_section_title: str = ""
    about_section_content: str = ""
    cta_title: str = ""
    cta_content: str = ""
    cta_button_text: str = ""
    cta_button_url: Link = ""
    contact_email: Email
    contact_phone: str = ""
    social_media_urls: dict[str, WebAddress] = {}
    campaigns_section_title: str = ""
    campaigns_section_subtitle: str = ""
    show_campaigns_section: bool = True
    is_active: bool = False


NAMES = HomepageFields.__struct_fields__
HOMEPAGES = Table(
    name="homepages",
    key=("id",),
    columns={
        "id": "uuid",
        "locale": "text",
        "translation_group_id": "uuid",
        **dict.fromkeys(NAMES, "text"),
        "show_campaigns_section": "bool",
        "is_active": "bool",
        "about_section_html": "text",
        "cta_html": "text",
    },
    expressions={"social_media_urls": "given.social_media_urls::jsonb"},
)
# A home page has no key of its own: a pack means the active one, else the one that was edited last.
_STORED = """
SELECT DISTINCT ON (locale) * FROM homepages
 WHERE locale = $1 OR translation_group_id = (
   SELECT translation_group_id FROM homepages
    WHERE locale = $1 ORDER BY is_active DESC, updated_at DESC, id LIMIT 1)
 ORDER BY locale, is_active DESC, updated_at DESC, id
"""


class HomepageFile(msgspec.Struct, frozen=True):
    file: str
    name: FileName
    fields: HomepageFields


class HomeContent:
    def __init__(self, files: list[HomepageFile], blocks: list[BlockFile]) -> None:
        self._files = sorted(files, key=lambda page: page.name.is_translation)
        self._blocks = Blocks("homepage_id", blocks)
        self._rows: list[dict[str, object]] = []
        self._active: set[object] = set()

    async def check(self, load: Loading) -> None:
        stored = await load.connection.fetch(_STORED, load.locale)
        self._active = {row["id"] for row in stored if row["is_active"]}
        found = Identities(
            load, [(row["locale"], "", Known(row["id"], row["translation_group_id"])) for row in stored]
        )
        for page in self._files:
            known = found.take(page.name.locale, "", page.file)
            if known:
                self._rows.append(_row(page, known))
        await self._blocks.check(load, found)

    async def prune(self, load: Loading) -> None:
        await self._blocks.prune(load)
        await load.remove_others("homepages", [row["id"] for row in self._rows])  # type: ignore[misc]

    async def save(self, load: Loading) -> None:
        """A page becomes active by its own statement, which retires the one before it."""
        wanted = [row["id"] for row in self._rows if row["is_active"]]
        rows = [{**row, "is_active": row["is_active"] and row["id"] in self._active} for row in self._rows]
        await load.upsert(HOMEPAGES, rows)
        for homepage_id in wanted:
            await activate(load.connection, homepage_id)  # type: ignore[arg-type]
        await self._blocks.save(load)


def read_home(pack: Reading) -> HomeContent:
    files = [file for file in pack.folder.files if _FILES.fullmatch(file)]
    read = (_read(pack, file) for file in files)
    return HomeContent([page for page in read if page], list(read_blocks(pack, "blocks")))


async def dump_home(pack: Dumping) -> None:
    rows = await pack.connection.fetch(_STORED, pack.locale)
    for row in rows:
        values = {name: row[name] for name in NAMES}
        fields = HomepageFields(**{**values, "social_media_urls": json.loads(row["social_media_urls"])})
        pack.write(name_text("homepage", row["locale"], pack.locale, "toml"), toml_text(fields))
    await dump_blocks(pack, "homepage_id", {str(row["id"]): "blocks" for row in rows})


def _read(pack: Reading, file: str) -> HomepageFile | None:
    name = home_name(pack, file)
    text = pack.folder.text(file) if name else None
    document = read_toml(text, file, pack.problems) if text is not None else None
    fields = build(HomepageFields, document, pack.problems) if document else None
    if name is None or document is None or fields is None:
        return None
    pack.refer(
        fields.hero_background_image, file, document.line("hero_background_image"), "hero_background_image"
    )
    return HomepageFile(file, name, fields)


def _row(page: HomepageFile, known: Known) -> dict[str, object]:
    fields: Mapping[str, object] = msgspec.structs.asdict(page.fields)
    return {
        "id": known.id,
        "locale": page.name.locale,
        "translation_group_id": known.translation_group_id,
        **fields,
        "social_media_urls": json.dumps(page.fields.social_media_urls),
        "about_section_html": render_markdown(page.fields.about_section_content),
        "cta_html": render_markdown(page.fields.cta_content),
    }
