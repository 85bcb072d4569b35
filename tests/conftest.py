"""One private cluster for the whole run, databases copied from a migrated template. Tests commit for real."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
import hypothesis
import pytest

from app.database import migrations
from app.database.cluster import Cluster, Role, running_cluster
from app.database.provision import ROLES, provision
from tests.memory import data_folder, write_into_memory
from tests.storage.ceph import Ceph, running_ceph

# A machine that is busy is no failure: examples have no time limit.
hypothesis.settings.register_profile("hustings", deadline=None)
hypothesis.settings.load_profile("hustings")

TEMPLATE = "hustings_template"
_numbers = itertools.count(1)


LONGEST = (
    "tests/faults/",
    "tests/test_dev.py",
    "tests/browser/",
    "tests/publishing/",
    "tests/storage/test_s3.py",
    "tests/commands/",
    "tests/database/test_cluster.py",
)
"""Where workers share the files out, these come first: none is left alone with a long one at the end."""


def pytest_configure() -> None:
    write_into_memory()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only in a worker of pytest-xdist: alone, tests run in the order in which they are written."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [not item.nodeid.startswith(start) for start in LONGEST])


@dataclass(frozen=True)
class Database:
    """A database of one test or module, empty but for the schema."""

    cluster: Cluster
    name: str

    def url(self, role: Role = "app") -> str:
        return self.cluster.url(role, self.name)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """An S3 service, for tests that make buckets of their own."""
    with running_ceph() as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with data_folder() as data, running_cluster(data, safe=False) as running:
        yield running


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a database that is provisioned and migrated; copy it, never write to it."""
    provision(cluster.url("superuser", "postgres"), TEMPLATE)
    migrations.upgrade(cluster.url("owner", TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[Database]:
    with copied(cluster, template) as copy:
        yield copy


@pytest.fixture(scope="module")
def shared_database(cluster: Cluster, template: str) -> Iterator[Database]:
    """One copy for all tests of a module, which must not mind each other's rows."""
    with copied(cluster, template) as copy:
        yield copy


@contextmanager
def copied(cluster: Cluster, template: str) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    execute(
        cluster,
        f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER hustings_owner STRATEGY FILE_COPY',
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{name}" TO {", ".join(ROLES)}',
    )
    try:
        yield Database(cluster, name)
    finally:
        execute(cluster, f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(cluster: Cluster, *statements: str) -> None:
    """As the superuser, each statement for itself."""

    async def run() -> None:
        connection = await asyncpg.connect(cluster.url("superuser", "postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
