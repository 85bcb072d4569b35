"""`hustings publish`: what changed goes live, as one release of each site."""

import sys
from functools import partial
from uuid import UUID

import msgspec
import rich_click as click

from app.commands.context import actor, notice, run
from app.commands.groups import Command
from app.commands.preview import preview_lines, stops, warning_lines
from app.commands.progress import reporting
from app.commands.sites import sites_of
from app.database.failures import from_database, from_driver
from app.errors import AppError, PublishError
from app.publishing.manifest import CorruptObject
from app.publishing.pointer import read_pointer
from app.publishing.publish import Engine
from app.publishing.publish import publish as publish_site
from app.publishing.report import Outcome, Preview, Reporter
from app.settings import Settings
from app.wiring import open_engine


class Options(msgspec.Struct, frozen=True):
    full: bool = False
    dry_run: bool = False
    yes: bool = False


class Published(msgspec.Struct, frozen=True):
    outcome: Outcome
    is_new: bool
    """Whether a release was made: also when only hosts or the base URL changed, and so no page."""


@click.command("publish", cls=Command)
@click.option("--site", metavar="SLUG", help="Only this site; without it each.")
@click.option("--full", is_flag=True, help="Look at every page, not only at what changed.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Go on even if many pages disappear.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON (a list, of several sites).")
@click.option("--all", "show_all", is_flag=True, help="With --dry-run: every path, however many there are.")
def publish(*, site: str | None, full: bool, dry_run: bool, yes: bool, as_json: bool, show_all: bool) -> None:
    """Publish what has changed: wholly live, or not at all."""
    options = Options(full, dry_run, yes)

    async def body(settings: Settings) -> list[Published]:
        async with open_engine(settings, actor=actor()) as engine:
            return await publish_sites(engine, await sites_of(engine, site), options)

    published = run(body)
    if as_json:
        outcomes = [each.outcome for each in published]
        found: object = outcomes if site is None and len(outcomes) != 1 else outcomes[0]
        click.echo(msgspec.json.encode(found).decode())
    else:
        for each in published:
            for line in lines_of(each, show_all=show_all, yes=yes):
                click.echo(line)
    if any(not will_publish(each.outcome, yes=yes) for each in published):
        sys.exit(1)


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
    before = await _live_number(engine, site_id)
    outcome = await publish_site(engine, site_id, report=report, **msgspec.structs.asdict(options))
    return Published(outcome, is_new=not options.dry_run and outcome.release != before)


async def _live_number(engine: Engine, site_id: UUID) -> int | None:
    """None also for a damaged pointer, which the publish itself deals with."""
    try:
        found = await engine.store.run(partial(read_pointer, engine.store.store, str(site_id)))
    except CorruptObject:
        return None
    return found[0].number if found else None


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
    if not published.is_new:
        return (
            f"{outcome.site}: nothing changed; release {outcome.release} stays live ({outcome.pages} paths)."
        )
    return (
        f"{outcome.site}: release {outcome.release} is live: {outcome.rendered} rendered, "
        f"{outcome.removed} removed, {outcome.unchanged} unchanged, {outcome.uploaded} uploaded, "
        f"{outcome.seconds:.2f} s."
    )
