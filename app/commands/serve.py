"""`hustings serve`: API, gateway and desk, in production."""

import os
from contextlib import nullcontext

import msgspec
import rich_click as click

from app.commands.context import command_settings, database
from app.commands.groups import Command
from app.server import reserved_port
from app.server import serve as serve_until_stopped
from app.settings import Settings, child_environment

PORT = click.IntRange(1, 65535)


@click.command("serve", cls=Command)
@click.option("--port", type=PORT, help="Instead of HUSTINGS_PORT (8000).")
@click.option("--port-is-held", is_flag=True, hidden=True, help="By `up`, which starts this.")
def serve(port: int | None, port_is_held: bool) -> None:
    """Serve the published pages and the API until stopped."""
    settings = with_port(command_settings(), port)
    with nullcontext() if port_is_held else reserved_port(settings.host, settings.port):
        if settings.database_url is not None:
            _serve(settings)  # pages are served while the database is away, so it is not asked first
            return
        with database(settings) as ready:
            _serve(ready)


def with_port(settings: Settings, port: int | None) -> Settings:
    return settings if port is None else msgspec.structs.replace(settings, port=port)


def _serve(settings: Settings) -> None:
    os.environ.update(child_environment(settings))  # noqa: TID251 - what the server's processes read
    serve_until_stopped(settings)
