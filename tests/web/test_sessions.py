"""The write path: an answer of 2xx means that the row is there, anything raised means that it is not."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig, SQLAlchemyInitPlugin
from litestar import Litestar, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.database.orm import make_engine
from app.database.session import make_sessions
from app.web.bodies import BodyGuard, CheckedRequest
from app.web.sessions import begin
from tests.conftest import Database
from tests.web.routes import CREATE_NOTES, ROUTES, Note
from tests.web.world import SETTINGS, Served, served, two_sites

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Served]:
    await prepare(database)
    async with served(database.url(), routes=ROUTES) as world:
        yield world


async def prepare(database: Database) -> None:
    await two_sites(database.url())
    connection = await asyncpg.connect(database.url("owner"))
    for statement in CREATE_NOTES:
        await connection.execute(statement)
    await connection.close()


async def names(database: Database) -> list[str]:
    connection = await asyncpg.connect(database.url("owner"))
    try:
        return [row["name"] for row in await connection.fetch("SELECT name FROM notes ORDER BY id")]
    finally:
        await connection.close()


def note(number: int, name: str, **values: Any) -> dict[str, Any]:
    return {"id": number, "name": name, **values}


async def test_what_was_answered_with_201_is_there(world: Served, database: Database) -> None:
    answer = await world.client.post("/api/v1/notes", json=note(1, "kept"))
    assert (answer.status_code, await names(database)) == (201, ["kept"])


async def test_a_commit_that_fails_fails_the_request(world: Served, database: Database) -> None:
    """The constraint is deferred, so that only the commit finds the second row."""
    await world.client.post("/api/v1/notes", json=note(1, "same"))
    answer = await world.client.post("/api/v1/notes", json=note(2, "same"))
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Something with the same values is already there."
    assert await names(database) == ["same"]


async def test_the_library_s_autocommit_would_say_201_and_lose_the_row(database: Database) -> None:
    """The control: why the dependency is our own."""
    await prepare(database)
    engine = make_engine(database.url())
    config = SQLAlchemyAsyncConfig(
        engine_instance=engine, session_maker=make_sessions(engine), before_send_handler="autocommit"
    )

    @post("/notes")
    async def add(db_session: NamedDependency[AsyncSession], data: JSONBody[Note]) -> None:
        await db_session.execute(
            text("INSERT INTO notes (id, name) VALUES (:id, :name)"), {"id": data.id, "name": data.name}
        )

    app = Litestar(
        [add],
        plugins=[SQLAlchemyInitPlugin(config)],
        middleware=[BodyGuard()],
        request_class=CheckedRequest,
        logging_config=None,
    )
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        answers = [await client.post("/notes", json=note(number, "same")) for number in (1, 2)]
    await engine.dispose()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert await names(database) == ["same"]


@pytest.mark.parametrize(("name", "status"), [("refused", 409), ("broken", 500)])
async def test_what_was_written_before_a_failure_is_taken_back(
    world: Served, database: Database, name: str, status: int
) -> None:
    answer = await world.client.post("/api/v1/notes", json=note(1, name))
    assert (answer.status_code, await names(database)) == (status, [])


async def test_a_broken_rule_of_the_table_is_422_and_a_taken_key_409(world: Served) -> None:
    assert (await world.client.post("/api/v1/notes", json=note(1, "a", size=0))).status_code == 422
    assert (await world.client.post("/api/v1/notes", json=note(1, "a", size=2**40))).status_code == 422
    assert (await world.client.post("/api/v1/notes", json=note(1, "a"))).status_code == 201
    assert (await world.client.post("/api/v1/notes", json=note(1, "b"))).status_code == 409


async def test_all_connections_come_back_whatever_happened(world: Served) -> None:
    for number, name in enumerate(["kept", "refused", "broken", "kept"] * 3):
        await world.client.post("/api/v1/notes", json=note(number, name))
    await world.client.get("/api/v1/campaigns?limit=0")
    pool: Any = world.engine.pool
    assert pool.checkedout() == 0


async def test_a_pool_that_stays_busy_is_503(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url(), pool_size=1) as world:
        async with world.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            answer = await world.client.get("/api/v1/site")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await world.client.get("/api/v1/site")).status_code == 200


async def test_an_unknown_host_gets_the_default_site_and_a_known_one_its_own(database: Database) -> None:
    await two_sites(database.url())
    async with served(database.url(), base_url="http://unknown.example") as world:
        assert (await world.client.get("/api/v1/site")).json()["slug"] == "bay"
        own = await world.client.get("/api/v1/site", headers={"host": "city.localhost:8000"})
        assert own.json()["slug"] == "city"


async def test_without_any_site_there_is_a_404_that_says_what_to_do(database: Database) -> None:
    async with served(database.url()) as world:
        answer = await world.client.get("/api/v1/campaigns")
    assert answer.status_code == 404
    assert "hustings content load" in answer.json()["detail"]


async def test_a_default_site_that_is_not_there_is_404_and_not_the_oldest(database: Database) -> None:
    """As at the gateway; the control: another host than the unknown one is answered."""
    await two_sites(database.url())
    settings = msgspec.structs.replace(SETTINGS, default_site="nowhere")
    async with served(database.url(), settings=settings, base_url="http://unknown.example") as world:
        answer = await world.client.get("/api/v1/site")
        known = await world.client.get("/api/v1/site", headers={"host": "bay.localhost.:"})
    assert (answer.status_code, known.json()["slug"]) == (404, "bay")
    assert "HUSTINGS_DEFAULT_SITE" in answer.json()["detail"]


async def test_a_session_without_a_host_has_no_site(database: Database) -> None:
    engine = make_engine(database.url(), pool_size=1)
    sessions: async_sessionmaker[AsyncSession] = make_sessions(engine)
    async with sessions() as session:
        with pytest.raises(Exception, match="No site is set up"):
            await begin(session)
    await engine.dispose()


async def test_a_bug_while_connecting_is_not_taken_for_an_absence(database: Database) -> None:
    engine = make_engine(database.url(), pool_size=1)

    def broken(*_: object) -> None:
        raise KeyError("a bug")

    event.listen(engine.sync_engine, "begin", broken)
    async with make_sessions(engine)() as session:
        with pytest.raises(KeyError):
            await begin(session)
    await engine.dispose()
