"""What every answer carries."""

from typing import Any

import pytest

from app.web.answers import Answer
from tests.conftest import Database
from tests.web.routes import ROUTES
from tests.web.world import served, two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def url(shared_database: Database) -> str:
    await two_sites(shared_database.url())
    return shared_database.url()


async def test_every_answer_of_the_api_is_guarded_and_says_its_request_id(url: str) -> None:
    async with served(url) as world:
        for path in ("/api/v1/site", "/api/v1/none", "/api/v1/site?%ff", "/healthz"):
            headers = (await world.client.get(path, headers={"x-request-id": "my-own-id-1"})).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert headers["x-request-id"] == "my-own-id-1"
            assert "set-cookie" not in headers


async def test_a_request_id_that_is_not_well_formed_is_replaced(url: str) -> None:
    async with served(url) as world:
        answer = await world.client.get("/api/v1/none", headers={"x-request-id": "<script>alert(1)</script>"})
        other = await world.client.get("/api/v1/none")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"] != other.headers["x-request-id"]


async def test_head_says_what_get_says_without_a_body(url: str) -> None:
    async with served(url) as world:
        for path in ("/api/v1/site", "/api/v1/campaigns/none", "/healthz", "/api/v1/schema"):
            got, headed = await world.client.get(path), await world.client.head(path)
            assert headed.status_code == got.status_code
            assert headed.content == b""
            for name in ("content-type", "content-length", "etag"):
                assert headed.headers.get(name) == got.headers.get(name)


async def test_an_answer_that_the_client_has_is_304(url: str) -> None:
    async with served(url) as world:
        first = await world.client.get("/api/v1/site")
        etag = first.headers["etag"]
        assert etag.startswith('W/"')
        for given in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
            again = await world.client.get("/api/v1/site", headers={"if-none-match": given})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            assert "content-length" not in again.headers
        changed = await world.client.get("/api/v1/site", headers={"if-none-match": 'W/"other"'})
        assert changed.status_code == 200


async def test_failures_and_health_are_never_kept_by_a_cache(url: str) -> None:
    async with served(url) as world:
        assert (await world.client.get("/api/v1/site")).headers["cache-control"] == "no-cache"
        for path in ("/api/v1/none", "/healthz", "/metrics"):
            headers = (await world.client.get(path)).headers
            assert headers["cache-control"] == "no-store"
            assert "etag" not in headers


async def test_other_origins_may_read_the_public_api_and_nothing_else(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        read = await world.client.get("/api/v1/site")
        assert read.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in read.headers
        for method, path in (("POST", "/api/v1/nothing"), ("GET", "/desk/screen"), ("GET", "/healthz")):
            assert "access-control-allow-origin" not in (await world.client.request(method, path)).headers


async def test_a_preflight_allows_reading_with_an_etag(url: str) -> None:
    async with served(url) as world:
        answer = await world.client.options("/api/v1/site", headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_method_that_a_route_does_not_know_is_405_and_says_which_it_knows(url: str) -> None:
    async with served(url, routes=ROUTES) as world:
        answer = await world.client.delete("/api/v1/site")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert (await world.client.request("FOO", "/api/v1/site")).status_code == 405
        posted = await world.client.get("/api/v1/echo")
        assert (posted.status_code, posted.headers["allow"]) == (405, "OPTIONS, POST")


async def test_a_body_in_pieces_passes_without_an_etag() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": "GET", "path": "/api/v1/x", "headers": []}
    answer = Answer(scope, send, "id-12345")
    await answer.send({"type": "http.response.start", "status": 200, "headers": [(b"X-Own", b"1")]})
    assert sent == []
    await answer.send({"type": "http.response.body", "body": b"a", "more_body": True})
    await answer.send({"type": "http.response.body", "body": b"b", "more_body": False})
    other: Any = {"type": "http.response.pathsend", "path": "/x"}
    await answer.send(other)
    assert [message.get("body") for message in sent] == [None, b"a", b"b", None]
    names = dict(sent[0]["headers"])
    assert names[b"x-own"] == b"1"
    assert b"etag" not in names
