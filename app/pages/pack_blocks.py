"""Content blocks as files: `NN-name.md` in the folder of the home page, a campaign or a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.kit.markup import render_markdown
from app.packs.document import read_matter
from app.packs.fields import ImageName, build
from app.packs.identities import Identities, Known
from app.packs.names import FileName, block_name, name_text
from app.packs.parts import Dumping, Loading, Reading
from app.packs.upsert import Row, Table
from app.packs.writing import matter_text
from app.pages.pack_media import refer_pictures

Owner = Literal["homepage_id", "campaign_id", "page_id"]


class BlockFields(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    block_type: Literal["text", "image", "text_image", "quote"] = "text"
    image_url: ImageName = ""
    image_alt_text: str = ""
    css_classes: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_ -]*$", description="names of classes with spaces between them")
    ] = ""
    background_color: Annotated[
        str,
        Meta(pattern=r"^(?:#[0-9a-f]{6})?$", description="a colour such as #f4e9d8, in lower-case letters"),
    ] = ""
    is_visible: bool = True


NAMES = BlockFields.__struct_fields__
BLOCKS = Table(
    name="content_blocks",
    key=("locale", "homepage_id", "campaign_id", "page_id", "name"),
    predicate="name <> ''",
    columns={
        "id": "uuid",
        "locale": "text",
        "translation_group_id": "uuid",
        "homepage_id": "uuid",
        "campaign_id": "uuid",
        "page_id": "uuid",
        "name": "text",
        **dict.fromkeys(NAMES, "text"),
        "is_visible": "bool",
        "content": "text",
        "content_html": "text",
        "position": "int",
    },
)


class BlockFile(msgspec.Struct, frozen=True):
    """`owner` is the key of the campaign or page, empty for the home page."""

    file: str
    owner: str
    name: FileName
    fields: BlockFields
    content: str
    html: str


class Blocks:
    """The blocks of one kind of owner."""

    def __init__(self, column: Owner, files: Sequence[BlockFile]) -> None:
        self._column = column
        self._files = sorted(files, key=lambda block: block.name.is_translation)
        self._rows: list[Row] = []
        self._identities: Identities[tuple[str, str]] | None = None

    async def check(self, load: Loading, owners: Identities[str]) -> None:
        """Gives each file its row; a block in another language belongs to the owner in that language."""
        found = Identities(load, await _stored(load, self._column, owners))
        self._identities = found
        for block in self._files:
            owner = owners.find(block.name.locale, block.owner)
            known = found.take(block.name.locale, (block.owner, block.name.slug), block.file)
            if owner is None:
                load.problems.add(
                    block.file,
                    f"is a block of nothing: what it stands on is not there in {block.name.locale}",
                )
            elif known:
                self._rows.append(_row(block, known, {self._column: owner.id}))

    async def prune(self, load: Loading) -> None:
        keep = self._identities.given_ids() if self._identities else []
        await load.remove_others("content_blocks", keep, f"{self._column} IS NOT NULL")

    async def save(self, load: Loading) -> None:
        await load.upsert(BLOCKS, self._rows)


def read_blocks(pack: Reading, folder: str, owner: str = "") -> Iterable[BlockFile]:
    """The blocks in `folder`, which need not be there."""
    seen: dict[tuple[str, str], str] = {}
    for file in pack.folder.below(folder):
        if "/" in file.removeprefix(f"{folder}/"):
            continue
        name = block_name(pack, file)
        if name is None:
            continue
        twin = seen.setdefault((name.slug, name.locale), file)
        if twin != file:
            pack.problems.add(file, f"has the same name as {twin}; only the number differs")
        block = _read(pack, file, owner, name)
        if block:
            yield block


async def dump_blocks(pack: Dumping, column: Owner, folders: Mapping[str, str]) -> None:
    """Write the blocks of each owner (by id) into its folder."""
    rows = await pack.connection.fetch(
        f"SELECT *, {column}::text AS owner FROM content_blocks WHERE {column} IS NOT NULL "
        "ORDER BY position, name, id"
    )
    for row in rows:
        name = row["name"] or f"block-{row['id'].hex[-12:]}"
        file = name_text(f"{row['position']:02d}-{name}", row["locale"], pack.locale)
        fields = BlockFields(**{field: row[field] for field in NAMES})
        pack.write(f"{folders[row['owner']]}/{file}", matter_text(fields, row["content"]))


def _read(pack: Reading, file: str, owner: str, name: FileName) -> BlockFile | None:
    text = pack.folder.text(file)
    matter = read_matter(text, file, pack.problems) if text is not None else None
    fields = build(BlockFields, matter.document, pack.problems) if matter else None
    if matter is None or fields is None:
        return None
    html = render_markdown(matter.body)
    pack.refer(fields.image_url, file, matter.document.line("image_url"), "image_url")
    refer_pictures(pack, matter, html)
    return BlockFile(file, owner, name, fields, matter.body, html)


async def _stored(
    load: Loading, column: Owner, owners: Identities[str]
) -> list[tuple[str, tuple[str, str], Known]]:
    rows = await load.connection.fetch(
        f"SELECT id, locale, translation_group_id, name, {column} AS owner FROM content_blocks "
        f"WHERE {column} IS NOT NULL AND name <> ''"
    )
    keys = owners.keys()
    return [
        (row["locale"], (keys[row["owner"]][1], row["name"]), Known(row["id"], row["translation_group_id"]))
        for row in rows
        if row["owner"] in keys
    ]


def _row(block: BlockFile, known: Known, owner: Mapping[str, object]) -> Row:
    return {
        "id": known.id,
        "locale": block.name.locale,
        "translation_group_id": known.translation_group_id,
        **dict.fromkeys(("homepage_id", "campaign_id", "page_id")),
        **owner,
        "name": block.name.slug,
        **msgspec.structs.asdict(block.fields),
        "content": block.content,
        "content_html": block.html,
        "position": block.name.position,
    }
