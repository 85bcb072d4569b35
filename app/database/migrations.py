"""Alembic without an ini file: upgrade, downgrade, current, the SQL of all migrations. Synchronous."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from app.database.orm import make_engine
from app.errors import ConfigurationError
from app.kit.resources import resource

LOCK_TIMEOUT = "5s"
"""A migration that waits for a lock holds up everybody behind it: better that it fails and is tried again."""
STATEMENT_TIMEOUT = "10min"
VERSION_TABLE = {"version_table": "schema_version"}


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the schema to `revision`, in one transaction for each migration."""
    _with_connection(owner_url, lambda config: command.upgrade(config, revision))


def downgrade(owner_url: str, revision: str) -> None:
    """Development only: production migrates forward."""
    _with_connection(owner_url, lambda config: command.downgrade(config, revision))


def check(owner_url: str) -> None:
    """Raises ConfigurationError when the models and the migrated schema differ."""
    try:
        _with_connection(owner_url, command.check)
    except CommandError as error:
        raise ConfigurationError(f"The migrations do not give the schema of the models: {error}") from None


def current(owner_url: str) -> str | None:
    """The revision the database stands at, None for an empty one."""
    found: list[str | None] = []

    def read(connection: Connection) -> None:
        found.append(MigrationContext.configure(connection, opts=VERSION_TABLE).get_current_revision())

    asyncio.run(_run(owner_url, read))
    return found[0]


def offline_sql() -> str:
    """What `upgrade` would execute, for linting and for a careful operator."""
    output = io.StringIO()
    config = _config(output)
    command.upgrade(config, "head", sql=True)
    return output.getvalue()


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(stdout=output or io.StringIO(), output_buffer=output)
    config.set_main_option("script_location", str(resource("migrations")))
    return config


def _with_connection(owner_url: str, act: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        connection.commit()
        config = _config()
        config.attributes["connection"] = connection
        act(config)

    asyncio.run(_run(owner_url, run))


async def _run(owner_url: str, act: Callable[[Connection], Any]) -> None:
    engine = make_engine(owner_url, pool_size=1)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(act)
            await connection.commit()
    finally:
        await engine.dispose()
