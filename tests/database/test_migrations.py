"""The migrations give the schema of the models, up, down and up again."""

import subprocess
from pathlib import Path

import asyncpg
import pytest

from app.database import migrations
from app.database.schema import SCHEMA_VERSION, check_schema, is_compatible
from app.errors import ConfigurationError
from tests.conftest import Database


def dump(database: Database) -> str:
    """The schema as pg_dump tells it, without the random key of newer versions."""
    command = ["pg_dump", "--schema-only", "--restrict-key=x", database.url("superuser")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_up_down_up_gives_the_same_schema(database: Database) -> None:
    before = dump(database)
    migrations.downgrade(database.url("owner"), "base")
    assert migrations.current(database.url("owner")) is None
    assert "CREATE TABLE public.campaigns" not in dump(database)
    migrations.upgrade(database.url("owner"))
    assert dump(database) == before


def test_each_migration_goes_down_and_up(database: Database) -> None:
    for _ in range(3):
        migrations.downgrade(database.url("owner"), "-1")
    migrations.upgrade(database.url("owner"))
    migrations.check(database.url("owner"))


def test_the_models_are_the_schema_and_drift_is_found(database: Database) -> None:
    migrations.check(database.url("owner"))
    psql = ["psql", "-q", database.url("owner"), "-c", "ALTER TABLE campaigns DROP COLUMN outcome"]
    subprocess.run(psql, check=True)
    with pytest.raises(ConfigurationError, match="outcome"):
        migrations.check(database.url("owner"))


def test_the_sql_of_all_migrations_can_be_read() -> None:
    sql = migrations.offline_sql()
    assert "CREATE TABLE campaigns" in sql
    assert "FORCE ROW LEVEL SECURITY" in sql


@pytest.mark.anyio
async def test_a_program_meets_only_the_schema_it_knows(database: Database) -> None:
    connection = await asyncpg.connect(database.url("owner"))
    await check_schema(connection)
    await connection.execute("UPDATE schema_meta SET version = '0.2.0'")
    with pytest.raises(ConfigurationError, match=f"has schema 0.2.0, this program needs {SCHEMA_VERSION}"):
        await check_schema(connection)
    await connection.execute("DELETE FROM schema_meta")
    with pytest.raises(ConfigurationError, match="hustings db upgrade"):
        await check_schema(connection)
    await connection.execute("DROP TABLE schema_meta")
    with pytest.raises(ConfigurationError, match="hustings db upgrade"):
        await check_schema(connection)
    await connection.close()


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ("0.1.3", "0.1.0", True),
        ("0.2.0", "0.1.0", False),
        ("1.4.0", "1.2.0", True),
        ("1.1.0", "1.2.0", False),
        ("2.0.0", "1.2.0", False),
    ],
)
def test_versions_fit_by_major_and_minor(found: str, wanted: str, fits: bool) -> None:
    assert is_compatible(found, wanted) is fits


def test_a_migration_is_never_a_create_all() -> None:
    texts = [path.read_text() for path in Path("migrations/versions").glob("*.py")]
    assert texts
    assert not any("create_all" in text for text in texts)
