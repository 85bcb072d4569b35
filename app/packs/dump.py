"""From the database to a folder that appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from anyio import to_thread

from app.database.engine import Connection, site_transaction
from app.errors import NotFound
from app.packs.parts import Dumping, Part
from app.packs.problems import refuse
from app.storage.facade import AsyncStore


async def dump_pack(
    connection: Connection, store: AsyncStore, site_slug: str, folder: Path, parts: Sequence[Part]
) -> None:
    """Write the site's pack into `folder`, which must be new or empty, from one snapshot.

    Raises NotFound for an unknown site, PackError when the folder cannot be used.
    """
    site_id = await _site_id(connection, site_slug)
    temporary = await to_thread.run_sync(_prepare, folder)
    try:
        async with site_transaction(connection, site_id, isolation="repeatable_read", readonly=True):
            dump = Dumping(connection, store, site_id, temporary)
            for part in parts:
                await part.dump(dump)
        await to_thread.run_sync(_finish, temporary, folder)
    finally:
        await to_thread.run_sync(lambda: shutil.rmtree(temporary, ignore_errors=True))


async def _site_id(connection: Connection, slug: str) -> UUID:
    sites = await connection.fetch("SELECT id, slug FROM site_directory()")
    ids: dict[str, UUID] = {row["slug"]: row["id"] for row in sites}
    if slug not in ids:
        raise NotFound(f"There is no site {slug}. The sites are: {', '.join(ids) or 'none'}.")
    return ids[slug]


def _prepare(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise refuse(str(folder), "is not empty; name a new or an empty folder")
    temporary = folder.absolute().parent / f".{folder.name}.{secrets.token_hex(6)}"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise refuse(str(folder), f"cannot be written: {error.strerror}") from None
    return temporary


def _finish(temporary: Path, folder: Path) -> None:
    try:
        os.replace(temporary, folder)  # noqa: PTH105 - pathlib says the same; an empty folder is replaced
    except OSError as error:
        raise refuse(str(folder), f"cannot be written: {error.strerror}") from None
