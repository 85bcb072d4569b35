"""`stakeholders.csv` and `endorsements.csv`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from app.endorsements.pack_stakeholders import (
    Key,
    StakeholderContent,
    dump_stakeholders,
    read_stakeholders,
)
from app.packs.document import read_csv
from app.packs.fields import Line, Moment, Slug, build
from app.packs.parts import Dumping, Loading, Part, Reading
from app.packs.upsert import Row, Table
from app.packs.writing import csv_text

FILE = "endorsements.csv"


class EndorsementFields(msgspec.Struct, frozen=True, kw_only=True):
    """`stakeholder` is an e-mail address, or `First Last|Organization`; `campaign` a slug."""

    stakeholder: Line
    campaign: Slug
    statement: str = ""
    is_public: bool = True
    created_at: Moment | None = None

    @property
    def key(self) -> Key:
        name, bar, organization = self.stakeholder.partition("|")
        return (name.strip(" "), organization) if bar else (name.strip(" ").lower(), "")


class EndorsementRow(msgspec.Struct, frozen=True):
    line: int
    fields: EndorsementFields


COLUMNS = EndorsementFields.__struct_fields__
ENDORSEMENTS = Table(
    name="endorsements",
    key=("stakeholder_id", "campaign_id"),
    columns={
        "id": "uuid",
        "stakeholder_id": "uuid",
        "campaign_id": "uuid",
        "statement": "text",
        "is_public": "bool",
        "created_at": "timestamptz",
    },
    expressions={"created_at": "coalesce(given.created_at, now())"},
)
_STORED = "SELECT id, stakeholder_id, campaign_id, created_at FROM endorsements"
_DUMPED = """
SELECT coalesce(s.email::text, s.name || '|' || s.organization) AS stakeholder, c.slug AS campaign,
       e.statement, e.is_public, e.created_at
  FROM endorsements e JOIN stakeholders s ON s.id = e.stakeholder_id JOIN campaigns c ON c.id = e.campaign_id
 WHERE c.locale = $1
 ORDER BY c.slug COLLATE "C", e.created_at DESC, 1
"""
_PRUNED = """
DELETE FROM endorsements e WHERE NOT EXISTS (
  SELECT FROM unnest($1::uuid[], $2::uuid[]) AS g(stakeholder_id, campaign_id)
   WHERE g.stakeholder_id = e.stakeholder_id AND g.campaign_id = e.campaign_id)
"""


class EndorsementContent:
    """Endorsements stand on the campaign in the site's own language."""

    def __init__(
        self, stakeholders: StakeholderContent, given: Sequence[EndorsementRow], pack: Reading
    ) -> None:
        self._stakeholders = stakeholders
        self._given = given
        self._files = pack.folder.files
        self._rows: list[Row] = []

    async def check(self, load: Loading) -> None:
        await self._stakeholders.check(load)
        campaigns = await _campaigns(load)
        for row in self._given:
            if row.fields.key not in self._stakeholders.ids:
                who = row.fields.stakeholder
                wrong = f"{who} is not in stakeholders.csv; write an e-mail or First Last|Organization"
                load.problems.add(FILE, wrong, line=row.line, field="stakeholder")
            is_given = f"campaigns/{row.fields.campaign}.md" in self._files
            if not is_given and (load.prune or row.fields.campaign not in campaigns):
                wrong = f"there is no campaign {row.fields.campaign}; write the slug of one"
                load.problems.add(FILE, wrong, line=row.line, field="campaign")

    async def prune(self, load: Loading) -> None:
        """Those of campaigns and stakeholders that go are removed along with them."""
        campaigns = await _campaigns(load)
        ids = self._stakeholders.ids
        given = [
            (ids[row.fields.key], campaigns[row.fields.campaign])
            for row in self._given
            if row.fields.campaign in campaigns
        ]
        status = await load.connection.execute(
            _PRUNED,
            [stakeholder for stakeholder, _ in given],
            [campaign for _, campaign in given],
        )
        load.count("endorsements").removed += int(status.rpartition(" ")[2])
        await self._stakeholders.prune(load)

    async def save(self, load: Loading) -> None:
        await self._stakeholders.save(load)
        campaigns = await _campaigns(load)
        rows = await load.connection.fetch(_STORED)
        created = {(row["stakeholder_id"], row["campaign_id"]): row["created_at"] for row in rows}
        ids = self._stakeholders.ids
        made = [
            _row(row.fields, ids[row.fields.key], campaigns[row.fields.campaign], created)
            for row in self._given
        ]
        await load.upsert(ENDORSEMENTS, made)


def read(pack: Reading) -> EndorsementContent:
    stakeholders = read_stakeholders(pack)
    text = pack.folder.text(FILE) if FILE in pack.folder.files else None
    given: list[EndorsementRow] = []
    seen: set[tuple[Key, str]] = set()
    for document in read_csv(text, FILE, pack.problems, COLUMNS) if text is not None else []:
        fields = build(EndorsementFields, document, pack.problems)
        if fields is None:
            continue
        if (fields.key, fields.campaign) in seen:
            wrong = f"{fields.stakeholder} endorses {fields.campaign} twice"
            pack.problems.add(FILE, wrong, line=document.first_line)
        seen.add((fields.key, fields.campaign))
        given.append(EndorsementRow(document.first_line, fields))
    return EndorsementContent(stakeholders, given, pack)


async def dump(pack: Dumping) -> None:
    await dump_stakeholders(pack)
    rows = await pack.connection.fetch(_DUMPED, pack.locale)
    if rows:
        pack.write(FILE, csv_text(COLUMNS, rows))


async def _campaigns(load: Loading) -> Mapping[str, UUID]:
    rows = await load.connection.fetch("SELECT slug, id FROM campaigns WHERE locale = $1", load.locale)
    return {row["slug"]: row["id"] for row in rows}


def _row(
    fields: EndorsementFields,
    stakeholder_id: UUID,
    campaign_id: UUID,
    created: Mapping[tuple[UUID, UUID], datetime],
) -> Row:
    return {
        "id": uuid7(),
        "stakeholder_id": stakeholder_id,
        "campaign_id": campaign_id,
        "statement": fields.statement,
        "is_public": fields.is_public,
        "created_at": fields.created_at or created.get((stakeholder_id, campaign_id)),
    }


PACK = Part(read=read, dump=dump)
