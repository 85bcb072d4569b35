"""PostgreSQL stopped in the middle: pages go on, the rest says 503, and all heals without a restart."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from anyio import create_task_group, sleep, to_thread

from app.database import migrations
from app.database.cluster import Cluster, remove_cluster, running_cluster
from app.database.engine import make_pool
from app.database.provision import provision
from app.publishing.gateway.asgi import Gateway
from app.storage.facade import AsyncStore
from app.storage.memory import MemoryStore
from tests.publishing.world import World
from tests.web.routes import ROUTES
from tests.web.world import Served, served, two_sites

pytestmark = pytest.mark.anyio

NEEDY = ("/api/v1/site", "/api/v1/homepage", "/api/v1/campaigns", "/api/v1/campaigns/oysters", "/readyz")
PAGE = "/campaigns/oysters/"


async def published(url: str) -> AsyncStore:
    """A store with a release of each site."""
    pool = await make_pool(url)
    here = World(pool, MemoryStore())
    for row in await pool.fetch("SELECT id FROM site_directory()"):
        await here.publish(row["id"])
    await pool.close()
    return here.engine.store


def prepare(cluster: Cluster) -> str:
    provision(cluster.url("superuser", "postgres"), "away")
    migrations.upgrade(cluster.url("owner", "away"))
    return cluster.url("app", "away")


async def statuses(world: Served) -> set[int]:
    return {(await world.client.get(path)).status_code for path in NEEDY}


async def test_pages_go_on_the_api_says_503_and_everything_heals(tmp_path: Path) -> None:
    running = running_cluster(tmp_path, safe=False)
    url = await to_thread.run_sync(prepare, await to_thread.run_sync(running.__enter__))
    await two_sites(url)
    try:
        gateway = Gateway(await published(url))
        async with gateway.run(), served(url, gateway=cast("Any", gateway), routes=ROUTES) as world:
            assert await statuses(world) == {200}
            await _stop_under_a_request(world, running)
            await _check_away(world)
            running = running_cluster(tmp_path, safe=False)
            await to_thread.run_sync(running.__enter__)
            assert await statuses(world) == {200}
    finally:
        await to_thread.run_sync(running.__exit__, None, None, None)
        remove_cluster(tmp_path)


async def _stop_under_a_request(world: Served, running: AbstractContextManager[Cluster]) -> None:
    """The request is in the middle of its statement when the server goes."""
    answers: list[httpx.Response] = []

    async def ask() -> None:
        answers.append(await world.client.get("/api/v1/slow?seconds=60"))

    pool: Any = world.engine.pool
    async with create_task_group() as tasks:
        tasks.start_soon(ask)
        while not pool.checkedout():  # noqa: ASYNC110 - the pool has no event to wait for
            await sleep(0.01)
        await to_thread.run_sync(running.__exit__, None, None, None)
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "5")]


async def _check_away(world: Served) -> None:
    for path in (*NEEDY, *NEEDY):
        answer = await world.client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "postgres" not in answer.text.lower()
    for path in (PAGE, "/healthz", "/metrics", "/api/v1/schema/openapi.json"):
        assert (await world.client.get(path)).status_code == 200
    assert (await world.client.get(PAGE)).headers["hustings-release"] == "1"
