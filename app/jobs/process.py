"""A worker as a process of its own."""

import asyncio
import signal
from collections.abc import Callable

from app.jobs.worker import Worker


async def work_until_signalled(worker: Worker, ready: Callable[[], None]) -> None:
    """Run `worker` until SIGTERM or SIGINT; `ready` is called once, when it listens for the first time."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    is_told = False

    def tell() -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            ready()

    await worker.run(tell)
