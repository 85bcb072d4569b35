"""Blocking calls of a place, so many at a time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread

from app.errors import AppError
from app.publishing.report import Reporter

THREADS = 16
_BATCH = 1_000

Item = TypeVar("Item")
T = TypeVar("T")


class Threads:
    def __init__(self, report: Reporter, concurrency: int) -> None:
        self._report = report
        self._limiter = CapacityLimiter(concurrency)

    async def run(self, function: Callable[[], T]) -> T:
        return await to_thread.run_sync(function, limiter=self._limiter)

    async def each(self, function: Callable[[Item], None], items: Sequence[Item]) -> None:
        """When this returns, all are done. The first failure stops what has not begun, and is raised."""
        failures: list[AppError] = []

        async def one(item: Item) -> None:
            try:
                if not failures:
                    await self.run(partial(_unless, failures, function, item))
                    self._report.advance(1)
            except AppError as error:
                failures.append(error)

        for start in range(0, len(items), _BATCH):
            async with create_task_group() as tasks:
                for item in items[start : start + _BATCH]:
                    tasks.start_soon(one, item)
            if failures:
                raise failures[0]


def _unless(failures: list[AppError], function: Callable[[Item], None], item: Item) -> None:
    """Asked again when a thread is free: by then another may have failed."""
    if not failures:
        function(item)
