"""`hustings releases`: what was live and when, and back to it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import msgspec
import rich_click as click

from app.commands.context import actor, run
from app.commands.groups import Group
from app.commands.progress import reporting
from app.commands.sites import chosen_site, one_site, site_option, sites_of
from app.publishing.activation import Activated
from app.publishing.activation import activate as activate_release
from app.publishing.activation import rollback as roll_back
from app.publishing.garbage import Collected, collect
from app.publishing.history import ReleaseDetail, ReleaseLine, list_releases, show_release
from app.publishing.publish import Engine
from app.settings import Settings
from app.wiring import open_engine

T = TypeVar("T")


@click.group("releases", cls=Group)
@site_option
def releases() -> None:
    """The releases of a site: list them, look at one, bring one back."""


@releases.command("list")
@site_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, by site.")
def list_command(limit: int, as_json: bool) -> None:
    """The newest releases of each site, or of the site chosen."""
    slug = chosen_site()

    async def body(settings: Settings) -> dict[str, list[ReleaseLine]]:
        async with open_engine(settings, actor=actor()) as engine:
            sites = await sites_of(engine, slug)
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
@click.argument("number", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(number: int, as_json: bool) -> None:
    """What release NUMBER changed, path by path."""

    async def find(engine: Engine, slug: str, site_id: UUID) -> tuple[str, ReleaseDetail]:
        return slug, await show_release(engine.pool, site_id, number)

    slug, detail = _on_one_site(find)
    if as_json:
        _print_json({"site": slug, **msgspec.to_builtins(detail)})
        return
    click.echo(line_of(slug, detail.release))
    for change in detail.changes:
        click.echo(f"  {change.change:<8} {change.path}")


@releases.command("activate")
@site_option
@click.argument("number", type=click.IntRange(1))
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
    if not done.buried:
        before = f"release {done.replaced}" if done.replaced else "a pointer that could not be read"
        told = f"{slug}: release {done.release} is live again instead of {before}"
    else:
        paths = f"{len(done.buried)} path{'' if len(done.buried) == 1 else 's'}"
        told = (
            f"{slug}: release {done.release} is live: the content of release {done.content} "
            f"without {paths} taken down since"
        )
    return f"{told}, {done.seconds:.2f} s."


def line_of(slug: str, line: ReleaseLine) -> str:
    when = (line.live_at or line.started_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [f"{slug}: {line.number:>4} {line.state:<11} {when}"]
    parts += [f"by {line.actor}"] if line.actor else []
    if line.counts:
        parts.append(f"{line.counts.get('rendered', 0)} rendered, {line.counts.get('removed', 0)} removed")
    parts += [f"shows release {line.content}"] if line.content is not None else []
    parts += [line.error.replace("\n", " ")] if line.error else []
    return "  ".join(parts)


def _on_one_site(do: Callable[[Engine, str, UUID], Awaitable[T]]) -> T:
    slug = chosen_site()

    async def body(settings: Settings) -> T:
        async with open_engine(settings, actor=actor()) as engine:
            return await do(engine, *await one_site(engine, slug))

    return run(body)


def _print_json(found: object) -> None:
    click.echo(msgspec.json.encode(found).decode())
