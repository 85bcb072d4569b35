"""Is the process there, and can it work?"""

from typing import Any

import anyio
import msgspec
from anyio import to_thread
from litestar import get
from litestar.di import NamedDependency

from app.database.engine import Pool
from app.database.failures import from_driver
from app.database.schema import check_schema
from app.errors import ConfigurationError, Unavailable
from app.storage.facade import AsyncStore
from app.storage.store import ObjectStore, StoreUnavailable

SECONDS = 3.0
"""For each part: longer than that is as bad as no answer."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: str


@get("/healthz", include_in_schema=False, sync_to_thread=False)
def healthz() -> Health:
    """The process answers; nothing else is asked."""
    return Health(status="ok")


@get("/readyz", include_in_schema=False)
async def readyz(pool: NamedDependency[Any], store: NamedDependency[AsyncStore]) -> Health:
    """The database answers with a schema that fits, and the store can be read; else 503, until they do."""
    await check_database(pool)
    await check_store(store)
    return Health(status="ready")


async def check_database(pool: Pool, seconds: float = SECONDS) -> None:
    """Raises Unavailable unless the database answers in time with a schema that this program works with."""
    try:
        with anyio.fail_after(seconds):
            async with pool.acquire() as connection:
                await check_schema(connection)
    except ConfigurationError as error:
        raise Unavailable(error.detail) from error
    except Exception as error:
        expected = from_driver(error)
        if expected is None:
            raise
        raise expected from error


async def check_store(store: AsyncStore, seconds: float = SECONDS) -> None:
    """Raises Unavailable unless the store lists its pointers in time."""
    try:
        with anyio.fail_after(seconds):
            await to_thread.run_sync(_list_pointers, store.store, abandon_on_cancel=True)
    except (StoreUnavailable, TimeoutError) as error:
        raise Unavailable("The object store does not answer at the moment.") from error


def _list_pointers(store: ObjectStore) -> None:
    """In a thread that is left behind when the store is stuck: the facade would wait for its end."""
    next(iter(store.list("live/")), None)
