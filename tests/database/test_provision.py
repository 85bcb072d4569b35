import asyncio
import subprocess
from collections.abc import Iterator

import asyncpg
import pytest

from app.database import provision as module
from app.database.cluster import Cluster, Role, find_binaries
from app.database.provision import provision, provision_sql
from app.errors import ConfigurationError, Unavailable
from tests.conftest import execute

NAME = "provisioned"


@pytest.fixture(scope="module")
def provisioned(cluster: Cluster) -> Iterator[Cluster]:
    provision(cluster.url("superuser", "postgres"), NAME)
    run(cluster, "owner", "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, text text)")
    yield cluster
    execute(cluster, f"DROP DATABASE {NAME} WITH (FORCE)")


def run(cluster: Cluster, role: Role, sql: str, database: str = NAME) -> list[asyncpg.Record]:
    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(cluster.url(role, database))
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def refused(cluster: Cluster, role: Role, sql: str) -> bool:
    try:
        run(cluster, role, sql)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


def test_the_application_writes_rows_of_tables_it_does_not_own(provisioned: Cluster) -> None:
    run(provisioned, "app", "INSERT INTO notes (text) VALUES ('one')")
    run(provisioned, "app", "UPDATE notes SET text = 'two'")
    assert [row["text"] for row in run(provisioned, "app", "DELETE FROM notes RETURNING text")] == ["two"]
    assert refused(provisioned, "app", "CREATE TABLE mine ()")
    assert refused(provisioned, "app", "TRUNCATE notes")
    assert refused(provisioned, "app", "ALTER TABLE notes ADD more text")


def test_analysts_read_nothing_until_a_view_is_given_to_them(provisioned: Cluster) -> None:
    assert refused(provisioned, "readonly", "SELECT FROM notes")
    run(provisioned, "owner", "CREATE VIEW counted AS SELECT count(*) AS notes FROM notes")
    run(provisioned, "owner", "GRANT SELECT ON counted TO hustings_readonly")
    assert [row["notes"] for row in run(provisioned, "readonly", "SELECT notes FROM counted")] == [0]


def test_backups_read_everything_and_write_nothing(provisioned: Cluster) -> None:
    assert run(provisioned, "backup", "SELECT FROM notes") == []
    assert refused(provisioned, "backup", "INSERT INTO notes (text) VALUES ('one')")


def test_only_backups_see_past_row_level_security(provisioned: Cluster) -> None:
    rows = run(provisioned, "superuser", "SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper")
    assert [row["rolname"] for row in rows] == ["hustings_backup"]


def test_a_stranger_cannot_connect(provisioned: Cluster) -> None:
    execute(provisioned, "CREATE ROLE stranger LOGIN")
    try:
        url = provisioned.url("app", NAME).replace("hustings_app", "stranger")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(asyncpg.connect(url))
    finally:
        execute(provisioned, "DROP ROLE stranger")


def test_the_extensions_are_there(provisioned: Cluster) -> None:
    rows = run(provisioned, "app", "SELECT extname FROM pg_extension")
    assert set(module.EXTENSIONS) <= {row["extname"] for row in rows}
    assert run(provisioned, "app", "SELECT 'A'::citext = 'a' AND '[1,2]'::vector <-> '[1,2]' = 0 AS fine")[0][
        "fine"
    ]


def test_provisioning_again_changes_nothing(provisioned: Cluster) -> None:
    def privileges() -> list[asyncpg.Record]:
        return run(
            provisioned, "superuser", "SELECT datname, datdba, datacl::text FROM pg_database ORDER BY 1"
        )

    before = privileges()
    provision(provisioned.url("superuser", "postgres"), NAME)
    assert privileges() == before


def test_the_script_for_psql_does_the_same(provisioned: Cluster) -> None:
    command = [str(find_binaries() / "psql"), "-qX", "--set", "ON_ERROR_STOP=1"]
    url = provisioned.url("superuser", "postgres")
    script = provision_sql("by_script")
    for _ in range(2):
        subprocess.run([*command, url], input=script, text=True, check=True, capture_output=True)
    catalogue = """
        SELECT pg_get_userbyid(datdba) AS owner, replace(datacl::text, 'by_script', '') AS privileges,
          (SELECT array_agg(extname ORDER BY extname) FROM pg_extension) AS extensions,
          (SELECT array_agg(defaclacl::text ORDER BY defaclobjtype) FROM pg_default_acl) AS defaults
        FROM pg_database WHERE datname = current_database()"""
    try:
        assert run(provisioned, "superuser", catalogue, "by_script") == run(
            provisioned, "superuser", catalogue
        )
    finally:
        execute(provisioned, "DROP DATABASE by_script")


@pytest.mark.parametrize("name", ["", "Hustings", "a b", 'x"; DROP DATABASE y', "a" * 64])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name of a database"):
        provision_sql(name)


def test_an_ordinary_role_is_told_that_it_needs_a_superuser(provisioned: Cluster) -> None:
    with pytest.raises(ConfigurationError, match="superuser"):
        provision(provisioned.url("app", NAME), "another")


def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        provision("postgresql://postgres@/postgres?host=/nowhere")


def test_a_missing_extension_names_its_package() -> None:
    assert "postgresql-15-pgvector" in str(module.missing_extension("vector", 15))
    assert "postgresql-contrib" in str(module.missing_extension("citext", 17))


def test_an_extension_the_server_lacks_is_found_out(provisioned: Cluster) -> None:
    async def check() -> None:
        connection = await asyncpg.connect(provisioned.url("superuser", NAME))
        try:
            await connection.execute("CREATE TEMPORARY TABLE pg_available_extensions (name text)")
            await connection.execute("SET search_path = pg_temp, pg_catalog")
            await module._check_extensions(connection)
        finally:
            await connection.close()

    with pytest.raises(ConfigurationError, match=r"postgresql-\d+-postgis-3"):
        asyncio.run(check())
