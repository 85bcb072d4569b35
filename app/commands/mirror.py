"""`hustings releases mirror`: the live release for a host that cannot run a gateway."""

from functools import partial
from typing import Literal, get_args

import msgspec
import rich_click as click

from app.commands.context import actor, run
from app.commands.groups import Command
from app.commands.progress import reporting
from app.commands.sites import chosen_site, one_site, site_option
from app.errors import ConfigurationError
from app.publishing.engine import Engine
from app.publishing.mirror.outcome import Mirrored
from app.publishing.mirror.run import Mirror
from app.publishing.mirror.trees import TreeMirror
from app.publishing.report import Reporter
from app.publishing.takedown import every_tombstone
from app.settings import Settings
from app.storage.web_urls import open_trees, open_web
from app.wiring import open_engine

Layout = Literal["plain", "nginx"]


@click.command("mirror", cls=Command)
@site_option
@click.option("--to", "url", metavar="URL", help="A folder or a bucket; without it HUSTINGS_MIRROR_URL.")
@click.option(
    "--layout",
    type=click.Choice(get_args(Layout)),
    default="plain",
    show_default=True,
    help="plain: files by path. nginx: whole trees in a folder, switched at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def mirror(url: str | None, layout: Layout, as_json: bool) -> None:
    """Copy the live release to a plain bucket or folder. Run again, it copies what has changed."""
    slug = chosen_site()

    async def body(settings: Settings) -> Mirrored:
        target = url or settings.mirror_url
        if target is None:
            raise ConfigurationError("Say where to with --to URL or HUSTINGS_MIRROR_URL: file:///srv/www.")
        async with open_engine(settings, actor=actor()) as engine:
            name, site_id = await one_site(engine, slug)
            with reporting(name) as report:
                return await mirror_site(engine, str(site_id), target, layout, report)

    done = run(body)
    click.echo(msgspec.json.encode(done).decode() if as_json else sentence(done))


async def mirror_site(engine: Engine, site_id: str, url: str, layout: Layout, report: Reporter) -> Mirrored:
    if layout == "plain":
        place = await engine.store.run(partial(open_web, url))
        return await Mirror(engine.store, site_id, place, clock=engine.clock, report=report).run()
    async with engine.pool.acquire() as connection:
        tombstones = (await every_tombstone(connection)).get(site_id, ())
    trees = await engine.store.run(partial(open_trees, url))
    return await TreeMirror(
        engine.store, site_id, trees, tombstones=tombstones, clock=engine.clock, report=report
    ).run()


def sentence(done: Mirrored) -> str:
    counts = f"{done.uploaded} uploaded, {done.deleted} deleted, {done.unchanged} unchanged"
    kept = f", {done.kept} of them assets kept for open pages" if done.kept else ""
    newer = f" Release {done.newer} is live by now: run it again." if done.newer else ""
    return (
        f"{done.site}: release {done.release} is mirrored to {done.target}: {counts}{kept}, "
        f"{done.seconds:.2f} s.{newer}"
    )
