"""LISTEN comes back by itself, and tells once more after every connection."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.database.listen import listen, listening
from tests.conftest import Database

pytestmark = pytest.mark.anyio
CHANNEL = "news"
END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_terminate_backend%'
"""


class Ear:
    """Counts what was heard."""

    def __init__(self) -> None:
        self.count = 0
        self._heard = asyncio.Event()

    def hear(self) -> None:
        self.count += 1
        self._heard.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.count < count:
                self._heard.clear()
                await self._heard.wait()


@pytest.fixture
async def superuser(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.url("superuser"))
    yield connection
    await connection.close()


async def test_every_notification_is_heard(
    database: Database, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ear = Ear()
    async with listening(database.url(), CHANNEL, ear.hear):
        await ear.until(1)
        await superuser.execute(f"NOTIFY {CHANNEL}")
        await ear.until(2)
    await superuser.execute(f"NOTIFY {CHANNEL}")
    assert ear.count == 2


async def test_a_cut_connection_is_made_anew_and_told_of(
    database: Database, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A notification may have been missed meanwhile, so the listener is called at once."""
    ear = Ear()
    async with listening(database.url(), CHANNEL, ear.hear, pause=0.05, probe=0.05):
        await ear.until(1)
        await superuser.execute(END_LISTENERS)
        await ear.until(2)
        await superuser.execute(f"NOTIFY {CHANNEL}")
        await ear.until(3)


async def test_a_database_that_is_away_is_waited_for(database: Database) -> None:
    ear = Ear()
    elsewhere = await asyncpg.connect(database.cluster.url("superuser", "postgres"))
    await elsewhere.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
    async with listening(database.url(), CHANNEL, ear.hear, pause=0.05, probe=0.05):
        await asyncio.sleep(0.3)
        assert ear.count == 0
        await elsewhere.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS true')
        await ear.until(1)
    await elsewhere.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:12hidden@[::1/hustings",
        "postgresql://app:hidden@127.0.0.1:port/hustings",
        "postgresql://app:hidden@127.0.0.1/hustings?sslmode=hidden",
    ],
)
async def test_what_no_waiting_heals_is_told_once_and_tried_on_without_its_password(url: str) -> None:
    """The control: the error itself ends whoever does not catch it."""
    with pytest.raises(Exception, match=r".") as raised:
        await asyncpg.connect(url)
    with capture_logs() as lines:
        task = asyncio.create_task(listen(url, CHANNEL, Ear().hear, pause=0.001, long_pause=0.001))
        await asyncio.sleep(0.3)
        assert not task.done()
        task.cancel()
    assert [line["error"] for line in lines] == [type(raised.value).__name__]
    assert "hidden" not in str(lines)


async def test_a_listener_that_fails_is_told_of_and_called_again(database: Database) -> None:
    ear = Ear()

    def stumble() -> None:
        ear.hear()
        if ear.count < 3:
            raise KeyError("a bug")

    with capture_logs() as lines:
        task = asyncio.create_task(listen(database.url(), CHANNEL, stumble, long_pause=0.001))
        await ear.until(3)
        task.cancel()
    assert {
        "event": "listening_stopped",
        "channel": CHANNEL,
        "error": "KeyError",
        "log_level": "error",
    } in lines


async def test_each_connection_is_told_of(
    database: Database, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ready = Ear()
    task = asyncio.create_task(
        listen(database.url(), CHANNEL, lambda: None, ready=ready.hear, pause=0.05, probe=3600)
    )
    await ready.until(1)
    await superuser.execute(END_LISTENERS)
    await ready.until(2)
    task.cancel()
