"""What Prometheus reads."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.web.metrics import is_direct
from tests.conftest import Database
from tests.web.world import Served, served, two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Served]:
    await two_sites(database.url())
    async with served(database.url()) as world:
        yield world


async def sample(world: Served, start: str) -> list[str]:
    text = (await world.client.get("/metrics")).text
    return [line for line in text.splitlines() if line.startswith(start)]


async def test_requests_are_counted_by_route_template_method_and_status(world: Served) -> None:
    for path in ("oysters", "marshes", "none"):
        await world.client.get(f"/api/v1/campaigns/{path}")
    lines = await sample(world, "hustings_request_seconds_count")
    template = 'route="/api/v1/campaigns/{slug}"'
    counted = {("200" in line, line.rpartition(" ")[2]) for line in lines if template in line}
    assert counted == {(True, "2.0"), (False, "1.0")}
    assert all('method="GET"' in line and 'worker="' in line for line in lines)


async def test_addresses_and_methods_that_nobody_declared_do_not_become_labels(world: Served) -> None:
    for number in range(3):
        await world.client.request(f"METHOD{number}", f"/api/none/{number}")
    lines = await sample(world, "hustings_request_seconds_count")
    assert len(lines) == 1
    assert 'method="OTHER",route="(none)",status="404"' in lines[0]
    assert lines[0].endswith(" 3.0")


async def test_use_of_connections_is_shown(world: Served) -> None:
    await world.client.get("/api/v1/site")
    await world.client.get("/readyz")
    lines = await sample(world, "hustings_database_connections{")
    values = {line.split("{")[1].split(",worker")[0]: line.rpartition(" ")[2] for line in lines}
    assert values == {
        'door="engine",state="idle"': "1.0",
        'door="engine",state="busy"': "0.0",
        'door="pool",state="idle"': "1.0",
        'door="pool",state="busy"': "0.0",
    }


async def test_the_depth_of_the_queue_is_shown_while_there_is_a_database(
    world: Served, database: Database
) -> None:
    owner = await asyncpg.connect(database.url("owner"))
    await owner.execute(
        "INSERT INTO pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'tests.sleep')"
    )
    await owner.close()
    assert await sample(world, "hustings_jobs{") == ['hustings_jobs{job="tests.sleep",state="queued"} 1.0']
    async with served("postgresql://nobody@127.0.0.1:1/none") as away:
        assert (await away.client.get("/metrics")).status_code == 200
        assert await sample(away, "hustings_jobs{") == []


async def test_only_a_direct_client_on_this_machine_sees_them(world: Served) -> None:
    assert (await world.client.get("/metrics")).headers["content-type"].startswith("text/plain; version=")
    forwarded = await world.client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert (forwarded.status_code, forwarded.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("client", "direct"),
    [
        (("127.0.0.1", 1), True),
        (("::1", 1), True),
        (("203.0.113.9", 1), False),
        (("socket", 0), False),
        (None, False),
    ],
)
def test_loopback_is_known_by_its_address(client: Any, direct: bool) -> None:
    scope: Any = {"client": client, "headers": []}
    assert is_direct(scope) is direct
