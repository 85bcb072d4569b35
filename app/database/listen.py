"""LISTEN over a connection of its own that comes back by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

logger = structlog.get_logger()

PAUSE = 2.0
"""Seconds between tries to connect while the database is away."""
LONG_PAUSE = 30.0
"""Seconds after something that no waiting heals, such as a URL that cannot be read."""
SHORT_PAUSE = 0.2
"""Seconds at most before the first new try: mostly the connection was cut and the database is there."""
PROBE = 15.0
"""Seconds between questions whether the connection still lives: a cut wire does not say so by itself."""
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _nothing() -> None:
    """Nobody waits to hear of connections."""


@asynccontextmanager
async def listening(
    url: str, channel: str, heard: Callable[[], None], *, pause: float = PAUSE, probe: float = PROBE
) -> AsyncIterator[None]:
    """`listen` beside what is done inside."""
    task = asyncio.create_task(listen(url, channel, heard, pause=pause, probe=probe))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def listen(
    url: str,
    channel: str,
    heard: Callable[[], None],
    *,
    ready: Callable[[], None] = _nothing,
    pause: float = PAUSE,
    long_pause: float = LONG_PAUSE,
    probe: float = PROBE,
) -> None:
    """Calls `heard` for every notification, and after every (re)connection, because one may have been missed.

    `ready` is called at every connection. `url` must lead to the database itself, not to a pooler. Never
    raises and ends only by cancellation: whoever listens has to be able to do without for a while.
    """
    trouble = ""

    def connected() -> None:
        nonlocal trouble
        if trouble:
            logger.info("listening_again", channel=channel)
        trouble = ""
        ready()
        heard()

    while True:
        try:
            await _listen_once(url, channel, connected, heard, probe)
        except LOST as error:
            rest = pause if trouble else min(pause, SHORT_PAUSE)
            trouble = _tell(channel, error, trouble)
            await asyncio.sleep(rest)
        except Exception as error:  # noqa: BLE001 - one that died in silence would never be missed
            trouble = _tell(channel, error, trouble)
            await asyncio.sleep(long_pause)


def _tell(channel: str, error: Exception, before: str) -> str:
    """Log the kind of an error unless it is the one before; gives it.

    The name alone, because what an error says of a URL may hold parts of its password.
    """
    name = type(error).__name__
    if name != before:
        log = logger.warning if isinstance(error, LOST) else logger.error
        log("listening_stopped", channel=channel, error=name)
    return name


async def _listen_once(
    url: str, channel: str, connected: Callable[[], None], heard: Callable[[], None], probe: float
) -> None:
    """Until the connection is lost, which raises one of LOST."""
    connection = await asyncpg.connect(url, timeout=5)
    gone = asyncio.Event()
    connection.add_termination_listener(lambda *_: gone.set())
    try:
        await connection.add_listener(channel, lambda *_: heard())
        connected()
        while True:
            await _wait(gone, probe)
            await connection.fetchval("SELECT 1", timeout=5)
    finally:
        connection.terminate()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
