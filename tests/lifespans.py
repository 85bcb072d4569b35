"""The lifespan protocol of ASGI, spoken as a server does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from litestar.types import ASGIApp


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """Between startup and shutdown. Raises RuntimeError when the application refuses to start."""
    to_app, from_server = anyio.create_memory_object_stream[Any](2)
    to_server, from_app = anyio.create_memory_object_stream[Any](2)
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    receive: Any = from_server.receive
    send: Any = to_server.send
    async with to_app, from_server, to_server, from_app, anyio.create_task_group() as tasks:
        tasks.start_soon(_run, app, scope, receive, send)
        await to_app.send({"type": "lifespan.startup"})
        answer = await from_app.receive()
        if answer["type"] != "lifespan.startup.complete":
            raise RuntimeError(answer["message"])
        yield
        await to_app.send({"type": "lifespan.shutdown"})
        await from_app.receive()


async def _run(app: ASGIApp, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)
