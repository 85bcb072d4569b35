"""The gateway alone, on one granian worker with the limits of `app.server`.

`python -m tests.bench.gateway_server PORT STORE`
"""

import os
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server import Server

from app.publishing.gateway.asgi import Gateway, Receive, Scope, Send
from app.server import CONNECTIONS, HEADER_SECONDS
from app.storage.facade import AsyncStore
from app.storage.file import FileStore

STORE = "BENCH_GATEWAY_STORE"


def create_app() -> "App":
    return App(Gateway(AsyncStore(FileStore(Path(os.environ[STORE])))))


class App:
    """The gateway with the lifespan that the program's own application gives it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._gateway(scope, receive, send)
            return
        await receive()
        async with self._gateway.run():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    port, os.environ[STORE] = int(sys.argv[1]), sys.argv[2]
    Server(
        "tests.bench.gateway_server:create_app",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=1,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        backpressure=CONNECTIONS,
        loop=Loops.uvloop,
        websockets=False,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main()
