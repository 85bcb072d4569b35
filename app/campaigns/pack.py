"""`campaigns/<slug>.md` with `<slug>.blocks/`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from app.kit.markup import render_markdown
from app.packs.document import read_matter
from app.packs.fields import ImageName, Line, Moment, build
from app.packs.identities import Identities, Known
from app.packs.names import FileName, content_name, name_text
from app.packs.parts import Dumping, Loading, Part, Reading
from app.packs.upsert import Row, Table
from app.packs.writing import matter_text
from app.pages.pack_blocks import BlockFile, Blocks, dump_blocks, read_blocks
from app.pages.pack_media import refer_pictures

FOLDER = "campaigns"
_STEP = ".blocks"
_LATEST = datetime.max.replace(tzinfo=UTC)


class CampaignFields(msgspec.Struct, frozen=True, kw_only=True):
    """The front matter; the body is the description. Without `created_at` a new campaign is of now."""

    title: Line
    summary: Line
    endorsement_statement: str = ""
    endorsement_form_instructions: str = ""
    target_count: Annotated[int, Meta(ge=1, le=2**31 - 1, description="a whole number above 0")] | None = None
    target_obligation: str = ""
    closes_at: Moment | None = None
    outcome: str = ""
    image_url: ImageName = ""
    image_alt_text: str = ""
    active: bool = True
    allow_endorsements: bool = True
    created_at: Moment | None = None


NAMES = CampaignFields.__struct_fields__
CAMPAIGNS = Table(
    name="campaigns",
    key=("locale", "slug"),
    columns={
        "id": "uuid",
        "locale": "text",
        "translation_group_id": "uuid",
        "slug": "text",
        **dict.fromkeys(NAMES, "text"),
        "target_count": "int",
        "closes_at": "timestamptz",
        "active": "bool",
        "allow_endorsements": "bool",
        "created_at": "timestamptz",
        "description": "text",
        "description_html": "text",
        "outcome_html": "text",
    },
    expressions={"created_at": "coalesce(given.created_at, now())"},
)


class CampaignFile(msgspec.Struct, frozen=True):
    file: str
    name: FileName
    fields: CampaignFields
    description: str
    html: str


class CampaignContent:
    """New campaigns are numbered from the oldest to the newest, then by slug."""

    def __init__(self, files: Iterable[CampaignFile], blocks: Iterable[BlockFile]) -> None:
        self._files = sorted(files, key=_order)
        self._blocks = Blocks("campaign_id", list(blocks))
        self._rows: list[Row] = []

    async def check(self, load: Loading) -> None:
        stored = await load.connection.fetch(
            "SELECT id, locale, slug, translation_group_id, created_at FROM campaigns"
        )
        found = Identities(
            load,
            [(row["locale"], row["slug"], Known(row["id"], row["translation_group_id"])) for row in stored],
        )
        created = {row["id"]: row["created_at"] for row in stored}
        for campaign in self._files:
            known = found.take(campaign.name.locale, campaign.name.slug, campaign.file)
            if known:
                self._rows.append(_row(campaign, known, created.get(known.id)))
        await self._blocks.check(load, found)

    async def prune(self, load: Loading) -> None:
        await self._blocks.prune(load)
        await load.remove_others("campaigns", [row["id"] for row in self._rows])

    async def save(self, load: Loading) -> None:
        await load.upsert(CAMPAIGNS, self._rows)
        await self._blocks.save(load)


def read(pack: Reading) -> CampaignContent:
    files: list[CampaignFile] = []
    folders: set[str] = set()
    for file in pack.folder.below(FOLDER):
        folder, _, _ = file.rpartition("/")
        if folder == FOLDER:
            files.extend(_read(pack, file))
        elif folder.endswith(_STEP):
            folders.add(folder)
    _report_twins(pack, files)
    blocks: list[BlockFile] = []
    for folder in sorted(folders):
        owner = folder.removeprefix(f"{FOLDER}/").removesuffix(_STEP)
        blocks.extend(read_blocks(pack, folder, owner))
    return CampaignContent(files, blocks)


async def dump(pack: Dumping) -> None:
    rows = await pack.connection.fetch("SELECT * FROM campaigns")
    for row in rows:
        fields = CampaignFields(**{name: row[name] for name in NAMES})
        file = name_text(row["slug"], row["locale"], pack.locale)
        pack.write(f"{FOLDER}/{file}", matter_text(fields, row["description"]))
    await dump_blocks(pack, "campaign_id", {str(row["id"]): f"{FOLDER}/{row['slug']}{_STEP}" for row in rows})


def _read(pack: Reading, file: str) -> Iterable[CampaignFile]:
    name = content_name(pack, file)
    text = pack.folder.text(file) if name else None
    matter = read_matter(text, file, pack.problems) if text is not None else None
    fields = build(CampaignFields, matter.document, pack.problems) if matter else None
    if name is None or matter is None or fields is None:
        return
    html = render_markdown(matter.body)
    pack.refer(fields.image_url, file, matter.document.line("image_url"), "image_url")
    refer_pictures(pack, matter, html)
    yield CampaignFile(file, name, fields, matter.body, html)


def _report_twins(pack: Reading, files: Iterable[CampaignFile]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for campaign in files:
        twin = seen.setdefault((campaign.name.locale, campaign.fields.title), campaign.file)
        if twin != campaign.file:
            pack.problems.add(campaign.file, f"is the same as in {twin}; write another", field="title")


def _order(campaign: CampaignFile) -> tuple[bool, datetime, str]:
    return campaign.name.is_translation, campaign.fields.created_at or _LATEST, campaign.name.slug


def _row(campaign: CampaignFile, known: Known, created_at: datetime | None) -> Row:
    fields = msgspec.structs.asdict(campaign.fields)
    return {
        "id": known.id,
        "locale": campaign.name.locale,
        "translation_group_id": known.translation_group_id,
        "slug": campaign.name.slug,
        **fields,
        "created_at": fields["created_at"] or created_at,
        "description": campaign.description,
        "description_html": campaign.html,
        "outcome_html": render_markdown(fields["outcome"]),
    }


PACK = Part(read=read, dump=dump)
