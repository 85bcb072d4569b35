"""What pages show of endorsements: counts, the newest names, the home page's line of numbers."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from app.campaigns.schemas import Count, Endorser, Snapshot
from app.pages.schemas import Tally
from app.publishing.kinds import Changes, Content
from app.sites.site_row import site_row

SHOWN = 20
"""Names on a campaign page."""

COUNTS = """
SELECT campaign_id, count(*) AS count, max(created_at) AS as_of
  FROM endorsements WHERE campaign_id = ANY($1::uuid[]) GROUP BY campaign_id
"""
# In the order of the fields of Endorser.
NEWEST = """
SELECT c.id, e.name, e.organization, e.title, e.stakeholder_type, e.place, e.statement,
       (e.created_at AT TIME ZONE $3)::date
  FROM unnest($1::uuid[]) AS c (id)
 CROSS JOIN LATERAL (
   SELECT s.name, s.organization, s.title, s.stakeholder_type,
          concat_ws(', ', nullif(s.city, ''), nullif(s.state, '')) AS place, n.statement, n.created_at, n.id
     FROM endorsements n JOIN stakeholders s ON s.id = n.stakeholder_id
    WHERE n.campaign_id = c.id AND n.is_public AND s.is_public
    ORDER BY n.created_at DESC, s.name, n.id LIMIT $2) e
 ORDER BY c.id, e.created_at DESC, e.name, e.id
"""
OF_STAKEHOLDERS = "SELECT DISTINCT campaign_id FROM endorsements WHERE stakeholder_id = ANY($1::uuid[])"
TALLY = """
SELECT count(DISTINCT e.stakeholder_id) FILTER (WHERE s.organization = '') AS people,
       count(DISTINCT lower(s.organization)) FILTER (WHERE s.organization <> '') AS organizations,
       max(e.created_at) AS as_of
  FROM endorsements e
  JOIN stakeholders s ON s.id = e.stakeholder_id
  JOIN campaigns c ON c.id = e.campaign_id AND c.active AND c.locale = $1
"""


class Endorsements:
    """Gives campaigns and the home page their numbers; see the protocols there."""

    tables = ("endorsements", "stakeholders")

    async def counts(self, content: Content, campaigns: Iterable[UUID]) -> Mapping[UUID, Count]:
        rows = await content.connection.fetch(COUNTS, list(campaigns))
        return {row["campaign_id"]: Count(row["count"], row["as_of"]) for row in rows}

    async def snapshots(
        self, content: Content, campaigns: Iterable[UUID], timezone: str
    ) -> Mapping[UUID, Snapshot]:
        ids = list(campaigns)
        counted = {row["campaign_id"]: row for row in await content.connection.fetch(COUNTS, ids)}
        newest: dict[UUID, list[Endorser]] = {key: [] for key in ids}
        for key, *endorser in await content.connection.fetch(NEWEST, ids, SHOWN, timezone):
            newest[key].append(Endorser(*endorser))
        return {
            key: Snapshot(
                count=counted[key]["count"] if key in counted else 0,
                as_of=counted[key]["as_of"] if key in counted else None,
                newest=tuple(newest[key]),
            )
            for key in ids
        }

    async def touched_campaigns(self, content: Content, changes: Changes) -> set[UUID]:
        """The campaigns whose numbers or names may have changed."""
        direct = {UUID(key) for key in changes.values("endorsements", "campaign_id")}
        people = list(changes.ids("stakeholders"))
        if not people:
            return direct
        return direct | {
            row["campaign_id"] for row in await content.connection.fetch(OF_STAKEHOLDERS, people)
        }

    async def tally(self, content: Content) -> Tally | None:
        row = await content.connection.fetchrow(TALLY, (await site_row(content)).locale)
        if row is None or row["as_of"] is None:
            return None
        return Tally(people=row["people"], organizations=row["organizations"], as_of=row["as_of"])
