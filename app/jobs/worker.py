"""A worker: takes jobs, keeps them alive, runs them, and keeps the schedule.

Start as many as needed, on any machine. A job belongs to the worker that took it for as long as that worker
gives signs of life; after `silence` without one, another takes it over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal
from uuid import uuid4

import structlog

from app.database.engine import Pool, make_pool
from app.database.listen import listen
from app.database.schema import check_schema
from app.jobs.handlers import AnyHandler, by_name
from app.jobs.job import Job
from app.jobs.ledger import DISCONNECTED, Ledger
from app.jobs.queue import enqueue
from app.jobs.runs import Run
from app.jobs.schedule import Scheduled, dedupe_key, plan, tick
from app.jobs.tables import CHANNEL
from app.kit.clock import Clock, system_clock

RETURN_SECONDS = 3
"""How long a stop waits for jobs to be returned; one that is not is taken over after `silence`."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    silence: float = 30
    """A job whose worker gave no sign of life for this long is taken over."""
    poll: float = 5
    """How often the queue is looked at when nothing is heard."""
    schedule: float = 5
    """How often the schedule is looked at."""
    grace: float = 20
    """How long a stop waits for the jobs in work before it returns them to the queue."""
    reconnect: float = 1
    """The pause before the database is tried again."""


class Worker:
    """`direct_url` is where to LISTEN when `url` leads to a pooler. Build it inside the event loop.

    `at_start` is enqueued when it begins, once for all workers that begin together.
    """

    def __init__(
        self,
        url: str,
        *,
        handlers: tuple[AnyHandler, ...],
        schedule: tuple[Scheduled, ...] = (),
        at_start: tuple[Job, ...] = (),
        direct_url: str | None = None,
        pooler: Literal["none", "transaction"] = "none",
        concurrency: int = 4,
        timing: Timing | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._url = url
        self._direct_url = direct_url or url
        self._pooler = pooler
        self._handlers = by_name(handlers)
        self._limits = {handler.name: handler.concurrency for handler in handlers}
        self._schedule = schedule
        self._at_start = at_start
        self._concurrency = concurrency
        self._timing = timing or Timing()
        self._clock = clock
        self._id = uuid4()
        self._runs: dict[int, tuple[Run, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Take no more jobs, let those in work finish within the grace, then end. For signal handlers too."""
        if not self._is_stopping:
            log.info("jobs.stopping", in_work=len(self._runs))
        self._is_stopping = True
        self._wake.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`. `ready` is called whenever it has begun to listen.

        Waits for a database that is away. Raises ConfigurationError when it has another schema.
        """
        async with self._pools() as (queue, pool):
            if not await self._begin(queue):
                return
            ledger = Ledger(queue, self._id)
            tasks = [
                self._watch(self._listen(ready)),
                self._watch(self._every(self._timing.silence / 4, lambda: self._beat(ledger))),
                self._watch(self._every(self._timing.schedule, lambda: self._tick(queue))),
            ]
            try:
                await self._work(ledger, pool)
            finally:
                await self._drain()
                await _cancel(tasks)
        if self._failure is not None:
            raise self._failure

    async def _listen(self, ready: Callable[[], None]) -> None:
        """What is not heard is found a little later, by polling."""
        await listen(self._direct_url, CHANNEL, self._wake.set, ready=ready, pause=self._timing.reconnect)

    async def _begin(self, queue: Pool) -> bool:
        """Check the schema, make the schedule known; False when told to stop before that could be done."""
        while not self._is_stopping:
            try:
                async with queue.acquire() as connection:
                    async with connection.transaction():
                        await check_schema(connection)
                    await plan(connection, self._schedule, self._clock())
                    async with connection.transaction():
                        for job in self._at_start:
                            await enqueue(connection, job, dedupe_key=dedupe_key(job))
            except DISCONNECTED as error:
                log.warning("jobs.disconnected", error=type(error).__name__)
            else:
                return True
            await self._rest(self._timing.reconnect)
        return False

    @asynccontextmanager
    async def _pools(self) -> AsyncIterator[tuple[Pool, Pool]]:
        """The queue has connections of its own, so that handlers that use up theirs cannot silence it."""
        queue = await make_pool(self._url, size=2, pooler=self._pooler)
        pool = await make_pool(self._url, size=self._concurrency + 2, pooler=self._pooler)
        try:
            yield queue, pool
        finally:
            await _close(pool, self._timing.reconnect)
            await _close(queue, self._timing.reconnect)

    async def _work(self, ledger: Ledger, pool: Pool) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                pause = await self._fill(ledger, pool)
            except DISCONNECTED as error:
                log.warning("jobs.disconnected", error=type(error).__name__)
                pause = self._timing.reconnect
            await self._rest(pause)

    async def _fill(self, ledger: Ledger, pool: Pool) -> float:
        """Start what there is room for; gives the seconds to wait before it is worth another look."""
        free = self._concurrency - len(self._runs)
        if free <= 0:
            return self._timing.poll
        stale = timedelta(seconds=self._timing.silence)
        jobs = await ledger.take(self._limits, free, stale, self._runs)
        for job in jobs:
            run = Run(job, self._handlers[job.name], ledger, pool, self._timing.reconnect)
            task = asyncio.create_task(run())
            self._runs[job.id] = run, task
            task.add_done_callback(partial(self._forget, job.id))
        if jobs:
            return 0
        due = await ledger.next_due(self._limits)
        return self._timing.poll if due is None else min(self._timing.poll, max(due.total_seconds(), 0.05))

    def _forget(self, job_id: int, task: asyncio.Task[None]) -> None:
        self._runs.pop(job_id)
        self._wake.set()
        self._note_failure(task)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _beat(self, ledger: Ledger) -> None:
        before = {job_id for job_id, (run, _) in self._runs.items() if not run.is_ending}
        alive = await ledger.beat(list(self._runs))
        for job_id in before - alive:
            run, task = self._runs.get(job_id, (None, None))
            if run is not None and task is not None and not run.is_ending:
                run.is_lost = True
                task.cancel()

    async def _tick(self, queue: Pool) -> None:
        async with queue.acquire() as connection:
            await tick(connection, self._schedule, self._clock())

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except DISCONNECTED as error:
                log.warning("jobs.disconnected", error=type(error).__name__)
            await asyncio.sleep(seconds)

    def _watch(self, act: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(act)
        task.add_done_callback(self._note_failure)
        return task

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        """What none of us expected ends the worker: one without a heartbeat or a schedule must not go on."""
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
            self.stop()

    async def _drain(self) -> None:
        if not self._runs:
            return
        await asyncio.wait([task for _, task in self._runs.values()], timeout=self._timing.grace)
        late = list(self._runs.values())
        for run, _ in late:
            run.is_stopped = True
        await _cancel([task for _, task in late], within=RETURN_SECONDS)


async def _close(pool: Pool, seconds: float) -> None:
    """Let connections that are being given back come home; after `seconds`, cut them off."""
    try:
        async with asyncio.timeout(seconds):
            await pool.close()
    except DISCONNECTED:
        pool.terminate()


async def _cancel(tasks: list[asyncio.Task[None]], within: float | None = None) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=within)
