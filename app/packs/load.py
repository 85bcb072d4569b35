"""From a folder to the database: read everything, then one transaction."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
from anyio import to_thread
from uuid_utils.compat import uuid7

from app.database.engine import Connection, site_transaction
from app.errors import Conflict
from app.packs.folder import PackFolder
from app.packs.parts import Content, Loading, Part, Reading
from app.packs.problems import Problems
from app.packs.upsert import Written
from app.storage.facade import AsyncStore

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('content pack ' || $1, 0))"


class LoadReport(msgspec.Struct, frozen=True):
    site_id: UUID
    slug: str
    tables: Mapping[str, Written]
    """What happened to the rows of each table that the pack speaks of."""

    @property
    def is_unchanged(self) -> bool:
        return not any(count.inserted or count.updated or count.removed for count in self.tables.values())


def _silent(_: str) -> None:
    return None


async def load_pack(
    connection: Connection,
    store: AsyncStore,
    folder: Path,
    parts: Sequence[Part],
    *,
    prune: bool = False,
    say: Callable[[str], None] = _silent,
) -> LoadReport:
    """Upsert the pack in one transaction of `connection`, which must not be in one.

    Raises PackError with every problem found, or Conflict when the database refuses; nothing is changed then,
    except that pictures may lie in the store that nothing names.
    """
    say(f"Reading {folder}.")
    problems = Problems()
    reading, contents = await to_thread.run_sync(_read, folder, parts, problems)
    if reading.identity is None:
        problems.check()
        raise AssertionError("the first part sets the identity or adds a problem")
    site_id = await _site_id(connection, reading.identity.slug)
    say(f"Writing site {reading.identity.slug}.")
    try:
        async with site_transaction(connection, site_id):
            await connection.execute(_LOCK, reading.identity.slug)
            load = Loading(connection, store, site_id, reading.identity, problems, prune=prune)
            await _check(load, parts, reading, contents)
            await _write(load, contents)
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError) as error:
        raise Conflict(_sentence(error)) from error
    return LoadReport(site_id, reading.identity.slug, load.counts)


def _read(folder: Path, parts: Sequence[Part], problems: Problems) -> tuple[Reading, list[Content]]:
    reading = Reading(PackFolder(folder, problems), problems)
    contents = [part.read(reading) for part in parts]
    reading.folder.report_unclaimed()
    return reading, contents


async def _check(load: Loading, parts: Sequence[Part], reading: Reading, contents: Sequence[Content]) -> None:
    for part in parts:
        if part.check_references:
            await part.check_references(load, reading.references)
    load.problems.check()
    for content in contents:
        await content.check(load)
    load.problems.check()


async def _write(load: Loading, contents: Sequence[Content]) -> None:
    if load.prune:
        for content in reversed(contents):
            await content.prune(load)
    for content in contents:
        await content.save(load)
    load.problems.check()


async def _site_id(connection: Connection, slug: str) -> UUID:
    found: UUID | None = await connection.fetchval("SELECT id FROM site_directory() WHERE slug = $1", slug)
    return found or uuid7()


def _sentence(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.ProgramLimitExceededError):
        return f"A value of the pack is too long to be looked up by: {error}. Nothing was changed."
    detail = f" {error.detail}" if error.detail else ""
    return (
        f"The pack conflicts with what the site holds ({error.constraint_name}).{detail} Nothing was changed."
    )
