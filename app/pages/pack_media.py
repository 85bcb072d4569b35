"""`media/*` and `media.csv`: the pictures of a pack."""

import re
from collections.abc import Iterable, Sequence

import msgspec
from uuid_utils.compat import uuid7

from app.packs.document import Matter, read_csv
from app.packs.fields import Line, build
from app.packs.images import NotAnImage, Picture, prepare
from app.packs.parts import Dumping, Loading, Reading, Reference
from app.packs.upsert import Table
from app.packs.writing import csv_text
from app.pages.parts import pictures_in
from app.storage.facade import Item

FILE = "media.csv"
FOLDER = "media"
_FILENAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class MediaFields(msgspec.Struct, frozen=True, kw_only=True):
    """A row of media.csv."""

    filename: Line
    alt_text: str = ""
    credit: str = ""
    licence: str = ""


COLUMNS = MediaFields.__struct_fields__
MEDIA = Table(
    name="media",
    key=("filename",),
    columns={
        "id": "uuid",
        "filename": "text",
        "digest": "text",
        "content_type": "text",
        "size": "int",
        "width": "int",
        "height": "int",
        "alt_text": "text",
        "credit": "text",
        "licence": "text",
    },
)


class MediaContent:
    """Holds the pictures ready to be stored, and what refers to pictures anywhere in the pack."""

    def __init__(self, pictures: dict[str, Picture], words: dict[str, MediaFields]) -> None:
        self._pictures = pictures
        self._words = words
        self.references: list[Reference] = []

    async def check(self, load: Loading) -> None:
        """`check_references` has done it."""

    async def prune(self, load: Loading) -> None:
        status = await load.connection.execute(
            "DELETE FROM media WHERE filename <> ALL ($1::text[])", list(self._pictures)
        )
        load.count("media").removed += int(status.rpartition(" ")[2])

    async def save(self, load: Loading) -> None:
        """The bytes first: a row never names what the store does not hold."""
        items = {_key(picture.digest): picture for picture in self._pictures.values()}
        await load.store.put_many(Item(key, made.body, made.content_type) for key, made in items.items())
        await load.store.sync(items)
        await load.upsert(MEDIA, [self._row(name) for name in self._pictures])

    def _row(self, name: str) -> dict[str, object]:
        picture = self._pictures[name]
        words = self._words.get(name, MediaFields(filename=name))
        return {
            "id": uuid7(),
            **msgspec.structs.asdict(words),
            "digest": picture.digest,
            "content_type": picture.content_type,
            "size": len(picture.body),
            "width": picture.width,
            "height": picture.height,
        }


def read_media(pack: Reading) -> MediaContent:
    files = pack.folder.below(FOLDER)
    pictures = {}
    for file in files:
        picture = _picture(pack, file)
        if picture is not None:
            pictures[file.removeprefix(f"{FOLDER}/")] = picture
    return MediaContent(pictures, dict(_words(pack, set(files))))


async def check_pictures(load: Loading, references: Sequence[Reference]) -> None:
    """A picture must be in the pack, or stored already and not about to be pruned."""
    wanted = [reference for reference in references if not reference.is_in_pack]
    if not wanted:
        return
    stored = await load.connection.fetch("SELECT filename FROM media") if not load.prune else []
    known = {f"{FOLDER}/{row['filename']}" for row in stored}
    for reference in wanted:
        if reference.target not in known:
            message = f"there is no {reference.target} in the pack; add the file or correct the path"
            load.problems.add(reference.file, message, line=reference.line, field=reference.field)


def refer_pictures(pack: Reading, matter: Matter, html: str) -> None:
    """Note the pictures that a rendered body shows."""
    for image in pictures_in(html):
        pack.refer(image, matter.document.file, matter.line_of(image), "body")


async def dump_media(pack: Dumping) -> None:
    rows = await pack.connection.fetch("SELECT * FROM media ORDER BY filename")
    for row in rows:
        pack.write(f"{FOLDER}/{row['filename']}", await pack.store.get(_key(row["digest"])))
    if rows:
        pack.write(FILE, csv_text(COLUMNS, rows))


def _key(digest: str) -> str:
    return f"media/{digest}"


def _picture(pack: Reading, file: str) -> Picture | None:
    name = file.removeprefix(f"{FOLDER}/")
    if not _FILENAME.fullmatch(name):
        pack.folder.claim(file)
        pack.problems.add(
            file, "is not a good file name; use letters, digits, dots and hyphens, and no folders"
        )
        return None
    body = pack.folder.body(file)
    try:
        return prepare(body) if body is not None else None
    except NotAnImage as error:
        pack.problems.add(file, str(error))
        return None


def _words(pack: Reading, present: set[str]) -> Iterable[tuple[str, MediaFields]]:
    text = pack.folder.text(FILE) if FILE in pack.folder.files else None
    seen: set[str] = set()
    for document in read_csv(text, FILE, pack.problems, COLUMNS) if text is not None else []:
        fields = build(MediaFields, document, pack.problems)
        if fields is None:
            continue
        if fields.filename in seen:
            pack.problems.add(
                FILE, f"names {fields.filename} twice", line=document.first_line, field="filename"
            )
        elif f"{FOLDER}/{fields.filename}" not in present:
            message = f"there is no {FOLDER}/{fields.filename} in the pack"
            pack.problems.add(FILE, message, line=document.first_line, field="filename")
        seen.add(fields.filename)
        yield fields.filename, fields
