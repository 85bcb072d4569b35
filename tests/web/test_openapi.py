"""The description of the API: complete, honest about failures, and from our own origin."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.web.routes import ROUTES
from tests.web.world import Served, served

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[Served]:
    async with served(NOWHERE) as world:
        yield world


async def document(world: Served) -> dict[str, Any]:
    answer = await world.client.get("/api/v1/schema/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body: dict[str, Any] = answer.json()
    return body


def operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in schema["paths"].values():
        yield from item.values()


async def test_every_route_is_described_and_nothing_else(world: Served) -> None:
    schema = await document(world)
    assert set(schema["paths"]) == {
        "/api/v1/site",
        "/api/v1/homepage",
        "/api/v1/campaigns",
        "/api/v1/campaigns/{slug}",
    }
    names = {operation["operationId"] for operation in operations(schema)}
    assert names == {"get_site", "get_homepage", "list_campaigns", "get_campaign"}


async def test_every_failure_is_declared_as_a_problem(world: Served) -> None:
    for operation in operations(await document(world)):
        failures = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"400", "503"} <= set(failures)
        for answer in failures.values():
            assert list(answer["content"]) == ["application/problem+json"]


async def test_a_route_that_takes_a_form_says_so() -> None:
    async with served(NOWHERE, routes=ROUTES) as world:
        schema = await document(world)
    content = schema["paths"]["/api/v1/echo"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "application/x-www-form-urlencoded"}


async def test_the_page_lists_every_operation_and_loads_nothing(world: Served) -> None:
    answer = await world.client.get("/api/v1/schema")
    page = answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "GET /api/v1/campaigns/{slug}" in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["/api/v1/schema/openapi.json"]
    assert "<script" not in page
    assert "//" not in page.replace("<!DOCTYPE", "")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_operation_ids_are_unique_over_the_tests_routes_too() -> None:
    async with served(NOWHERE, routes=ROUTES) as world:
        names = [operation["operationId"] for operation in operations(await document(world))]
    assert len(names) == len(set(names))
