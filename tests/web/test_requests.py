"""One line of log for each request, and no word about people in it."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from app.web.metrics import Metrics
from app.web.requests import Edge
from tests.conftest import Database
from tests.web.world import served, two_sites

pytestmark = pytest.mark.anyio

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/api/v1/x",
    "query_string": b"",
    "headers": [],
}


async def nothing() -> Any:
    return {"type": "http.disconnect"}


async def test_a_request_leaves_one_line_with_its_template_and_site(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url()) as world:
        with capture_logs() as lines:
            answer = await world.client.get(
                "/api/v1/campaigns/ada@example.org?email=ada@example.org",
                headers={"x-request-id": "line-0001"},
            )
            site = await world.client.get("/api/v1/site")
    assert answer.status_code == 404
    assert site.status_code == 200
    assert set(lines[0]) == {"event", "log_level", "method", "route", "status", "ms", "request_id", "site"}
    first, second = lines
    assert (first["method"], first["route"], first["status"], first["request_id"]) == (
        "GET",
        "/api/v1/campaigns/{slug}",
        404,
        "line-0001",
    )
    assert first["site"] == second["site"] is not None
    assert "example.org" not in str(lines)


async def test_an_application_that_breaks_before_it_answers_gives_a_problem() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = dict(SCOPE)
    await Edge(broken, metrics=Metrics(), allowed_hosts=frozenset())(scope, nothing, send)
    assert sent[0]["status"] == 500
    assert b"internal-error" in sent[1]["body"]


async def test_an_application_that_breaks_while_it_answers_breaks_the_connection() -> None:
    """A problem after half an answer would look like its end."""

    async def broken(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("broken")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = dict(SCOPE)
    with capture_logs() as lines, pytest.raises(RuntimeError):
        await Edge(broken, metrics=Metrics(), allowed_hosts=frozenset())(scope, nothing, send)
    assert [line["event"] for line in lines] == ["failure", "request"]
    assert len(sent) == 2
