"""A worker of the jobs that follow a flip, as a process of its own: `URL STORE PURGE-URL`."""

import asyncio
import sys
from pathlib import Path

from app.jobs.process import work_until_signalled
from app.jobs.worker import Timing, Worker
from app.publishing.afterwards.jobs import afterwards_handlers
from app.storage.facade import AsyncStore
from app.storage.file import FileStore


def main() -> None:
    url, store, purge_url = sys.argv[1:]

    async def work() -> None:
        worker = Worker(
            url,
            handlers=afterwards_handlers(AsyncStore(FileStore(Path(store))), purge_url),
            timing=Timing(silence=1.5, poll=0.1),
        )
        await work_until_signalled(worker, lambda: None)

    asyncio.run(work())


if __name__ == "__main__":
    main()
