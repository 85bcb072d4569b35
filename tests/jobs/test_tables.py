import os
import subprocess
import sys

import pytest

from app.database import migrations
from app.database.cluster import find_binaries
from app.database.engine import Connection
from app.jobs.tables import queries
from tests.conftest import Database

KINDS = """
SELECT relname, relpersistence::text AS kind FROM pg_class WHERE relname LIKE 'pgqueuer%' AND relkind = 'r'
"""


def dump(database: Database) -> str:
    program = str(find_binaries() / "pg_dump")
    command = [program, "--schema-only", "--restrict-key=x", "--dbname", database.url("superuser")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_going_down_removes_the_queue_and_going_up_again_gives_the_same(database: Database) -> None:
    before = dump(database)
    assert "pgqueuer" in before
    migrations.downgrade(database.url("owner"), "0003")
    assert "pgqueuer" not in dump(database)
    migrations.upgrade(database.url("owner"))
    assert dump(database) == before


@pytest.mark.anyio
async def test_the_tables_survive_a_crash_of_the_server(connection: Connection) -> None:
    rows = {row["relname"]: row["kind"] for row in await connection.fetch(KINDS)}
    assert rows == dict.fromkeys(
        ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"), "p"
    )


@pytest.mark.anyio
async def test_the_installed_library_wants_no_other_tables(connection: Connection) -> None:
    """When this fails after an update of PGQueuer, a new migration has to run what it plans."""
    assert (await queries(connection).plan_upgrade()).statements == ()


def test_variables_of_the_environment_neither_rename_nor_weaken_the_tables() -> None:
    code = (
        "from app.jobs.tables import NAMES; print(NAMES.queue_table, NAMES.channel, NAMES.durability.value)"
    )
    hostile = {"PGQUEUER_PREFIX": "evil_", "CHANNEL": "evil", "DURABILITY": "volatile"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **hostile},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["pgqueuer", "ch_pgqueuer", "durable"]
