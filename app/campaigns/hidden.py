"""Which paths of campaigns must not show: by a query of its own, that shares no fault with the pages."""

import re
from collections.abc import Collection, Mapping

from app.publishing.kinds import Changes, Content

PATH = re.compile(r"/campaigns/([^/]+)/")
# A slug that no row has is one of a row that was deleted or renamed.
HIDDEN = """
SELECT asked.slug, c.title
  FROM unnest($1::text[]) AS asked (slug)
  LEFT JOIN campaigns c ON c.slug = asked.slug AND c.locale = (SELECT s.locale FROM sites s)
 WHERE c.active IS NOT TRUE
"""


class HiddenCampaigns:
    def of(self, changes: Changes) -> Collection[str]:
        return {f"/campaigns/{slug}/" for slug in changes.values("campaigns", "slug")}

    async def among(self, content: Content, paths: Collection[str]) -> Mapping[str, str]:
        asked = {found[1]: path for path in paths if (found := PATH.fullmatch(path))}
        if not asked:
            return {}
        rows = await content.connection.fetch(HIDDEN, list(asked))
        return {asked[row["slug"]]: _why(row["slug"], row["title"]) for row in rows}


def _why(slug: str, title: str | None) -> str:
    return f"the campaign “{title}” is not active." if title else f"there is no campaign {slug}."
