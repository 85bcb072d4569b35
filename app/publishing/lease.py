"""The lease: one publisher of a site at a time, and no deleting from the store while one is at work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import anyio
import asyncpg

from app.database.engine import Connection, site_transaction
from app.errors import PublishError
from app.publishing.report import Reporter

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a broken connection to the database raises."""
PAUSE = 0.2
"""Seconds between two tries to get the lease."""
RENEWAL = 15.0
"""Seconds between two signs of life: firewalls, poolers and idle_in_transaction_session_timeout end what is
silent for long."""
ANSWER = 10.0
"""Seconds in which a connection that is alive answers."""

TAKE = "SELECT pg_try_advisory_xact_lock(hashtextextended('publish ' || $1, 0))"
# Whatever may name objects of the store holds this; `garbage` deletes only while nobody does.
SHARE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('delete from the store', 0))"
EXCLUDE = "SELECT pg_try_advisory_xact_lock(hashtextextended('delete from the store', 0))"


class LeaseLost(PublishError):
    """The lease ended before the release was live: nothing was flipped."""


class Lease:
    """Two locks of one transaction, which end with it, with its process or with its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()
        self._is_lost = False

    async def renew(self) -> bool:
        """Ask the connection for a sign of life; whether the lease is still held."""
        async with self._turn:
            if not self._is_lost:
                try:
                    await self._connection.execute("SELECT", timeout=ANSWER)
                except LOST:
                    self._is_lost = True
            return not self._is_lost

    async def check(self) -> None:
        """Raises LeaseLost. Once the root of a release is in the store, what it names is safe from gc if this
        returns: the locks were not free for a moment, and who deletes from now on finds the root.
        """
        if not await self.renew():
            raise LeaseLost(
                "The connection to the database that kept other publishers away was lost, so another may be "
                "at work by now. Nothing went live; publish again."
            )

    async def keep(self, every: float) -> None:
        """Renew until `end`, or until it is lost."""
        while not self._ended.is_set() and await self.renew():
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._ended.wait()

    def end(self) -> None:
        self._ended.set()


@asynccontextmanager
async def lease(
    connection: Connection, site_id: UUID, report: Reporter, *, renewal: float = RENEWAL
) -> AsyncIterator[Lease]:
    """Only one publisher of a site at a time; the others wait here.

    The locks are of a transaction, so that they can never be stale. Should the connection be lost while the
    process lives on, `Lease.check` refuses the flip, and its generation fences it.
    """
    failure: BaseException | None = None
    is_done = False
    try:
        async with site_transaction(connection, site_id):
            await _wait_for(connection, site_id, report)
            await connection.execute(SHARE)
            try:
                async with _kept(Lease(connection), renewal) as held:
                    yield held
                is_done = True
            except BaseException as error:
                failure = error
                raise
    except LOST:
        # There is nothing to commit: a connection that breaks now takes nothing back, and hides no failure.
        if failure is not None:
            raise failure from None
        if not is_done:
            raise


@asynccontextmanager
async def lease_if_free(connection: Connection, site_id: UUID) -> AsyncIterator[bool]:
    """Whether nobody publishes the site; if so, nobody does as long as the block lasts.

    The block is one transaction of the site on `connection`.
    """
    async with site_transaction(connection, site_id):
        yield await connection.fetchval(TAKE, str(site_id))


async def _wait_for(connection: Connection, site_id: UUID, report: Reporter) -> None:
    is_told = False
    while not await connection.fetchval(TAKE, str(site_id)):
        if not is_told:
            report.note("Another publish of this site is running; waiting for it.")
            is_told = True
        await anyio.sleep(PAUSE)


@asynccontextmanager
async def _kept(held: Lease, renewal: float) -> AsyncIterator[Lease]:
    keeping = asyncio.create_task(held.keep(renewal))
    try:
        yield held
    finally:
        held.end()
        await asyncio.wait([keeping])
