"""What a command works with: its settings, a database that answers, an event loop.

    @click.command(cls=Command)
    def count() -> None:
        click.echo(run(count_rows))

where `async def count_rows(settings: Settings) -> int` connects to `settings.database_url`.
"""

import asyncio
import fcntl
import os
import pwd
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec
import rich_click as click

from app.commands.groups import chosen_data
from app.database.cluster import Cluster, running_cluster
from app.database.provision import provision
from app.database.schema import check_schema
from app.errors import ConfigurationError, Unavailable
from app.settings import UNREADABLE, Settings, read_settings

Result = TypeVar("Result")


def notice(sentence: str) -> None:
    """To standard error: standard output belongs to what the command was asked for."""
    click.echo(sentence, err=True)


def actor() -> str:
    """Who is at the command line, for the history of releases."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def command_settings() -> Settings:
    """The settings of this run. `--data` wins over HUSTINGS_DATA; the store's place is made explicit."""
    settings = read_settings()
    data = chosen_data()
    if data is not None:
        settings = msgspec.structs.replace(settings, data=data)
    if settings.store_url is None:
        settings = msgspec.structs.replace(settings, store_url=_store_beside(settings.data).as_uri())
    return settings


def _store_beside(data: Path) -> Path:
    """`build/` of the project for the usual data folder, `DATA/build` for any other."""
    usual = Settings().data
    return Path("build").absolute() if data.absolute() == usual.absolute() else data.absolute() / "build"


def run(body: Callable[[Settings], Awaitable[Result]]) -> Result:
    """The result of `body`, given settings whose `database_url` leads to a database that answers."""
    with database(command_settings()) as settings:
        return asyncio.run(_awaited(body(settings)))


async def _awaited(body: Awaitable[Result]) -> Result:
    return await body


@contextmanager
def database(settings: Settings, *, migrate: bool = False) -> Iterator[Settings]:
    """Settings with the URLs of a database: the one configured, or else the private cluster's.

    A private one is started for as long as it is needed, and made ready when it is new, or always with
    `migrate`. Raises Unavailable when a configured one does not answer.
    """
    if settings.database_url is not None:
        asyncio.run(_probe(settings.database_url))
        yield settings
        return
    with running_cluster(settings.data, say=notice) as cluster:
        if migrate or not asyncio.run(_has_schema(cluster.url("app"))):
            _make_ready(cluster, settings.data)
        yield with_urls(settings, cluster)


def with_urls(settings: Settings, cluster: Cluster) -> Settings:
    return msgspec.structs.replace(
        settings, database_url=cluster.url("app"), database_owner_url=cluster.url("owner")
    )


def owner_url(settings: Settings) -> str:
    """Where migrations go. Raises ConfigurationError when only the application's URL is known."""
    if settings.database_owner_url is None:
        raise ConfigurationError(
            "HUSTINGS_DATABASE_OWNER_URL is not set. Migrations need the database's URL as hustings_owner."
        )
    return settings.database_owner_url


def _make_ready(cluster: Cluster, data: Path) -> None:
    # Only here: nothing else wants Alembic, which takes as long to load as a small publish takes.
    from app.database import migrations  # noqa: PLC0415

    with (data / "migrate.lock").open("ab") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        provision(cluster.url("superuser", "postgres"))
        migrations.upgrade(cluster.url("owner"))


async def _has_schema(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url)
    except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError):
        return False
    try:
        await check_schema(connection)
    except ConfigurationError:
        return False
    finally:
        await connection.close()
    return True


async def _probe(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except ValueError:  # its sentence may quote the password
        raise ConfigurationError(f"HUSTINGS_DATABASE_URL {UNREADABLE}") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"The database of HUSTINGS_DATABASE_URL cannot be used: {error}") from None
    await connection.close()
