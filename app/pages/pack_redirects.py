"""`redirects.csv`."""

import re
import unicodedata
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta
from uuid_utils.compat import uuid7

from app.packs.document import read_csv
from app.packs.fields import build
from app.packs.parts import Dumping, Loading, Reading
from app.packs.upsert import Table
from app.packs.writing import csv_text
from app.publishing.manifest import LONGEST_PATH, NOT_FOUND_PATH, check_path

FILE = "redirects.csv"
TAKEN = frozenset(
    {NOT_FOUND_PATH, "/", "/robots.txt", "/sitemap.xml", "/healthz", "/readyz", "/metrics"}
    | {"/assets", "/media", "/sitemap", "/api", "/desk", "/widgets"}
)
"""Where something else always answers, at these addresses and below them."""
SitePath = Annotated[
    str,
    Meta(
        pattern=r"^/(?!/)[^\r\n\t\\]*(?<! )\Z",
        max_length=LONGEST_PATH,
        description=f"a path of this site that starts with a slash, of at most {LONGEST_PATH:,} characters",
    ),
]


class RedirectFields(msgspec.Struct, frozen=True, kw_only=True):
    from_path: SitePath
    to_path: SitePath
    status: Literal[301] = 301


COLUMNS = RedirectFields.__struct_fields__
REDIRECTS = Table(
    name="redirects",
    key=("from_path",),
    columns={"id": "uuid", "from_path": "text", "to_path": "text", "status": "int"},
)


class RedirectContent:
    def __init__(self, rows: list[RedirectFields]) -> None:
        self._rows = rows

    async def check(self, load: Loading) -> None:
        """Nothing outside the file matters."""

    async def prune(self, load: Loading) -> None:
        status = await load.connection.execute(
            "DELETE FROM redirects WHERE from_path <> ALL ($1::text[])", [row.from_path for row in self._rows]
        )
        load.count("redirects").removed += int(status.rpartition(" ")[2])

    async def save(self, load: Loading) -> None:
        await load.upsert(REDIRECTS, [{"id": uuid7(), **msgspec.structs.asdict(row)} for row in self._rows])


def read_redirects(pack: Reading) -> RedirectContent:
    text = pack.folder.text(FILE) if FILE in pack.folder.files else None
    rows: dict[str, RedirectFields] = {}
    for document in read_csv(text, FILE, pack.problems, COLUMNS) if text is not None else []:
        fields = build(RedirectFields, document, pack.problems)
        if fields is None:
            continue
        fields = _composed(fields)
        if fields.from_path in rows:
            message = f"redirects {fields.from_path} twice"
            pack.problems.add(FILE, message, line=document.first_line, field="from_path")
        if wrong := _wrong_from(fields.from_path):
            pack.problems.add(FILE, wrong, line=document.first_line, field="from_path")
        if wrong := _wrong_to(fields):
            pack.problems.add(FILE, wrong, line=document.first_line, field="to_path")
        rows[fields.from_path] = fields
    return RedirectContent(list(rows.values()))


def _composed(fields: RedirectFields) -> RedirectFields:
    """A letter with its accent is one character (NFC): so browsers write it and the gateway looks for it."""
    return RedirectFields(
        from_path=unicodedata.normalize("NFC", fields.from_path),
        to_path=unicodedata.normalize("NFC", fields.to_path),
        status=fields.status,
    )


def _wrong_from(path: str) -> str:
    """Why nothing can be redirected from there; empty when it can."""
    if re.search("[?#%]", path):
        return "must be without ?, # and %; write letters as they are read, é and not %C3%A9"
    if path in TAKEN or f"/{path.split('/')[1]}" in TAKEN - {"/"}:
        return f"cannot be redirected: something else always answers at {path}"
    try:
        check_path(path)
    except ValueError:
        return "is no path that a page can have: no //, /./ or /../, and nothing that cannot be seen"
    return ""


def _wrong_to(fields: RedirectFields) -> str:
    """A browser asks for the same path again, whatever query and fragment are behind it."""
    target = unquote(re.split("[?#]", fields.to_path)[0])
    if not fields.to_path.isprintable():
        return "holds a character that cannot be seen"
    return "leads to itself" if target == fields.from_path else ""


async def dump_redirects(pack: Dumping) -> None:
    rows = await pack.connection.fetch("SELECT * FROM redirects ORDER BY from_path")
    if rows:
        pack.write(FILE, csv_text(COLUMNS, rows))
