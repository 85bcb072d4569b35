"""A real server for tests: granian over the application with the tests' routes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from litestar.types import ASGIApp

from app.asgi import create_app
from app.database.engine import make_pool
from app.database.orm import make_engine
from app.storage.memory import MemoryStore
from tests.ports import free_port
from tests.web.routes import ROUTES
from tests.web.world import SETTINGS

VARIABLE = "TESTS_DATABASE_URL"


def application() -> ASGIApp:
    """granian's factory, in a process of its own."""
    url = os.environ[VARIABLE]
    return create_app(
        SETTINGS,
        engine=make_engine(url, pool_size=2),
        open_pool=lambda: make_pool(url, size=2),
        store=MemoryStore(),
        more_routes=ROUTES,
    )


@contextmanager
def serving(url: str) -> Iterator[int]:
    """The port of a server that answers; it is stopped at the end."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--http", "1"]
    command += [
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "critical",
        "tests.web.server:application",
    ]
    process = subprocess.Popen(command, env={**os.environ, VARIABLE: url}, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, seconds: float = 30) -> None:
    """Until something listens there."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def exchange(port: int, sent: bytes, *, half_close: bool = False) -> tuple[int, bytes]:
    """Sends bytes as they are; returns the status and all that came back, 0 for a closed connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while b"\r\n\r\n" not in received or not _is_whole(received):
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    return int(received.split(b" ", 2)[1]) if received else 0, received


def _is_whole(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return False
