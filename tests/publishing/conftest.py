"""A site of 700 campaigns, written and published once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.database.cluster import Cluster
from app.publishing.manifest import Entry
from tests.bench.sites import fill
from tests.conftest import copied
from tests.publishing.large import EVERY_PAGE, Large, linked, publish_here

CAMPAIGNS = 700


@dataclass(frozen=True)
class Live:
    """Release 1, to be copied; and what one process makes of it before and after EVERY_PAGE."""

    database: str
    data: Path
    before: dict[str, Entry]
    after: dict[str, Entry]


@pytest.fixture(scope="session")
def live(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    data, later = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("later")
    (data / "store").mkdir()
    with copied(cluster, template) as database:
        asyncio.run(fill(database.url("superuser"), CAMPAIGNS))
        before = asyncio.run(publish_here(database, data))
        linked(data, later)
        with copied(cluster, database.name) as copy:
            after = asyncio.run(publish_here(copy, later, EVERY_PAGE))
        yield Live(database.name, data, before, after)


@pytest.fixture
def large(cluster: Cluster, live: Live, tmp_path: Path) -> Iterator[Large]:
    """Release 1 is live, and EVERY_PAGE is done: the next publish renders all of it."""
    linked(live.data, tmp_path)
    with copied(cluster, live.database) as database:
        made = Large(database, tmp_path)
        asyncio.run(made.run(EVERY_PAGE))
        yield made
