"""`hustings releases`: what was live and when, and back to it."""

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

import msgspec
import rich_click as click

from app.commands.context import actor, notice, run
from app.commands.groups import Group
from app.commands.mirror import mirror
from app.commands.progress import reporting
from app.commands.sites import chosen_site, one_site, site_option, sites_of
from app.publishing.activation import Activated
from app.publishing.activation import activate as activate_release
from app.publishing.activation import rollback as roll_back
from app.publishing.engine import Engine
from app.publishing.garbage import Collected, collect
from app.publishing.history import ReleaseDetail, ReleaseLine, list_releases, show_release
from app.publishing.reconcile import reconcile
from app.settings import Settings
from app.storage.store import StoreUnavailable
from app.wiring import open_engine

NUMBER = click.IntRange(1, 2**31 - 1)
T = TypeVar("T")


@click.group("releases", cls=Group)
@site_option
def releases() -> None:
    """The releases of a site: list them, look at one, bring one back."""


@releases.command("list")
@site_option
@click.option("--limit", default=20, show_default=True, type=NUMBER, help="How many, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, by site.")
def list_command(limit: int, as_json: bool) -> None:
    """The newest releases of each site, or of the site chosen."""
    slug = chosen_site()

    async def body(settings: Settings) -> dict[str, list[ReleaseLine]]:
        async with open_engine(settings, actor=actor()) as engine:
            sites = await sites_of(engine, slug)
            await _settle(engine, sites.values())
            return {name: await list_releases(engine.pool, site_id, limit) for name, site_id in sites.items()}

    found = run(body)
    if as_json:
        _print_json(found)
        return
    for name, lines in found.items():
        for told in [line_of(name, line) for line in lines] or [f"{name}: nothing was published yet."]:
            click.echo(told)


@releases.command("show")
@site_option
@click.argument("number", type=NUMBER)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(number: int, as_json: bool) -> None:
    """What release NUMBER changed, path by path."""

    async def find(engine: Engine, slug: str, site_id: UUID) -> tuple[str, ReleaseDetail]:
        await _settle(engine, [site_id])
        return slug, await show_release(engine.pool, site_id, number)

    slug, detail = _on_one_site(find)
    if as_json:
        _print_json({"site": slug, **msgspec.to_builtins(detail)})
        return
    click.echo(line_of(slug, detail.release))
    for told in detail.release.afterwards.lines if detail.release.afterwards else ():
        click.echo(f"  {told}")
    for change in detail.changes:
        click.echo(f"  {change.change:<8} {change.path}")


@releases.command("activate")
@site_option
@click.argument("number", type=NUMBER)
def activate(number: int) -> None:
    """Make release NUMBER live again."""

    async def flip(engine: Engine, slug: str, site_id: UUID) -> str:
        with reporting(slug) as report:
            return activated(slug, await activate_release(engine, site_id, number, report=report))

    click.echo(_on_one_site(flip))


@releases.command("rollback")
@site_option
def rollback() -> None:
    """Make the release live again that was live before this one."""

    async def flip(engine: Engine, slug: str, site_id: UUID) -> str:
        with reporting(slug) as report:
            return activated(slug, await roll_back(engine, site_id, report=report))

    click.echo(_on_one_site(flip))


releases.add_command(mirror)


@releases.command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
def gc(dry_run: bool) -> None:
    """Delete what no kept release of any site needs: kept are the last 20 of each, and 30 days."""

    async def body(settings: Settings) -> Collected:
        async with open_engine(settings, actor=actor()) as engine:
            with reporting("store") as report:
                return await collect(engine, report=report, dry_run=dry_run)

    click.echo(collected(run(body), dry_run=dry_run))


def collected(found: Collected, *, dry_run: bool) -> str:
    counts = (
        f"{found.roots} releases, {found.shards} parts of manifests and {found.blobs} blobs, "
        f"and {found.changes} rows of the log of changes"
    )
    return f"Would delete {counts}. Nothing was deleted." if dry_run else f"Deleted {counts}."


def activated(slug: str, done: Activated) -> str:
    """The sentence for a person."""
    if done.release == done.content:
        before = f"release {done.replaced}" if done.replaced else "a pointer that could not be read"
        told = f"{slug}: release {done.release} is live again instead of {before}"
    else:
        told = f"{slug}: release {done.release} is live: the content of release {done.content}"
        told += f" without {_counted(len(done.buried), 'path')} taken down since" if done.buried else ""
        told += f", and {_counted(done.assets, 'asset')} for pages still open" if done.assets else ""
    return f"{told}, {done.seconds:.2f} s."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def line_of(slug: str, line: ReleaseLine) -> str:
    when = (line.live_at or line.started_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [f"{slug}: {line.number:>4} {line.state:<11} {when}"]
    parts += [f"by {line.actor}"] if line.actor else []
    parts += [f"by {line.trigger}"] if line.trigger != "editor" else []
    if line.counts:
        parts.append(f"{line.counts.get('rendered', 0)} rendered, {line.counts.get('removed', 0)} removed")
    parts += [f"shows release {line.content}"] if line.content is not None else []
    if line.afterwards is not None:
        parts.append(f"purge {line.afterwards.purge}, sample {line.afterwards.sample}")
    parts += [line.error.replace("\n", " ")] if line.error else []
    return "  ".join(parts)


async def _settle(engine: Engine, sites: Collection[UUID]) -> None:
    """What a killed publisher left is not what is; a store that is away does not keep the history back."""
    try:
        for settled in await reconcile(engine.pool, engine.store, sites):
            if settled.trouble:
                notice(f"{settled.site}: {settled.trouble}")
    except StoreUnavailable as error:
        notice(f"What is live could not be looked up: {error.detail}")


def _on_one_site(do: Callable[[Engine, str, UUID], Awaitable[T]]) -> T:
    slug = chosen_site()

    async def body(settings: Settings) -> T:
        async with open_engine(settings, actor=actor()) as engine:
            return await do(engine, *await one_site(engine, slug))

    return run(body)


def _print_json(found: object) -> None:
    click.echo(msgspec.json.encode(found).decode())
