"""The version of the schema that this program works with."""

import asyncpg

from app.database.engine import Connection
from app.errors import ConfigurationError

SCHEMA_VERSION = "0.1.0"


async def check_schema(connection: Connection) -> None:
    """Raises ConfigurationError unless the database stands at a version that this program works with."""
    try:
        found = await connection.fetchval("SELECT version FROM schema_meta")
    except asyncpg.UndefinedTableError:
        found = None
    if found is None:
        raise ConfigurationError("The database has no schema yet. Run `hustings db upgrade`.")
    if not is_compatible(found):
        raise ConfigurationError(
            f"The database has schema {found}, this program needs {SCHEMA_VERSION}. "
            "Run `hustings db upgrade`, or start the program of that version."
        )


def is_compatible(found: str, wanted: str = SCHEMA_VERSION) -> bool:
    """Before 1.0 a minor version may break, so it must be the same; from 1.0 on a newer minor is fine."""
    major, minor, _ = (int(part) for part in found.split("."))
    wanted_major, wanted_minor, _ = (int(part) for part in wanted.split("."))
    if major == 0 or wanted_major == 0:
        return (major, minor) == (wanted_major, wanted_minor)
    return major == wanted_major and minor >= wanted_minor
