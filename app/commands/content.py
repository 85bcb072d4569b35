"""`hustings content`: sites as folders of plain files."""

from pathlib import Path

import asyncpg
import rich_click as click

from app.commands.context import notice, run
from app.commands.groups import Group
from app.database.engine import Connection, connect_options
from app.errors import Unprocessable
from app.packing import PACKS
from app.packs.dump import dump_pack
from app.packs.load import LoadReport, load_pack
from app.packs.upsert import Written
from app.settings import Settings
from app.storage.facade import AsyncStore
from app.wiring import make_store

FOLDER = click.Path(path_type=Path)


@click.group("content", cls=Group)
def content() -> None:
    """Content packs: a site as a folder of plain files."""


@content.command("load")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--prune", is_flag=True, help="Remove what the pack does not have.")
def load(folder: Path, prune: bool) -> None:
    """Write the pack DIR into the database: all of it, or nothing when anything in it is wrong."""

    async def body(settings: Settings) -> LoadReport:
        connection = await connect(settings)
        try:
            store = AsyncStore(make_store(settings))
            return await load_pack(connection, store, folder, PACKS, prune=prune, say=notice)
        finally:
            await connection.close()

    for line in report_lines(run(body)):
        click.echo(line)


@content.command("dump")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--site", help="The site's slug; needed when there are several.")
def dump(folder: Path, site: str | None) -> None:
    """Write a site as a pack into DIR, which must be new or empty."""

    async def body(settings: Settings) -> str:
        connection = await connect(settings)
        try:
            slug = site or await _only_site(connection)
            await dump_pack(connection, AsyncStore(make_store(settings)), slug, folder, PACKS)
            return slug
        finally:
            await connection.close()

    notice(f"Wrote site {run(body)} to {folder}.")


async def connect(settings: Settings) -> Connection:
    """One connection as the application role."""
    connection: Connection = await asyncpg.connect(
        settings.database_url, **connect_options(settings.database_pooler)
    )
    return connection


def report_lines(report: LoadReport) -> list[str]:
    """One line for each table that changed."""
    if report.is_unchanged:
        return [f"{report.slug}: nothing changed."]
    changed = {name: _words(written) for name, written in sorted(report.tables.items())}
    return [f"{report.slug}: {name}: {words}" for name, words in changed.items() if words]


def _words(written: Written) -> str:
    counts = (("new", written.inserted), ("changed", written.updated), ("removed", written.removed))
    return ", ".join(f"{count} {word}" for word, count in counts if count)


async def _only_site(connection: Connection) -> str:
    slugs: list[str] = [row["slug"] for row in await connection.fetch("SELECT slug FROM site_directory()")]
    if len(slugs) != 1:
        raise Unprocessable(f"Name the site with --site; the sites are: {', '.join(slugs) or 'none'}.")
    return slugs[0]
