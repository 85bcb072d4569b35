"""The rows of releases: numbers, states, what is live. All of it is written under the lease."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from app.database.engine import Connection, site_transaction
from app.kit.ids import new_id
from app.publishing.compress import compress_later
from app.publishing.flips import follow_up
from app.publishing.kinds import Content
from app.publishing.pointer import Pointer

CHANNEL = "hustings_flip"
"""NOTIFY channel: the payload is the id of the site whose pointer moved."""

TAKE = """
INSERT INTO publications (site_id, last_number, last_generation) VALUES ($1, $2 + 1, $3 + 1)
ON CONFLICT (site_id) DO UPDATE SET
  last_number = greatest(publications.last_number, $2) + 1,
  last_generation = greatest(publications.last_generation, $3) + 1
RETURNING last_number, last_generation
"""
BEGIN = """
INSERT INTO releases
  (id, site_id, number, generation, base_id, state, content_snapshot, database_id, frozen_at, recipe, actor,
   trigger)
VALUES ($1, $2, $3, $4, $5, 'rendering', $6::text::pg_snapshot, $7, $8, $9, $10, $11)
"""
TAKE_GENERATION = """
INSERT INTO publications (site_id, last_generation) VALUES ($1, $2 + 1)
ON CONFLICT (site_id) DO UPDATE SET last_generation = greatest(publications.last_generation, $2) + 1
RETURNING last_generation
"""
BEGIN_COPY = """
INSERT INTO releases
  (id, site_id, number, generation, base_id, content_number, state, actor,
   content_snapshot, database_id, frozen_at, recipe)
SELECT $1, $2, $3, $4, r.id, coalesce(r.content_number, r.number, $6), 'rendering', $7,
       r.content_snapshot, coalesce(r.database_id, ''), r.frozen_at, coalesce(r.recipe, '')
  FROM (SELECT) AS one LEFT JOIN releases r ON r.id = $5
"""
# What comes may be a new publish, an older release, or the content of one with paths taken out. Activating
# other content than what was live pauses the releases that no person asks for, and a publish ends the pause.
GO_LIVE = """
WITH coming AS (
  SELECT coalesce(content_number, number) AS content,
         content_number IS NULL AND state NOT IN ('live', 'superseded', 'rolled_back') AS is_published
    FROM releases WHERE id = $1
), leaving AS (
  SELECT id, root_key, coalesce(content_number, number) AS content
    FROM releases WHERE state = 'live' AND id <> $1
), flipped AS (
  INSERT INTO publications AS p (site_id, live_release_id, live_generation) VALUES ($2, $1, $3)
  ON CONFLICT (site_id) DO UPDATE SET
    live_release_id = $1,
    live_generation = $3,
    is_paused = NOT (SELECT is_published FROM coming) AND (
      p.is_paused OR EXISTS (SELECT FROM leaving, coming WHERE leaving.content <> coming.content))
   WHERE p.live_generation < $3
  RETURNING site_id
), noted AS (
  INSERT INTO flips (site_id, generation, release_id, replaced_root, flipped_at)
  SELECT site_id, $3, $1, (SELECT root_key FROM leaving LIMIT 1), $4 FROM flipped
  ON CONFLICT DO NOTHING
), ended AS (
  UPDATE releases r
     SET state = CASE WHEN leaving.content > coming.content THEN 'rolled_back' ELSE 'superseded' END,
         ended_at = now()
    FROM leaving, coming
   WHERE r.id = leaving.id AND EXISTS (SELECT FROM flipped)
)
UPDATE releases SET state = 'live', live_at = $4, ended_at = NULL, generation = $3, error = ''
 WHERE id = $1 AND EXISTS (SELECT FROM flipped)
"""
TOO_LATE = """
UPDATE releases SET state = 'superseded', ended_at = now()
 WHERE id = $1 AND state IN ('planned', 'rendering', 'checking', 'uploading')
