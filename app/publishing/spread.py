"""The chunks of a build, made by whoever has time: the publisher, and workers on any number of machines.

They stand in a table for as long as the build lasts. Who makes one holds its row locked until its reply is
committed, so a worker that dies loses its lock and somebody else makes the chunk; the result is the same.
A snapshot that was exported is seen on any machine, and is gone with the publisher: its helpers then stop.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import ClassVar
from uuid import UUID

import anyio
import asyncpg
import msgspec

from app.database.engine import Connection, Pool, site_transaction
from app.errors import AppError
from app.jobs.handlers import Handler, JobContext
from app.jobs.job import SiteJob
from app.jobs.queue import enqueue
from app.kit.ids import new_id
from app.publishing import lease
from app.publishing.chunk import Chunk, Made, Maker, Workshop
from app.publishing.elsewhere import Begin, Database, Failed, Handle, opened

HELPERS = 8
"""Jobs that are offered to the workers; each works on chunks until none is left."""
PRIORITY = 10
PAUSE = 0.05
"""Seconds between two looks for what others have finished, or have left."""

# What a worker is still at stays for the next publish: nobody waits for it.
LEFT_BEHIND = """
DELETE FROM build_chunks c
 USING (SELECT build_id, number FROM build_chunks WHERE build_id <> $1 FOR UPDATE SKIP LOCKED) l
 WHERE c.build_id = l.build_id AND c.number = l.number
"""
WRITE = """
INSERT INTO build_chunks (site_id, build_id, number, request)
SELECT $1, $2, number, request FROM unnest($3::bytea[]) WITH ORDINALITY AS r (request, number)
"""
# Whoever gets this has no publisher to work for: it holds the lease for as long as it lives.
IS_ABANDONED = lease.TAKE.replace("xact_lock", "xact_lock_shared")
# A machine that vanished while it held a chunk must not hold it for ever.
PATIENCE = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
TAKE = """
SELECT number, request FROM build_chunks
 WHERE build_id = $1 AND reply IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
"""
GIVE = "UPDATE build_chunks SET reply = $3 WHERE build_id = $1 AND number = $2"
COLLECT = """
DELETE FROM build_chunks WHERE build_id = $1 AND reply IS NOT NULL RETURNING number, request, reply
"""
COUNT = "SELECT count(*) FROM build_chunks WHERE build_id = $1"
DROP = "DELETE FROM build_chunks WHERE build_id = $1"
DROP_ALL = "DELETE FROM build_chunks"


NO_SNAPSHOT = (
    asyncpg.InvalidParameterValueError,
    asyncpg.UndefinedObjectError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""Its publisher has ended: before, or while it was looked up."""


