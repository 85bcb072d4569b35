"""`stakeholders.csv`."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta
from uuid_utils.compat import uuid7

from app.packs.document import Document, read_csv
from app.packs.fields import Email, WebAddress, build
from app.packs.parts import Dumping, Loading, Reading
from app.packs.upsert import Cells, Row, Table
from app.packs.writing import csv_text

FILE = "stakeholders.csv"
Key = tuple[str, str]
"""E-mail in lower case and nothing, or name and organization."""


class StakeholderFields(msgspec.Struct, frozen=True, kw_only=True):
    first_name: str = ""
    last_name: str = ""
    organization: str = ""
    title: str = ""
    stakeholder_type: Literal[
        "farmer",
        "waterman",
        "business",
        "nonprofit",
        "individual",
        "government",
        "scientist",
        "healthcare",
        "other",
    ] = "individual"
    email: Email = ""
    phone: str = ""
    street_address: str = ""
    city: str = ""
    county: str = ""
    state: str = ""
    zip_code: str = ""
    latitude: Annotated[float, Meta(ge=-90, le=90, description="a number from -90 to 90")] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180, description="a number from -180 to 180")] | None = None
    website: WebAddress = ""
    bio: str = ""
    is_public: bool = True

    @property
    def name(self) -> str:
        """As the database makes it."""
        return f"{self.first_name} {self.last_name}".strip(" ")

    @property
    def key(self) -> Key:
        return (self.email.lower(), "") if self.email else (self.name, self.organization)


COLUMNS = StakeholderFields.__struct_fields__
_KINDS = {
    "id": "uuid",
    **dict.fromkeys(COLUMNS, "text"),
    "latitude": "float8",
    "longitude": "float8",
    "is_public": "bool",
}
_POINT = "ST_SetSRID(ST_MakePoint(given.longitude, given.latitude), 4326)::geography"
WITH_EMAIL = Table(
    name="stakeholders",
    key=("email",),
    columns=_KINDS,
    expressions={"email": "given.email::citext", "location": _POINT},
    unstored=frozenset({"latitude", "longitude"}),
)
WITHOUT_EMAIL = Table(
    name="stakeholders",
    key=("name", "organization"),
    predicate="email IS NULL",
    columns=_KINDS,
    expressions={"email": "given.email::citext", "location": _POINT},
    unstored=frozenset({"latitude", "longitude"}),
)
_STORED = "SELECT id, email::text, name, organization FROM stakeholders"
_DUMPED = """
SELECT *, email::text AS email, ST_Y(location::geometry) AS latitude, ST_X(location::geometry) AS longitude
  FROM stakeholders
 ORDER BY email IS NULL, lower(email::text) COLLATE "C", name COLLATE "C", organization COLLATE "C"
"""


class StakeholderContent:
    """After `check`, `ids` knows the row of each key that is given, or stored and left alone."""

    def __init__(self, given: Mapping[Key, StakeholderFields]) -> None:
        self.given = given
        self.ids: dict[Key, UUID] = {}
        self._rows: list[Row] = []

    async def check(self, load: Loading) -> None:
        stored = {stored_key(row): row["id"] for row in await load.connection.fetch(_STORED)}
        given = {key: stored.get(key) or uuid7() for key in self.given}
        self._rows = [_row(fields, given[key]) for key, fields in self.given.items()]
        self.ids = given if load.prune else {**stored, **given}

    async def prune(self, load: Loading) -> None:
        await load.remove_others("stakeholders", [row["id"] for row in self._rows])

    async def save(self, load: Loading) -> None:
        await load.upsert(WITH_EMAIL, [row for row in self._rows if row["email"]])
        await load.upsert(WITHOUT_EMAIL, [row for row in self._rows if not row["email"]])


def stored_key(row: Cells) -> Key:
    """The key of a row with `email`, `name` and `organization`."""
    return (row["email"].lower(), "") if row["email"] else (row["name"], row["organization"])


def read_stakeholders(pack: Reading) -> StakeholderContent:
    text = pack.folder.text(FILE) if FILE in pack.folder.files else None
    given: dict[Key, StakeholderFields] = {}
    for document in read_csv(text, FILE, pack.problems, COLUMNS) if text is not None else []:
        fields = build(StakeholderFields, document, pack.problems)
        if fields is None:
            continue
        _check(pack, document, fields)
        if fields.key in given:
            key = " of ".join(part for part in fields.key if part)
            pack.problems.add(FILE, f"lists {key} twice", line=document.first_line)
        given[fields.key] = fields
    return StakeholderContent(given)


async def dump_stakeholders(pack: Dumping) -> None:
    rows = await pack.connection.fetch(_DUMPED)
    if rows:
        pack.write(FILE, csv_text(COLUMNS, rows))


def _check(pack: Reading, document: Document, fields: StakeholderFields) -> None:
    if not fields.name:
        message = "is missing; write first_name, last_name or both"
        pack.problems.add(FILE, message, line=document.first_line, field="last_name")
    if (fields.latitude is None) != (fields.longitude is None):
        missing = "latitude" if fields.latitude is None else "longitude"
        message = "is missing; write latitude and longitude, or neither"
        pack.problems.add(FILE, message, line=document.first_line, field=missing)


def _row(fields: StakeholderFields, row_id: UUID) -> Row:
    return {"id": row_id, **msgspec.structs.asdict(fields), "email": fields.email or None}
