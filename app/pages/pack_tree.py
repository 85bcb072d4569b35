"""`pages/**/<slug>.md` with `<slug>.blocks/`: the tree of pages by folders."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from app.database.engine import Connection
from app.kit.markup import render_markdown
from app.packs.document import read_matter
from app.packs.fields import Line, Position, build
from app.packs.identities import Identities, Known
from app.packs.names import FileName, content_name, name_text
from app.packs.parts import Dumping, Loading, Reading
from app.packs.upsert import Cells, Row, Table
from app.packs.writing import matter_text
from app.pages.models import TAKEN
from app.pages.pack_blocks import BlockFile, Blocks, dump_blocks, read_blocks
from app.pages.pack_media import refer_pictures

FOLDER = "pages"
_STEP = ".blocks"


class PageFields(msgspec.Struct, frozen=True, kw_only=True):
    title: Line
    summary: str = ""
    position: Position = 0


NAMES = PageFields.__struct_fields__
PAGES = Table(
    name="pages",
    key=("locale", "parent_id", "slug"),
    columns={
        "id": "uuid",
        "locale": "text",
        "translation_group_id": "uuid",
        "parent_id": "uuid",
        "slug": "text",
        "title": "text",
        "summary": "text",
        "position": "int",
        "content": "text",
        "content_html": "text",
    },
)


class PageFile(msgspec.Struct, frozen=True):
    """`path` is the slugs from the root, with slashes."""

    file: str
    path: str
    name: FileName
    fields: PageFields
    content: str
    html: str


class TreeContent:
    def __init__(self, files: Iterable[PageFile], blocks: Iterable[BlockFile]) -> None:
        self._files = sorted(
            files, key=lambda page: (page.name.is_translation, page.path.count("/"), page.path)
        )
        self._blocks = Blocks("page_id", list(blocks))
        self._rows: list[Row] = []

    async def check(self, load: Loading) -> None:
        """Gives each file its row; parents come first."""
        stored = await _tree(load.connection)
        found = Identities(load, [(locale, path, known) for locale, path, known, _ in stored])
        for page in self._files:
            parent = page.path.rpartition("/")[0]
            above = found.find(page.name.locale, parent) if parent else None
            if parent and above is None:
                message = (
                    f"has no page above it: add {FOLDER}/{name_text(parent, page.name.locale, load.locale)}"
                )
                load.problems.add(page.file, message)
            known = found.take(page.name.locale, page.path, page.file)
            if known:
                self._rows.append(_row(page, known, above.id if above else None))
        await self._blocks.check(load, found)

    async def prune(self, load: Loading) -> None:
        await self._blocks.prune(load)
        await load.remove_others("pages", [row["id"] for row in self._rows])

    async def save(self, load: Loading) -> None:
        await load.upsert(PAGES, self._rows)
        await self._blocks.save(load)


def read_tree(pack: Reading) -> TreeContent:
    files: list[PageFile] = []
    blocks: list[BlockFile] = []
    folders: set[str] = set()
    for file in pack.folder.below(FOLDER):
        folder = file.rpartition("/")[0]
        if folder.endswith(_STEP):
            folders.add(folder)
        elif page := _read(pack, file):
            files.append(page)
    for folder in sorted(folders):
        owner = folder.removeprefix(f"{FOLDER}/").removesuffix(_STEP)
        blocks.extend(read_blocks(pack, folder, owner))
    return TreeContent(files, blocks)


async def dump_tree(pack: Dumping) -> None:
    folders = {}
    for locale, path, known, row in await _tree(pack.connection):
        fields = PageFields(**{name: row[name] for name in NAMES})
        file = name_text(path, locale, pack.locale)
        pack.write(f"{FOLDER}/{file}", matter_text(fields, row["content"]))
        folders[str(known.id)] = f"{FOLDER}/{path}{_STEP}"
    await dump_blocks(pack, "page_id", folders)


def _read(pack: Reading, file: str) -> PageFile | None:
    name = content_name(pack, file)
    text = pack.folder.text(file) if name else None
    matter = read_matter(text, file, pack.problems) if text is not None else None
    fields = build(PageFields, matter.document, pack.problems) if matter else None
    if name is None or matter is None or fields is None:
        return None
    path = file.rpartition("/")[0].removeprefix(FOLDER).removeprefix("/")
    path = f"{path}/{name.slug}" if path else name.slug
    if path in TAKEN:
        pack.problems.add(file, f"cannot be called {path}: something else answers at /{path}/")
    html = render_markdown(matter.body)
    refer_pictures(pack, matter, html)
    return PageFile(file, path, name, fields, matter.body, html)


async def _tree(connection: Connection) -> list[tuple[str, str, Known, Cells]]:
    """Language, path, identity and row of every stored page."""
    rows: dict[UUID, Cells] = {row["id"]: row for row in await connection.fetch("SELECT * FROM pages")}

    def path(row: Cells) -> str:
        above = row["parent_id"]
        return f"{path(rows[above])}/{row['slug']}" if above else str(row["slug"])

    return [
        (row["locale"], path(row), Known(row["id"], row["translation_group_id"]), row)
        for row in rows.values()
    ]


def _row(page: PageFile, known: Known, parent_id: UUID | None) -> Row:
    return {
        "id": known.id,
        "locale": page.name.locale,
        "translation_group_id": known.translation_group_id,
        "parent_id": parent_id,
        "slug": page.name.slug,
        **msgspec.structs.asdict(page.fields),
        "content": page.content,
        "content_html": page.html,
    }
