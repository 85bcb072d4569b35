"""`hustings publish`: what changed goes live, as one release of each site."""

import asyncio
import sys
from functools import partial
from importlib import import_module
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import rich_click as click

from app.commands.context import actor, command_settings, database, notice
from app.commands.groups import Command
from app.commands.preview import preview_lines, stops, warning_lines
from app.commands.progress import reporting
from app.commands.sites import sites_of
from app.database.engine import site_transaction
from app.database.failures import from_database, from_driver
from app.errors import AppError, PublishError
from app.publishing.chunk import Workshop
from app.publishing.engine import Engine
from app.publishing.manifest import CorruptObject
from app.publishing.pointer import read_pointer
from app.publishing.pool import Renderers
from app.publishing.publish import publish as publish_site
from app.publishing.report import Outcome, Preview, Reporter
from app.publishing.unasked import Trigger
from app.settings import Settings
from app.wiring import afterwards, forked, open_engine


class Options(msgspec.Struct, frozen=True):
    full: bool = False
    dry_run: bool = False
    yes: bool = False
    trigger: Trigger = "editor"


class Published(msgspec.Struct, frozen=True):
    outcome: Outcome
    zone: ZoneInfo
    """Of the site, for telling times."""
    is_new: bool
    """Whether a release was made: also when only hosts or the base URL changed, and so no page."""


@click.command("publish", cls=Command)
@click.option("--site", metavar="SLUG", help="Only this site; without it each.")
@click.option("--full", is_flag=True, help="Look at every page, not only at what changed.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Go on even if many pages disappear.")
@click.option("--scheduled", is_flag=True, help="For cron: do nothing while a rollback waits for an editor.")
@click.option("--spread", is_flag=True, help="Let the workers of all machines help with many pages.")
@click.option("--wait", is_flag=True, help="Wait for what follows: purges of caches, a sample of the pages.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON (a list, of several sites).")
@click.option("--all", "show_all", is_flag=True, help="With --dry-run: every path, however many there are.")
def publish(
    *,
    site: str | None,
    full: bool,
    dry_run: bool,
    yes: bool,
    scheduled: bool,
    spread: bool,
    wait: bool,
    as_json: bool,
    show_all: bool,
) -> None:
    """Publish what has changed: wholly live, or not at all."""
    options = Options(full, dry_run, yes, "schedule" if scheduled else "editor")

    async def body(settings: Settings, workshop: Workshop, renderers: Renderers) -> bool:
        handlers = afterwards(settings, workshop.store) if wait else ()
        # The queue is wanted at the flip, and takes as long to load as a page takes a thousand times.
        loading = asyncio.create_task(asyncio.to_thread(import_module, "app.jobs.tables"))
        async with open_engine(
            settings, actor=actor(), workshop=workshop, elsewhere=renderers, spread=spread
        ) as engine:
            sites = await sites_of(engine, site)
            published = await publish_sites(engine, sites, options)
            _tell(published, options, as_json=as_json, is_list=site is None, show_all=show_all)
            new = {each.outcome.site: each.outcome.release for each in published if each.is_new}
            if wait and new:
                # Only here: a publish alone needs no worker, which takes longer to load than most publishes.
                from app.commands.afterwards import follow_through  # noqa: PLC0415

                for line in await follow_through(settings, engine, handlers, sites, new):
                    click.echo(line, err=as_json)
            await loading
            return all(will_publish(each.outcome, yes=yes) for each in published)

    with database(command_settings()) as settings, forked(settings) as (workshop, renderers):
        is_well = asyncio.run(body(settings, workshop, renderers))
    if not is_well:
        sys.exit(1)


def _tell(
    published: list[Published], options: Options, *, as_json: bool, is_list: bool, show_all: bool
) -> None:
    if as_json:
        outcomes = [each.outcome for each in published]
        found: object = outcomes if is_list and len(outcomes) != 1 else outcomes[0]
        click.echo(msgspec.json.encode(found).decode())
    else:
        for each in published:
            for line in lines_of(each, show_all=show_all, yes=options.yes):
                click.echo(line)


async def publish_sites(engine: Engine, sites: dict[str, UUID], options: Options) -> list[Published]:
    """One release of each. A site that fails, in whatever way, does not keep the others.

    The failure of a single site is raised as it is; of several each is told, and PublishError raised last.
    """
    published: list[Published] = []
    failed = 0
    for slug, site_id in sites.items():
        try:
            with reporting(slug) as report:
                published.append(await _publish_one(engine, site_id, options, report))
        except Exception as error:
            expected = _expected(error)
            if len(sites) == 1:
                raise expected or error from error
            failed += 1
            notice(f"{slug}: {expected.detail if expected else _unexpected(slug, error)}")
    if failed:
        raise PublishError(
            f"{failed} of {len(sites)} sites were not published; what is said above tells why."
        )
    return published


async def _publish_one(engine: Engine, site_id: UUID, options: Options, report: Reporter) -> Published:
    before, zone = await _live_number(engine, site_id), await _zone(engine, site_id)
    outcome = await publish_site(engine, site_id, report=report, **msgspec.structs.asdict(options))
    return Published(outcome, zone, is_new=not options.dry_run and outcome.release != before)


async def _live_number(engine: Engine, site_id: UUID) -> int | None:
    """None also for a damaged pointer, which the publish itself deals with."""
    try:
        found = await engine.store.run(partial(read_pointer, engine.store.store, str(site_id)))
    except CorruptObject:
        return None
    return found[0].number if found else None


async def _zone(engine: Engine, site_id: UUID) -> ZoneInfo:
    async with engine.pool.acquire() as connection, site_transaction(connection, site_id, readonly=True):
        name = await connection.fetchval("SELECT timezone FROM sites")
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")


def _expected(error: Exception) -> AppError | None:
    """Stores raise failures of their own: a connection that fails here is one to the database."""
    if isinstance(error, AppError):
        return error
    return from_driver(error) if isinstance(error, ConnectionError | TimeoutError) else from_database(error)


def _unexpected(slug: str, error: Exception) -> str:
    """The error's own words are kept back: they may quote rows."""
    return f"stopped by a fault ({type(error).__name__}); `hustings publish --site {slug}` shows where."


def will_publish(outcome: Outcome, *, yes: bool) -> bool:
    """What a dry run says of the publish; what was published was."""
    return not isinstance(outcome, Preview) or not stops(outcome, yes=yes)


def lines_of(published: Published, *, show_all: bool, yes: bool = False) -> list[str]:
    outcome = published.outcome
    if isinstance(outcome, Preview):
        return preview_lines(outcome, yes=yes, show_all=show_all)
    return [sentence(published), *warning_lines(outcome, show_all=show_all)]


def sentence(published: Published) -> str:
    outcome = published.outcome
    if outcome.waits:
        return f"{outcome.site}: nothing was published: {outcome.waits}."
    if not published.is_new:
        return (
            f"{outcome.site}: nothing changed; release {outcome.release} stays live ({outcome.pages} paths)."
        )
    at = outcome.live_at.astimezone(published.zone).strftime(" at %H:%M:%S %Z") if outcome.live_at else ""
    return (
        f"{outcome.site}: release {outcome.release} is live{at}: {outcome.rendered} rendered, "
        f"{outcome.removed} removed, {outcome.unchanged} unchanged, {outcome.uploaded} uploaded, "
        f"{outcome.seconds:.2f} s."
    )