"""
ADOPT = """
INSERT INTO releases (id, site_id, number, generation, state, root_key, live_at)
VALUES ($1, $2, $3, $4, 'uploading', $5, $6)
"""
STILL_CURRENT = """
UPDATE releases
   SET content_snapshot = $2::text::pg_snapshot, database_id = $3, frozen_at = $4, recipe = $5
 WHERE id = $1
"""
LIVE = """
SELECT r.id, r.content_snapshot::text AS snapshot, r.database_id, r.frozen_at, r.recipe,
       coalesce(p.pruned_in = r.database_id AND pg_snapshot_xmin(r.content_snapshot) < p.pruned_below, false)
         AS is_forgotten,
       coalesce(r.frozen_at > now() + interval '1 hour', false) AS is_ahead
  FROM releases r LEFT JOIN publications p ON p.site_id = r.site_id
 WHERE r.number = $1
"""
RECORD_PAGES = """
INSERT INTO release_pages (site_id, release_id, path, change, blob)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[])
"""
ABANDON = """
UPDATE releases SET state = 'failed', ended_at = now(), error = 'The publisher stopped before it was done.'
 WHERE state IN ('planned', 'rendering', 'checking', 'uploading') AND number <> $1
"""


class Ticket(msgspec.Struct, frozen=True):
    """The right to make one release: its number, and the generation that fences its flip."""

    release_id: UUID
    number: int
    generation: int


class LiveRow(msgspec.Struct, frozen=True):
    """What the database knows of the release that the pointer names."""

    id: UUID
    snapshot: str | None
    database_id: str
    frozen_at: datetime | None
    recipe: str
    is_forgotten: bool = False
    """Changes that its snapshot had not seen are pruned from the log: only a full plan is sure."""
    is_ahead: bool = False
    """Its publisher's clock was more than an hour before the database's: nothing counts on its time."""


async def follow_pointer(connection: Connection, site_id: UUID, pointer: Pointer) -> LiveRow | None:
    """Make the database agree with the store, under the lease: what an earlier publisher left is settled.

    The pointer is the truth: a publisher that died between its flip and its commit has published. Returns the
    row of the live release; None when the database has never heard of it.
    """
    async with site_transaction(connection, site_id):
        row = await connection.fetchrow(LIVE, pointer.number)
        await connection.execute(ABANDON, pointer.number)
        if row is None:
            return None
        live = LiveRow(*row)
        known = await connection.fetchval("SELECT live_generation FROM publications")
        if known != pointer.generation:
            await _note_flip(connection, site_id, live.id, pointer.generation, pointer.activated_at)
        return live


async def abandon(connection: Connection, site_id: UUID) -> None:
    """Without a pointer nothing is live, and whoever was at work has stopped."""
    async with site_transaction(connection, site_id):
        await connection.execute(ABANDON, 0)


async def begin(
    connection: Connection,
    content: Content,
    pointer: Pointer | None,
    base: LiveRow | None,
    *,
    recipe: str,
    actor: str,
    trigger: str,
) -> Ticket:
    """Take the next number and generation, above those of the pointer even if the database forgot them."""
    number, generation = (pointer.number, pointer.generation) if pointer else (0, 0)
    async with site_transaction(connection, content.site_id):
        taken = await connection.fetchrow(TAKE, content.site_id, number, generation)
        assert taken is not None  # noqa: S101 - INSERT ... RETURNING gives a row
        ticket = Ticket(new_id(), taken["last_number"], taken["last_generation"])
        await connection.execute(
            BEGIN,
            ticket.release_id,
            content.site_id,
            ticket.number,
            ticket.generation,
            base.id if base else None,
            content.snapshot,
            content.database_id,
            content.frozen_at,
            recipe,
            actor,
            trigger,
        )
    return ticket


async def begin_copy(
    connection: Connection, site_id: UUID, pointer: Pointer, *, source: UUID | None, actor: str
) -> Ticket:
    """A release that will show what `source` shows, without some paths: it is as new as that content is.

    `source` is None when the database has never heard of what is live.
    """
    async with site_transaction(connection, site_id):
        taken = await connection.fetchrow(TAKE, site_id, pointer.number, pointer.generation)
        assert taken is not None  # noqa: S101 - INSERT ... RETURNING gives a row
        ticket = Ticket(new_id(), taken["last_number"], taken["last_generation"])
        await connection.execute(
            BEGIN_COPY,
            ticket.release_id,
            site_id,
            ticket.number,
            ticket.generation,
            source,
            pointer.number,
            actor,
        )
    return ticket


async def take_generation(connection: Connection, site_id: UUID, pointer: Pointer) -> int:
    """The intent to flip to a release that is there already: it keeps its number."""
    async with site_transaction(connection, site_id):
        generation: int = await connection.fetchval(TAKE_GENERATION, site_id, pointer.generation)
    return generation


async def advance(connection: Connection, site_id: UUID, ticket: Ticket, state: str) -> None:
    async with site_transaction(connection, site_id):
        await connection.execute("UPDATE releases SET state = $2 WHERE id = $1", ticket.release_id, state)


async def record(
    connection: Connection,
    site_id: UUID,
    ticket: Ticket,
    *,
    root_key: str,
    counts: Mapping[str, object],
    pages: Mapping[str, tuple[str, str | None]],
) -> None:
    """Before the flip: what this release is. `pages` maps a path to its change and its blob."""
    async with site_transaction(connection, site_id):
        await connection.execute(
            "UPDATE releases SET state = 'uploading', root_key = $2, counts = $3::jsonb WHERE id = $1",
            ticket.release_id,
            root_key,
            msgspec.json.encode(counts).decode(),
        )
        await connection.execute(
            RECORD_PAGES,
            site_id,
            ticket.release_id,
            list(pages),
            [change for change, _ in pages.values()],
            [blob for _, blob in pages.values()],
        )


async def go_live(connection: Connection, site_id: UUID, ticket: Ticket, now: datetime) -> None:
    """After the flip: the database learns of it, and every gateway with it."""
    async with site_transaction(connection, site_id):
        await _note_flip(connection, site_id, ticket.release_id, ticket.generation, now)
        await connection.execute(TOO_LATE, ticket.release_id)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(site_id))


async def _note_flip(
    connection: Connection, site_id: UUID, release_id: UUID, generation: int, at: datetime
) -> None:
    """What follows the flip is enqueued with it, unless a newer one is known already."""
    done = await connection.execute(GO_LIVE, release_id, site_id, generation, at)
    if done != "UPDATE 0":
        await follow_up(connection, site_id)
        await compress_later(connection, site_id, release_id)


async def end(connection: Connection, site_id: UUID, ticket: Ticket, state: str, error: str) -> None:
    async with site_transaction(connection, site_id):
        await connection.execute(
            "UPDATE releases SET state = $2, error = $3, ended_at = now() WHERE id = $1",
            ticket.release_id,
            state,
            error,
        )


async def still_current(
    connection: Connection, content: Content, pointer: Pointer, live: LiveRow | None, recipe: str
) -> None:
    """Nothing that is shown has changed: the live release stands for the newer content and recipe too.

    A release that the database has never heard of is written down, or every plan would be a full one.
    """
    async with site_transaction(connection, content.site_id):
        release_id = live.id if live else new_id()
        if live is None:
            known = (content.site_id, pointer.number, pointer.generation, pointer.root, pointer.activated_at)
            await connection.execute(ADOPT, release_id, *known)
            await _note_flip(
                connection, content.site_id, release_id, pointer.generation, pointer.activated_at
            )
        now = (content.snapshot, content.database_id, content.frozen_at, recipe)
        await connection.execute(STILL_CURRENT, release_id, *now)


async def end_pause(connection: Connection, site_id: UUID) -> None:
    """Somebody published, and what is live is the newest content."""
    async with site_transaction(connection, site_id):
        await connection.execute("UPDATE publications SET is_paused = false WHERE is_paused")
