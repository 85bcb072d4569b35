"""One callable: what is Litestar's, what is the gateway's, and what happens at start and stop."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.asgi import application, is_dynamic
from app.errors import ConfigurationError
from app.settings import Settings
from tests.conftest import Database
from tests.lifespans import running
from tests.storage.ceph import Ceph
from tests.web.world import served

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """`application` sets up the logs of a whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def page(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-from", b"gateway")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.mark.parametrize(
    "path", ["/", "/campaigns/", "/apiary/", "/desks", "/healthz2", "/x/api/v1/site", "//api/"]
)
async def test_pages_go_to_the_gateway_untouched(path: str) -> None:
    async with served(NOWHERE, gateway=page) as world:
        answer = await world.client.get(f"http://bay.localhost{path}")
    assert (answer.headers["x-from"], answer.text) == ("gateway", path)
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/api", "/api/v1/site", "/desk", "/desk/x", "/healthz", "/readyz", "/metrics"]
)
async def test_the_rest_goes_to_litestar(path: str) -> None:
    async with served(NOWHERE, gateway=page) as world:
        answer = await world.client.get(path)
    assert "x-from" not in answer.headers
    assert "x-request-id" in answer.headers
    assert is_dynamic(path)


async def test_a_web_socket_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with served(NOWHERE, gateway=page) as world:
        scope: Any = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "subprotocols": [],
        }
        await world.app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_the_server_starts_from_its_settings_and_serves(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    url = f"file://{tmp_path}"
    if kind == "s3":
        ceph: Ceph = request.getfixturevalue("ceph")
        url = ceph.url(ceph.new_bucket())
    settings = Settings(database_url=database.url(), store_url=url)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    app = application(settings)
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/readyz",
        "raw_path": b"/readyz",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    async with running(app):
        await app(scope, receive, send)
        scope |= {"path": "/", "raw_path": b"/"}
        await app(scope, receive, send)
    ready, unpublished = [message for message in sent if "status" in message]
    assert ready["status"] == 200
    assert b"x-request-id" not in dict(unpublished["headers"])


async def test_without_a_database_url_the_server_does_not_start() -> None:
    with pytest.raises(ConfigurationError, match="HUSTINGS_DATABASE_URL"):
        application(Settings())