class RenderChunks(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Help with a build until it has no more chunks."""

    name: ClassVar[str] = "chunks.render"
    build_id: UUID


class Request(msgspec.Struct, frozen=True):
    begin: Begin
    chunk: Chunk


class Reply(msgspec.Struct, frozen=True):
    made: Made | None = None
    failed: Failed | None = None


_encode = msgspec.msgpack.Encoder().encode
_request = msgspec.msgpack.Decoder(Request)
_reply = msgspec.msgpack.Decoder(Reply)


class Spread:
    """Shares the chunks with the workers; works on them itself too, so that it ends without any worker."""

    count = 1

    def __init__(self, pool: Pool, workshop: Workshop, database: Database) -> None:
        self._pool = pool
        self._workshop = workshop
        self._database = database

    async def make(self, begin: Begin, chunks: Iterable[Chunk], handle: Handle) -> None:
        """As `Renderers.make`."""
        build_id = new_id()
        try:
            remaining = await self._offer(begin, build_id, list(chunks))
            async with opened(begin, self._workshop, self._database) as maker:
                while remaining:
                    took = await make_one(self._pool, begin.site_id, build_id, maker)
                    done = await self._collect(begin.site_id, build_id, handle)
                    remaining -= done
                    if not took and not done:
                        await self._check(begin.site_id, build_id, remaining)
                        await anyio.sleep(PAUSE)
        finally:
            with anyio.move_on_after(5, shield=True):
                await self._run(begin.site_id, DROP, build_id)

    async def _offer(self, begin: Begin, build_id: UUID, chunks: list[Chunk]) -> int:
        requests = [_encode(Request(begin, chunk)) for chunk in chunks]
        async with self._pool.acquire() as connection, site_transaction(connection, begin.site_id):
            # The lease is ours: what other builds of this site left has no publisher any more.
            await connection.execute(LEFT_BEHIND, build_id)
            await connection.execute(WRITE, begin.site_id, build_id, requests)
            for _ in range(min(HELPERS, len(requests) - 1)):
                job = RenderChunks(site_id=begin.site_id, build_id=build_id)
                await enqueue(connection, job, priority=PRIORITY)
        return len(requests)

    async def _collect(self, site_id: UUID, build_id: UUID, handle: Handle) -> int:
        async with self._pool.acquire() as connection, site_transaction(connection, site_id):
            rows = await connection.fetch(COLLECT, build_id)
        for row in rows:
            reply = _reply.decode(row["reply"])
            if reply.failed is not None:
                raise reply.failed.error()
            assert reply.made is not None  # noqa: S101 - it is the one or the other
            await handle(_request.decode(row["request"]).chunk, reply.made)
        return len(rows)

    async def _check(self, site_id: UUID, build_id: UUID, remaining: int) -> None:
        """Raises LeaseLost when chunks are gone: nobody would ever make them."""
        async with self._pool.acquire() as connection, site_transaction(connection, site_id):
            if await connection.fetchval(COUNT, build_id) < remaining:
                raise lease.LeaseLost(
                    "Another publisher is at work by now, and took away what workers had to do. Nothing went "
                    "live; publish again."
                )

    async def _run(self, site_id: UUID, query: str, *arguments: object) -> None:
        async with self._pool.acquire() as connection, site_transaction(connection, site_id):
            await connection.execute(query, *arguments)


async def wait_for_helpers(connection: Connection, site_id: UUID) -> None:
    """Under the lease: no worker is at a chunk of the site any more, nor will be, when this returns.

    A publisher that was killed leaves workers that still write what they have begun.
    """
    async with site_transaction(connection, site_id):
        await connection.execute(DROP_ALL)


async def make_one(pool: Pool, site_id: UUID, build_id: UUID, maker: Maker) -> bool:
    """Makes one chunk that nobody is at; False when there is none."""
    async with pool.acquire() as connection, site_transaction(connection, site_id):
        await connection.execute(PATIENCE)
        row = await connection.fetchrow(TAKE, build_id)
        if row is None:
            return False
        try:
            reply = Reply(made=await maker.make(_request.decode(row["request"]).chunk))
        except Exception as error:  # noqa: BLE001 - told to the publisher, which raises it
            reply = Reply(failed=Failed.of(error))
        await connection.execute(GIVE, build_id, row["number"], _encode(reply))
        return True


def spread_handler(workshop: Workshop, database: Database) -> Handler[RenderChunks]:
    """What a worker does about `RenderChunks`."""
    run = partial(_help, workshop, database)
    return Handler(RenderChunks, run, timeout=timedelta(hours=1))


async def _help(workshop: Workshop, database: Database, context: JobContext, job: RenderChunks) -> None:
    """Help that comes too late, or from another version of the program, is no failure."""
    async with context.transaction() as connection:
        row = await connection.fetchrow(
            "SELECT request FROM build_chunks WHERE build_id = $1 LIMIT 1", job.build_id
        )
    if row is None:
        return
    try:
        async with opened(_request.decode(row["request"]).begin, workshop, database) as maker:
            while not await _is_abandoned(context, job):
                if not await make_one(context.pool, job.site_id, job.build_id, maker):
                    return
    except (*NO_SNAPSHOT, AppError):
        return


async def _is_abandoned(context: JobContext, job: RenderChunks) -> bool:
    async with context.transaction() as connection:
        free: bool = await connection.fetchval(IS_ABANDONED, str(job.site_id))
        return free
