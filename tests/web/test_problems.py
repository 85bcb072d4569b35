"""Every failure is a problem, and none tells more than it should."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from app.errors import NotFound
from app.web.problems import describe
from tests.conftest import Database
from tests.web.routes import ROUTES
from tests.web.world import served, two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def url(shared_database: Database) -> str:
    await two_sites(shared_database.url())
    return shared_database.url()


async def test_an_expected_failure_says_everything_a_program_needs(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        answer = await world.client.get("/api/v1/fail?how=values")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:hustings:problem:unprocessable",
        "title": "Some values cannot be accepted",
        "status": 422,
        "detail": "No.",
        "errors": [{"field": "name", "message": "Give another one."}],
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v2", "/api/v1/none", "/api/v1/schema/none", "/desk/none"]
)
async def test_an_unknown_address_is_a_404_problem(url: str, path: str) -> None:
    async with served(url) as world:
        answer = await world.client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:hustings:problem:not-found")


async def test_an_unexpected_failure_is_500_with_a_request_id_and_one_line_of_log(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        with capture_logs() as lines:
            answer = await world.client.get("/api/v1/fail?how=badly")
    assert answer.status_code == 500
    assert "password" not in answer.text
    failures = [line for line in lines if line["event"] == "failure"]
    assert [line["request_id"] for line in failures] == [answer.json()["request_id"]]
    assert "RuntimeError: the password of [address], badly" in failures[0]["traceback"]
    assert "routes.py" in failures[0]["traceback"]


async def test_an_expected_failure_leaves_no_traceback(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        with capture_logs() as lines:
            await world.client.get("/api/v1/fail?how=values")
    assert [line["event"] for line in lines] == ["request"]


async def test_retry_after_is_passed_on_and_other_headers_are_not(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        answer = await world.client.get("/api/v1/fail?how=many")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert "x-inner" not in answer.headers


@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [
        ("23505", 409, None),
        ("23503", 409, None),
        ("23514", 422, None),
        ("22001", 422, None),
        ("22021", 400, None),
        ("40001", 409, "1"),
        ("40P01", 409, "1"),
        ("55P03", 409, "1"),
        ("57014", 503, "5"),
        ("53300", 503, "5"),
        ("08006", 503, "5"),
        ("42501", 500, None),
        ("42P01", 500, None),
    ],
)
async def test_each_failure_of_the_database_has_its_status_and_tells_nothing(
    url: str, code: str, status: int, retry_after: str | None
) -> None:
    async with served(url, routes=ROUTES) as world:
        answer = await world.client.get(f"/api/v1/state?code={code}")
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert "secrets" not in answer.text
    assert "SELECT" not in answer.text


async def test_a_database_error_that_nobody_expected_is_logged_without_what_it_says(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        with capture_logs() as lines:
            await world.client.get("/api/v1/state?code=42P01")
    [failure] = [line for line in lines if line["event"] == "failure"]
    assert "(sqlstate 42P01)" in failure["traceback"]
    assert "secrets" not in failure["traceback"]


async def test_parameters_are_named_as_the_client_knows_them(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        short = await world.client.get("/api/v1/named?public-name=a")
        missing = await world.client.get("/api/v1/named?other=secret-value")
        twice = await world.client.get("/api/v1/named?public-name=first&public-name=last")
    assert short.status_code == missing.status_code == 400
    assert short.json()["errors"][0]["field"] == "public-name"
    assert missing.json()["detail"] == "Missing required query parameter 'public-name'."
    assert twice.json() == {"given": "last"}


def test_a_failure_that_a_group_of_dependencies_wraps_is_still_expected() -> None:
    """Litestar cleans several dependencies up in a task group, which wraps what one of them raises."""
    scope: Any = {"type": "http", "headers": [], "state": {"request_id": "id-12345"}}
    wrapped = ExceptionGroup("cleanup", [ExceptionGroup("inner", [NotFound("Gone.")])])
    assert describe(wrapped, scope).status == 404
