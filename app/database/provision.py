"""Roles, database, extensions and privileges: what only a superuser can give, before the first migration.

Extensions such as postgis are not trusted by PostgreSQL, so the owner of the tables cannot create them.
"""

import asyncio
import re

import asyncpg

from app.errors import ConfigurationError, Unavailable

ROLES = {
    "hustings_owner": "NOBYPASSRLS",
    "hustings_app": "NOBYPASSRLS",
    "hustings_readonly": "NOBYPASSRLS",
    "hustings_backup": "BYPASSRLS",
}
EXTENSIONS = ("postgis", "vector", "pg_trgm", "citext", "pg_stat_statements")
PACKAGES = {"postgis": "postgresql-{}-postgis-3", "vector": "postgresql-{}-pgvector"}
LOCK = 4_871_055_309
"""Key of the advisory lock under which roles are made: two at a time would collide."""


def provision(superuser_url: str, database: str = "hustings") -> None:
    """Make or complete roles, database, extensions and privileges. Doing it again changes nothing.

    Blocks; not for use inside an event loop. Raises ConfigurationError when an extension is not
    installed (naming its package) or the role may not do this, Unavailable when the server is away.
    """
    asyncio.run(_provision(superuser_url, _checked(database)))


def provision_sql(database: str = "hustings") -> str:
    """The same as a script for psql, for who keeps the superuser's password to themselves."""
    name = _checked(database)
    return "\n".join(
        [
            "-- Run by a superuser: psql --set ON_ERROR_STOP=1 --file THIS postgres",
            "-- Then give each role that connects over a network its password: ALTER ROLE ... PASSWORD ...",
            *map(_role_sql, ROLES),
            f"SELECT '{_create_sql(name)}'",
            f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') \\gexec",
            f"\\connect {name}",
            *map(_extension_sql, EXTENSIONS),
            privileges_sql(name),
        ]
    )


def privileges_sql(database: str) -> str:
    """Who may do what in `database`; a copy made from a template needs it anew for the database itself."""
    return f"""\
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
GRANT CONNECT ON DATABASE "{database}" TO {", ".join(ROLES)};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO hustings_owner;
GRANT USAGE ON SCHEMA public TO hustings_app, hustings_readonly, hustings_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE hustings_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO hustings_app;
ALTER DEFAULT PRIVILEGES FOR ROLE hustings_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO hustings_app;
ALTER DEFAULT PRIVILEGES FOR ROLE hustings_owner IN SCHEMA public
  GRANT SELECT ON TABLES TO hustings_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE hustings_owner IN SCHEMA public
  GRANT SELECT ON SEQUENCES TO hustings_backup;
"""


def _checked(database: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", database):
        raise ConfigurationError(f"{database!r} cannot be the name of a database: use a to z, 0 to 9 and _.")
    return database


def _role_sql(role: str) -> str:
    attributes = f"LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {ROLES[role]}"
    return f"""\
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role}; END IF;
END $$;
ALTER ROLE {role} {attributes};"""


def _create_sql(database: str) -> str:
    return f'CREATE DATABASE "{database}" OWNER hustings_owner TEMPLATE template0 ENCODING UTF8'


def _extension_sql(extension: str) -> str:
    return f"CREATE EXTENSION IF NOT EXISTS {extension};"


async def _provision(superuser_url: str, database: str) -> None:
    try:
        await _provision_server(superuser_url, database)
        await _provision_database(superuser_url, database)
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(f"Provisioning needs a superuser of PostgreSQL: {error}.") from None
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise Unavailable(f"The database server does not answer: {error}") from None


async def _provision_server(superuser_url: str, database: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        for role in ROLES:
            await connection.execute(_role_sql(role))
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(_create_sql(database))
    finally:
        await connection.close()


async def _provision_database(superuser_url: str, database: str) -> None:
    connection = await asyncpg.connect(superuser_url, database=database)
    try:
        await _check_extensions(connection)
        await connection.execute("SET client_min_messages = warning")
        await connection.execute("\n".join(map(_extension_sql, EXTENSIONS)))
        await connection.execute(privileges_sql(database))
    finally:
        await connection.close()


async def _check_extensions(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    version = connection.get_server_version().major
    available = {row["name"] for row in await connection.fetch("SELECT name FROM pg_available_extensions")}
    for extension in EXTENSIONS:
        if extension not in available:
            raise missing_extension(extension, version)


def missing_extension(extension: str, version: int) -> ConfigurationError:
    package = PACKAGES.get(extension, "postgresql-contrib").format(version)
    return ConfigurationError(
        f"PostgreSQL's extension {extension} is not installed on the database server."
        f" Install the package {package} there, or run ./dev install."
    )
