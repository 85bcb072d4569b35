"""The HTTP server: granian's processes around one ASGI application."""

import errno
import os
import pkgutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.errors import AppError, ConfigurationError
from app.kit.process import die_with_parent
from app.settings import Settings

APPLICATION = "app.asgi:application"
HEADER_SECONDS = 15
"""How long a client may take for its headers, and how long an idle connection is kept."""
DRAIN_SECONDS = 20
CONNECTIONS = 8192
"""Counted by granian for each process, idle ones included: a low number locks visitors out."""


class ServerStopped(AppError):
    """The server ended without being asked to."""

    title = "The server stopped"


def serve(settings: Settings, *, application: str = APPLICATION) -> None:
    """Serve until SIGINT or SIGTERM; requests in work are finished, for at most `DRAIN_SECONDS`.

    `application` names a factory without arguments, called in each process; it reads its settings from the
    environment. The caller holds the port (`reserved_port`). Raises ServerStopped when no process lives.
    """
    server = Granian(
        application,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        http=HTTPModes.http1,  # with `auto` a connection that says nothing is never closed
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        websockets=False,
        backlog=2048,
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
        log_level=LogLevels.warning,
    )
    with suppress(SystemExit):  # so granian says that its processes keep failing
        server.serve(target_loader=partial(load, application, os.getpid()), wrap_loader=False)
    if not server.interrupt_signal:
        raise ServerStopped("The server's processes keep ending; the lines above say why.")


def load(application: str, parent: int) -> Any:
    """The application, in a process that ends with the server's first one, even when that is killed."""
    die_with_parent(parent)
    try:
        return pkgutil.resolve_name(application)()
    except AppError as error:
        sys.exit(error.detail)


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[None]:
    """Hold the port for granian, which may share it with this process, and for nobody else.

    granian shares its port with everybody: without this a second server would start without a word and take
    half the visitors. Raises ConfigurationError unless the port is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holder:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections do not count
                probe.bind((host, port))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind((host, port))  # and never listens
        except OSError as error:
            raise ConfigurationError(_refusal(host, port, error)) from None
        yield


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the other program or start with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for root. Start with --port 8000, or any above 1023."
    return f"HUSTINGS_HOST {host} is no address of this machine: {error.strerror}."
