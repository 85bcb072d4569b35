"""`hustings worker`: works on jobs. Start as many as you like, on any machine that reaches the database."""

import asyncio
from functools import partial

import rich_click as click

from app.commands.context import command_settings, database, notice
from app.commands.groups import Command
from app.jobs import housekeeping
from app.jobs.handlers import AnyHandler
from app.jobs.process import work_until_signalled
from app.jobs.schedule import Scheduled
from app.jobs.worker import Worker
from app.logs import configure_logs
from app.publishing import jobs as publishing
from app.settings import Settings
from app.wiring import afterwards, engine_of, make_store, make_workshop, rendering


@click.command("worker", cls=Command)
def worker() -> None:
    """Work on jobs until stopped."""
    settings = command_settings()
    configure_logs(settings)
    if settings.database_url is not None:
        asyncio.run(work(settings, settings.database_url))  # waits by itself for a database that is away
        return
    with database(settings) as ready:
        asyncio.run(work(ready, str(ready.database_url)))


async def work(settings: Settings, url: str) -> None:
    """Until SIGTERM or SIGINT. Raises ConfigurationError when the database has another schema."""
    worker = Worker(
        url,
        direct_url=settings.database_direct_url,
        pooler=settings.database_pooler,
        handlers=handlers(settings),
        schedule=schedule(settings),
        at_start=(publishing.Reconcile(),),
    )
    await work_until_signalled(worker, lambda: notice("The worker listens for jobs."))


def handlers(settings: Settings) -> tuple[AnyHandler, ...]:
    """Every job that is worked on. Raises ConfigurationError."""
    workshop = make_workshop(make_store(settings))
    return (
        *housekeeping.HANDLERS,
        *afterwards(settings, workshop.store),
        *rendering(settings, workshop),
        *publishing.handlers(partial(engine_of, workshop)),
    )


def schedule(settings: Settings) -> tuple[Scheduled, ...]:
    """Every job that comes with the clock."""
    return (*housekeeping.SCHEDULE, *publishing.schedule(settings.refresh_minutes))
