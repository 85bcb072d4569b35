"""The limit of a publish on this machine: the same rows read, the same template rendered, files written.

`python -m tests.bench.sketch URL FOLDER SHELL PROCESSES`: without hashes, compression, checks.
SHELL is a file with what every page of the site shares, as JSON.
"""

import asyncio
import os
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec

from app.publishing.templating import Shared, make_environment

CAMPAIGNS = """
SELECT id, slug, title, summary, description_html, target_count, target_obligation, updated_at
  FROM campaigns WHERE number % $1 = $2
"""
BLOCKS = """
SELECT b.campaign_id, b.title, b.content_html
  FROM content_blocks b JOIN campaigns c ON c.id = b.campaign_id WHERE c.number % $1 = $2
 ORDER BY b.campaign_id, b.position
"""
ENDORSEMENTS = """
SELECT e.campaign_id, s.name, s.organization, s.title, s.stakeholder_type, s.city, s.state, e.statement,
       e.created_at
  FROM endorsements e JOIN stakeholders s ON s.id = e.stakeholder_id JOIN campaigns c ON c.id = e.campaign_id
 WHERE c.number % $1 = $2 ORDER BY e.campaign_id, e.created_at DESC
"""


def main(url: str, folder: str, shell: str, processes: int) -> None:
    site = SimpleNamespace(**msgspec.json.decode(Path(shell).read_bytes()))
    site.navigation = [SimpleNamespace(**item) for item in site.navigation]
    environment = make_environment(Path("templates").resolve())
    children = []
    for part in range(1, processes):
        child = os.fork()
        if child == 0:
            asyncio.run(_publish(url, Path(folder), environment, site, processes=processes, part=part))
            os._exit(0)
        children.append(child)
    asyncio.run(_publish(url, Path(folder), environment, site, processes=processes, part=0))
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit("a process of the sketch failed")


async def _publish(url: str, folder: Path, environment: Any, site: Any, *, processes: int, part: int) -> None:
    connection = await asyncpg.connect(url)
    campaigns = await connection.fetch(CAMPAIGNS, processes, part)
    blocks: dict[Any, list[Any]] = defaultdict(list)
    for row in await connection.fetch(BLOCKS, processes, part):
        blocks[row["campaign_id"]].append(
            SimpleNamespace(
                block_type="text",
                title=row["title"],
                html=row["content_html"],
                band="paper",
                css_classes=(),
                image=None,
            )
        )
    newest: dict[Any, list[Any]] = defaultdict(list)
    for row in await connection.fetch(ENDORSEMENTS, processes, part):
        newest[row["campaign_id"]].append(_endorser(row))
    await connection.close()
    template, shared = environment.get_template("site/campaign.html"), Shared(environment, site)
    for row in campaigns:
        page = _page(row, blocks[row["id"]], newest[row["id"]])
        path = folder / "campaigns" / row["slug"]
        path.mkdir(parents=True)
        text = template.render(page=page, site=site, path=f"/campaigns/{row['slug']}/", shared=shared)
        (path / "index.html").write_bytes(text.encode())


def _endorser(row: Any) -> Any:
    return SimpleNamespace(
        name=row["name"],
        organization=row["organization"],
        role=row["title"],
        stakeholder_type=row["stakeholder_type"],
        place=f"{row['city']}, {row['state']}",
        statement=row["statement"],
        endorsed_on=row["created_at"].date(),
        created_at=row["created_at"],
    )


def _page(row: Any, blocks: list[Any], newest: list[Any]) -> Any:
    return SimpleNamespace(
        title=row["title"],
        slug=row["slug"],
        summary=row["summary"],
        html=row["description_html"],
        state="open",
        closes_on=None,
        outcome_html="",
        image=None,
        blocks=blocks,
        endorsements=SimpleNamespace(count=len(newest), as_of=newest[0].created_at, newest=newest),
        target_count=row["target_count"],
        target_obligation=row["target_obligation"],
        changed_at=row["updated_at"],
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
