"""`hustings takedown`: a page that has to go, and never comes back."""

import rich_click as click

from app.commands.context import actor, run
from app.commands.groups import Command
from app.commands.progress import reporting
from app.commands.sites import chosen_site, one_site, site_option
from app.publishing.takedown import Lifted, TakenDown, lift
from app.publishing.takedown import takedown as take_down
from app.settings import Settings
from app.wiring import open_engine


@click.command("takedown", cls=Command)
@site_option
@click.argument("path")
@click.option("--reason", metavar="TEXT", help="Why; kept with the path, and needed to take it down.")
@click.option("--undo", is_flag=True, help="Let PATH be published again, if there is something to show.")
def takedown(path: str, reason: str | None, undo: bool) -> None:
    """Take PATH down for good: it answers 410, and its bytes are deleted from the store."""
    if (reason is None) != undo:
        raise click.UsageError("Give --reason to take the path down, or --undo to let it come back.")
    slug = chosen_site()

    async def body(settings: Settings) -> str:
        async with open_engine(settings, actor=actor()) as engine:
            name, site_id = await one_site(engine, slug)
            if reason is None:
                return lifted(name, await lift(engine, site_id, path))
            with reporting(name) as report:
                return sentence(name, await take_down(engine, site_id, path, reason, report=report))

    click.echo(run(body))


def lifted(slug: str, done: Lifted) -> str:
    return (
        f"{slug}: {done.path} may be shown again, which `hustings publish --site {slug}` does. "
        f"It was taken down on {done.taken_down_at:%Y-%m-%d}: {done.reason}"
    )


def sentence(slug: str, done: TakenDown) -> str:
    versions = f"{done.deleted} version{'' if done.deleted == 1 else 's'} deleted"
    told = f"{slug}: {done.path} is taken down; release {done.release} is live, {versions}"
    if done.shared:
        return f"{told}, {done.shared} kept because other paths show the same."
    return f"{told}."
